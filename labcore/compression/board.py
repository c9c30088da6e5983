"""The trade-off board: every point is a model really built, really judged and really timed.

A point is a choice of model, form of its weights, form of its cache and number of texts at once. Its loss
is asked through a cache of that form, so what the cache rounds away counts. All points of a run are timed
in turns, so that a busy moment of the machine hits all alike; the first round warms up.

Times are of one thread's processor, as in the rest of the chapter: what an idle core would take.
Axes: R rounds, P points, Q quantities.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields

import numpy as np
import torch

from labcore.compression import judged
from labcore.compression.board_models import CUTS, FORMS, REPAIRS, ZEROS, build
from labcore.compression.stored_linear import bytes_of
from labcore.configs import lab_config
from labcore.errors import LabInputError, check_choices, check_limits
from labcore.events import drain
from labcore.model.transformer import Transformer
from labcore.serving.narrow_cache import FORMS as CACHES
from labcore.serving.narrow_cache import cache_in

PROMPT, WRITTEN = 64, 24  # tokens read, then written one by one
MS = 1e3


@lab_config
class PointConfig:
    student: bool = False
    cut: int = 0  # percent of the neurons
    repair: str = "none"
    zeros: int = 0  # percent of the single weights
    form: str = "fp32"
    cache: str = "fp32"
    batch: int = 1

    def __post_init__(self):
        check_choices(
            self,
            {"cut": CUTS, "repair": REPAIRS, "zeros": ZEROS, "form": FORMS, "cache": CACHES},
        )
        check_limits(self, {"batch": (1, 16)})

    @property
    def model(self) -> tuple[bool, int, str, int, str]:
        """What `build` takes: points that share it share a model."""
        return self.student, self.cut, self.repair, self.zeros, self.form


@lab_config
class BoardConfig:
    points: tuple[PointConfig, ...] = (PointConfig(),)
    rounds: int = 5

    def __post_init__(self):
        if not self.points:
            raise LabInputError("points", 0, "not_empty")
        check_limits(self, {"rounds": (3, 25)})


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured. Each time: median, lowest, highest round."""

    config: PointConfig
    size_mb: float  # all weights as they are held, scales included
    loss_nats: float
    first_ms: tuple[float, float, float]  # until the first token: prompts of the whole batch
    token_ms: tuple[float, float, float]  # each further one
    tokens_per_second: float  # batch over the median of token_ms
    memory_mb: float  # weights, and the cache at the end


@dataclass(frozen=True, slots=True)
class Step:
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class BoardResult:
    points: list[Point]
    floor_nats: float


def run(config: BoardConfig) -> BoardResult:
    return drain(measure(config))


@torch.no_grad()
def measure(config: BoardConfig) -> Generator[Step, None, BoardResult]:
    models = {point.model: build(*point.model) for point in config.points}
    losses: dict[tuple, float] = {}
    steps = len(config.points) * (config.rounds + 2)
    for done, point in enumerate(config.points):
        key = (*point.model, point.cache)
        if key not in losses:
            losses[key] = loss_through(models[point.model], point.cache)
        yield Step((done + 1) / steps)
    seconds = np.zeros((config.rounds + 1, len(config.points), 2))
    held = np.zeros(len(config.points))
    done = len(config.points)
    for turn in range(config.rounds + 1):
        for at, point in enumerate(config.points):
            *seconds[turn, at], held[at] = timed(models[point.model], point)
            done += 1
            yield Step(done / steps)
    points = []
    for at, point in enumerate(config.points):
        first, token = seconds[1:, at].T * MS  # (R,) each
        weights = bytes_of(models[point.model]) / 1e6
        points.append(
            Point(
                point, weights, losses[(*point.model, point.cache)], spread(first), spread(token),
                point.batch * MS / float(np.median(token)), float(weights + held[at] / 1e6),
            )
        )  # fmt: skip
    return BoardResult(points, judged.held_out()[1])


def loss_through(model: Transformer, cache: str) -> float:
    """Held-out nats per token, every key and value gone through a cache of this form."""
    total = targets = 0.0
    for batch in judged.held_out()[0]:
        logits = model(batch.tokens, batch.padding_mask, cache=cache_in(cache)).logits
        losses = torch.nn.functional.cross_entropy(
            logits.transpose(1, 2), batch.targets, reduction="sum"
        )
        total += float(losses.double())
        targets += batch.num_targets
    return total / targets


