"""Which stacks can be trained, how deep and how fast: one small decoder at several depths.

Every stack gets the same number of steps on the same stories of the micro-world, each cut to its beginning.
Two levels tell what the end is worth: the floor, below which no honest loss can go, and the loss of
one and the same guess for every position, which a stack reaches as soon as it knows which tokens are common.

Axes: V variants, Q learning rates, P depths, R seeds, N steps.
"""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import torch

from labcore.architecture.build_train_corpus import held_out_of, world, world_corpus
from labcore.architecture.deep_stacks import Design, build
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.text.masking import IGNORE
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import Batch, held_out_loss

LANGUAGES = ("en", "zh")
TOKENS = 32  # of each story
STEPS, WARMUP_STEPS = 100, 30
BATCH_ROWS = 8
DEPTHS = (2, 4, 8, 16)
RATES = (0.001, 0.003, 0.01, 0.03)
MOST_STEPS, MOST_DEPTH = 500, 24
LIKE_NATS = 0.1  # about the spread of one stack over seeds

PRE, POST = Design(), Design(placement="post")
NO_NORM, NO_RESIDUAL = Design(placement="none"), Design(residual=False)
# What is compared: a design, and whether the learning rate climbs to its peak or starts there.
VARIANTS: dict[str, tuple[Design, bool]] = {
    "pre": (PRE, True),
    "pre_cold": (PRE, False),
    "pre_plain": (replace(PRE, scaled_writers=False), True),
    "post": (POST, True),
    "post_cold": (POST, False),
    "post_plain": (replace(POST, scaled_writers=False), True),
    "no_norm": (NO_NORM, True),
    "no_residual": (NO_RESIDUAL, True),
}


