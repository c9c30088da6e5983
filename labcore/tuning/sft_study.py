"""One thing done differently at a time: mask, end, template, old text mixed in; several seeds of each.

Axes: C cases, S seeds, M looks, Q tasks.
"""

import time
from dataclasses import dataclass, replace

import numpy as np

from labcore.tuning.sft import Exam, Look, SFTConfig, run, tuned

TRAINED = {
    "right": SFTConfig(),
    "no_mask": SFTConfig(mask_prompt=False),
    "no_end": SFTConfig(train_end=False),
    "words": SFTConfig(template="words", asked_with="words"),
    "replay-5": SFTConfig(replay=0.05),
    "replay-20": SFTConfig(replay=0.2),
}
CROSSED = {"right": "words", "words": "chat"}  # trained as the case, asked in the other template
MEASURES = ("loss", "right", "stopped", "story_nats")


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Some measures of a `Look` by their names."""

    steps: np.ndarray  # (M,)
    measures: dict[str, np.ndarray]  # (S, M) each
    task_right: np.ndarray  # (S, Q) at the end

    def last(self, measure: str) -> np.ndarray:
        """(S,) at the end of the run"""
        return self.measures[measure][:, -1]


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    cases: dict[str, Case]  # those of TRAINED, and "<case>-crossed"
    floor_nats: float
    seeds: tuple[int, ...]
    seconds: float


def study(seeds: tuple[int, ...] = (0, 1, 2)) -> Study:
    """Every case with every seed."""
    started, cases, floor = time.perf_counter(), {}, 0.0
    for name, config in TRAINED.items():
        results = [run(replace(config, seed=seed)) for seed in seeds]
        cases[name] = as_case([result.looks for result in results])
        floor = results[0].floor_nats
        if name in CROSSED:
            other = Exam(replace(config, asked_with=CROSSED[name]))
            last = config.steps
            looks = [[other.look(tuned(r.weights), last, 1.0, float("nan"))] for r in results]
            cases[f"{name}-crossed"] = as_case(looks)
    return Study(cases, floor, seeds, time.perf_counter() - started)


def as_case(runs: list[list[Look]]) -> Case:
    steps = np.array([look.step for look in runs[0]])
    measures = {
        name: np.array([[getattr(look, name) for look in looks] for looks in runs])
        for name in MEASURES
    }
    return Case(steps, measures, np.stack([looks[-1].task_right for looks in runs]))
