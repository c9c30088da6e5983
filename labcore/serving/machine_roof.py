"""This machine's own roof, measured: how fast one core copies and multiplies, and how near a model comes.

A roof is two numbers. Bytes per second: a long row of numbers is copied, each byte read once and written
once. Operations per second: two square matrices are multiplied. Then steps of two models are timed beside
the shortest time that these numbers allow them.

A row that fits into the core's own memory is copied several times as fast as one that does not. So there
are two roofs, a near one and a far one, and a model that fits may break through the far one.

Time is the processor's for this computation, on one core; the first round warms up and does not count.
Axes: R rounds, S steps.
"""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np
import torch

from labcore import zoo
from labcore.configs import lab_config
from labcore.distributed.cluster import Device
from labcore.errors import check_limits
from labcore.events import drain
from labcore.model.transformer import Transformer
from labcore.serving.batch_speed import FP32_BYTES, MODELS, decoding, prefilling, timed
from labcore.serving.roofline import Load, step_seconds

NEAR_BYTES, FAR_BYTES = 2**19, 2**26  # 0.5 MB and 64 MB, each of source and target
COPIED_BYTES = 2**27  # per timing, so that a near copy is repeated until it can be timed
CONTEXT = 64
BUNDLED = "world-decoder"  # 0.9 million weights, 3.6 MB
LARGE = "large"  # 21 million drawn weights, 85 MB
# (model, phase, texts): writing takes one token of each, reading 64 tokens of one prompt
STEPS = tuple(
    (model, phase, texts)
    for model in (BUNDLED, LARGE)
    for phase, texts in (("write", 1), ("write", 16), ("read", 1))
)


@lab_config
class MachineConfig:
    rounds: int = 7
    side: int = 512  # of the matrices
    seed: int = 0

    def __post_init__(self):
        check_limits(self, {"rounds": (3, 15), "side": (128, 1024)})


@dataclass(frozen=True, slots=True, eq=False)
class MachineLook:
    share: float
    far: np.ndarray  # (rounds so far,)
    flops: np.ndarray  # (rounds so far,)


@dataclass(frozen=True, slots=True, eq=False)
class MachineResult:
    near: np.ndarray  # (R,) bytes per second within the core's own memory
    far: np.ndarray  # (R,) bytes per second, from outside
    flops: np.ndarray  # (R,) operations per second
    measured: np.ndarray  # (R, S) seconds of each step
    roof_near: np.ndarray  # (S,) seconds that the median roof allows, bytes at the near rate
    roof_far: np.ndarray  # (S,)


def run(config: MachineConfig) -> MachineResult:
    return drain(measure(config))


def copying(size: int) -> Callable[[], float]:
    """Bytes per second of copying `size` bytes: as many are written as are read."""
    source, target = torch.ones(size // FP32_BYTES), torch.zeros(size // FP32_BYTES)
    times = max(1, COPIED_BYTES // size)

    def measure_once() -> float:
        started = time.thread_time()
        for _ in range(times):
            target.copy_(source)
        return 2 * size * times / (time.thread_time() - started)

    return measure_once


def multiplying(side: int, rng: torch.Generator) -> Callable[[], float]:
    """Operations per second of a product of two square matrices, 2·n³ each."""
    left, right = (torch.randn(side, side, generator=rng) for _ in range(2))
    times = max(1, 2**28 // side**3)

    def measure_once() -> float:
        started = time.thread_time()
        for _ in range(times):
            left @ right
        return 2 * side**3 * times / (time.thread_time() - started)

    return measure_once


def measure(config: MachineConfig) -> Generator[MachineLook, None, MachineResult]:
    rng = torch.Generator().manual_seed(config.seed)
    models = {BUNDLED: zoo.load(BUNDLED).model, LARGE: Transformer(MODELS[LARGE], rng)}
    steps = [
        decoding(models[name], texts, CONTEXT - 1, rng)
        if phase == "write" else prefilling(models[name], CONTEXT, rng)
        for name, phase, texts in STEPS
    ]  # fmt: skip
    rates = [copying(NEAR_BYTES), copying(FAR_BYTES), multiplying(config.side, rng)]
    found, took = [], []
    for number in range(config.rounds + 1):
        row, seconds = [rate() for rate in rates], [timed(step) for step in steps]
        if number:
            found.append(row)
            took.append(seconds)
            rows = np.array(found)
            yield MachineLook(number / config.rounds, rows[:, 1], rows[:, 2])
    near, far, flops = (float(rate) for rate in np.median(rows, axis=0))
    roofs = [
        [step_seconds(models[name].config, load(phase, texts), device(flops, rate))
         for name, phase, texts in STEPS]
        for rate in (near, far)
    ]  # fmt: skip
    return MachineResult(
        rows[:, 0], rows[:, 1], rows[:, 2], np.array(took), np.array(roofs[0]), np.array(roofs[1])
    )


def load(phase: str, texts: int) -> Load:
    new, cached = (1, CONTEXT - 1) if phase == "write" else (CONTEXT, 0)
    return Load(texts, new, cached, FP32_BYTES, FP32_BYTES, FP32_BYTES)


def device(flops: float, bandwidth: float) -> Device:
    """This core as an entry of the table of accelerators."""
    return Device("this core", 0.0, flops, bandwidth, 0.0, "measured")
