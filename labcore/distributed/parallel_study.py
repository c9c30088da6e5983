"""Every way and every bug, with several seeds, in one launch for each number of processes: what is recorded.

C cases, R seeds.
"""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from labcore.configs import lab_config
from labcore.distributed.launch import Launch, lines, options_for, workplace
from labcore.distributed.launch_log import Log
from labcore.distributed.parallel_config import BUGS, WAYS, ParallelConfig
from labcore.distributed.parallel_run import RunConfig, RunResult, alone, judged

STEPS = 20


@dataclass(frozen=True, slots=True)
class Case:
    """One way of training, right or wrong."""

    way: str
    bug: str = "none"
    precision: str = "float32"
    optimizer: str = "adamw"
    reduce_scatter: str = "ring"
    processes: int = 2

    def training(self, steps: int, seed: int) -> ParallelConfig:
        return ParallelConfig(
            self.way, steps, self.bug, self.precision, self.optimizer, self.reduce_scatter,
            seed=seed,
        )  # fmt: skip


def recorded_cases() -> list[Case]:
    """All ways in both precisions, the bugs of DDP and of tensor parallelism, and what gloo does itself."""
    both = ("float32", "float64")
    wrong = [(way, bug) for way in ("ddp", "tp") for bug in BUGS[way] if bug != "none"]
    return [
        *(Case(way, precision=precision) for way in WAYS for precision in both),
        *(Case(way, bug, precision) for way, bug in wrong for precision in both),
        Case("ddp", optimizer="sgd"),
        Case("ddp", "not_averaged", optimizer="sgd"),
        *(
            Case(way, reduce_scatter="backend", processes=p)
            for p in (2, 4)
            for way in ("zero2", "zero3")
        ),
        *(Case(way, processes=4) for way in WAYS),
    ]


@lab_config
class StudyConfig:
    cases: tuple[Case, ...] = ()  # none: the recorded ones
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = STEPS


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    cases: list[Case]  # C
    seeds: list[int]  # R
    steps: int
    gradient_apart: np.ndarray  # (C, R) the tensor and process where it differs most, first step
    weight_apart: np.ndarray  # (C, R) the same of the last weights
    loss_apart: np.ndarray  # (C, R) nats of the last step above those of the single process
    sent_bytes: np.ndarray  # (C, R) by one process in the last step, on average
    expected_bytes: np.ndarray  # (C, R)
    held_bytes: np.ndarray  # (C, 3) weights, gradients, states, on the process that holds most
    expected_held: np.ndarray  # (C, 3)
    parameters: int
    seconds: float

    def at(self, **wanted: str | int) -> int:
        """The number of the case that is as wanted and else as usual."""
        return self.cases.index(Case(**wanted))


def run(config: StudyConfig) -> Study:
    started = time.perf_counter()
    cases = list(config.cases) or recorded_cases()
    results: dict[tuple[Case, int], RunResult] = {}
    for processes in sorted({case.processes for case in cases}):
        asked = [case for case in cases if case.processes == processes]
        results |= launched(asked, config)
    table = [[results[case, seed] for seed in config.seeds] for case in cases]
    return Study(
        cases, list(config.seeds), config.steps,
        collect(table, lambda result: result.gradient_apart.max()),
        collect(table, lambda result: result.weight_apart.max()),
        collect(table, lambda result: result.nats[-1] - result.alone_nats[-1]),
        collect(table, lambda result: result.measured_bytes),
        collect(table, lambda result: result.expected_bytes[-1]),
        np.array([row[0].held_bytes[row[0].held_bytes.sum(axis=1).argmax()] for row in table]),
        np.array([row[0].expected_held for row in table]),
        table[0][0].parameters, time.perf_counter() - started,
    )  # fmt: skip


def launched(cases: Sequence[Case], config: StudyConfig) -> dict[tuple[Case, int], RunResult]:
    """All cases that want as many processes, with all seeds, one after another in the same processes."""
    wanted = [(case, seed) for seed in config.seeds for case in cases]
    trainings = [case.training(config.steps, seed) for case, seed in wanted]
    launch = Launch(cases[0].processes, options_for(*trainings))
    log = Log(launch.processes)
    with workplace() as folder:
        with closing(lines(launch, folder)) as news:
            for line in news:
                log.note(line)
        return {
            key: judged(
                RunConfig(training, launch.processes), number, log, folder, alone(training), 0.0
            )
            for number, (key, training) in enumerate(zip(wanted, trainings, strict=True))
        }


def collect(table: Sequence[Sequence[RunResult]], value) -> np.ndarray:
    """(C, R)"""
    return np.array([[float(value(result)) for result in row] for row in table])
