"""A pipeline of two real processes, timed: does cutting a batch finer always shorten the wait?

The same batch is cut into 1, 2, 4, … micro-batches. By the formula the idle share falls as
(p-1)/(m+p-1). What the formula leaves out is that every message and every pass costs something however
small it is.

p stages, M numbers of micro-batches, R repeats.
"""

import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from labcore.configs import lab_config
from labcore.distributed.launch import Launch, lines, workplace
from labcore.distributed.simulation import PipelineConfig, Timeline, bubble_formula
from labcore.errors import LabInputError
from labcore.events import drain

MODULE = "labcore.distributed.stage"
SCHEDULES = ("gpipe", "1f1b")
STAGES = 2  # p: this machine may have no more cores
CUTS = (1, 2, 4, 8, 16, 32)
MOST_REPEATS = 20
RECORDED_REPEATS = 15


@lab_config
class RealPipelineConfig:
    schedule: str = "1f1b"
    repeats: int = 3  # R; the fastest counts, as the others were disturbed

    def __post_init__(self):
        if self.schedule not in SCHEDULES:
            raise LabInputError("schedule", self.schedule, "known_choice", allowed=SCHEDULES)
        if not 1 <= self.repeats <= MOST_REPEATS:
            raise LabInputError("repeats", self.repeats, "between", low=1, high=MOST_REPEATS)

    def launch(self) -> Launch:
        cuts = ("--micro-batches", *map(str, CUTS))
        options = ("--schedule", self.schedule, "--repeats", str(self.repeats), *cuts)
        return Launch(STAGES, options, module=MODULE)


@dataclass(frozen=True, slots=True, eq=False)
class Timed:
    """One step of the pipeline, timed on all stages."""

    repeat: int
    micro_batches: int  # 0: the processes are being started
    total_ms: float
    idle_share: float
    share: float  # of the run done


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """When every pass of one step began and ended; N passes, in the order in which they began."""

    stage: np.ndarray  # (N,) int
    backward: np.ndarray  # (N,) bool, else forward
    micro_batch: np.ndarray  # (N,) int
    start_ms: np.ndarray  # (N,) from the first one's beginning
    end_ms: np.ndarray  # (N,)

    @property
    def timeline(self) -> Timeline:
        """As the planner's simulation tells it."""
        stages = range(int(self.stage.max()) + 1)
        return Timeline(
            self.stage, np.where(self.backward, "B", "F"), self.micro_batch,
            np.zeros_like(self.micro_batch), self.start_ms, self.end_ms, float(self.end_ms.max()),
            np.bincount(self.stage, weights=self.end_ms - self.start_ms),
            np.array([most_waiting(self.backward[self.stage == stage]) for stage in stages]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class RealPipelineResult:
    config: RealPipelineConfig
    micro_batches: list[int]  # M
    total_ms: np.ndarray  # (M, R) from the first pass' beginning to the last one's end
    idle_share: np.ndarray  # (M, R) of stages · total
    gradient_norm: np.ndarray  # (M, p) of each stage's weights: the same however the batch is cut
    fastest: list[Clock]  # M, of each the repeat that took least
    seconds: float

    @property
    def formula(self) -> np.ndarray:
        """(M,) idle share if nothing cost anything but the passes."""
        return np.array([bubble_formula(as_planned(self.config, m)) for m in self.micro_batches])

    @property
    def best_idle(self) -> np.ndarray:
        """(M,) idle share of the fastest repeats."""
        return np.array([clock.timeline.bubble_share for clock in self.fastest])

    @property
    def expected_ms(self) -> np.ndarray:
        """(M,) what a step would take if finer passes cost no more: the work, and the formula's wait."""
        work_ms = self.fastest[0].timeline.busy_ms.mean()
        return work_ms / (1 - self.formula)

    @property
    def gradients_apart(self) -> float:
        """How far the cuts' gradient norms differ, as a share, on the worse stage."""
        return float((np.ptp(self.gradient_norm, axis=0) / self.gradient_norm.max(axis=0)).max())

    @property
    def best_ms(self) -> np.ndarray:
        return self.total_ms.min(axis=1)

    @property
    def finest_against_best(self) -> float:
        """How much longer the finest cut takes than the best one."""
        return float(self.best_ms[-1] / self.best_ms.min())


def as_planned(config: RealPipelineConfig, micro_batches: int) -> PipelineConfig:
    return PipelineConfig(config.schedule, STAGES, micro_batches)


def run(config: RealPipelineConfig) -> RealPipelineResult:
    return drain(time_it(config))


def time_it(config: RealPipelineConfig) -> Generator[Timed, None, RealPipelineResult]:
    """Start the stages and lay their clocks side by side, step after step."""
    started = time.perf_counter()
    told: dict[tuple[int, int], dict[int, dict]] = {}  # repeat, micro-batches -> stage -> report
    clocks: dict[tuple[int, int], Clock] = {}
    with workplace() as folder, closing(lines(config.launch(), folder)) as news:
        for line in news:
            if line is None:
                yield Timed(0, 0, 0.0, 0.0, len(clocks) / (config.repeats * len(CUTS)))
                continue
            key = line["run"], line["micro_batches"]
            reports = told.setdefault(key, {})
            reports[line["rank"]] = line
            if len(reports) == STAGES:
                passes = {stage: report["passes"] for stage, report in reports.items()}
                clocks[key] = side_by_side(passes)
                one = clocks[key].timeline
                share = len(clocks) / (config.repeats * len(CUTS))
                yield Timed(*key, one.total_ms, one.bubble_share, share)
    table = [[clocks[repeat, m] for repeat in range(config.repeats)] for m in CUTS]
    timelines = [[clock.timeline for clock in row] for row in table]
    return RealPipelineResult(
        config, list(CUTS),
        np.array([[one.total_ms for one in row] for row in timelines]),
        np.array([[one.bubble_share for one in row] for row in timelines]),
        np.array([[told[0, m][stage]["gradient_norm"] for stage in range(STAGES)] for m in CUTS]),
        [min(row, key=lambda clock: clock.end_ms.max()) for row in table],
        time.perf_counter() - started,
    )  # fmt: skip


def side_by_side(passes: dict[int, list]) -> Clock:
    """Passes of all stages as [kind, micro-batch, began, ended], in seconds of one clock."""
    rows = sorted(
        (began, ended, stage, kind == "B", j)
        for stage, mine in passes.items()
        for kind, j, began, ended in mine
    )
    began, ended, stage, backward, j = (np.array(column) for column in zip(*rows, strict=True))
    return Clock(stage, backward, j, 1e3 * (began - began.min()), 1e3 * (ended - began.min()))


def most_waiting(backward: np.ndarray) -> int:
    """How many micro-batches a stage held at most: those gone forward and not yet back."""
    return int(np.cumsum(np.where(backward, -1, 1)).max())
