"""A training run under observation: every signal that a practitioner looks at, step by step.

One small decoder, one recipe of hyper-parameters, perhaps a fault. Whatever the run shows of itself is
kept in a `RunLog`, from which a diagnosis can be made without knowing what was done to it.

Axes: N steps, L blocks, M looks inside.
"""

import time
from collections.abc import Generator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import cattrs
import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.counting import flops_total, parameter_total
from labcore.model.generation import SamplingConfig, generate
from labcore.model.transformer import Transformer
from labcore.pretraining.corpus import Source, WorldTextConfig
from labcore.pretraining.monitor_text import MonitorText, text_of
from labcore.training import faults, optimiser, resume
from labcore.training.faults import Setup
from labcore.training.loop import Step, TrainConfig, train
from labcore.training.objectives import held_out_loss
from labcore.training.rules import OPTIMISERS
from labcore.training.signals import Health, RunLog, Watch, health, run_log

LIMITS: dict[str, tuple[float, float]] = {
    "num_layers": (1, 8), "hidden_size": (16, 96), "steps": (10, 1000), "warmup_steps": (0, 500),
    "batch_size": (1, 64), "micro_batches": (1, 16), "seed": (0, 9999), "weight_decay": (0.0, 1.0),
    "learning_rate": (1e-6, 10.0),
}  # fmt: skip
STORIES = WorldTextConfig(told="stories")
PROBE_ROWS = 16  # of held-out text, on which the inside of the model is looked at
ACTIVATIONS = ("gelu", "relu")
HEADS, MAX_POSITIONS = 4, 256
LOOKS, INSIDE_LOOKS = 15, 5  # at held-out text and inside the model, in the course of a run
SAMPLE_TOKENS, SAMPLE_TEMPERATURE = 32, 0.8
READER = cattrs.Converter(forbid_extra_keys=True)  # of the settings in a file from outside


