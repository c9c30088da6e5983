"""A run that breaks off and is continued: with all that it was, or with a part of it.

Three ways to go on from one file. With weights, the optimiser's memory and the place in plan and text, the
run must end where the unbroken one ends, to the last bit. What is lost otherwise the curves show.

Axes: W ways, N steps.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.pretraining.monitor import MonitorConfig, settings
from labcore.pretraining.monitor_text import MonitorText, text_of
from labcore.training import faults, optimiser, resume
from labcore.training.loop import Step, train
from labcore.training.objectives import held_out_loss
from labcore.training.resume import Saved
from labcore.training.rules import OPTIMISERS

# What is taken from the file: all; all but the optimiser's memory; nothing but the weights, so that
# warm-up and text begin anew.
WAYS = ("all", "no_memory", "weights_only")
STEPS = (20, 300)


@lab_config
class ResumeConfig:
    optimiser: str = "adamw"
    learning_rate: float = 0.03
    steps: int = 80
    stop_after: int = 50
    seed: int = 0

    def __post_init__(self):
        low, high = STEPS
        if not low <= self.steps <= high:
            raise LabInputError("steps", self.steps, "between", low=low, high=high)
        if not 1 <= self.stop_after < self.steps:
            raise LabInputError(
                "stop_after", self.stop_after, "between", low=1, high=self.steps - 1
            )
        if self.optimiser not in OPTIMISERS:
            raise LabInputError("optimiser", self.optimiser, "known_choice", allowed=OPTIMISERS)
        self.monitor()

    def monitor(self) -> MonitorConfig:
        return MonitorConfig(
            optimiser=self.optimiser, learning_rate=self.learning_rate, steps=self.steps,
            seed=self.seed, schedule="wsd",
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    config: ResumeConfig
    way: str  # "unbroken" or one of WAYS
    step: int
    share: float  # of all four runs done, 0 to 1
    loss_nats: float


@dataclass(frozen=True, slots=True, eq=False)
class ResumeResult:
    stop_after: int
    unbroken_nats: np.ndarray  # (N,) training loss of the run that nobody disturbed
    loss_nats: np.ndarray  # (W, N) of those that go on; NaN before the break
    final_nats: np.ndarray  # (W + 1,) on held-out text; the unbroken run last
    apart: np.ndarray  # (W,) largest difference of a weight from the unbroken run's, at the end
    file_bytes: int
    memory_bytes: int  # of the file: what the optimiser remembers
    floor_nats: float


def run(config: ResumeConfig) -> ResumeResult:
    return drain(resume_study(config))


def resume_study(config: ResumeConfig) -> Generator[Progress, None, ResumeResult]:
    """Run to the end, keeping a file on the way; then go on from the file in each of three ways."""
    text = text_of(config.monitor().corpus, config.monitor().batch_size, config.seed)
    total = config.steps + len(WAYS) * (config.steps - config.stop_after)
    losses, done = np.full((len(WAYS) + 1, config.steps), np.nan), 0
    model, moving = fresh(config, text)
    ends, data = [], b""
    for step in go_on(config, text, model, moving, 0):
        losses[-1, step.step - 1], done = step.loss_nats, done + 1
        if step.step == config.stop_after:
            data = resume.save(model, moving, step.step, settings(config.monitor()))
        yield Progress(config, "unbroken", step.step, done / total, step.loss_nats)
    unbroken = model
    for number, way in enumerate(WAYS):
        model, moving = fresh(config, text)
        saved = part_of(resume.read(data), way)
        resume.restore(saved, model, moving)
        for at, step in enumerate(go_on(config, text, model, moving, saved.step)):
            if at == config.steps - config.stop_after:
                break  # as many updates as the others, though its plan has only begun
            here = config.stop_after + at
            losses[number, here], done = step.loss_nats, done + 1
            yield Progress(config, way, here + 1, done / total, step.loss_nats)
        ends.append(model)
    judged = [held_out_loss(one, [text.held_out]) for one in (*ends, unbroken)]
    memory = [t.nbytes for name, t in resume.read(data).tensors.items() if "memory/" in name]
    return ResumeResult(
        config.stop_after, losses[-1], losses[:-1], np.array(judged),
        np.array([farthest(one, unbroken) for one in ends]), len(data), sum(memory),
        text.floor_nats,
    )  # fmt: skip


def part_of(saved: Saved, way: str) -> Saved:
    """What this way of going on takes from the file."""
    if way == "all":
        return saved
    weights = {name: t for name, t in saved.tensors.items() if name.startswith("weights/")}
    return replace(saved, tensors=weights, step=saved.step if way == "no_memory" else 0)


def fresh(config: ResumeConfig, text: MonitorText) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A new model and an optimiser without memories."""
    setup = config.monitor().setup(text.tokenizer.vocab_size)
    model, training = faults.build(setup, config.seed), setup.training
    return model, optimiser.build(
        config.optimiser, model, config.learning_rate, training.weight_decay, training.betas
    )


def go_on(
    config: ResumeConfig, text: MonitorText, model: nn.Module, moving: torch.optim.Optimizer,
    made_before: int,
) -> Iterator[Step]:  # fmt: skip
    setup = config.monitor().setup(text.tokenizer.vocab_size)
    batches = faults.batches(setup, text.batch_at, made_before + 1, config.seed)
    return train(model, batches, setup.training, optimiser=moving, made_before=made_before)


@torch.no_grad()
def farthest(one: nn.Module, other: nn.Module) -> float:
    """The largest difference between two weights of the same name: 0 if the models are one."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)
