"""Four optimisers on one task, each over a range of learning rates: the valley that a rate must hit.

All runs read the same text with the same warm-up and cosine; weights, and nothing but the weights and the
text, change with the seed. An optimiser is judged at its own best rate, never at somebody else's.

Axes: O optimisers, Q learning rates of each, R seeds, N steps.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.pretraining.monitor import MonitorConfig
from labcore.pretraining.monitor_text import text_of
from labcore.training import faults, optimiser
from labcore.training.loop import train
from labcore.training.objectives import held_out_loss
from labcore.training.rules import OPTIMISERS

STEPS = 80
# Half a decade apart. Ranges differ, as the size of a step does: see the lab's derivation.
RATES: dict[str, tuple[float, ...]] = {
    "sgd": (0.03, 0.1, 0.3, 1.0, 3.0),
    "adamw": (0.001, 0.003, 0.01, 0.03, 0.1),
    "lion": (0.001, 0.003, 0.01, 0.03, 0.1),
    "muon": (0.003, 0.01, 0.03, 0.1, 0.3),
}


@lab_config
class RateConfig:
    """One optimiser at one rate."""

    optimiser: str = "adamw"
    learning_rate: float = 0.01
    steps: int = STEPS
    seed: int = 0

    def __post_init__(self):
        self.monitor()

    def monitor(self) -> MonitorConfig:
        return MonitorConfig(
            optimiser=self.optimiser, learning_rate=self.learning_rate, steps=self.steps,
            seed=self.seed,
        )  # fmt: skip


@lab_config
class StudyConfig:
    """What is recorded; a test asks for less of it."""

    optimisers: tuple[str, ...] = OPTIMISERS
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = STEPS

    def __post_init__(self):
        for name in self.optimisers:
            if name not in OPTIMISERS:
                raise LabInputError("optimiser", name, "known_choice", allowed=OPTIMISERS)


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    step: int
    share: float  # of the run done, 0 to 1
    loss_nats: float


@dataclass(frozen=True, slots=True, eq=False)
class RateResult:
    config: RateConfig
    loss_nats: np.ndarray  # (N,) NaN after a run that broke off
    final_nats: float  # on held-out text; infinite if the run broke off
    memory_numbers: int
    cpu_seconds: float  # of the whole run


@dataclass(frozen=True, slots=True, eq=False)
class StudyResult:
    optimisers: list[str]  # O
    rates: np.ndarray  # (O, Q)
    seeds: list[int]  # R
    final_nats: np.ndarray  # (O, Q, R)
    loss_nats: np.ndarray  # (O, Q, R, N) float32
    memory_share: np.ndarray  # (O,) numbers that the optimiser keeps for each weight
    step_milliseconds: np.ndarray  # (O,) CPU time of a step, the median over runs
    floor_nats: float
    uniform_nats: float
    cpu_seconds: float

    def best(self, name: str) -> int:
        """Where an optimiser's median over seeds is lowest."""
        return int(np.median(self.final_nats[self.optimisers.index(name)], axis=-1).argmin())

    def best_rate(self, name: str) -> float:
        return float(self.rates[self.optimisers.index(name), self.best(name)])

    def width(self, name: str, within_nats: float = 0.8) -> float:
        """How far apart, as a factor, are the rates that come near the best one; 1 is one rate."""
        at = self.optimisers.index(name)
        finals = np.median(self.final_nats[at], axis=-1)
        good = self.rates[at][finals <= finals.min() + within_nats]
        return float(good.max() / good.min())


def run(config: RateConfig) -> RateResult:
    return drain(train_at(config))


def train_at(config: RateConfig) -> Generator[Progress, None, RateResult]:
    """Train from scratch with one optimiser at one rate; judge it on held-out text."""
    started, monitor = time.process_time(), config.monitor()
    text = text_of(monitor.corpus, monitor.batch_size, config.seed)
    setup = monitor.setup(text.tokenizer.vocab_size)
    model, training = faults.build(setup, config.seed), setup.training
    moving = optimiser.build(
        config.optimiser, model, config.learning_rate, training.weight_decay, training.betas
    )
    losses, diverged = np.full(config.steps, np.nan), False
    batches = faults.batches(setup, text.batch_at, 1, config.seed)
    for step in train(model, batches, training, optimiser=moving):
        losses[step.step - 1], diverged = step.loss_nats, step.diverged
        yield Progress(step.step, step.share, step.loss_nats)
    final = np.inf if diverged else held_out_loss(model, [text.held_out])
    memory = optimiser.state_numbers(moving)
    return RateResult(config, losses, float(final), memory, time.process_time() - started)


def study(config: StudyConfig) -> StudyResult:
    """Every optimiser at each of its rates with every seed."""
    started = time.process_time()
    runs = [
        [
            [run(RateConfig(name, rate, config.steps, seed)) for seed in config.seeds]
            for rate in RATES[name]
        ]
        for name in config.optimisers
    ]
    monitor = RateConfig().monitor()
    text = text_of(monitor.corpus, 1, 0)
    weights = sum(
        weight.numel()
        for weight in faults.build(monitor.setup(text.tokenizer.vocab_size), 0).parameters()
    )
    every = [[one for of_rate in of_optimiser for one in of_rate] for of_optimiser in runs]
    return StudyResult(
        list(config.optimisers),
        np.array([RATES[name] for name in config.optimisers]),
        list(config.seeds),
        np.array([[[one.final_nats for one in c] for c in b] for b in runs]),
        np.array([[[one.loss_nats for one in c] for c in b] for b in runs], np.float32),
        np.array([of[0].memory_numbers / weights for of in every]),
        np.array([1e3 * np.median([one.cpu_seconds / config.steps for one in of]) for of in every]),
        text.floor_nats,
        text.uniform_nats,
        time.process_time() - started,
    )
