"""Curves of equal compute: how large a model is best for a budget, read off measured points without any law.

Chinchilla's second way (Hoffmann et al., arXiv:2203.15556, section 3.2): at C = 6·N·D a larger model reads
less. Too small a model cannot hold what it reads, too large a one has read too little; between the two
lies the best N. A parabola in ln N through the losses says where, and a straight line through ln N*
against ln C with what power it grows.

A best size counts only if a smaller and a larger one were both worse: else it lies beyond what was
measured.

Axes: K budgets, S sizes, R seeds.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from labcore.scaling.sweep import PASSES, SweepResult

NEAR = 0.03  # a point this close to a budget is on it: steps come in whole numbers
FEWEST_SIZES = 3  # for a parabola


@dataclass(frozen=True, slots=True, eq=False)
class IsoFlop:
    gigaflops: np.ndarray  # (K,)
    parameters: np.ndarray  # (S,) N
    tokens: np.ndarray  # (K, S) D = C / 6N
    nats: np.ndarray  # (K, S, R) NaN where a size was not trained with that much compute
    parabolas: (
        np.ndarray
    )  # (K, 3) mean loss as c0·ln²N + c1·ln N + c2; NaN with fewer than three sizes
    best: np.ndarray  # (K,) N at the lowest point of each parabola; NaN where it is not bracketed
    best_by_seed: np.ndarray  # (K, R) the same, of each seed's own parabola

    @property
    def bracketed(self) -> np.ndarray:
        return np.isfinite(self.best)

    @property
    def tokens_per_parameter(self) -> np.ndarray:
        """D*/N* = C / 6N*².  (K,)"""
        return self.gigaflops * 1e9 / (PASSES * self.best**2)

    @property
    def exponent(self) -> float:
        """N* grows like C to this power; NaN with fewer than two budgets."""
        return slope(self.gigaflops, self.best)

    @property
    def exponent_by_seed(self) -> np.ndarray:
        """(R,)"""
        return np.array([slope(self.gigaflops, best) for best in self.best_by_seed.T])


def curves(
    result: SweepResult,
    gigaflops: tuple[float, ...],
    count: str = "blocks",
    reading: str = "annealed",
) -> IsoFlop:
    """Every size's loss at every budget, the parabolas through them, and their lowest points."""
    fitted = ~result.cosine
    sizes = np.unique(result.parameters(count)[fitted])
    seeds = np.unique(result.seed)
    nats = np.full((len(gigaflops), len(sizes), len(seeds)), np.nan)
    for s, size in enumerate(sizes):
        for r, seed in enumerate(seeds):
            here = fitted & (result.parameters(count) == size) & (result.seed == seed)
            tokens = np.array(gigaflops) * 1e9 / (PASSES * size)
            losses = getattr(result, f"{reading}_nats")[here]
            nats[:, s, r] = between(result.tokens[here], losses, tokens)
    parabolas = np.array([parabola(sizes, row.mean(axis=1)) for row in nats])
    by_seed = [[lowest(sizes, row[:, r]) for r in range(len(seeds))] for row in nats]
    return IsoFlop(
        gigaflops=np.array(gigaflops, dtype=np.float64),
        parameters=sizes,
        tokens=np.array(gigaflops)[:, None] * 1e9 / (PASSES * sizes),
        nats=nats,
        parabolas=parabolas,
        best=np.array([lowest(sizes, row.mean(axis=1)) for row in nats]),
        best_by_seed=np.array(by_seed),
    )


# The idea.


def parabola(sizes: np.ndarray, nats: np.ndarray) -> np.ndarray:
    """Least squares in ln N.  (S,), (S,) -> c0, c1, c2; NaN with fewer than three measured sizes"""
    there = np.isfinite(nats)
    if there.sum() < FEWEST_SIZES:
        return np.full(3, np.nan)
    return np.polyfit(np.log(sizes[there]), nats[there], 2)


def lowest(sizes: np.ndarray, nats: np.ndarray) -> float:
    """N* = exp(−c1 / 2c0), if the smallest loss has a larger one on either side; else NaN."""
    there = np.flatnonzero(np.isfinite(nats))
    if len(there) < FEWEST_SIZES or np.argmin(nats[there]) in (0, len(there) - 1):
        return np.nan
    c0, c1, _ = parabola(sizes, nats)
    return float(np.exp(-c1 / (2 * c0))) if c0 > 0 else np.nan


def slope(gigaflops: np.ndarray, best: np.ndarray) -> float:
    """The power of C that N* follows, by least squares on logs."""
    there = np.isfinite(best)
    if there.sum() < 2:
        return np.nan
    return float(np.polyfit(np.log(gigaflops[there]), np.log(best[there]), 1)[0])


def between(tokens: np.ndarray, nats: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """One model's loss at the amounts `wanted`, from its own points; NaN outside of them.

    With N counted as the plan counts it every budget meets a point. Counted otherwise it falls between
    two: then a smooth, monotone curve in ln D through them is read.
    """
    order = np.argsort(tokens)
    x, y = np.log(tokens[order]), nats[order]
    inside = np.clip(np.log(wanted), x[0], x[-1])
    off = np.abs(np.log(wanted) - inside) > NEAR
    values = np.full(len(wanted), y[0]) if len(x) == 1 else PchipInterpolator(x, y)(inside)
    return np.where(off, np.nan, values)
