"""One setting after another changed, each trained on several seeds: what contrastive training lives on.

Axes: K settings, Z seeds.
"""

from dataclasses import dataclass, replace

import numpy as np

from labcore.events import drain
from labcore.vision.pair_training import PairConfig, learn

SETTINGS: dict[str, PairConfig] = {
    "default": PairConfig(),
    "hard": PairConfig(negatives="hard"),
    "bag": PairConfig(reader="bag"),
    "bag_hard": PairConfig(reader="bag", negatives="hard"),
    "batch_8": PairConfig(batch_size=8),
    "warm": PairConfig(temperature=1.0, learned=False),
}


@dataclass(frozen=True, slots=True, eq=False)
class PairStudy:
    names: list[str]
    found: np.ndarray  # (K, Z, 2, 2) seen or not; captions by picture, pictures by caption
    won: np.ndarray  # (K, Z, 2, 3) by FOILS
    tied: np.ndarray  # (K, Z, 2, 3)
    temperatures: np.ndarray  # (K, Z) at the end
    losses: np.ndarray  # (K, Z) mean of the last fifty updates
    seeds: tuple[int, ...]


def study(seeds: tuple[int, ...] = (0, 1, 2)) -> PairStudy:
    runs = [
        [drain(learn(replace(config, seed=seed))) for seed in seeds] for config in SETTINGS.values()
    ]

    def last(name: str) -> np.ndarray:
        return np.array([[getattr(run, name)[:, -1] for run in row] for row in runs])

    return PairStudy(
        list(SETTINGS), last("found"), last("won"), last("tied"),
        np.array([[run.temperatures[-1] for run in row] for row in runs]),
        np.array([[run.losses[-50:].mean() for run in row] for row in runs]), seeds,
    )  # fmt: skip
