"""The search for a plan: every layout the cluster allows, judged by the same formulas, the fastest first.

Nothing is sampled or guessed: all layouts are laid side by side in arrays and judged at once, some
thousands within a few hundredths of a second.
"""

from dataclasses import dataclass

import numpy as np

from labcore.distributed.cluster import Numbers
from labcore.distributed.layout import Layout, Task, chunks_of, fullest_stage, micro_batches
from labcore.distributed.memory import SELECTIVE
from labcore.distributed.step_time import model_flops, step_time, utilisation

MICRO_BATCHES = (1, 2, 4, 8, 16)
# Pieces of a sequence shorter than this starve the attention kernels, which no formula here sees.
SHORTEST_PIECE = 1024
AS_GOOD = 1.01  # of two plans this close the simpler one is taken
VERDICTS = ("fits", "memory", "batch", "pipeline")


@dataclass(frozen=True, slots=True)
class Judged:
    """N layouts and what became of each."""

    layouts: Layout  # fields (N,)
    memory_bytes: np.ndarray  # (N,) on the fullest device
    seconds: np.ndarray  # (N,) of one step
    mfu: np.ndarray  # (N,)
    verdict: np.ndarray  # (N,) index into VERDICTS
    limit_bytes: float

    def best(self, among: np.ndarray | bool = True) -> int | None:
        """The simplest of the fastest that fit; None if none fits."""
        fits = np.flatnonzero((self.verdict == 0) & among)
        if not fits.size:
            return None
        fast = fits[self.seconds[fits] <= AS_GOOD * self.seconds[fits].min()]
        plans = self.layouts.take(fast)
        order = np.lexsort((self.seconds[fast], self.memory_bytes[fast], plans.zero, kinds(plans)))
        return int(fast[order[0]])

    def nearest(self, among: np.ndarray | bool = True) -> int | None:
        """Where none fits: the one that lacks least memory."""
        possible = np.flatnonzero((self.verdict <= 1) & among)
        return int(possible[self.memory_bytes[possible].argmin()]) if possible.size else None


def kinds(layouts: Layout) -> Numbers:
    """How many things a plan does beyond copying the model: fewer are simpler to run."""
    ways = (layouts.tp, layouts.pp, layouts.cp, layouts.ep)
    return sum((way > 1) * 1 for way in ways) + (layouts.recompute > 0)


def divisors(n: int) -> list[int]:
    return [d for d in range(1, n + 1) if n % d == 0]


def candidates(task: Task) -> Layout:
    """Every layout whose parts divide evenly what they cut.

    Tensor parallelism cuts heads, so it divides the key/value heads; a stage has at least one layer;
    context parallelism cuts a sequence into 2^k pieces; experts are dealt out within the replicas.
    """
    model, devices = task.model, task.cluster.devices
    heads = np.gcd(devices, np.gcd(model.key_value_heads, model.heads))
    contexts = [
        2**k
        for k in range(8)
        if k == 0 or (task.sequence % 2**k == 0 and task.sequence >= SHORTEST_PIECE * 2**k)
    ]
    recompute = (0, 2) if task.flash else (0, SELECTIVE, 2)
    axes = np.meshgrid(
        divisors(int(heads)),
        [p for p in divisors(devices) if p <= model.layers],
        contexts,
        divisors(model.experts),
        (0, 1, 2, 3),
        MICRO_BATCHES,
        recompute,
        indexing="ij",
    )
    tp, pp, cp, ep, zero, micro_batch, again = (axis.ravel() for axis in axes)
    dp, rest = np.divmod(devices, tp * pp * cp)
    possible = (
        (rest == 0)
        & (dp >= 1)
        & (np.maximum(dp, 1) * cp % ep == 0)
        & ((zero == 0) | (dp * cp > 1))  # with one replica there is nobody to share with
        & (micro_batch <= task.batch)
    )
    return Layout(dp, tp, pp, cp, ep, zero, micro_batch, again).take(possible)


def judge(task: Task, layouts: Layout) -> Judged:
    """Memory, time and verdict of every layout."""
    m = micro_batches(task, layouts)
    memory = np.asarray(fullest_stage(task, layouts), float)
    seconds = np.asarray(step_time(task, layouts).total, float)
    limit = task.cluster.device.memory_bytes * (1 - task.reserve)
    verdict = np.select(
        [m != np.floor(m), ~schedulable(task, layouts, m), memory > limit], [2, 3, 1], 0
    )
    mfu = utilisation(task, model_flops(task), seconds)
    return Judged(layouts, memory, seconds, mfu, verdict, limit)


def schedulable(task: Task, layouts: Layout, m: Numbers) -> np.ndarray:
    """Interleaving takes m in rounds of p, and v pieces of a layer or more; ZB-H1 takes m ≥ p."""
    possible = np.ones(np.shape(layouts.pp), bool)
    if task.schedule == "interleaved":
        v = chunks_of(task, layouts)
        possible = (layouts.pp == 1) | (
            (m % layouts.pp == 0) & (task.model.layers >= v * layouts.pp)
        )
    if task.schedule == "zb-h1":
        possible = np.asarray(m >= layouts.pp)
    return possible


def search(task: Task) -> Judged:
    """All candidates, judged."""
    return judge(task, candidates(task))


# What if one kind of parallelism were not there?

WITHOUT = {
    "tp": lambda plan: plan.tp == 1,
    "pp": lambda plan: plan.pp == 1,
    "cp": lambda plan: plan.cp == 1,
    "ep": lambda plan: plan.ep == 1,
    "zero": lambda plan: plan.zero == 0,
    "recompute": lambda plan: plan.recompute == 0,
    "split": lambda plan: (plan.tp == 1) & (plan.pp == 1) & (plan.cp == 1),  # replicas alone
}


def without(judged: Judged, what: str) -> int | None:
    """The best plan that does without one thing, or else the one that lacks least memory."""
    among = WITHOUT[what](judged.layouts)
    best = judged.best(among)
    return judged.nearest(among) if best is None else best
