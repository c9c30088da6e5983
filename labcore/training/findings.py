"""What a rule is made of: a log as it is read, grades of strength, and the finding that comes out."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from labcore.training.curves import Curve, measured
from labcore.training.signals import RunLog

FAINT = 0.45  # the most that a sign may count which has an innocent explanation, too


@dataclass(frozen=True, slots=True)
class Finding:
    fault: str
    evidence: str  # the key of the sentence that tells it, with `facts` in it
    strength: float  # 0 to 1
    facts: dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A log as the rules read it: each signal a curve of its measured points."""

    log: RunLog
    loss: Curve
    held_out: Curve
    grad_norm: Curve
    rate: Curve
    update: Curve


def seen(log: RunLog) -> Seen:
    """subtle: a log kept in single precision is read in double, in which 1e-300 is not 0."""
    columns = {field.name: getattr(log, field.name) for field in fields(log)}
    wide = {n: c.astype(float) for n, c in columns.items() if isinstance(c, np.ndarray)}
    log = replace(log, **wide)
    signals = ("loss_nats", "validation_nats", "grad_norm", "learning_rate", "update_ratio")
    return Seen(log, *(measured(log.step, getattr(log, name)) for name in signals))


def grade(value: float, usual: float, sure: float) -> float:
    """0 at what is usual, 1 at what is beyond doubt, a straight line between.

    >>> grade(3, 1, 5), grade(0.2, 0.4, 0.1), grade(9, 1, 5)
    (0.5, 0.6666666666666667, 1.0)
    """
    if sure == usual:  # a curve without noise
        return float(value > sure)
    return float(np.clip((value - usual) / (sure - usual), 0.0, 1.0))


def grade_log(value: float, usual: float, sure: float) -> float:
    """The same for what is judged by its order of magnitude."""
    return grade(math.log(max(float(value), 1e-300)), math.log(usual), math.log(sure))


def strongest(found: Sequence[Finding]) -> Finding | None:
    return max(found, key=lambda finding: finding.strength, default=None)


Rule = Callable[[Seen], Finding | None]
