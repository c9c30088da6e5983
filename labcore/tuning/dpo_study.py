"""The same pairs, other methods, other prices of leaving, other sources: several seeds of each.

Axes: C cases, S seeds, M looks.
"""

import time
from dataclasses import dataclass, fields, replace

import numpy as np

from labcore.tuning.dpo import DPOConfig, Look, run

# IPO's β sets a goal, SimPO's scales a mean, ORPO's weighs a term: the same number is not the same thing.
METHOD_CASES = {
    "dpo": DPOConfig("dpo", beta=0.1),
    "ipo": DPOConfig("ipo", beta=0.1),
    "kto": DPOConfig("kto", beta=0.1),
    "simpo": DPOConfig("simpo", beta=2.0),
    "orpo": DPOConfig("orpo", beta=0.5),
}
BETAS = (0.03, 0.1, 0.3, 1.0, 3.0)
BETA_CASES = {f"beta-{beta:g}": DPOConfig(beta=beta) for beta in BETAS if beta != 0.1}
SOURCE_CASES = {
    "own-0.1": DPOConfig(source="own", beta=0.1),
    "own-1": DPOConfig(source="own", beta=1.0),
    "fresh-1": DPOConfig(source="fresh", beta=1.0),
    "flips-0.2": DPOConfig(beta=1.0, flips=0.2),
}
CASES = METHOD_CASES | BETA_CASES | SOURCE_CASES
MEASURES = tuple(field.name for field in fields(Look) if field.name not in ("step", "share"))


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Every measure of a `Look` by its name."""

    steps: np.ndarray  # (M,)
    measures: dict[str, np.ndarray]  # (S, M) each

    def last(self, measure: str) -> np.ndarray:
        """(S,) at the end of the run"""
        return self.measures[measure][:, -1]


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    cases: dict[str, Case]
    seeds: tuple[int, ...]
    seconds: float


def study(seeds: tuple[int, ...] = (0, 1, 2)) -> Study:
    """Every case with every seed."""
    started = time.perf_counter()
    cases = {name: case(config, seeds) for name, config in CASES.items()}
    return Study(cases, seeds, time.perf_counter() - started)


def case(config: DPOConfig, seeds: tuple[int, ...]) -> Case:
    results = [run(replace(config, seed=seed)) for seed in seeds]
    steps = np.array([look.step for look in results[0].looks])
    measures = {
        name: np.array([[getattr(look, name) for look in result.looks] for result in results])
        for name in MEASURES
    }
    return Case(steps, measures)