@lab_config
class SweepConfig:
    """One design and one learning rate, at several depths."""

    design: Design = field(default_factory=Design)
    warm_up: bool = True
    learning_rate: float = 0.01  # constant once it is reached
    depths: tuple[int, ...] = DEPTHS
    steps: int = STEPS
    seed: int = 0  # of the weights and of the stories

    def __post_init__(self):
        if not self.depths:
            raise LabInputError("depths", self.depths, "not_empty")
        for depth in self.depths:
            if not 1 <= depth <= MOST_DEPTH:
                raise LabInputError("depths", depth, "between", low=1, high=MOST_DEPTH)
        if not 1 <= self.steps <= MOST_STEPS:
            raise LabInputError("steps", self.steps, "between", low=1, high=MOST_STEPS)
        self.training()

    def training(self) -> TrainConfig:
        return TrainConfig(
            steps=self.steps,
            batch_size=BATCH_ROWS,
            learning_rate=self.learning_rate,
            schedule="constant",
            warmup_steps=min(WARMUP_STEPS, self.steps // 3) if self.warm_up else 0,
            eval_every=0,
            seed=self.seed,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """One step of one stack."""

    learning_rate: float  # the sweep's
    depth: int
    step: int  # from 1
    share: float  # of the whole sweep, 0 to 1
    loss_nats: float  # on the step's own batch
    final_nats: float | None  # on held-out text, after the last step of a stack


@dataclass(frozen=True, slots=True, eq=False)
class SweepResult:
    learning_rate: float
    depths: list[int]  # P
    loss_nats: np.ndarray  # (P, N), NaN after a stack that broke off
    grad_norm: np.ndarray  # (P, N), before clipping to 1
    final_nats: np.ndarray  # (P,) per token of held-out text
    floor_nats: float
    constant_nats: float  # of one and the same guess everywhere
    seconds: float

    @property
    def verdict(self) -> str:
        """How the deepest stack ended beside the shallowest: "better", "like", "worse" or "stuck"."""
        shallow, deep = self.final_nats[0], self.final_nats[-1]
        if not deep < self.constant_nats - LIKE_NATS:
            return "stuck"  # no better than a guess that never changes, or not a number
        if abs(deep - shallow) <= LIKE_NATS:
            return "like"
        return "better" if deep < shallow else "worse"


@lab_config
class GridConfig:
    """What is recorded; a test asks for less of it."""

    variants: tuple[str, ...] = tuple(VARIANTS)
    rates: tuple[float, ...] = RATES
    depths: tuple[int, ...] = DEPTHS
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = STEPS


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Every variant, rate and depth with several seeds."""

    variants: list[str]  # V, keys of VARIANTS
    rates: list[float]  # Q
    depths: list[int]  # P
    seeds: list[int]  # R
    final_nats: np.ndarray  # (V, Q, P, R) float32
    steps: int
    floor_nats: float
    constant_nats: float
    seconds: float


def run(config: SweepConfig) -> SweepResult:
    return drain(sweep(config))


def sweep(config: SweepConfig) -> Generator[Progress, None, SweepResult]:
    """Train a fresh stack at each depth, shallow ones first."""
    started = time.perf_counter()
    asked, vocabulary = held_out(), world().tokenizer.vocab_size
    effort = np.cumsum([0, *(depth + 2 for depth in config.depths)])  # 2: the table of tokens
    losses = np.full((len(config.depths), config.steps), np.nan)
    norms, finals = losses.copy(), np.zeros(len(config.depths))
    for number, depth in enumerate(config.depths):
        model = build(config.design, depth, vocabulary, config.seed)
        for step in train(model, stories(config.seed), config.training()):
            at = step.step - 1
            losses[number, at], norms[number, at] = step.loss_nats, step.grad_norm
            over = step.step == config.steps or step.diverged
            if over:
                finals[number] = held_out_loss(model, [asked])
            done = effort[number] + step.share * (depth + 2)
            share, final = float(done / effort[-1]), float(finals[number]) if over else None
            yield Progress(config.learning_rate, depth, step.step, share, step.loss_nats, final)
    seconds = time.perf_counter() - started
    return SweepResult(
        config.learning_rate, list(config.depths), losses, norms, finals,
        floor_nats(), constant_nats(), seconds,
    )  # fmt: skip


def grid(config: GridConfig) -> Grid:
    """All variants at all rates and depths, over the seeds; the whole takes twenty minutes on a core."""
    started = time.perf_counter()
    finals = np.array(
        [[cell(config, name, rate) for rate in config.rates] for name in config.variants]
    )
    return Grid(
        list(config.variants), list(config.rates), list(config.depths), list(config.seeds),
        finals.astype(np.float32), config.steps, floor_nats(), constant_nats(),
        time.perf_counter() - started,
    )  # fmt: skip


def cell(config: GridConfig, name: str, rate: float) -> np.ndarray:
    """How low one variant comes at one rate: every depth with every seed.  (P, R)"""
    design, warm_up = VARIANTS[name]
    sweeps = [
        SweepConfig(design, warm_up, rate, config.depths, config.steps, seed)
        for seed in config.seeds
    ]
    return np.stack([run(one).final_nats for one in sweeps], axis=1)


# The text.


def stories(seed: int) -> Iterator[Batch]:
    """Beginnings of training stories, without end."""
    return map(beginnings, world_corpus("decoder", LANGUAGES, BATCH_ROWS, seed).batches)


def held_out() -> Batch:
    """Beginnings of the stories on which every run of the lab is judged."""
    return beginnings(held_out_of("decoder", LANGUAGES)[0])


def beginnings(batch: Batch) -> Batch:
    """The first tokens of each row: a step is cheap, and none of it goes into padding."""
    return Batch(
        batch.tokens[:, :TOKENS], batch.targets[:, :TOKENS], batch.padding_mask[:, :TOKENS]
    )


@lru_cache(maxsize=1)
def floor_nats() -> float:
    """What the held-out beginnings leave to chance: mean of -ln q per token, q their true source."""
    whole = held_out_of("decoder", LANGUAGES)[0]
    nats = []
    for tokens, targets, real in zip(whole.tokens, whole.targets, whole.padding_mask, strict=True):
        row = [int(tokens[0]), *targets[real].tolist()]
        nats += world().sequence_nats(row)[: min(TOKENS, len(row) - 1)]
    return float(np.mean(nats))


@lru_cache(maxsize=1)
def constant_nats() -> float:
    """The least that any guess costs which is the same everywhere: the entropy of the targets' counts."""
    targets = held_out().targets
    counts = torch.bincount(targets[targets != IGNORE]).double()
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * shares.log()).sum())
