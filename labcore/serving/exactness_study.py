"""The same test with many draws and several seeds: how often each way passes, and how far off it is.

Axes: W ways, S seeds.
"""

import time
from dataclasses import dataclass, replace

import numpy as np

from labcore.events import drain
from labcore.serving.exactness import WAYS, Exactness, ExactnessConfig, compare

STUDY = ExactnessConfig(draws=10_000)


@dataclass(frozen=True, slots=True, eq=False)
class ExactnessStudy:
    first: Exactness  # of the first seed, to look into
    distances: dict[str, np.ndarray]  # way -> (S,) total variation
    p_values: dict[str, np.ndarray]  # way -> (S,)
    seeds: tuple[int, ...]
    draws: int
    seconds: float


def study(config: ExactnessConfig = STUDY, seeds: tuple[int, ...] = (0, 1, 2)) -> ExactnessStudy:
    started = time.perf_counter()
    results = [drain(compare(replace(config, seed=seed))) for seed in seeds]
    return ExactnessStudy(
        results[0],
        {way: np.array([one.distance(way) for one in results]) for way in WAYS},
        {way: np.array([one.p_value(way) for one in results]) for way in WAYS},
        seeds, config.draws, time.perf_counter() - started,
    )  # fmt: skip
