"""Ours and its peers, turn about in one run: how long a call of each takes on this machine, now.

In every round each contestant runs once, the order turned round from one round to the next, so that a
machine that slows down meanwhile slows all of them. Ratios are taken within a round and only then
summed up: what the machine does to a whole round falls out of them. What runs in one thread of this
process is timed by the processor time it takes, which a busy machine disturbs least.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Contestants = dict[str, Callable[[], object]]


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """One number per round."""

    values: np.ndarray  # (rounds,)

    @property
    def median(self) -> float:
        return float(np.median(self.values))

    @property
    def quartiles(self) -> tuple[float, float]:
        low, high = np.quantile(self.values, (0.25, 0.75))
        return float(low), float(high)

    def text(self, unit: str = "", scale: float = 1.0, digits: int = 2) -> str:
        """Median, and the quartiles in brackets."""
        middle, low, high = (f"{x * scale:.{digits}f}" for x in (self.median, *self.quartiles))
        return f"{middle}{unit} ({low}–{high})"

    def over(self, other: Spread) -> Spread:
        """This by the other, round by round."""
        return Spread(self.values / other.values)


def alternate(
    contestants: Contestants,
    rounds: int = 9,
    warm: int = 2,
    least_seconds: float = 0.1,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, Spread]:
    """Seconds that one call of each contestant takes by `clock`, once per round.

    A call shorter than `least_seconds` is made several times and its mean counts: clocks and schedulers
    are coarse. `warm` calls of each go before, which also tell how long one takes.
    """
    times = {name: _times(call, warm, least_seconds, clock) for name, call in contestants.items()}
    seconds = {name: [] for name in contestants}
    for number in range(rounds):
        order = list(contestants) if number % 2 == 0 else list(reversed(contestants))
        for name in order:
            seconds[name].append(_seconds(contestants[name], times[name], clock))
    return {name: Spread(np.array(values)) for name, values in seconds.items()}


def _times(
    call: Callable[[], object], warm: int, least_seconds: float, clock: Callable[[], float]
) -> int:
    """How many calls make up `least_seconds`."""
    for _ in range(warm):
        call()
    return max(1, int(np.ceil(least_seconds / max(_seconds(call, 1, clock), 1e-9))))


def _seconds(call: Callable[[], object], times: int, clock: Callable[[], float]) -> float:
    begun = clock()
    for _ in range(times):
        call()
    return (clock() - begun) / times


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def at_least(value: float, aim: float) -> str:
    """The verdict on a ratio that should be large."""
    return "met" if value >= aim else f"missed by {1 - value / aim:.0%}"


def at_most(value: float, aim: float) -> str:
    """The verdict on a ratio that should be small."""
    return "met" if value <= aim else f"missed by {value / aim - 1:.0%}"
