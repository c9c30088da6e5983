"""A run with a fault in it, known or hidden behind a number.

The number of a mystery gives the fault and the seed, so that everybody with the same number looks at the
same run.
"""

from collections.abc import Generator

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.pretraining.monitor import MonitorConfig, MonitorResult, Progress, monitor
from labcore.training.faults import FAULTS, blind

LAST_MYSTERY = 9999


@lab_config
class MysteryConfig:
    number: int | None = 1  # None: `fault` says it openly
    fault: str = "healthy"
    seed: int = 0
    steps: int = MonitorConfig().steps

    def __post_init__(self):
        if self.number is not None and not 0 <= self.number <= LAST_MYSTERY:
            raise LabInputError("number", self.number, "between", low=0, high=LAST_MYSTERY)
        if self.fault not in FAULTS:
            raise LabInputError("fault", self.fault, "known_choice", allowed=FAULTS)
        self.monitor()

    @property
    def injected(self) -> str:
        """The fault that is really in it."""
        return self.fault if self.number is None else blind(self.number)

    def monitor(self) -> MonitorConfig:
        seed = self.seed if self.number is None else self.number
        return MonitorConfig(fault=self.injected, seed=seed, steps=self.steps)


def run(config: MysteryConfig) -> MonitorResult:
    return drain(mystery(config))


def mystery(config: MysteryConfig) -> Generator[Progress, None, MonitorResult]:
    """The default recipe with the fault in it, under watch."""
    return (yield from monitor(config.monitor()))
