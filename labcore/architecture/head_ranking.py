"""What is each head worth? Measured by switching it off, guessed from one backward pass, tested in groups.

The measure: how much the loss on held-out text rises when a head alone is off. The guess: the slope of the
loss in the head's gate (Michel, Levy and Neubig, arXiv:1905.10650). The test: switch off ever more
heads, the least important first, and see whether the order beats a random one.

Axes: S samples of text, P places, H heads, N = P·H, M points of a curve, R random orders.
"""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from labcore.architecture.head_gates import Head, all_on, gates_of, places
from labcore.architecture.head_texts import gated_loss, held_out, text_losses
from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.events import drain
from labcore.model.transformer import Transformer
from labcore.training.objectives import Batch
from labcore.zoo import load

LIMITS = {"samples": (2, 8), "rows": (1, 32)}
GREEDY_HEADS = 40  # beyond these, asking again after every head takes too long
MOST_POINTS = 20  # of a curve
JUDGES = 1000  # seeds of the texts that the orders are tested on, apart from those that made them


@lab_config
class RankingConfig:
    model: str = "world-decoder"
    samples: int = 4  # of text, each with a ranking of its own
    rows: int = 12  # texts in a sample
    seed: int = 0

    def __post_init__(self):
        check_limits(self, LIMITS)


# What comes with the lab; a real model takes a third of a second per pass, so it reads less.
RECORDED = (
    RankingConfig("world-decoder"),
    RankingConfig("world-copier"),
    RankingConfig("smollm2-135m-instruct", samples=3, rows=2),
)


@dataclass(frozen=True, slots=True)
class Progress:
    """One event."""

    stage: str  # "alone", "slope", "greedy" or "groups"
    share: float  # of the run done


@dataclass(frozen=True, slots=True, eq=False)
class RankingResult:
    places: tuple[str, ...]  # (P,)
    rows: int  # texts in a sample
    loss_nats: np.ndarray  # (S,) with all heads
    importance: np.ndarray  # (S, P, H) rise of the loss in nats when the head alone is off
    slope: np.ndarray  # (S, P, H) mean over texts of |∂ loss / ∂ gate|
    agreement: np.ndarray  # (S,) rank correlation of the two, sample by sample
    counts: np.ndarray  # (M,) heads off
    removed: dict[str, np.ndarray]  # {"measured", "slope", "greedy": (S, M), "random": (R, M)} nats
    added_up: np.ndarray  # (M,) what the measured order would cost if importance added up
    seconds: float


def run(config: RankingConfig) -> RankingResult:
    return drain(rank_heads(config))


def rank_heads(config: RankingConfig) -> Generator[Progress, None, RankingResult]:
    """The whole run; an event after each look at the model."""
    looks, done = rank(config), 0
    heads = all_on(load(config.model).model.config).numel()
    total = looks_needed(heads, config.samples)
    while True:
        try:
            stage = next(looks)
        except StopIteration as end:
            return end.value
        done += 1
        yield Progress(stage, min(1.0, done / total))


def looks_needed(heads: int, samples: int) -> int:
    """How often the model is asked in a run; for the progress bar."""
    greedy = heads <= GREEDY_HEADS
    lines = (4 if greedy else 3) * samples * len(points(heads))
    return samples * (heads + 1) + greedy * heads * (heads + 1) // 2 + lines


def rank(config: RankingConfig) -> Generator[str, None, RankingResult]:
    """Switch off every head alone, take one slope, then switch off more and more.

    Raises LabInputError for a model that cannot name tokens.
    """
    started = time.perf_counter()
    loaded = load(config.model)
    model = loaded.model
    if model.config.head == "none":
        raise LabInputError("model", config.model, "needs_vocabulary_head")
    seeds = range(config.seed, config.seed + config.samples)
    samples = [held_out(loaded, config.rows, seed) for seed in seeds]
    judges = [held_out(loaded, config.rows, JUDGES + seed) for seed in seeds]
    loss = np.array([gated_loss(model, sample, all_on(model.config)) for sample in samples])
    importance, slope = [], []
    for sample, whole in zip(samples, loss, strict=True):
        importance.append((yield from alone(model, sample, whole)))
        slope.append(gate_slopes(model, sample))
        yield "slope"
    importance, slope = np.stack(importance), np.stack(slope)
    orders = {"measured": least_first(importance.mean(0)), "slope": least_first(slope.mean(0))}
    if importance[0].size <= GREEDY_HEADS:
        orders["greedy"] = yield from greedy_order(model, samples[0])
    counts = points(importance[0].size)
    removed = yield from curves(model, judges, orders, random_orders(model, config), counts)
    return RankingResult(
        places=places(model.config),
        rows=config.rows,
        loss_nats=loss,
        importance=importance.astype(np.float32),
        slope=slope.astype(np.float32),
        agreement=np.array(list(map(rank_correlation, importance, slope))),
        counts=counts,
        removed=removed,
        added_up=added_up(importance.mean(0), orders["measured"], removed["measured"], counts),
        seconds=time.perf_counter() - started,
    )