@lab_config
class MonitorConfig:
    num_layers: int = 4
    hidden_size: int = 48
    activation: str = "gelu"
    optimiser: str = "adamw"
    learning_rate: float = 1e-2  # the highest of the schedule
    schedule: str = "cosine"
    warmup_steps: int = 20
    weight_decay: float = 0.01
    clip_norm: float | None = 1.0
    batch_size: int = 16  # rows per update
    micro_batches: int = 1  # parts in which they are read
    precision: str = "fp32"
    steps: int = 150
    seed: int = 0  # of the weights and of the text
    fault: str = "healthy"
    corpus: Source = STORIES
    stop_after: int | None = None  # break the run off here; its schedule is that of all `steps`
    checkpoint: bytes = field(default=b"", repr=False)  # of a run that is to be continued

    def __post_init__(self):
        check_limits(self, LIMITS)
        for name, allowed in (("optimiser", OPTIMISERS), ("activation", ACTIVATIONS)):
            if getattr(self, name) not in allowed:
                raise LabInputError(name, getattr(self, name), "known_choice", allowed=allowed)
        if self.micro_batches > self.batch_size:
            raise LabInputError(
                "micro_batches", self.micro_batches, "at_most", limit=self.batch_size
            )
        if self.stop_after is not None and not 1 <= self.stop_after <= self.steps:
            raise LabInputError("stop_after", self.stop_after, "between", low=1, high=self.steps)
        self.setup(2)

    def setup(self, vocab_size: int) -> Setup:
        """Model and training with the fault in them."""
        model = ModelConfig(
            vocab_size=vocab_size, hidden_size=self.hidden_size, num_layers=self.num_layers,
            num_heads=HEADS, max_positions=MAX_POSITIONS, activation=self.activation,
        )  # fmt: skip
        training = TrainConfig(
            steps=self.steps, batch_size=self.batch_size, learning_rate=self.learning_rate,
            schedule=self.schedule, warmup_steps=self.warmup_steps,
            weight_decay=self.weight_decay, clip_norm=self.clip_norm,
            eval_every=max(1, self.steps // LOOKS), snapshot_every=max(1, self.steps // INSIDE_LOOKS),
            seed=self.seed, micro_batches=self.micro_batches, precision=self.precision,
        )  # fmt: skip
        return faults.inject(Setup(model, training), self.fault)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """The inside of the model after `step` updates, and what it says."""

    step: int
    health: Health
    sample: str


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """One event: one update."""

    step: Step
    share: float  # of this run done, 0 to 1
    look: Look | None  # None between two looks
    config: MonitorConfig  # of the run, without a checkpoint that it goes on from
    floor_nats: float | None
    uniform_nats: float


@dataclass(frozen=True, slots=True, eq=False)
class MonitorResult:
    config: MonitorConfig  # of the run, without a checkpoint that it goes on from
    log: RunLog
    looks: list[Look]  # M, the first before any update
    final_nats: float  # on held-out text, after the last update
    parameters: int
    memory_numbers: int  # that the optimiser keeps
    flops_per_token: float  # forward and backward: three times a forward pass
    tokens_seen: int
    seconds: float
    diverged: bool
    checkpoint: np.ndarray  # uint8: the bytes of a safetensors file, see `training.resume`


def run(config: MonitorConfig) -> MonitorResult:
    return drain(monitor(config))


def monitor(config: MonitorConfig) -> Generator[Progress, None, MonitorResult]:
    """Build what the config says, train it under watch, and keep all that it shows."""
    started = time.perf_counter()
    text = text_of(config.corpus, config.batch_size, config.seed)
    setup = config.setup(text.tokenizer.vocab_size)
    model = faults.build(setup, config.seed)
    training = setup.training
    moving = optimiser.build(
        config.optimiser, model, training.learning_rate, training.weight_decay, training.betas
    )
    before = take_up(config, model, moving)
    looks = [look_inside(model, text, before, config.seed)]
    running = train(
        model,
        faults.batches(setup, text.batch_at, before + 1, config.seed),
        training,
        evaluate=lambda model: held_out_loss(model, [text.held_out]),
        snapshot=lambda model, step: look_inside(model, text, step, config.seed),
        optimiser=moving,
        watch=Watch(model),
        made_before=before,
    )
    last, steps, told = config.stop_after or config.steps, [], replace(config, checkpoint=b"")
    for step in running:
        steps.append(step)
        look = step.snapshot or (None if len(steps) > 1 else looks[0])
        looks += [step.snapshot] if step.snapshot else []
        share = (step.step - before) / (last - before)
        yield Progress(step, share, look, told, text.floor_nats, text.uniform_nats)
        if step.step == last:
            break
    return _result(config, text, setup, model, moving, steps, looks, time.perf_counter() - started)


@torch.no_grad()
def look_inside(model: Transformer, text: MonitorText, step: int, seed: int) -> Look:
    """What the model does with held-out text, and what it says when it is asked to begin."""
    inside = health(model, text.held_out.tokens[:PROBE_ROWS])
    sampling = SamplingConfig(SAMPLE_TEMPERATURE, max_new_tokens=SAMPLE_TOKENS, seed=seed)
    written = generate(model, text.opening, sampling, {text.tokenizer.eos_id})
    return Look(step, inside, text.tokenizer.decode(token.token for token in written))


# Putting a run aside and taking it up.


def settings(config: MonitorConfig) -> dict[str, Any]:
    """The config as plain values, ready for JSON; a run that continues another carries no copy of it."""
    return asdict(replace(config, checkpoint=b"")) | {"checkpoint": ""}


def config_in(data: bytes) -> tuple[MonitorConfig, int]:
    """The config that a saved run was made with, and the updates it had made."""
    saved = resume.read(data)
    try:
        return READER.structure(saved.settings | {"checkpoint": b""}, MonitorConfig), saved.step
    except LabInputError:
        raise
    except Exception as error:  # whatever cattrs finds wrong with a foreign file
        raise LabInputError("checkpoint", type(error).__name__, "saved_by_this_lab") from error


def continued(data: bytes, steps: int) -> MonitorConfig:
    """The saved run with `steps` in all: the rest of its plan, or a longer plan."""
    config, made = config_in(data)
    if not steps > made:
        raise LabInputError("steps", steps, "above", limit=made)
    return replace(config, steps=steps, stop_after=None, checkpoint=data)


def take_up(config: MonitorConfig, model: Transformer, moving: torch.optim.Optimizer) -> int:
    """Bring model and optimiser to where the saved run stood.  -> updates made before"""
    if not config.checkpoint:
        return 0
    saved = resume.read(config.checkpoint)
    resume.restore(saved, model, moving)
    return saved.step


def _result(
    config: MonitorConfig, text: MonitorText, setup: Setup, model: Transformer,
    moving: torch.optim.Optimizer, steps: list[Step], looks: list[Look], seconds: float,
) -> MonitorResult:  # fmt: skip
    log = run_log(steps, text.floor_nats, text.uniform_nats)
    row = text.held_out.tokens.shape[1]
    data = resume.save(model, moving, steps[-1].step, settings(config))
    return MonitorResult(
        replace(config, checkpoint=b""),
        log,
        looks,
        final_nats=held_out_loss(model, [text.held_out]),
        parameters=parameter_total(setup.model),
        memory_numbers=optimiser.state_numbers(moving),
        flops_per_token=3 * flops_total(setup.model, row) / row,
        tokens_seen=steps[-1].tokens_seen,
        seconds=seconds,
        diverged=steps[-1].diverged,
        checkpoint=np.frombuffer(data, np.uint8),
    )
