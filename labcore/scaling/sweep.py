"""The sweep: several sizes of one model, each trained on several amounts of text, in this process or on many.

The amounts are chosen so that the points lie on a few budgets of compute, C = 6·N·D. One sweep then serves
both ways of finding out how a budget is best spent: a law fitted to all points, and curves of equal
compute.

A run knows nothing of the others, so they may go anywhere. `spread` hands them to a Dask cluster, whose
address stands in the environment as LLM_LAB_DASK (`tcp://scheduler:8786`; its workers must have this
project's code); without an address they happen here, one after the other. Either way each result is kept
the moment it arrives, and a task whose worker dies is done by another one.

Axes: P points.
"""

import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.scaling import runs
from labcore.scaling.runs import STEP_TOKENS, Point, RunConfig
from labcore.text import zipf
from labcore.training.schedule import DECAY_SHARE

if TYPE_CHECKING:
    from distributed import Client

ADDRESS = "LLM_LAB_DASK"
MOST_GIGAFLOPS = 1_000_000  # of a budget: far beyond what the widest model takes
FEWEST_STEPS = 25  # of a point: a shorter run is little more than its warm-up
PASSES = 6  # FLOPs per parameter and token: two forward, four backward


@lab_config
class SweepConfig:
    """The defaults are what the page runs live; `RECORDED` is what came with it."""

    widths: tuple[int, ...] = (12, 20, 32, 56)
    gigaflops: tuple[float, ...] = (3.75, 7.5, 15, 30)  # budgets, each met by every size that can
    exponent: float = 1.1  # of the text's word frequencies
    seeds: tuple[int, ...] = (0,)
    most_steps: int = 700  # of a point: small models take long to spend much compute
    cosine: tuple[int, ...] = ()  # widths that are also read along one long cosine

    def __post_init__(self):
        for name in ("widths", "gigaflops", "seeds"):
            if not getattr(self, name):
                raise LabInputError(name, getattr(self, name), "not_empty")
        for budget in self.gigaflops:
            if not budget > 0:
                raise LabInputError("gigaflops", budget, "positive")
            if budget > MOST_GIGAFLOPS:
                raise LabInputError("gigaflops", budget, "at_most", limit=MOST_GIGAFLOPS)
        zipf.language(self.exponent)
        plan(self)


@dataclass(frozen=True, slots=True, eq=False)
class SweepResult:
    """One entry per point."""

    width: np.ndarray  # (P,) int64
    seed: np.ndarray  # (P,) int64
    blocks: np.ndarray  # (P,) int64, parameters without the table of tokens
    table: np.ndarray  # (P,) int64, parameters of that table
    tokens: np.ndarray  # (P,) int64, read in training
    annealed_nats: np.ndarray  # (P,) held-out loss, the rate brought down to zero
    passing_nats: np.ndarray  # (P,) the same, read in passing
    cosine: np.ndarray  # (P,) bool, read along a cosine: for comparison, never fitted
    exponent: float
    floor_nats: float  # of the held-out text
    entropy_nats: float  # of the language: the floor of an endless held-out text
    cpu_seconds: float  # of all processes together

    @property
    def fitted(self) -> np.ndarray:
        """Which points a law is fitted to.  (P,) bool"""
        return ~self.cosine

    def parameters(self, count: str) -> np.ndarray:
        """N, counted without ("blocks") or with ("all") the table of tokens.  (P,)"""
        return self.blocks + self.table if count == "all" else self.blocks

    def flops(self, count: str = "blocks") -> np.ndarray:
        """C = 6·N·D.  (P,)"""
        return PASSES * self.parameters(count).astype(np.float64) * self.tokens


@dataclass(frozen=True, slots=True)
class Progress:
    """A point that has just been measured."""

    point: Point
    cosine: bool
    share: float  # of the sweep, 0 to 1


def doublings(largest: float, seed: int, exponent: float) -> SweepConfig:
    """A sweep over four budgets, each twice the one before, up to `largest` gigaFLOPs."""
    return SweepConfig(
        gigaflops=tuple(largest / share for share in (8, 4, 2, 1)), exponent=exponent, seeds=(seed,)
    )


def plan(config: SweepConfig) -> list[RunConfig]:
    """The runs of a sweep: each size stops where 6·N·D is a budget; a size that none suits is left out."""
    tasks = []
    for width in config.widths:
        blocks, _ = runs.sizes(RunConfig(width, (1,)))
        steps = tuple(round(g * 1e9 / (PASSES * blocks * STEP_TOKENS)) for g in config.gigaflops)
        steps = tuple(s for s in steps if FEWEST_STEPS <= s <= config.most_steps)
        for seed in config.seeds if steps else ():
            tasks.append(RunConfig(width, steps, config.exponent, seed))
            if width in config.cosine:
                tasks.append(RunConfig(width, steps, config.exponent, seed, cosine=True))
    if not tasks:
        raise LabInputError("gigaflops", list(config.gigaflops), "budget_meets_size")
    return tasks


