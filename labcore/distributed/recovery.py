"""A process is killed in the middle of a run; the run goes on from its checkpoint, and ends where it should.

The same launch first does the run undisturbed, to have something to be held to. In the second run the last
process sends itself SIGKILL after a certain step: nothing is tidied up, as in a power cut. Its neighbours'
collectives fail, torchrun notices, and either starts all processes again, which go on from the last
checkpoint, or gives up; then a second launch goes on, perhaps with more processes or spread another way.

p processes, N steps, L tensors of the model.
"""

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from labcore.configs import lab_config
from labcore.distributed.launch import Launch, lines, options_for, workplace
from labcore.distributed.launch_log import Log
from labcore.distributed.parallel_config import ParallelConfig
from labcore.distributed.parallel_run import apart, read
from labcore.errors import LabInputError
from labcore.events import drain

UNDISTURBED, DISTURBED = 0, 1  # the two runs of a launch
KILLED = ParallelConfig(checkpoint_every=10, die_at=17)


@lab_config
class RecoveryConfig:
    training: ParallelConfig = KILLED
    processes: int = 2  # p, before
    resume_way: str = "ddp"  # after; the same way and number: torchrun itself starts them again
    resume_processes: int = 2

    def __post_init__(self):
        if not 1 <= self.training.die_at < self.training.steps:
            last = self.training.steps - 1
            raise LabInputError("die_at", self.training.die_at, "between", low=1, high=last)
        self.launch(), self.second_launch()

    @property
    def same(self) -> bool:
        return (self.resume_way, self.resume_processes) == (self.training.way, self.processes)

    def launch(self) -> Launch:
        undisturbed = replace(self.training, die_at=0, checkpoint_every=0)
        options = options_for(undisturbed, self.training)
        return Launch(self.processes, options, restarts=1 if self.same else 0)

    def second_launch(self) -> Launch | None:
        """Nothing new for the first run, which is done; the second goes on as asked."""
        if self.same:
            return None
        undisturbed = replace(self.training, die_at=0, checkpoint_every=0)
        resumed = replace(self.training, die_at=0, way=self.resume_way)
        return Launch(self.resume_processes, options_for(undisturbed, resumed))


@dataclass(frozen=True, slots=True, eq=False)
class Happened:
    """One step that all processes have reported, or that they have come together (again)."""

    run: int  # UNDISTURBED or DISTURBED
    attempt: int  # 0, and 1 after the death
    step: int  # of the run; where it joined at step k, k are done already
    nats: float | None  # None: joined, or no news
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class RecoveryResult:
    config: RecoveryConfig
    names: list[str]  # L
    undisturbed_nats: np.ndarray  # (N,)
    before_nats: np.ndarray  # (K,) steps 1 to K, reported by all before the death was noticed
    after_nats: np.ndarray  # (N - C,) steps C + 1 to N
    checkpoint_step: int  # C, where it went on
    weight_apart: np.ndarray  # (L,) of the two runs' last weights
    seconds: float

    @property
    def worst(self) -> float:
        return float(self.weight_apart.max())


def run(config: RecoveryConfig) -> RecoveryResult:
    return drain(recover(config))


def recover(config: RecoveryConfig) -> Generator[Happened, None, RecoveryResult]:
    """Both runs, the death, and what comes after it."""
    started = time.perf_counter()
    with workplace() as folder:
        second = config.second_launch()
        before = Log(config.processes)
        after = Log(second.processes if second else config.processes)
        yield from follow(config, config.launch(), folder, [before, after])
        if second:
            yield from follow(config, second, folder, [after])
        seconds = time.perf_counter() - started
        return judged(config, folder, before, after, seconds)


def follow(
    config: RecoveryConfig, launch: Launch, folder: Path, logs: list[Log]
) -> Iterator[Happened]:
    """A launch, step by step; `logs` has one for each attempt that is still to come."""
    dead = False
    try:
        with closing(lines(launch, folder)) as news:
            for line in news:
                if line is None:
                    yield Happened(UNDISTURBED, 0, 0, None, 0.0)
                    continue
                log = logs[line["attempt"]]
                log.note(line)
                if line["event"] == "step" and log.has(line["run"], line["step"]):
                    yield happened(config, log, line, attempt=2 - len(logs) + line["attempt"])
                dead = dead or died(config, launch, line)
    except RuntimeError:
        if not dead:
            raise


def died(config: RecoveryConfig, launch: Launch, line: dict) -> bool:
    """Whether this is the last word of the process that is to kill itself."""
    return line == line | {
        "event": "step", "run": DISTURBED, "step": config.training.die_at, "attempt": 0,
        "rank": launch.processes - 1,
    }  # fmt: skip


def happened(config: RecoveryConfig, log: Log, line: dict, attempt: int) -> Happened:
    run, step = line["run"], line["step"]
    share = (run * config.training.steps + step) / (2 * config.training.steps)
    return Happened(run, attempt, step, log.nats(run, step), share)


def judged(
    config: RecoveryConfig, folder: Path, before: Log, after: Log, seconds: float
) -> RecoveryResult:
    steps = config.training.steps
    checkpoint = after.joined[DISTURBED, 0]["after_step"]
    reported = [step for step in range(1, steps + 1) if before.has(DISTURBED, step)]
    undisturbed, disturbed = (read(folder, run, "weights", 0) for run in (UNDISTURBED, DISTURBED))
    return RecoveryResult(
        config, list(undisturbed),
        np.array([before.nats(UNDISTURBED, step) for step in range(1, steps + 1)]),
        np.array([before.nats(DISTURBED, step) for step in reported]),
        np.array([after.nats(DISTURBED, step) for step in range(checkpoint + 1, steps + 1)]),
        checkpoint, apart(disturbed, undisturbed), seconds,
    )  # fmt: skip
