"""The lab's run: the same training in one process and in several, compared number by number.

p processes, N steps, L tensors of the model.
"""

import time
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.distributed.launch import Launch, lines, options_for, workplace
from labcore.distributed.launch_log import Log
from labcore.distributed.meeting import Place
from labcore.distributed.parallel_config import PRECISIONS, ParallelConfig
from labcore.distributed.parallel_cost import expected_held, expected_sent
from labcore.distributed.parallel_training import (
    fresh_model,
    rows_of_step,
    train,
    whole_gradients,
    whole_weights,
)
from labcore.distributed.parallel_ways import make_optimizer, spread
from labcore.distributed.wire import Asked
from labcore.distributed.worker import evidence, folder_of
from labcore.events import drain

ROUNDING_STEPS = (
    1000  # times the distance from 1 to the next number; sums of thousands need some room
)


@lab_config
class RunConfig:
    training: ParallelConfig = field(default_factory=ParallelConfig)
    processes: int = 2  # p

    def __post_init__(self):
        self.launch()

    def launch(self) -> Launch:
        return Launch(self.processes, options_for(self.training))


@dataclass(frozen=True, slots=True, eq=False)
class Alone:
    """The same run in a single process: what the others are held to."""

    nats: np.ndarray  # (N,) mean loss of each step's rows
    gradients: dict[str, Tensor]  # of the first step
    weights: dict[str, Tensor]  # after the last one


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """One step that all processes have reported; step 0: they are being started."""

    step: int
    share: float  # of the run, 0 to 1
    rank_nats: list[float]  # p, each on its own rows
    nats: float | None  # on all rows together
    alone_nats: float | None  # what a single process had at this step


@dataclass(frozen=True, slots=True, eq=False)
class RunResult:
    config: RunConfig
    names: list[str]  # L
    alone_nats: np.ndarray  # (N,)
    nats: np.ndarray  # (N,)
    rank_nats: np.ndarray  # (p, N)
    gradient_apart: np.ndarray  # (p, L) after the first backward pass, from the single process
    weight_apart: np.ndarray  # (p, L) after the last step, from the single process
    ranks_apart: np.ndarray  # (L,) of the last weights, from process 0's
    sent_bytes: np.ndarray  # (N, p, p) in each step, from whom, to whom; zeros where nobody counts
    expected_bytes: np.ndarray  # (N,) that each process should send
    asked: list[Asked]  # by process 0, in the last step
    held_bytes: np.ndarray  # (p, 3) weights, gradients, optimizer states
    expected_held: list[float]  # 3
    parameters: int
    seconds: float

    @property
    def rounding(self) -> float:
        return rounding(self.config.training.precision)

    @property
    def is_bug(self) -> bool:
        return not float(self.gradient_apart.max()) <= self.rounding

    @property
    def measured_bytes(self) -> float:
        """Sent by one process in the last step, on average."""
        return float(self.sent_bytes[-1].sum() / self.config.processes)


def rounding(precision: str) -> float:
    """A difference up to here is a matter of the order in which numbers were added; above it is a bug."""
    return ROUNDING_STEPS * torch.finfo(PRECISIONS[precision]).eps


def apart(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> np.ndarray:
    """How far two sets of tensors differ: for each, the largest difference over its largest number.  (L,)"""
    return np.array(
        [
            float((ours[name] - one).abs().max()) / (float(one.abs().max()) or 1.0)
            for name, one in theirs.items()
        ]
    )


def alone(config: ParallelConfig) -> Alone:
    """The run in this very process; how it is spread makes no difference to it."""
    same = ParallelConfig(
        steps=config.steps, precision=config.precision, optimizer=config.optimizer,
        rows=config.rows, hidden_size=config.hidden_size, num_layers=config.num_layers,
        seed=config.seed,
    )  # fmt: skip
    return _alone(same)


@lru_cache(maxsize=4)
def _alone(config: ParallelConfig) -> Alone:
    model = spread(fresh_model(config), config, mesh=None)
    optimizer = make_optimizer(model, config, mesh=None)
    done = list(train(model, optimizer, config, Place(), gradients_of=whole_gradients))
    nats = np.array([step.loss_sum / step.targets for step in done])
    return Alone(nats, done[0].gradients, whole_weights(model))


def run(config: RunConfig) -> RunResult:
    return drain(compare(config))


def compare(config: RunConfig) -> Generator[Progress, None, RunResult]:
    """Start the processes, train alone while they import, then follow them step by step."""
    started = time.perf_counter()
    with workplace() as folder:
        log, seen = Log(config.processes), 0
        with closing(lines(config.launch(), folder)) as news:
            log.note(next(news, None))
            yield Progress(0, 0.0, [], None, None)
            reference = alone(config.training)
            for line in news:
                log.note(line)
                while log.has(0, seen + 1):
                    seen += 1
                    yield progress(log, config.training, seen, reference)
                if line is None:  # a moment at which a page can stop the run
                    yield Progress(seen, seen / config.training.steps, [], None, None)
        return judged(config, 0, log, folder, reference, time.perf_counter() - started)


def progress(log: Log, training: ParallelConfig, step: int, reference: Alone) -> Progress:
    return Progress(
        step, step / training.steps, log.rank_nats(0, step), log.nats(0, step),
        float(reference.nats[step - 1]),
    )  # fmt: skip


def judged(
    config: RunConfig, number: int, log: Log, folder: Path, reference: Alone, seconds: float
) -> RunResult:
    """The evidence of run `number` of a launch, held to the run in a single process."""
    training, steps = config.training, range(1, config.training.steps + 1)
    gradients, weights = (
        [read(folder, number, what, rank) for rank in range(config.processes)]
        for what in ("gradients", "weights")
    )
    vocab_size = len(reference.weights["token_embedding.weight"])
    tokens = [rows_of_step(training, step).tokens.numel() for step in steps]
    return RunResult(
        config, list(reference.weights), reference.nats,
        np.array([log.nats(number, step) for step in steps]),
        np.array([log.rank_nats(number, step) for step in steps]).T,
        np.array([apart(mine, reference.gradients) for mine in gradients]),
        np.array([apart(mine, reference.weights) for mine in weights]),
        np.max([apart(mine, weights[0]) for mine in weights], axis=0),
        log.sent_bytes(number, training.steps),
        np.array([expected_sent(training, config.processes, vocab_size, n) for n in tokens]),
        log.asked(number), log.held_bytes(number),
        expected_held(training, config.processes, vocab_size),
        sum(weight.numel() for weight in reference.weights.values()), seconds,
    )  # fmt: skip


def read(folder: Path, number: int, what: str, rank: int) -> dict[str, Tensor]:
    return safetensors.torch.load_file(evidence(folder_of(folder / "runs", number), what, rank))
