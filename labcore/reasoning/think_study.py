"""Both ways of answering over the length of the question, three seeds: where steps begin to be needed.

Axes: L lengths, S seeds.
"""

from dataclasses import dataclass

import numpy as np

from labcore.events import drain
from labcore.reasoning.chains import WAYS
from labcore.reasoning.think import ThinkConfig, learn

LENGTHS, SEEDS = (2, 3, 4, 8, 16), (0, 1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class LengthStudy:
    lengths: np.ndarray  # (L,) digits
    seeds: np.ndarray  # (S,)
    accuracy: dict[str, np.ndarray]  # by way: (L, S) after the last update
    one_short: np.ndarray  # (L, S) accuracy with all steps but the last
    follows_step: np.ndarray  # (L, S) answers that go with a changed step, the mean over places
    follows_digit: np.ndarray  # (L, S) and with a changed digit behind the chain's back
    guess: float


def study(task: str = "parity") -> LengthStudy:
    runs = [[drain(learn(ThinkConfig(task, n, seed=seed))) for seed in SEEDS] for n in LENGTHS]

    def table(pick) -> np.ndarray:
        return np.array([[pick(one) for one in row] for row in runs])

    return LengthStudy(
        np.array(LENGTHS), np.array(SEEDS),
        {way: table(lambda one, way=way: one.accuracy[way][-1]) for way in WAYS},
        table(lambda one: one.allowed[-2]),
        table(lambda one: one.step_changed["follows"].mean()),
        table(lambda one: one.digit_changed["follows"].mean()),
        runs[0][0].guess,
    )  # fmt: skip
