"""How many texts match, with the pattern imposed and without; several seeds of every case.

Axes: S seeds.
"""

from dataclasses import dataclass, replace

import numpy as np

from labcore.serving.constrained import CASES, ConstrainedConfig, run

TEXTS = 30  # by each seed


@dataclass(frozen=True, slots=True, eq=False)
class ConstrainedStudy:
    free: dict[str, np.ndarray]  # case -> (S,) share of texts that begin with a match
    imposed: dict[str, np.ndarray]  # case -> (S,)
    allowed_mass: dict[
        str, np.ndarray
    ]  # case -> (S,) smallest share of probability that was allowed
    seeds: tuple[int, ...]


def study(seeds: tuple[int, ...] = (0, 1, 2)) -> ConstrainedStudy:
    results = {
        name: [
            [run(replace(config, seed=1000 * seed + text)) for text in range(TEXTS)]
            for seed in seeds
        ]
        for name, config in configs().items()
    }

    def table(read) -> dict[str, np.ndarray]:
        return {
            name: np.array([np.mean([read(one) for one in texts]) for texts in runs])
            for name, runs in results.items()
        }

    return ConstrainedStudy(
        table(lambda one: one.free_matches), table(lambda one: one.matches),
        table(lambda one: min(place.mass for place in one.places)), seeds,
    )  # fmt: skip


def configs() -> dict[str, ConstrainedConfig]:
    return {name: ConstrainedConfig(*case) for name, case in CASES.items()}
