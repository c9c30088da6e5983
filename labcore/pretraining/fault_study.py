"""One run with each fault and several healthy ones, kept for comparison: what well and ill look like.

The healthy runs differ in their seed alone. How far they are apart is luck; what lies outside of their band
is a sign.
"""

from dataclasses import dataclass, field, fields, replace

import numpy as np

from labcore.configs import lab_config
from labcore.pretraining import monitor
from labcore.pretraining.monitor import MonitorConfig, MonitorResult
from labcore.training.faults import FAULTS
from labcore.training.signals import RunLog


@lab_config
class FaultStudyConfig:
    faults: tuple[str, ...] = FAULTS
    healthy_seeds: tuple[int, ...] = (0, 1, 2)
    base: MonitorConfig = field(default_factory=MonitorConfig)


@dataclass(frozen=True, slots=True, eq=False)
class FaultStudy:
    faults: list[str]
    logs: list[RunLog]  # of each fault with the base's seed; columns in single precision
    final_nats: list[float]
    healthy: list[RunLog]  # with each of `seeds`
    seeds: list[int]

    def log(self, fault: str) -> RunLog:
        return self.logs[self.faults.index(fault)]


def run(config: FaultStudyConfig) -> FaultStudy:
    results = [monitor.run(replace(config.base, fault=fault)) for fault in config.faults]
    healthy = [monitor.run(replace(config.base, seed=seed)).log for seed in config.healthy_seeds]
    return FaultStudy(
        list(config.faults),
        [narrow(result.log) for result in results],
        [result.final_nats for result in results],
        list(map(narrow, healthy)),
        list(config.healthy_seeds),
    )


def narrow(log: RunLog) -> RunLog:
    """The same log with columns of half the bytes."""
    columns = {field.name: getattr(log, field.name) for field in fields(RunLog)}
    return RunLog(
        **{
            name: value.astype(np.float32) if isinstance(value, np.ndarray) else value
            for name, value in columns.items()
        }
    )


def without_checkpoint(result: MonitorResult) -> MonitorResult:
    """What a recording keeps of a run: its weights can be had by running it."""
    return replace(result, log=narrow(result.log), checkpoint=np.zeros(0, np.uint8))
