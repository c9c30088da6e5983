"""The training loop: every training run in the lab is this generator.

Forward, backward, clip, step; one event per step. Watching live and running in batch are the same
run: what is yielded depends on the config, the model and the batches alone.
"""

import math
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import nn

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.training import optimiser as optimisers
from labcore.training.objectives import Batch, mean_token_loss
from labcore.training.schedule import SCHEDULES, Schedule, learning_rate
from labcore.training.signals import Signals, Watch

# In "bf16" the products are computed in 16 bits and the weights kept in 32; in "bf16_weights" the
# weights are rounded to 16 bits after each update, which swallows updates that are too small.
PRECISIONS = ("fp32", "bf16", "bf16_weights")


@lab_config
class TrainConfig:
    steps: int = 200
    batch_size: int = 32  # rows per step
    learning_rate: float = 3e-3  # the highest rate of the schedule
    schedule: Schedule = "cosine"
    warmup_steps: int = 20
    final_share: float = 0.1  # of the peak rate, left at the last step
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.95)  # AdamW's memory of gradients and of their squares
    clip_norm: float | None = 1.0  # None: gradients are never scaled
    eval_every: int = 20  # steps between two looks at held-out text; 0: never
    snapshot_every: int = 0  # steps between two snapshots; 0: never
    seed: int = 0  # of the batches
    micro_batches: int = 1  # parts in which a batch is read, for want of memory, before one update
    precision: str = "fp32"  # or "bf16", "bf16_weights"

    def __post_init__(self):
        for name in ("steps", "batch_size", "micro_batches"):
            if getattr(self, name) < 1:
                raise LabInputError(name, getattr(self, name), "at_least", limit=1)
        if not (self.learning_rate > 0 and math.isfinite(self.learning_rate)):
            raise LabInputError("learning_rate", self.learning_rate, "positive")
        if self.schedule not in SCHEDULES:
            raise LabInputError("schedule", self.schedule, "known_choice", allowed=SCHEDULES)
        if self.precision not in PRECISIONS:
            raise LabInputError("precision", self.precision, "known_choice", allowed=PRECISIONS)
        for name in ("warmup_steps", "weight_decay", "eval_every", "snapshot_every"):
            if getattr(self, name) < 0:
                raise LabInputError(name, getattr(self, name), "at_least", limit=0)
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise LabInputError("clip_norm", self.clip_norm, "positive")

    def learning_rate_at(self, step: int) -> float:
        """The rate of the update number `step`, counted from 1, so that the first one moves."""
        return learning_rate(
            step,
            self.learning_rate,
            self.schedule,
            self.steps,
            min(self.warmup_steps, self.steps),
            self.final_share,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    step: int  # updates made, from 1
    loss_nats: float  # per target token, on this step's batch, before its update
    learning_rate: float
    grad_norm: float  # before clipping
    share: float  # of the run done, 0 to 1
    tokens_seen: int  # input tokens so far, padding not counted
    validation_nats: float | None = None  # after the update; None between two evaluations
    snapshot: Any = None  # what the caller's `snapshot` gave; None between two snapshots
    diverged: bool = False  # loss or gradient is not finite: no update made, the run is over
    seconds: float = 0.0  # of the update alone, without looks
    signals: Signals | None = None  # what a `Watch` saw of the update


@dataclass(frozen=True, slots=True, eq=False)
class TrainResult:
    loss_nats: np.ndarray  # (N,) one per step made
    learning_rate: np.ndarray  # (N,)
    grad_norm: np.ndarray  # (N,)
    validation_steps: np.ndarray  # (M,) updates made when each was taken
    validation_nats: np.ndarray  # (M,)
    tokens_seen: int
    seconds: float
    diverged: bool


def train(
    model: nn.Module,
    batches: Iterable[Batch],
    config: TrainConfig,
    evaluate: Callable[[nn.Module], float] | None = None,
    snapshot: Callable[[nn.Module, int], Any] | None = None,
    optimiser: torch.optim.Optimizer | None = None,
    watch: Watch | None = None,
    made_before: int = 0,
) -> Generator[Step, None, TrainResult]:
    """Train `model` in place, one update per batch, and yield a `Step` after each.

    `evaluate(model)` gives held-out nats per token, `snapshot(model, step)` anything worth keeping;
    both look at the model after the update, in evaluation mode, and always at the last step.
    The run is shorter than `config.steps` if `batches` runs dry or if it diverges. Without an
    `optimiser` it is AdamW. A run that is continued has `made_before` of its steps behind it.
    """
    if optimiser is None:
        optimiser = optimisers.adamw(model, config.learning_rate, config.weight_decay, config.betas)
    started, made = time.perf_counter(), []
    tokens_seen, diverged = 0, False
    left = islice(batches, max(0, config.steps - made_before))
    for step, batch in enumerate(left, start=made_before + 1):
        rate, began = config.learning_rate_at(step), time.perf_counter()
        with watch or nullcontext():
            loss, grad_norm, diverged = update(
                model, batch, optimiser, rate, config.clip_norm,
                config.micro_batches, config.precision,
            )  # fmt: skip
        seconds = time.perf_counter() - began
        tokens_seen += int(batch.padding_mask.sum())
        looks = partial(_due, step=step, steps=config.steps, over=diverged)
        made.append(
            Step(
                step,
                loss,
                rate,
                grad_norm,
                step / config.steps,
                tokens_seen,
                evaluate(model) if evaluate and looks(config.eval_every) else None,
                snapshot(model, step) if snapshot and looks(config.snapshot_every) else None,
                diverged,
                seconds,
                watch.signals if watch else None,
            )
        )
        yield made[-1]
        if diverged:
            break
    return _result(made, tokens_seen, time.perf_counter() - started, diverged)


def update(
    model: nn.Module,
    batch: Batch,
    optimiser: torch.optim.Optimizer,
    rate: float,
    clip_norm: float | None,
    micro_batches: int = 1,
    precision: str = "fp32",
) -> tuple[float, float, bool]:
    """One step downhill.  -> loss before it in nats, gradient norm before clipping, diverged

    subtle: Adam's averages never recover from one NaN, so a step that is not finite is not made.
    """
    model.train()
    optimiser.zero_grad()
    loss = gradient(model, batch, micro_batches, precision)
    grad_norm = optimisers.clip_gradients(model, clip_norm)
    diverged = not (math.isfinite(loss) and math.isfinite(grad_norm))
    if not diverged:
        optimisers.set_learning_rate(optimiser, rate)
        optimiser.step()
    if precision == "bf16_weights":
        round_weights(model)
    return loss, grad_norm, diverged


def gradient(model: nn.Module, batch: Batch, micro_batches: int, precision: str) -> float:
    """Add up the gradient of the batch's mean loss, part by part.  -> that loss, in nats

    subtle: a part counts by its targets. The plain mean of the parts' means is another loss as soon as
    one part has more targets than another.
    """
    whole, total = max(1, batch.num_targets), 0.0
    for part in batch.parts(micro_batches):
        share = part.num_targets / whole
        with torch.autocast("cpu", torch.bfloat16, enabled=precision != "fp32"):
            loss, minimised = mean_token_loss(model, part)
        (minimised * share).backward()
        total += loss.item() * share
    return total


@torch.no_grad()
def round_weights(model: nn.Module) -> None:
    """Keep of each weight what 16 bits hold: 8 bits of exponent, 8 of precision."""
    for weight in model.parameters():
        weight.copy_(weight.bfloat16())


def _due(every: int, step: int, steps: int, over: bool) -> bool:
    return every > 0 and (step % every == 0 or step == steps or over)


def _result(made: list[Step], tokens_seen: int, seconds: float, diverged: bool) -> TrainResult:
    evaluated = [step for step in made if step.validation_nats is not None]
    return TrainResult(
        loss_nats=np.array([step.loss_nats for step in made]),
        learning_rate=np.array([step.learning_rate for step in made]),
        grad_norm=np.array([step.grad_norm for step in made]),
        validation_steps=np.array([step.step for step in evaluated], dtype=np.int64),
        validation_nats=np.array([step.validation_nats for step in evaluated]),
        tokens_seen=tokens_seen,
        seconds=seconds,
        diverged=diverged,
    )
