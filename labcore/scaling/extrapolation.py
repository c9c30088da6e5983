"""From small models to one that no fit has seen: what laws say about it, and what it came to.

A fit that describes what it was made from says little. The held-out model is twice as large as the largest
of the sweep and gets up to eight times its compute. Three laws are asked: E fitted, E known, and no E at
all, which is a straight line in a picture with two logarithmic axes.

Axes: F forms of the law, Q moments of the held-out model, Z numbers of sizes in the fit.
"""

from dataclasses import dataclass

import numpy as np

from labcore.scaling import law
from labcore.scaling.answers import Asking, question
from labcore.scaling.sweep import SweepResult


@dataclass(frozen=True, slots=True, eq=False)
class Extrapolation:
    forms: list[str]  # F
    tokens: np.ndarray  # (Q,)
    parameters: int  # N, counted as asked
    predicted: np.ndarray  # (F, Q, 3) nats: the law, and the middle nine tenths over resamplings
    measured: np.ndarray  # (Q, R) nats, one per seed
    sizes: list[int]  # Z, the largest N in each fit
    last: np.ndarray  # (F, Z) predicted loss at the last moment, by the largest size in the fit

    @property
    def errors(self) -> np.ndarray:
        """Predicted minus measured, in nats, at the last moment.  (F, Z)"""
        return self.last - self.measured[-1].mean()


def extrapolate(
    sweep: SweepResult, held_out: SweepResult, asking: Asking, fewest: int = 3
) -> Extrapolation:
    """Every form of the law, fitted to all sizes and to the smallest only, asked for the held-out model."""
    n = int(held_out.parameters(asking.count)[0])
    tokens = np.unique(held_out.tokens)
    measured = np.array([held_out.annealed_nats[held_out.tokens == d] for d in tokens])
    widths = np.unique(sweep.width[~sweep.cosine])
    counts = range(fewest, len(widths) + 1)
    predicted, last = [], []
    for form in law.FORMS:
        fits = [ask(sweep, asking, form, count, len(widths)) for count in counts]
        predicted.append([fits[-1].predicted(n, d) for d in tokens])
        last.append([fit.law.loss(n, tokens[-1]) for fit in fits])
    return Extrapolation(
        list(law.FORMS), tokens, n, np.array(predicted), measured,
        [int(sweep.parameters(asking.count)[sweep.width == widths[c - 1]][0]) for c in counts],
        np.array(last),
    )  # fmt: skip


def ask(sweep: SweepResult, asking: Asking, form: str, sizes: int, most: int) -> law.Fit:
    """Resampled only where all sizes take part: an interval for each number of sizes would take too long."""
    resamplings = asking.resamplings if sizes == most else 0
    return law.fit(question(sweep, Asking(asking.count, asking.reading, form, sizes, resamplings)))