def timed(model: Transformer, point: PointConfig) -> tuple[float, float, int]:
    """Seconds of reading the prompts and of each token written after them; bytes of the cache then."""
    prompts = torch.arange(point.batch * PROMPT).view(point.batch, PROMPT) % 1_000 + 300
    cache = cache_in(point.cache)
    with one_thread():
        started = time.thread_time()
        token = model(prompts, cache=cache).logits[:, -1].argmax(dim=1)
        read = time.thread_time()
        for _ in range(WRITTEN):
            token = model(token[:, None], cache=cache).logits[:, -1].argmax(dim=1)
        written = time.thread_time()
    return read - started, (written - read) / WRITTEN, cache.bytes()


@contextmanager
def one_thread() -> Iterator[None]:
    """A clock that counts one thread must not miss what others do."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def spread(values: np.ndarray) -> tuple[float, float, float]:
    return float(np.median(values)), float(values.min()), float(values.max())


# What can be compared, and which way is better.

BETTER_LOW = ("size_mb", "loss_nats", "first_ms", "token_ms", "memory_mb")
QUANTITIES = (*BETTER_LOW[:4], "tokens_per_second", "memory_mb")
TIMED = ("first_ms", "token_ms", "tokens_per_second")


def value(point: Point, quantity: str) -> float:
    """One number of a point; of a time its median."""
    found = getattr(point, quantity)
    return found[0] if isinstance(found, tuple) else found


def span(point: Point, quantity: str) -> tuple[float, float]:
    """The lowest and highest round; the number itself where nothing was timed."""
    if quantity == "tokens_per_second":
        return tuple(point.config.batch * MS / slow for slow in reversed(point.token_ms[1:]))
    found = getattr(point, quantity)
    return found[1:] if isinstance(found, tuple) else (found, found)


def costs(points: Sequence[Point], quantities: Sequence[str]) -> np.ndarray:
    """A table in which less is always better.  -> (P, Q)"""
    signs = [1 if name in BETTER_LOW else -1 for name in quantities]
    table = [
        [sign * value(point, name) for sign, name in zip(signs, quantities, strict=True)]
        for point in points
    ]
    return np.array(table, dtype=float).reshape(len(points), len(quantities))


def pareto(costs: np.ndarray) -> np.ndarray:
    """Which rows no other row beats: none is as good everywhere and better somewhere.  (P, Q) -> (P,) bool

    Worked by hand: (1, 3), (2, 2), (2, 3): the third is beaten by both others. Equal rows do not beat each
    other, so both of a pair of twins stay.
    """
    costs = np.asarray(costs, dtype=float)
    if costs.ndim != 2 or np.isnan(costs).any():
        raise LabInputError(
            "costs", costs.shape, "finite"
        )  # nothing compares with what is no number
    as_good = (costs[:, None, :] <= costs[None, :, :]).all(axis=2)  # (P, P): i nowhere worse than j
    better = (costs[:, None, :] < costs[None, :, :]).any(axis=2)
    return ~(as_good & better).any(axis=0)


# Recorded: a field of models, each with two caches and two batches.


def field() -> tuple[PointConfig, ...]:
    """Models in the forms worth comparing, with fp32 and int8 caches, one text and sixteen at once."""
    kinds: list[tuple[dict, tuple[str, ...]]] = [
        ({}, ("fp32", "bf16", "torch-8", "torch-4")),
        (
            {"student": True},
            ("fp32", "bf16"),
        ),  # its matrices are 40 wide: too narrow for the others
        ({"zeros": 50}, ("fp32", "csr", "torch-8", "torch-4")),
        ({"zeros": 70}, ("csr", "torch-4")),
        ({"cut": 50, "repair": "merged", "zeros": 50}, ("csr", "torch-4")),
    ]
    kinds += [
        ({"cut": cut, "repair": repair}, ("fp32", "torch-8", "torch-4"))
        for cut in CUTS[1:]
        for repair in REPAIRS
    ]
    return tuple(
        PointConfig(**kind, form=form, cache=cache, batch=batch)
        for kind, forms in kinds
        for form in forms
        for cache in ("fp32", "int8")
        for batch in (1, 16)
    )


def measure_field(config: BoardConfig) -> Generator[Step, None, BoardResult]:
    """The whole field on this machine: `measure` under a name of its own."""
    return (yield from measure(config))


def rows(points: Sequence[Point]) -> list[dict[str, object]]:
    """The board as a table: every choice and every number, for a file."""
    everything = pareto(costs(points, QUANTITIES))
    found = []
    for point, stays in zip(points, everything, strict=True):
        row: dict[str, object] = {
            f.name: getattr(point.config, f.name) for f in fields(PointConfig)
        }
        row |= {"prompt_tokens": PROMPT, "written_tokens": WRITTEN}
        for name in QUANTITIES:
            row[name] = round(value(point, name), 5)
            if name in TIMED:
                low, high = span(point, name)
                row |= {f"{name}_low": round(low, 5), f"{name}_high": round(high, 5)}
        found.append(row | {"on_front_of_all": bool(stays)})
    return found
