"""Temperatures, directions, weights, matches and amounts of text: several seeds of each.

Axes: C cases, S seeds, M looks.
"""

import time
from dataclasses import dataclass, replace

import numpy as np

from labcore.compression.distil_run import STUDENTS, DistilConfig, Look, distil
from labcore.events import drain

PASSAGES = (100, 500, 2000)
# What was varied, one thing at a time, from the page's default (500 passages, T = 1, the teacher alone).
TAUGHT = {
    "T-2": DistilConfig(temperature=2.0),
    "T-4": DistilConfig(temperature=4.0),
    "half": DistilConfig(weight=0.5),
    "reverse": DistilConfig(direction="reverse"),
    "reverse-half": DistilConfig(direction="reverse", weight=0.5),
    "hidden": DistilConfig(match="hidden"),
    "attention": DistilConfig(match="attention"),
}
AMOUNTS = {f"passages-{n}": DistilConfig(passages=n) for n in PASSAGES}
MEASURES = ("nats", "own_nats", "divergence_nats", "agreement")


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """One kind of student in one case."""

    steps: np.ndarray  # (M,)
    gflop: np.ndarray  # (M,)
    measures: dict[str, np.ndarray]  # (S, M) each, named as in a `Look`

    def last(self, measure: str = "nats") -> np.ndarray:
        """(S,) at the end"""
        return self.measures[measure][:, -1]

    def best(self) -> np.ndarray:
        """(S,) the lowest held-out loss of any look: what stopping in time would have kept"""
        return self.measures["nats"].min(axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class DistilStudy:
    """`courses["<case> <student>"]`."""

    courses: dict[str, Course]
    teacher_nats: float
    floor_nats: float
    seeds: tuple[int, ...]
    seconds: float


def amounts(seeds: tuple[int, ...] = (0, 1, 2)) -> DistilStudy:
    """All three students, of few passages and of many."""
    return study(AMOUNTS, STUDENTS, seeds)


def lessons(seeds: tuple[int, ...] = (0, 1, 2)) -> DistilStudy:
    """The taught student, in other ways."""
    return study(TAUGHT, ("distilled",), seeds)


def study(
    cases: dict[str, DistilConfig], students: tuple[str, ...], seeds: tuple[int, ...]
) -> DistilStudy:
    """Every case with every seed."""
    started, courses = time.perf_counter(), {}
    for name, config in cases.items():
        results = [drain(distil(replace(config, seed=seed), students)) for seed in seeds]
        for student in students:
            courses[f"{name} {student}"] = course([result.of(student) for result in results])
    levels = results[0].teacher_nats, results[0].floor_nats
    return DistilStudy(courses, *levels, seeds, time.perf_counter() - started)


def course(runs: list[list[Look]]) -> Course:
    """The looks of S runs, measure by measure."""
    measures = {
        name: np.array([[getattr(look, name) for look in run] for run in runs]) for name in MEASURES
    }
    steps, gflop = (np.array([getattr(look, n) for look in runs[0]]) for n in ("step", "gflop"))
    return Course(steps, gflop, measures)
