"""One small decoder, trained in fp32 and with fewer bits: what vanishes on the way, and where each run ends.

All runs of a seed see the same passages in the same order and start from the same weights; they differ in
what is kept in which format, and in nothing else. Every run is judged in fp32, on the weights that it
kept.

In a batch of millions of tokens the loss of each micro-batch is divided by all of them, so its gradients
are tiny, and their sum, in fp32, is not. `shrink` makes one micro-batch as tiny as one of 2^shrink, and
takes as many times its gradient for the sum: underflow as in a large run, at the price of a small one.

Axes: N steps made, M looks, A arms, W seeds.
"""

import math
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.pretraining.low_precision import (
    DTYPES,
    DYNAMIC_START,
    Kept,
    LossScale,
    Recipe,
    adam_step,
    unscaled,
)
from labcore.pretraining.small_world import (
    HELD_OUT_SEED,
    LANGUAGES,
    PAD,
    SmallVocabulary,
    endless_batches,
    floor_nats,
    passages,
    row,
)
from labcore.training.objectives import Batch, causal_batch, held_out_loss, mean_token_loss

STEPS, MOST_STEPS, WARMUP_STEPS = 200, 400, 20
PASSAGES, HELD_OUT, BATCH_ROWS = 1500, 100, 32
WIDTH, LAYERS = 32, 2
LOOK_EVERY = 20
MOST_SHRINK = 24

RECIPES: dict[str, Recipe] = {
    "fp32": Recipe(),
    "master": Recipe("bf16", "fp32", "fp32"),
    "bf16": Recipe("bf16", "bf16", "bf16"),
    "stochastic": Recipe("bf16", "bf16", "bf16", "stochastic"),
    "fp16": Recipe("fp16", "fp16", "fp16"),
    "fp16_weights": Recipe("fp16", "fp16", "fp32"),
    "fp16_master": Recipe("fp16", "fp32", "fp32"),
    "fp16_dynamic": Recipe("fp16", "fp32", "fp32", dynamic=True),
}
SMALL = 12  # 2^12 micro-batches of about 450 targets: a batch of two million tokens


@lab_config
class PrecisionConfig:
    recipe: Recipe = field(default_factory=lambda: RECIPES["bf16"])
    rate: float = 0.003  # constant after the warm-up
    shrink: int = 0  # the pass works on one of 2^shrink micro-batches
    steps: int = STEPS
    seed: int = 0  # of weights, order and rounding

    def __post_init__(self):
        if not 0 < self.rate <= 1:
            raise LabInputError("rate", self.rate, "between", low=0, high=1)
        for name, low, high in (("steps", 1, MOST_STEPS), ("shrink", 0, MOST_SHRINK)):
            if not low <= getattr(self, name) <= high:
                raise LabInputError(name, getattr(self, name), "between", low=low, high=high)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    step: int  # from 1
    share: float  # of the run done
    loss_nats: float  # of the pass, in its own precision
    lost: float  # share of weights that should have moved and did not; NaN in a skipped step
    zeros: float  # share of gradients that are exactly 0
    scale: int  # the loss was multiplied by 2^scale
    skipped: bool  # some gradient overflowed
    held_out_nats: float | None  # after the step; None between two looks


@dataclass(frozen=True, slots=True, eq=False)
class PrecisionResult:
    loss_nats: np.ndarray  # (N,)
    lost: np.ndarray  # (N,)
    zeros: np.ndarray  # (N,)
    scale: np.ndarray  # (N,)
    skipped: int  # steps
    look_steps: np.ndarray  # (M,)
    held_out_nats: np.ndarray  # (M,)
    floor_nats: float
    gains: tuple[float, float]  # the smallest and the largest of the norms' weights, 1 at the start
    bytes_per_parameter: int
    parameters: int
    diverged: bool
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    rows: list[list[int]]
    asked: Batch  # held out
    vocab_size: int
    floor_nats: float


@lru_cache(maxsize=1)
def text() -> Text:
    """The same passages for every run."""
    told = passages(LANGUAGES, PASSAGES, seed=0)
    held_out = passages(LANGUAGES, HELD_OUT, HELD_OUT_SEED, "held_out")
    rows, asked = [row(story) for story in told], [row(story) for story in held_out]
    small = SmallVocabulary.of(rows + asked)
    return Text(
        [small.narrow(ids) for ids in rows],
        causal_batch([small.narrow(ids) for ids in asked], PAD),
        small.size,
        floor_nats(held_out),
    )


def run(config: PrecisionConfig) -> PrecisionResult:
    return drain(train_in(config))


