"""An ability that comes overnight: the same models, scored by whole answers and by single digits.

The task is a running sum modulo 10: after the digits 3 8 5 the answer is 3 1 6. A model is asked for every
digit of the answer given those before it. Four scores of the same predictions:

    nats per digit         −ln P of the right digit, the training loss
    right digits           how often the likeliest digit is the right one: p
    right answers          how often all n digits are right: exact match, about pⁿ
    chance of an answer    Π P of the right digits: how often sampling would give the whole answer

An answer of n digits is right if n things are right at once. Where p climbs in a line, pⁿ lies flat on the
floor and then shoots up: an emergent ability, made by the score (Schaeffer et al., arXiv:2304.15004).

Axes: M looks, B problems, n digits of the answer, D widths, W seeds.
"""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import nn

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.text.masking import IGNORE
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import Batch

BASE = 10
EQUALS = BASE  # the token between problem and answer
STEPS, MOST_STEPS, WARMUP_STEPS = 200, 400, 20
DIGITS, MOST_DIGITS = 12, 16
WIDTHS = (8, 16, 24, 32, 40, 48, 64)
BATCH_ROWS, LOOK_EVERY = 64, 10
PROBLEMS, PROBLEMS_SEED = 500, 1234  # that every run is judged by
RATE = 0.002


@lab_config
class EmergenceConfig:
    digits: int = DIGITS  # n, of a problem and of its answer
    width: int = 64
    steps: int = STEPS
    seed: int = 0

    def __post_init__(self):
        if self.width not in WIDTHS:
            raise LabInputError("width", self.width, "known_choice", allowed=WIDTHS)
        for name, low, high in (("digits", 1, MOST_DIGITS), ("steps", 1, MOST_STEPS)):
            if not low <= getattr(self, name) <= high:
                raise LabInputError(name, getattr(self, name), "between", low=low, high=high)


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """One set of predictions, scored four ways: a number for each place, or each length, of an answer."""

    nats: np.ndarray  # (n,) −ln P of the right digit at each place
    right: np.ndarray  # (n,) how often the likeliest digit of each place is right
    whole: np.ndarray  # (n,) how often the first 1, 2, … n digits are all right
    chance: np.ndarray  # (n,) mean Π P of the first 1, 2, … n right digits


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    step: int
    share: float
    scores: Scores


@dataclass(frozen=True, slots=True, eq=False)
class EmergenceResult:
    looks: list[Look]
    parameters: int
    example: list[str]  # the first problem, its answer, and what the model answers in the end
    seconds: float


def problems(count: int, digits: int, rng: torch.Generator) -> Batch:
    """d₁ … dₙ = s₁ … sₙ with s_k = d₁ + … + d_k mod 10; only the answer is asked for.  (B, 2n)"""
    given = torch.randint(BASE, (count, digits), generator=rng)
    answer = given.cumsum(dim=1) % BASE
    row = torch.cat([given, torch.full((count, 1), EQUALS), answer], dim=1)
    targets = row[:, 1:].clone()
    targets[:, :digits] = IGNORE
    return Batch(row[:, :-1], targets, torch.ones_like(targets, dtype=torch.bool))


@torch.no_grad()
def score(model: nn.Module, asked: Batch) -> Scores:
    """All four scores from one pass.

    subtle: each digit is predicted with the right ones before it in view. That all are then right is the
    same event as that the model, left to itself, writes the right answer: up to its first mistake it sees
    the same.
    """
    digits = asked.tokens.shape[1] // 2
    log_probs = model(asked.tokens).logits[:, digits:].log_softmax(-1)  # (B, n, V)
    answer = asked.targets[:, digits:]
    told = log_probs.gather(2, answer[..., None])[..., 0].double()  # (B, n)
    right = (log_probs.argmax(-1) == answer).double()
    return Scores(
        -told.mean(dim=0).numpy(),
        right.mean(dim=0).numpy(),
        right.cumprod(dim=1).mean(dim=0).numpy(),
        told.cumsum(dim=1).exp().mean(dim=0).numpy(),
    )


def expected_whole(right: np.ndarray, length: int) -> float:
    """pⁿ: right answers of `length` digits if mistakes fell independently and everywhere alike."""
    return float(right[:length].mean() ** length)


def run(config: EmergenceConfig) -> EmergenceResult:
    return drain(emerge(config))


def emerge(config: EmergenceConfig) -> Generator[Look, None, EmergenceResult]:
    """Train, and score the same problems again and again."""
    started = time.perf_counter()
    rng = torch.Generator().manual_seed(config.seed)
    design = ModelConfig(vocab_size=BASE + 1, hidden_size=config.width, num_layers=2)
    model = Transformer(design, rng)
    asked = problems(PROBLEMS, config.digits, torch.Generator().manual_seed(PROBLEMS_SEED))
    looks = []

    def look(model: nn.Module, step: int) -> Look:
        return Look(step, step / config.steps, score(model, asked))

    for step in train(model, endless(config, rng), training(config), snapshot=look):
        if step.snapshot is not None:
            looks.append(step.snapshot)
            yield looks[-1]
    return EmergenceResult(
        looks, sum(weight.numel() for weight in model.parameters()), example(model, asked),
        time.perf_counter() - started,
    )  # fmt: skip


def endless(config: EmergenceConfig, rng: torch.Generator) -> Iterator[Batch]:
    while True:
        yield problems(BATCH_ROWS, config.digits, rng)


def training(config: EmergenceConfig) -> TrainConfig:
    return TrainConfig(
        steps=config.steps, batch_size=BATCH_ROWS, learning_rate=RATE, schedule="constant",
        warmup_steps=min(WARMUP_STEPS, config.steps // 3), eval_every=0,
        snapshot_every=LOOK_EVERY, seed=config.seed,
    )  # fmt: skip


@torch.no_grad()
def example(model: nn.Module, asked: Batch) -> list[str]:
    """A problem, its answer, and the model's own answer, digit after digit."""
    digits = asked.tokens.shape[1] // 2
    row = asked.tokens[:1, : digits + 1]
    for _ in range(digits):
        row = torch.cat([row, model(row).logits[:, -1:].argmax(-1)], dim=1)
    given, wanted = asked.tokens[0, :digits], asked.targets[0, digits:]
    return ["".join(map(str, part.tolist())) for part in (given, wanted, row[0, digits + 1 :])]


# What is recorded: the same number of steps at growing widths.


@lab_config
class SizesConfig:
    base: EmergenceConfig = field(default_factory=EmergenceConfig)
    widths: tuple[int, ...] = WIDTHS
    seeds: tuple[int, ...] = (0, 1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """The last look of every run."""

    widths: list[int]  # D
    parameters: list[int]  # D
    seeds: list[int]  # W
    digits: int
    steps: int
    nats: np.ndarray  # (D, W, n)
    right: np.ndarray  # (D, W, n)
    whole: np.ndarray  # (D, W, n)
    chance: np.ndarray  # (D, W, n)
    seconds: float


def sizes(config: SizesConfig) -> Sizes:
    started = time.perf_counter()
    runs = [
        [run(replace(config.base, width=width, seed=seed)) for seed in config.seeds]
        for width in config.widths
    ]

    def last(what: str) -> np.ndarray:
        return np.array(
            [[getattr(one.looks[-1].scores, what) for one in same] for same in runs], np.float64
        )

    return Sizes(
        list(config.widths), [same[0].parameters for same in runs], list(config.seeds),
        config.base.digits, config.base.steps, *map(last, ("nats", "right", "whole", "chance")),
        time.perf_counter() - started,
    )  # fmt: skip
