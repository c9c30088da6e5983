"""The same small number added again and again, each sum stored in a short format.

A sum is stored as the nearest number that exists. If what is added is less than half of the way to the
next one, the sum is stored where it was, for ever. Rounded by chance it gets there on average.

Axes: N additions, R draws.
"""

import math
from dataclasses import dataclass

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.pretraining.number_formats import FORMATS, Format, round_to

MOST_ADDITIONS = 2000
DRAWS = 8  # of stochastic rounding
SHOWN = ("fp32", "fp16", "bf16")


@lab_config
class AdditionConfig:
    start: float = 1.0
    addend: float = 0.001
    additions: int = 1000
    short: str = "bf16"  # the format that is rounded by chance
    seed: int = 0

    def __post_init__(self):
        for name in ("start", "addend"):
            if not math.isfinite(getattr(self, name)):
                raise LabInputError(name, getattr(self, name), "a_number")
        if not 1 <= self.additions <= MOST_ADDITIONS:
            raise LabInputError("additions", self.additions, "between", low=1, high=MOST_ADDITIONS)
        if self.short not in FORMATS:
            raise LabInputError("short", self.short, "known_choice", allowed=tuple(FORMATS))


@dataclass(frozen=True, slots=True, eq=False)
class AdditionResult:
    """Infinite beyond a format's largest number, and NaN where two infinities cancel."""

    exact: np.ndarray  # (N + 1,) in float64
    nearest: dict[str, np.ndarray]  # format: (N + 1,)
    chance: np.ndarray  # (R, N + 1) in the short format
    stuck: dict[str, int | None]  # the addition from which nothing changes any more; None: none


def run(config: AdditionConfig) -> AdditionResult:
    rng = np.random.default_rng(config.seed)
    names = dict.fromkeys((*SHOWN, config.short))
    nearest = {name: add_up(config, FORMATS[name], None)[0] for name in names}
    return AdditionResult(
        config.start + config.addend * np.arange(config.additions + 1),
        nearest,
        add_up(config, FORMATS[config.short], rng),
        {name: stuck_at(sums) for name, sums in nearest.items()},
    )


def add_up(config: AdditionConfig, format: Format, rng: np.random.Generator | None) -> np.ndarray:
    """sum ← round(sum + addend), over and over.  -> (1 or R, N + 1)

    What is added is a number of the format, too. With `rng` every rounding of a sum draws its own noise.
    """
    draws = 1 if rng is None else DRAWS
    sums = np.empty((draws, config.additions + 1))
    sums[:, 0] = round_to(config.start, format)
    addend = round_to(config.addend, format)
    for n in range(config.additions):
        noise = None if rng is None else rng.random(draws)
        sums[:, n + 1] = round_to(sums[:, n] + addend, format, noise)
    return sums


def stuck_at(sums: np.ndarray) -> int | None:
    """The first addition after which the sum never changes, if there is one before the last."""
    moved = np.flatnonzero(sums[1:] != sums[:-1])
    last = int(moved[-1]) + 1 if len(moved) else 0  # additions that did something
    return last if last < len(sums) - 1 else None