def alone(model: Transformer, batch: Batch, whole: float) -> Generator[str, None, np.ndarray]:
    """How much the loss rises when each head alone is off.  -> (P, H) nats"""
    rise = np.zeros(tuple(all_on(model.config).shape))
    for head in np.ndindex(*rise.shape):
        rise[head] = gated_loss(model, batch, gates_of(model.config, [head])) - whole
        yield "alone"
    return rise


def gate_slopes(model: Transformer, batch: Batch) -> np.ndarray:
    """The mean over texts of |∂ loss / ∂ gate|, all heads in one backward pass.  -> (P, H)

    subtle: each text gets gates of its own, for slopes of different sign would cancel in a sum; a
    trained model is near a minimum, where the mean slope is close to zero for every head.
    """
    gates = all_on(model.config).repeat(len(batch.tokens), 1, 1).requires_grad_(True)  # (B, P, H)
    with torch.enable_grad():
        (slopes,) = torch.autograd.grad(text_losses(model, batch, gates).sum(), gates)
    return slopes.abs().mean(dim=0).numpy()


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's: the correlation of ranks, equal values sharing theirs. 1 same order, -1 opposite."""
    ranks = [ranked(values.ravel()) for values in (one, other)]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])


def ranked(values: np.ndarray) -> np.ndarray:
    """Ranks from 0; equal values get the mean of theirs.

    >>> ranked(np.array([3.0, 1.0, 3.0])).tolist()
    [1.5, 0.0, 1.5]
    """
    below = (values[:, None] > values[None, :]).sum(axis=1)
    equal = (values[:, None] == values[None, :]).sum(axis=1)
    return below + (equal - 1) / 2


def least_first(importance: np.ndarray) -> list[Head]:
    """All heads, the least important first.  (P, H) -> N heads"""
    order = np.argsort(importance, axis=None, kind="stable")
    return [divmod(int(number), importance.shape[1]) for number in order]


def greedy_order(model: Transformer, batch: Batch) -> Generator[str, None, list[Head]]:
    """Switch off the head that is missed least, then ask all that are left again, and so on."""
    off: list[Head] = []
    left = list(np.ndindex(*all_on(model.config).shape))
    while left:
        losses = []
        for head in left:
            losses.append(gated_loss(model, batch, gates_of(model.config, [*off, head])))
            yield "greedy"
        off.append(left.pop(int(np.argmin(losses))))
    return off


def random_orders(model: Transformer, config: RankingConfig) -> list[list[Head]]:
    """As many random orders as there are samples, each from a seed of its own: the control."""
    heads = list(np.ndindex(*all_on(model.config).shape))
    orders = []
    for seed in range(config.seed, config.seed + config.samples):
        rng = torch.Generator().manual_seed(seed)
        orders.append([heads[at] for at in torch.randperm(len(heads), generator=rng).tolist()])
    return orders


def points(heads: int) -> np.ndarray:
    """How many heads are off at the points of a curve: every number, or about twenty of them."""
    return np.unique(np.linspace(0, heads, min(heads, MOST_POINTS) + 1).round().astype(int))


def curves(
    model: Transformer, judges: Sequence[Batch], orders: dict[str, list[Head]],
    random: Sequence[list[Head]], counts: np.ndarray,
) -> Generator[str, None, dict[str, np.ndarray]]:  # fmt: skip
    """The loss on fresh texts as heads go in each order; a random order for each sample of them."""
    lines = {name: [order] * len(judges) for name, order in orders.items()} | {"random": random}
    removed = {}
    for name, each in lines.items():
        losses = np.zeros((len(judges), len(counts)))
        for row, (order, judge) in enumerate(zip(each, judges, strict=True)):
            for column, count in enumerate(counts):
                gates = gates_of(model.config, order[:count])
                losses[row, column] = gated_loss(model, judge, gates)
                yield "groups"
        removed[name] = losses
    return removed


def added_up(
    importance: np.ndarray, order: Sequence[Head], measured: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """The loss if each head cost what it costs alone: the whole model's plus the sum.  -> (M,)"""
    sums = np.concatenate([[0.0], np.cumsum([importance[head] for head in order])])
    return measured[:, 0].mean() + sums[counts]
