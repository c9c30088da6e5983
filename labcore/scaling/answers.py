"""The same runs, asked in different ways: what a fit's answer owes to choices that nobody prints.

The baseline counts parameters without the table of tokens, reads each point after the rate has come down,
and lets the law find its own floor. Each other answer changes one thing: the count, the reading, the form
of the law, or which sizes are in the fit at all.

Axes: M ways of asking, P points, R resamplings, S starts.
"""

from dataclasses import dataclass

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.scaling import law
from labcore.scaling.law import Fit, FitConfig, Landings, Law
from labcore.scaling.sweep import SweepResult

COUNTS = ("blocks", "all")  # without and with the table of tokens
READINGS = ("annealed", "passing")
NAMES = ("E", "alpha", "beta", "size_exponent")


@lab_config
class Asking:
    """How a sweep is turned into a fit."""

    count: str = "blocks"
    reading: str = "annealed"
    form: str = "free"
    sizes: int = (
        0  # how many of the smallest sizes are in the fit; 0: all, -n: all but the n smallest
    )
    resamplings: int = 100

    def __post_init__(self):
        for name, allowed in (("count", COUNTS), ("reading", READINGS), ("form", law.FORMS)):
            if getattr(self, name) not in allowed:
                raise LabInputError(name, getattr(self, name), "known_choice", allowed=allowed)


WAYS = {
    "baseline": Asking(),
    "all": Asking(count="all"),
    "passing": Asking(reading="passing"),
    "without_largest": Asking(sizes=4),
    "without_smallest": Asking(sizes=-1),
    "known": Asking(form="known"),
    "none": Asking(form="none"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    ways: list[str]  # M
    constants: np.ndarray  # (M, 5) E, A, α, B, β
    error: np.ndarray  # (M,) root mean square of ln measured − ln fitted
    low: np.ndarray  # (M, 4) 5th percentile over resamplings of E, α, β and N*'s exponent
    high: np.ndarray  # (M, 4) 95th
    floor_nats: float
    landings: Landings  # of the baseline

    def law(self, way: str) -> Law:
        return Law(*self.constants[self.ways.index(way)])


def question(result: SweepResult, asking: Asking) -> FitConfig:
    """The points of a sweep as a fit wants them."""
    keep = ~result.cosine
    widths = np.unique(result.width[keep])
    if asking.sizes > 0:
        keep &= np.isin(result.width, widths[: asking.sizes])
    elif asking.sizes < 0:
        keep &= np.isin(result.width, widths[-asking.sizes :])
    return FitConfig(
        parameters=tuple(result.parameters(asking.count)[keep].tolist()),
        tokens=tuple(result.tokens[keep].tolist()),
        nats=tuple(getattr(result, f"{asking.reading}_nats")[keep].tolist()),
        runs=tuple((result.width * 1000 + result.seed)[keep].tolist()),
        form=asking.form,
        floor_nats=result.floor_nats,
        resamplings=asking.resamplings,
    )


def answers(result: SweepResult) -> Answers:
    """All ways of asking one sweep, each with its uncertainty."""
    fits = [law.fit(question(result, asking)) for asking in WAYS.values()]
    bounds = np.array([[fit.interval(name) for name in NAMES] for fit in fits])  # (M, 4, 2)
    return Answers(
        ways=list(WAYS),
        constants=np.array([constants(fit) for fit in fits]),
        error=np.array([fit.error for fit in fits]),
        low=bounds[..., 0],
        high=bounds[..., 1],
        floor_nats=result.floor_nats,
        landings=law.landings(question(result, Asking())),
    )


def constants(fit: Fit) -> list[float]:
    return [fit.law.E, fit.law.A, fit.law.alpha, fit.law.B, fit.law.beta]
