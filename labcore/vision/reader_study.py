"""The same lessons with the language model frozen, with a LoRA, and trained as a whole.

Axes: K ways.
"""

from dataclasses import dataclass

import numpy as np

from labcore.events import drain
from labcore.vision.picture_reader import MODES
from labcore.vision.reader_training import ReaderConfig, learn

STEPS = 300


@dataclass(frozen=True, slots=True, eq=False)
class ReaderStudy:
    modes: list[str]
    right: np.ndarray  # (K, 2, 3, 3) seen or not, by control, by task
    losses: np.ndarray  # (K,) mean of the last fifty updates, nats
    trained: np.ndarray  # (K,) weights trained
    steps: int
    seed: int


def study(seed: int = 0) -> ReaderStudy:
    runs = [drain(learn(ReaderConfig(mode, STEPS, seed=seed))) for mode in MODES]
    return ReaderStudy(
        list(MODES), np.stack([run.controls for run in runs]),
        np.array([run.losses[-50:].mean() for run in runs]),
        np.array([run.trained for run in runs]), STEPS, seed,
    )  # fmt: skip
