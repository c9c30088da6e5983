"""The same experiment over several seeds: two layers, and the three controls beside them.

One run is an anecdote: when the rise comes is luck of the seed. Whether it comes is not.

Axes: R runs (seeds), M looks, P tested periods, L layers, H heads, C conditions of the surgery.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np

from labcore.architecture.induction import InductionConfig, InductionResult, form
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain

CASES = {
    "two": InductionConfig(),
    "one": InductionConfig(num_layers=1),
    "wide": InductionConfig(num_layers=1, num_heads=8),
    "fixed": InductionConfig(num_layers=1, period="fixed"),
}
MOST_SEEDS = 20


@lab_config
class CasesConfig:
    cases: tuple[str, ...] = tuple(CASES)
    seeds: int = 5  # 0, 1, … of them for each case
    steps: int = 500

    def __post_init__(self):
        for case in self.cases:
            if case not in CASES:
                raise LabInputError("cases", case, "known_choice", allowed=tuple(CASES))
        if not 1 <= self.seeds <= MOST_SEEDS:
            raise LabInputError("seeds", self.seeds, "between", low=1, high=MOST_SEEDS)


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Arrays are float32, one row per seed."""

    steps: np.ndarray  # (M,)
    accuracy: np.ndarray  # (R, M) on rows of the kind it is trained on
    hard_accuracy: np.ndarray  # (R, M) on rows of random period
    previous: np.ndarray  # (R, M) the best head's previous-token score
    induction: np.ndarray  # (R, M) the best head's induction score, on its own kind of rows
    hard_induction: np.ndarray  # (R, M) the same on rows of random period
    tested_periods: np.ndarray  # (P,)
    by_period: np.ndarray  # (R, P)
    head_off: np.ndarray  # (R, L, H) accuracy with that head silent
    layer_off: np.ndarray  # (R, L)
    conditions: list[str]  # (C,)
    wires: np.ndarray  # (R, C)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    cases: dict[str, Case]


@dataclass(frozen=True, slots=True)
class Done:
    """One event: so much is done."""

    case: str
    seed: int
    share: float


def run(config: CasesConfig) -> Comparison:
    return drain(compare(config))


def compare(config: CasesConfig) -> Generator[Done, None, Comparison]:
    """Every case with every seed."""
    runs: dict[str, list[InductionResult]] = {case: [] for case in config.cases}
    total = len(config.cases) * config.seeds
    for number, (case, seed) in enumerate(
        ((case, seed) for case in config.cases for seed in range(config.seeds)), start=1
    ):
        runs[case].append(drain(form(replace(CASES[case], seed=seed, steps=config.steps))))
        yield Done(case, seed, number / total)
    return Comparison({case: together(results) for case, results in runs.items()})


def together(runs: list[InductionResult]) -> Case:
    """Runs of one case, side by side."""

    def course(measure) -> np.ndarray:  # (R, M)
        return np.array([[measure(look) for look in run.looks] for run in runs], np.float32)

    return Case(
        steps=np.array([look.step for look in runs[0].looks]),
        accuracy=course(lambda look: look.own.accuracy),
        hard_accuracy=course(lambda look: look.hard.accuracy),
        previous=course(lambda look: look.own.previous.max()),
        induction=course(lambda look: look.own.induction.max()),
        hard_induction=course(lambda look: look.hard.induction.max()),
        tested_periods=runs[0].tested_periods,
        by_period=np.array([run.by_period for run in runs], np.float32),
        head_off=np.array([run.knockouts.head_off for run in runs], np.float32),
        layer_off=np.array([run.knockouts.layer_off for run in runs], np.float32),
        conditions=list(runs[0].knockouts.wires),
        wires=np.array([list(run.knockouts.wires.values()) for run in runs], np.float32),
    )
