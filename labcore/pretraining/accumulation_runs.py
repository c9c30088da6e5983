"""What a wrong normalisation does to a run: two models side by side, the same texts, two rules.

The losses look alike. What differs is how often each model ends a text where short ones end: a token of a
short document has weighed more than one of a long document, so the model has learnt that most texts are
short.

Axes: Q rules, M looks, A arms, W seeds.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.cache import KVCache
from labcore.model.transformer import Transformer
from labcore.pretraining import mean_of_means as accumulation
from labcore.pretraining.mean_of_means import END, PAD, RULES, BatchConfig
from labcore.text import syllables
from labcore.training import optimiser as optimisers
from labcore.training.objectives import Batch, causal_batch, held_out_loss
from labcore.training.schedule import learning_rate

STEPS, MOST_STEPS, WARMUP_STEPS = 200, 400, 20
RATE = 0.005
LOOK_EVERY = 10
HELD_OUT, HELD_OUT_SEED = 64, 1234  # documents of each length
WRITTEN = 200  # texts that a finished model writes


@lab_config
class AccumulationConfig:
    batch: BatchConfig = field(default_factory=BatchConfig)
    steps: int = STEPS

    def __post_init__(self):
        if not 1 <= self.steps <= MOST_STEPS:
            raise LabInputError("steps", self.steps, "between", low=1, high=MOST_STEPS)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """Both models after the same number of updates. (Q,) in the order of RULES."""

    step: int
    share: float
    reported_nats: (
        np.ndarray
    )  # (Q,) the training loss as each rule computes it, mean since the last look
    held_out_nats: np.ndarray  # (Q,) per token, judged by tokens
    ends: np.ndarray  # (Q,) P(end) where a short document ends


@dataclass(frozen=True, slots=True, eq=False)
class AccumulationResult:
    looks: list[Look]
    taught: np.ndarray  # (Q,) P(end) that a perfect learner of each rule ends at
    floor_nats: float  # of the held-out documents, per token
    written_short: np.ndarray  # (Q,) share of the texts written that end where a short one does
    seconds: float


def run(config: AccumulationConfig) -> AccumulationResult:
    return drain(train_both(config))


def train_both(config: AccumulationConfig) -> Generator[Look, None, AccumulationResult]:
    """One big batch a step, accumulated by both rules, each into its own model."""
    started = time.perf_counter()
    asked = held_out(config.batch)
    models, optims = [], []
    for _ in RULES:  # the same weights twice
        rng = torch.Generator().manual_seed(config.batch.seed)
        models.append(accumulation.build(config.batch, rng))
        optims.append(optimisers.adamw(models[-1], RATE, 0.0, (0.9, 0.95)))
    looks, since = [], []
    for step in range(1, config.steps + 1):
        rows = accumulation.micro_batches(config.batch, rng)
        batches = [causal_batch(one, PAD) for one in rows]
        rate = learning_rate(
            step, RATE, "linear", config.steps, min(WARMUP_STEPS, config.steps // 3)
        )
        since.append(
            [
                update(model, optim, batches, rule, rate)
                for model, optim, rule in zip(models, optims, RULES, strict=True)
            ]
        )
        if step % LOOK_EVERY == 0 or step == config.steps:
            looks.append(
                Look(
                    step, step / config.steps, np.mean(since, axis=0),
                    np.array([held_out_loss(model, list(asked)) for model in models]),
                    np.array([end_share(model, asked[1], config.batch.short) for model in models]),
                )
            )  # fmt: skip
            since = []
            yield looks[-1]
    return AccumulationResult(
        looks,
        np.array([accumulation.end_probability(config.batch, rule) for rule in RULES]),
        floor_nats(asked),
        np.array([(lengths_written(model, config.batch, rng) == config.batch.short).mean()
                  for model in models]),
        time.perf_counter() - started,
    )  # fmt: skip


def update(
    model: Transformer,
    optimiser: torch.optim.Optimizer,
    batches: list[Batch],
    rule: str,
    rate: float,
) -> float:
    """-> the loss as the rule reports it"""
    reported = accumulation.accumulate(model, batches, rule)
    optimisers.clip_gradients(model, 1.0)
    optimisers.set_learning_rate(optimiser, rate)
    optimiser.step()
    return reported


def held_out(config: BatchConfig) -> tuple[Batch, Batch]:
    """Short documents, and as many long ones."""
    rng = torch.Generator().manual_seed(HELD_OUT_SEED)
    lengths = (config.short, config.long)
    return tuple(
        causal_batch(accumulation.documents(HELD_OUT, length, rng), PAD) for length in lengths
    )


def floor_nats(asked: tuple[Batch, Batch]) -> float:
    """What is left to chance: every letter as the language has it, and one toss of a coin per document.

    The coin is tossed once, where short documents end; a long document's own end is certain.
    """
    letters = sum(
        float(syllables.surprise_nats(batch.tokens).sum()) for batch in asked
    )  # the end, the last target, is not among them
    coins = sum(len(batch.tokens) for batch in asked) * np.log(2)
    return (letters + coins) / sum(batch.num_targets for batch in asked)


@torch.no_grad()
def end_share(model: Transformer, long: Batch, short: int) -> float:
    """Mean P(end) after as many letters as a short document has."""
    return float(model(long.tokens[:, : short + 1]).logits[:, -1].softmax(-1)[:, END].mean())


@torch.no_grad()
def lengths_written(model: Transformer, config: BatchConfig, rng: torch.Generator) -> np.ndarray:
    """Letters of each text that the model writes, drawn from its own distributions.  -> (WRITTEN,)

    A text that has not ended after the letters of a long one is cut there.
    """
    cache = KVCache()
    token = torch.zeros(WRITTEN, 1, dtype=torch.int64)  # the space that opens
    lengths = torch.full((WRITTEN,), config.long)
    running = torch.ones(WRITTEN, dtype=torch.bool)
    for letters in range(config.long):
        shares: Tensor = model(token, cache=cache).logits[:, -1].softmax(-1)
        token = torch.multinomial(shares, 1, generator=rng)
        ended = running & (token[:, 0] == END)
        lengths[ended] = letters
        running &= ~ended
    return lengths.numpy()


# What is recorded.

ARMS: dict[str, BatchConfig] = {
    "sorted": BatchConfig(),
    "mixed": BatchConfig(mix="mixed"),
    "single": BatchConfig(micro_batches=8, rows=1, mix="mixed"),  # a document at a time
}


@lab_config
class StudyConfig:
    arms: tuple[str, ...] = tuple(ARMS)
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = STEPS


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    arms: list[str]  # A
    seeds: list[int]  # W
    steps: np.ndarray  # (M,)
    reported_nats: np.ndarray  # (A, W, M, Q)
    held_out_nats: np.ndarray  # (A, W, M, Q)
    ends: np.ndarray  # (A, W, M, Q)
    taught: np.ndarray  # (A, Q)
    written_short: np.ndarray  # (A, W, Q)
    floor_nats: float
    seconds: float


def study(config: StudyConfig) -> Study:
    """Every arm with every seed."""
    started = time.perf_counter()
    runs = [
        [run(AccumulationConfig(replace(ARMS[name], seed=seed), config.steps)) for seed in config.seeds]
        for name in config.arms
    ]  # fmt: skip

    def course(what: str) -> np.ndarray:
        return np.array(
            [[[getattr(look, what) for look in one.looks] for one in arm] for arm in runs],
            np.float32,
        )

    return Study(
        list(config.arms), list(config.seeds), np.array([look.step for look in runs[0][0].looks]),
        course("reported_nats"), course("held_out_nats"), course("ends"),
        np.array([arm[0].taught for arm in runs]),
        np.array([[one.written_short for one in arm] for arm in runs]),
        runs[0][0].floor_nats, time.perf_counter() - started,
    )  # fmt: skip
