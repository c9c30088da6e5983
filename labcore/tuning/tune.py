"""Tune the teller to tell otherwise: one run, whatever the method.

After every few steps both losses are looked at: on the new way of telling, whose floor is known, and on
the old one, which the teller could do before.

Axes: M looks.
"""

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.events import drain
from labcore.pretraining.small_world import endless_batches
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import Batch, held_out_loss
from labcore.tuning import peft_files, tale_tasks, teller
from labcore.tuning.methods import Memory, Method, memory, tuned
from labcore.tuning.small_parts import trained_parameters

NEW_TASKS = ("cipher", "backwards")
LIMITS = {"learning_rate": (1e-5, 1.0), "steps": (10, 1000), "replay": (0.0, 0.9)}
BATCH_ROWS = 16
LOOK_STEPS = 25
PLAIN_LORA = Method()


@lab_config
class TuneConfig:
    method: Method = PLAIN_LORA
    task: str = "cipher"
    learning_rate: float = 0.01
    steps: int = 200
    replay: float = 0.0  # share of the rows that are told the old way
    seed: int = 0  # of what is added, and of the order of the passages

    def __post_init__(self):
        if self.task not in NEW_TASKS:
            raise LabInputError("task", self.task, "known_choice", allowed=NEW_TASKS)
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True)
class Look:
    """After `step` updates; losses are nats per token of the same held-out passages."""

    step: int
    share: float  # of the run done
    train_nats: float  # mean since the last look; NaN at step 0
    new_nats: float
    old_nats: float


@dataclass(frozen=True, slots=True, eq=False)
class TuneResult:
    looks: list[Look]  # (M,)
    floor_nats: float
    parameters: int  # that learn
    memory: Memory
    cpu_seconds: float  # of the updates alone
    adapter: bytes  # a zip in peft's format; of a full fine-tune, the whole model
    told: str  # the likeliest passage, as the tuned model tells it
    plain: str  # the same, turned back into the old way of telling


def run(config: TuneConfig) -> TuneResult:
    return drain(tune(config))


def tune(config: TuneConfig) -> Generator[Look, None, TuneResult]:
    """Train what the method adds, and look at the new task and at the old one."""
    model, looks = yield from trained(config)
    told = teller.tell(model)
    plain = tale_tasks.retold(told, config.task, tale_tasks.cipher_key())
    sample = typical_batch(config.task)
    return TuneResult(
        looks.seen, tale_tasks.lowest_nats(), trained_parameters(model), memory(model, sample),
        looks.cpu_seconds, peft_files.packed(model, config.method), teller.text_of(told),
        teller.text_of(plain),
    )  # fmt: skip


@dataclass(slots=True, eq=False)
class Looks:
    seen: list[Look]
    cpu_seconds: float = 0.0


def trained(
    config: TuneConfig, look_steps: int = LOOK_STEPS
) -> Generator[Look, None, tuple[nn.Module, Looks]]:
    """The run itself.  `look_steps` 0: look at the beginning and at the end only."""
    generator = torch.Generator().manual_seed(config.seed)
    model = tuned(teller.load_teller(), config.method, generator)
    training = TrainConfig(
        steps=config.steps, batch_size=BATCH_ROWS, learning_rate=config.learning_rate,
        warmup_steps=10, weight_decay=0.0, eval_every=0,
    )  # fmt: skip
    looks, recent = Looks([look(model, config.task, 0, 0.0, math.nan)]), []
    yield looks.seen[0]
    began = time.thread_time()  # a shared machine's clock would count the neighbours' work
    for made in train(model, rows(config, generator), training):
        recent.append(made.loss_nats)
        due = look_steps and made.step % look_steps == 0
        if due or made.step == config.steps or made.diverged:
            looks.cpu_seconds += time.thread_time() - began
            mean = sum(recent) / len(recent)
            looks.seen.append(look(model, config.task, made.step, made.share, mean))
            yield looks.seen[-1]
            recent, began = [], time.thread_time()
    return model.eval(), looks


def rows(config: TuneConfig, generator: torch.Generator) -> Iterator[Batch]:
    """Batches of the new task, with so many old rows among them that they are a `replay` share."""
    new = tale_tasks.training_rows(config.task)
    old = tale_tasks.training_rows(tale_tasks.OLD)
    count = round(len(new) * config.replay / (1 - config.replay))
    again = [old[number % len(old)] for number in range(count)]
    return endless_batches([*new, *again], BATCH_ROWS, generator)


def typical_batch(task: str) -> Batch:
    """The same for every method, so that what they keep in memory can be compared: rows of like length
    stand together, and the next batch may be half as long again."""
    return next(rows(TuneConfig(task=task), torch.Generator().manual_seed(0)))


def look(model: nn.Module, task: str, step: int, share: float, train_nats: float) -> Look:
    new, old = (
        held_out_loss(model, [tale_tasks.held_out(name)]) for name in (task, tale_tasks.OLD)
    )
    return Look(step, share, train_nats, new, old)