def effort(task: RunConfig) -> float:
    """About how long a run takes: even the smallest model's step costs as much as 100,000 parameters."""
    steps = max(task.steps) + DECAY_SHARE * sum(task.steps) * (not task.cosine)
    return steps * (100_000 + runs.sizes(task)[0])


def run(config: SweepConfig) -> SweepResult:
    return drain(sweep(config))


def sweep(config: SweepConfig) -> Generator[Progress, None, SweepResult]:
    """Every point of every run, as it is measured; then all of them in the order of the plan."""
    tasks = plan(config)
    with connected(os.environ.get(ADDRESS, "")) as client:
        found = yield from (spread(tasks, client) if client else one_by_one(tasks))
    return gathered(config, tasks, found)


Found = dict[
    RunConfig, tuple[list[Point], float]
]  # what came back of each task: points, CPU seconds


def extend(config: SweepConfig) -> Generator[Progress, None, SweepResult]:
    """The same, for the model that was held out of the fit: on the page a run beside the sweep."""
    return (yield from sweep(config))


def one_by_one(tasks: Sequence[RunConfig]) -> Generator[Progress, None, Found]:
    """Here and now, small models first."""
    found: Found = {}
    done, whole = 0.0, sum(map(effort, tasks))
    for task in tasks:
        points, training = [], runs.train(task)
        while True:
            try:
                points.append(next(training))
            except StopIteration as end:
                found[task] = points, end.value
                break
            yield Progress(
                points[-1], task.cosine, (done + points[-1].share * effort(task)) / whole
            )
        done += effort(task)
    return found


def spread(tasks: Sequence[RunConfig], client: "Client") -> Generator[Progress, None, Found]:
    """On a Dask cluster, the longest runs first, so that none of them is started last."""
    found: Found = {}
    done, whole = 0.0, sum(map(effort, tasks))
    for task, result in carried(timed_run, sorted(tasks, key=effort, reverse=True), client):
        found[task] = result
        done += effort(task)
        for point in result[0]:
            yield Progress(point, task.cosine, done / whole)
    return found


def carried(
    work: Callable[[Any], Any], tasks: Sequence[Any], client: "Client"
) -> Iterator[tuple[Any, Any]]:
    """`work(task)` for each task on whatever workers there are: (task, result) as they are done.

    The scheduler knows which worker holds which task; what a dead one held goes to another. A result is
    fetched as soon as it is there, so a worker that dies later takes nothing with it.
    """
    from distributed import as_completed

    futures = {client.submit(work, task, pure=False): task for task in tasks}
    try:
        for future, result in as_completed(futures, loop=client.loop, with_results=True):
            yield futures[future], result
    finally:  # also when whoever watches has seen enough
        client.cancel(list(futures))


def timed_run(task: RunConfig) -> tuple[list[Point], float]:
    """What a worker does: a whole run, and the CPU time that it took."""
    started = time.process_time()
    points = runs.run(task)
    return points, time.process_time() - started


@contextmanager
def connected(address: str) -> Iterator["Client | None"]:
    """A client of the cluster at `address`; None without one."""
    if not address:
        yield None
        return
    from distributed import Client, get_worker, secede

    with suppress(
        ValueError
    ):  # as a task of a cluster: leave its place to the runs that it waits for
        get_worker()
        secede()
    with Client(address, set_as_default=False) as client:
        yield client


def gathered(config: SweepConfig, tasks: Sequence[RunConfig], found: Found) -> SweepResult:
    """All points, in the order of the plan, whoever came first."""
    rows = [(point, task.cosine) for task in tasks for point in found[task][0]]

    def column(name: str) -> np.ndarray:
        return np.array([getattr(point, name) for point, _ in rows])

    names = ("width", "seed", "blocks", "table", "tokens", "annealed_nats", "passing_nats")
    return SweepResult(
        *map(column, names),
        cosine=np.array([cosine for _, cosine in rows]),
        exponent=config.exponent,
        floor_nats=runs.held_out_text(config.exponent)[1],
        entropy_nats=zipf.language(config.exponent).entropy_nats,
        cpu_seconds=sum(seconds for _, seconds in found.values()),
    )


# What came with the lab.

RECORDED = SweepConfig(
    (12, 20, 32, 56, 96), (7.5, 15, 30, 60, 120), seeds=(0, 1, 2), most_steps=2000, cosine=(32,)
)
# Twice as large as the largest of the sweep, with up to eight times its compute.
HELD_OUT = SweepConfig((136,), (240, 480, 960), seeds=(0, 1, 2))
