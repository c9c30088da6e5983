"""The training loop: every training run in the lab is this generator.

Forward, backward, clip, step; one event per step. Watching live and running in batch are the same
run: what is yielded depends on the config, the model and the batches alone.
"""

import math
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import nn

from labcore.errors import LabInputError
from labcore.training import optimiser as optimisers
from labcore.training.objectives import Batch, mean_token_loss
from labcore.training.schedule import SCHEDULES, Schedule, learning_rate


@dataclass(frozen=True, slots=True)
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

    def __post_init__(self):
        for name in ("steps", "batch_size"):
            if getattr(self, name) < 1:
                raise LabInputError(name, getattr(self, name), "at_least", limit=1)
        if not (self.learning_rate > 0 and math.isfinite(self.learning_rate)):
            raise LabInputError("learning_rate", self.learning_rate, "positive")
        if self.schedule not in SCHEDULES:
            raise LabInputError("schedule", self.schedule, "known_choice", allowed=SCHEDULES)
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
) -> Generator[Step, None, TrainResult]:
    """Train `model` in place, one update per batch, and yield a `Step` after each.

    `evaluate(model)` gives held-out nats per token, `snapshot(model, step)` anything worth keeping;
    both look at the model after the update, in evaluation mode, and always at the last step.
    The run is shorter than `config.steps` if `batches` runs dry or if it diverges.
    """
    optimiser = optimisers.adamw(model, config.learning_rate, config.weight_decay, config.betas)
    started, made = time.perf_counter(), []
    tokens_seen, diverged = 0, False
    for step, batch in enumerate(islice(batches, config.steps), start=1):
        rate = config.learning_rate_at(step)
        loss, grad_norm, diverged = update(model, batch, optimiser, rate, config.clip_norm)
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
) -> tuple[float, float, bool]:
    """One step downhill.  -> loss before it in nats, gradient norm before clipping, diverged

    subtle: Adam's averages never recover from one NaN, so a step that is not finite is not made.
    """
    model.train()
    optimiser.zero_grad()
    loss, minimised = mean_token_loss(model, batch)
    minimised.backward()
    grad_norm = optimisers.clip_gradients(model, clip_norm)
    diverged = not (math.isfinite(loss.item()) and math.isfinite(grad_norm))
    if not diverged:
        optimisers.set_learning_rate(optimiser, rate)
        optimiser.step()
    return loss.item(), grad_norm, diverged


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