def train_in(config: PrecisionConfig) -> Generator[Step, None, PrecisionResult]:
    """Pass, unscale, update; the run ends early if its numbers do."""
    started, recipe = time.perf_counter(), config.recipe
    rng = torch.Generator().manual_seed(config.seed)
    design = ModelConfig(vocab_size=text().vocab_size, hidden_size=WIDTH, num_layers=LAYERS)
    model = Transformer(design, rng)
    names = [name for name, _ in model.named_parameters()]
    kept = Kept.of(model, recipe, np.random.default_rng(config.seed))
    model.to(DTYPES[recipe.compute])
    scale = LossScale(DYNAMIC_START if recipe.dynamic else recipe.scale, recipe.dynamic)
    made: list[Step] = []
    batches = endless_batches(text().rows, BATCH_ROWS, rng)
    for step, batch in zip(range(1, config.steps + 1), batches, strict=False):
        at, rate = scale.exponent, config.rate * min(1, step / WARMUP_STEPS)
        loss = backward(model, kept, batch, 2.0 ** (at - config.shrink))
        gradients, finite, zeros = unscaled(model, 2.0 ** (at - config.shrink))
        lost = adam_step(kept, gradients, rate) if finite else math.nan
        scale.judge(finite)
        over = step == config.steps or not (finite or recipe.dynamic) or not math.isfinite(loss)
        look = judged(design, names, kept) if over or step % LOOK_EVERY == 0 else None
        made.append(Step(step, step / config.steps, loss, lost, zeros, at, not finite, look))
        yield made[-1]
        if over:
            break
    return summary(made, names, kept, made[-1].step < config.steps, time.perf_counter() - started)


def backward(model: Transformer, kept: Kept, batch: Batch, factor: float) -> float:
    """The kept weights, copied into the pass's format; loss forward, its gradients times `factor` back."""
    for weight, stored in zip(model.parameters(), kept.weights, strict=True):
        weight.data.copy_(stored)
        weight.grad = None
    loss, minimised = mean_token_loss(model, batch)
    (minimised.float() * factor).backward()
    return loss.item()


def judged(design: ModelConfig, names: list[str], kept: Kept) -> float:
    """Nats per held-out token with the kept weights, computed in fp32."""
    weights = {name: w.float() for name, w in zip(names, kept.weights, strict=True)}
    return held_out_loss(Transformer(design, weights=weights), [text().asked])


def summary(
    made: list[Step], names: list[str], kept: Kept, diverged: bool, seconds: float
) -> PrecisionResult:
    looks = [step for step in made if step.held_out_nats is not None]
    gains = [w for name, w in zip(names, kept.weights, strict=True) if name.endswith("norm.weight")]
    ends = torch.stack([gain.float() for gain in gains])
    return PrecisionResult(
        *(np.array([getattr(s, name) for s in made]) for name in ("loss_nats", "lost", "zeros", "scale")),
        sum(step.skipped for step in made),
        np.array([step.step for step in looks]),
        np.array([step.held_out_nats for step in looks]),
        text().floor_nats,
        (float(ends.min()), float(ends.max())),
        kept.recipe.bytes_per_parameter,
        sum(weight.numel() for weight in kept.weights),
        diverged,
        seconds,
    )  # fmt: skip


# What is recorded.


@lab_config
class StudyConfig:
    """The arms: a name in RECIPES, and how far the gradients are shrunk."""

    arms: tuple[tuple[str, int], ...] = (
        *((name, 0) for name in RECIPES if name != "fp16_dynamic"),
        ("fp16_master", SMALL), ("fp16_dynamic", SMALL),
    )  # fmt: skip
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = STEPS


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """NaN stands where a run had broken off."""

    arms: list[tuple[str, int]]  # A
    seeds: list[int]  # W
    look_steps: np.ndarray  # (M,)
    held_out_nats: np.ndarray  # (A, W, M)
    lost: np.ndarray  # (A, W, N)
    zeros: np.ndarray  # (A, W, N)
    gains: np.ndarray  # (A, W, 2) smallest and largest
    bytes_per_parameter: list[int]  # A
    floor_nats: float
    seconds: float


def study(config: StudyConfig) -> Study:
    """Every arm with every seed."""
    started = time.perf_counter()
    runs = [
        [run(PrecisionConfig(RECIPES[name], shrink=shrink, steps=config.steps, seed=seed))
         for seed in config.seeds]
        for name, shrink in config.arms
    ]  # fmt: skip
    looks = sorted({*range(LOOK_EVERY, config.steps, LOOK_EVERY), config.steps})
    return Study(
        list(config.arms), list(config.seeds), np.array(looks),
        stacked(runs, "held_out_nats", len(looks)), stacked(runs, "lost", config.steps),
        stacked(runs, "zeros", config.steps),
        np.array([[one.gains for one in arm] for arm in runs], np.float32),
        [arm[0].bytes_per_parameter for arm in runs], text().floor_nats,
        time.perf_counter() - started,
    )  # fmt: skip


def stacked(runs: Iterable[Iterable[PrecisionResult]], name: str, length: int) -> np.ndarray:
    """One array of all runs.  -> (A, W, length)

    subtle: the last look of a run that broke off is not at a look's step, so all of its looks are left out.
    """
    rows = []
    for arm in runs:
        for one in arm:
            values = np.full(length, np.nan, np.float32)
            if name != "held_out_nats" or not one.diverged:
                values[: len(getattr(one, name))] = getattr(one, name)
            rows.append(values)
    return np.stack(rows).reshape(len(list(runs)), -1, length)
