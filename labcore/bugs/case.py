"""What the zoo is made of: a patient in parts, bugs that replace one part each, tests that read the patient.

A *patient* is a piece of the lab's own code, taken apart: named functions, each handed in. A *bug* replaces
one of them, as somebody really wrote it, and leaves all others alone. A *test* carries the patient out and
gives one number, with the range in which a healthy patient's lies; it knows nothing of the bugs. So nothing
is patched in the process, and the code that is taught holds no switch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

Parts = Mapping[str, Callable[..., Any]]
Kind = Literal["equality", "floor", "curve"]
KINDS: tuple[Kind, ...] = ("equality", "floor", "curve")
Verdict = Literal["below", "within", "above"]
HEALTHY = "healthy"
NOTHING = np.zeros(0)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What a test has read, and what it would read in health."""

    measured: float
    lowest: float
    highest: float
    x: np.ndarray = field(default_factory=lambda: NOTHING)  # (N,) where there is a curve
    curve: np.ndarray = field(default_factory=lambda: NOTHING)  # (N,) of the patient
    wanted: np.ndarray = field(default_factory=lambda: NOTHING)  # (N,) as it should be

    @property
    def verdict(self) -> Verdict:
        """>>> Reading(0.19, 1.71, 2.0).verdict
        'below'
        """
        if self.measured < self.lowest:
            return "below"
        return "within" if self.measured <= self.highest else "above"  # not a number: above


def equal(difference: float, tolerance: float) -> Reading:
    """Two ways to the same numbers: their largest difference, which may be rounding and no more."""
    return Reading(abs(float(difference)), 0.0, tolerance)


def floored(nats: float, floor: float, slack: float, below: float = 1e-4) -> Reading:
    """A loss against the exact entropy: not below it, and at most `slack` above."""
    return Reading(float(nats), floor - below, floor + slack)


def followed(x: Any, curve: Any, wanted: Any, tolerance: float) -> Reading:
    """A curve against the one that should be: the largest distance between them, in the curve's unit."""
    curve, wanted = np.asarray(curve, np.float64), np.asarray(wanted, np.float64)
    gap = float(np.abs(curve - wanted).max())
    return Reading(gap, 0.0, tolerance, np.asarray(x, np.float64), curve, wanted)


@dataclass(frozen=True, slots=True, eq=False)
class Test:
    """`measure(parts, seed)` carries the patient out."""

    __test__ = False  # not one of pytest's

    id: str
    kind: Kind
    measure: Callable[[Parts, int], Reading]


@dataclass(frozen=True, slots=True, eq=False)
class Bug:
    id: str
    part: str  # the part of the patient that it replaces
    broken: Callable[..., Any]
    threads: tuple[str, ...]  # "owner/repository#number": where somebody had it
    lab: str  # the lab that teaches what it breaks
    told_by: str  # the test that tells it best
    shown: Callable[..., Any] | None = None  # the lab's own code, if that is more than the part


@dataclass(frozen=True, slots=True, eq=False)
class Ward:
    """Patients of one kind: the same parts, the same tests, one bug or none."""

    id: str
    chapter: str
    parts: Parts  # in health
    tests: tuple[Test, ...]
    bugs: tuple[Bug, ...]

    def bug(self, id: str) -> Bug:
        return next(bug for bug in self.bugs if bug.id == id)

    def test(self, id: str) -> Test:
        return next(test for test in self.tests if test.id == id)

    def patient(self, id: str) -> Parts:
        """The parts with the bug called `id` in its place; `HEALTHY` has none."""
        if id == HEALTHY:
            return self.parts
        bug = self.bug(id)
        return MappingProxyType({**self.parts, bug.part: bug.broken})
