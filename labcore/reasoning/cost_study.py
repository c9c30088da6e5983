"""All ways on one axis: tokens written and judged for one question, against accuracy, three seeds.

A chain costs 13 tokens; a verifier reads each once more. A search over steps pays for every try, kept or
not. So the ways can be compared at equal cost, whatever they count by themselves.

Axes: K points of a way, S seeds.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labcore.events import drain
from labcore.reasoning.step_search import StepSearchConfig, accuracy
from labcore.reasoning.vote_curves import Curves, CurvesConfig, ask
from labcore.reasoning.writers import DIGITS, WRITERS

SEEDS = (0, 1, 2)
# Writer and temperature.
CASES = {
    "half": ("half", 1.0), "half-cool": ("half", 0.5), "half-hot": ("half", 1.5),
    "weak": ("weak", 1.0), "chance": ("chance", 1.0),
}  # fmt: skip
WAYS = ("majority", "own", "outcome", "process")
JUDGED_ONCE_MORE = ("outcome", "process")
BEAMS = ((1, 2), (1, 4), (2, 4), (4, 4), (8, 4))  # beams, tries
CHAIN_TOKENS = DIGITS + 1


@dataclass(frozen=True, slots=True, eq=False)
class CurvesStudy:
    """The same curves over seeds."""

    counts: np.ndarray  # (K,)
    accuracy: dict[str, np.ndarray]  # by way: (S, K)
    passed: np.ndarray  # (S, K)
    greedy: np.ndarray  # (S,)
    right_share: np.ndarray  # (S, Q)
    wrong_share: np.ndarray  # (S, Q)
    valid_steps: np.ndarray  # (S,)
    lucky: np.ndarray  # (S,)


@dataclass(frozen=True, slots=True, eq=False)
class StepStudy:
    """Search over steps, for every writer."""

    tokens: np.ndarray  # (K,) written and judged
    accuracy: dict[str, np.ndarray]  # by writer: (S, K), with the process verifier


def curves(writer: str = "half", temperature: float = 1.0) -> CurvesStudy:
    runs = [drain(ask(CurvesConfig(writer, temperature, seed=seed))) for seed in SEEDS]

    def stacked(pick: Callable[[Curves], object]) -> np.ndarray:
        return np.array([pick(one) for one in runs])

    return CurvesStudy(
        runs[0].counts,
        {way: stacked(lambda one, way=way: one.accuracy[way]) for way in runs[0].accuracy},
        stacked(lambda one: one.passed), stacked(lambda one: one.greedy),
        stacked(lambda one: one.right_share), stacked(lambda one: one.wrong_share),
        stacked(lambda one: one.valid_steps), stacked(lambda one: one.lucky),
    )  # fmt: skip


def steps() -> StepStudy:
    plans = [StepSearchConfig(beams=beams, tries=tries) for beams, tries in BEAMS]
    return StepStudy(
        np.array([2 * plan.tokens for plan in plans]),
        {
            writer: np.array(
                [
                    [
                        accuracy(StepSearchConfig(writer, "process", *sizes, seed=seed))
                        for sizes in BEAMS
                    ]
                    for seed in SEEDS
                ]
            )
            for writer in WRITERS
        },
    )


def tokens(way: str, counts: np.ndarray) -> np.ndarray:
    """What n chains cost, with their judge.  (K,)"""
    return counts * CHAIN_TOKENS * (2 if way in JUDGED_ONCE_MORE else 1)
