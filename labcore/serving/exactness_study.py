"""The same test with several seeds and three drafts: whether each way passes, and how far off it is.

Axes: W ways, S seeds.
"""

import time
from dataclasses import dataclass, replace

import numpy as np

from labcore.events import drain
from labcore.serving.exactness import WAYS, Exactness, ExactnessConfig, beliefs, compare

# The draft guesses at the target's temperature, at a lower one and at a higher one.
CASES = {
    "cold": ExactnessConfig(draws=3000, draft_temperature=0.5),
    "same": ExactnessConfig(draws=3000, draft_temperature=1.0),
    "warm": ExactnessConfig(draws=3000, draft_temperature=2.0),
}


@dataclass(frozen=True, slots=True, eq=False)
class ExactnessStudy:
    first: Exactness  # of the first seed, to look into
    distances: dict[str, np.ndarray]  # way -> (S,) total variation
    p_values: dict[str, np.ndarray]  # way -> (S,)
    seeds: tuple[int, ...]
    draws: int
    seconds: float


def study(config: ExactnessConfig, seeds: tuple[int, ...] = (0, 1, 2)) -> ExactnessStudy:
    started = time.perf_counter()
    known = beliefs(config)  # the models are the same for every seed
    results = [drain(compare(replace(config, seed=seed), known)) for seed in seeds]
    return ExactnessStudy(
        results[0],
        {way: np.array([one.distance(way) for one in results]) for way in WAYS},
        {way: np.array([one.p_value(way) for one in results]) for way in WAYS},
        seeds, config.draws, time.perf_counter() - started,
    )  # fmt: skip
