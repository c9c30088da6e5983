"""Methods by bits, and outliers by strength: tables over several seeds.

Axes: S seeds, C cases.
"""

import time
from dataclasses import dataclass, replace

import numpy as np

from labcore.compression import outliers
from labcore.compression.outliers import OutliersConfig
from labcore.compression.quantise_model import QuantiseConfig, run
from labcore.compression.rounding import GridConfig

BITS = (2, 3, 4, 5, 6, 8)
WAYS = {
    "tensor": (QuantiseConfig("nearest", GridConfig(symmetric=False, granularity="tensor")), BITS),
    "row": (QuantiseConfig("nearest", GridConfig(symmetric=False, granularity="row")), BITS),
    "group": (QuantiseConfig("nearest", GridConfig(symmetric=False, granularity="group")), BITS),
    "row-symmetric": (QuantiseConfig("nearest", GridConfig(granularity="row")), (2, 3, 4)),
    "row-percentile": (
        QuantiseConfig(
            "nearest", GridConfig(symmetric=False, granularity="row", clip="percentile", percentile=98)
        ),
        (2, 3, 4),
    ),
    "row-mse": (
        QuantiseConfig("nearest", GridConfig(symmetric=False, granularity="row", clip="mse")),
        (2, 3, 4),
    ),
    "gptq-row": (QuantiseConfig("gptq", GridConfig(symmetric=False, granularity="row")), (2, 3, 4, 5)),
    "gptq-group": (QuantiseConfig("gptq", GridConfig(symmetric=False, granularity="group")), (2, 3, 4)),
    "awq-group": (QuantiseConfig("awq", GridConfig(symmetric=False, granularity="group")), (2, 3, 4)),
    "nf4": (QuantiseConfig("nf4"), (4,)),
    "fp4": (QuantiseConfig("fp4"), (4,)),
}  # fmt: skip
CALIBRATED = ("gptq-row", "gptq-group", "awq-group")


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    losses: np.ndarray  # (S,), or (1,) if nothing is calibrated
    bits_per_weight: float  # all that is stored


@dataclass(frozen=True, slots=True, eq=False)
class MethodStudy:
    cases: dict[str, dict[str, Case]]  # by way, by bits
    full_loss: float
    floor: float
    weights: int
    seeds: tuple[int, ...]
    seconds: float


def methods(seeds: tuple[int, ...] = (0, 1, 2)) -> MethodStudy:
    started = time.perf_counter()
    cases, last = {}, None
    for way, (config, widths) in WAYS.items():
        cases[way] = {}
        for bits in widths:
            asked = replace(config, grid=replace(config.grid, bits=bits))
            used = seeds if way in CALIBRATED else seeds[:1]
            results = [run(replace(asked, seed=seed)) for seed in used]
            last = results[0]
            cases[way][str(bits)] = Case(
                np.array([one.loss for one in results]), 32 * last.stored_bytes / last.full_bytes
            )
    return MethodStudy(
        cases, last.full_loss, last.floor, last.full_bytes // 4, seeds,
        time.perf_counter() - started,
    )  # fmt: skip


OUTLIER_CASES = {
    "inputs-8": OutliersConfig("inputs", input_bits=8),
    "inputs-6": OutliersConfig("inputs", input_bits=6),
    "weights-3": OutliersConfig("weights", weight_bits=3),
    "inputs-6-factor-10": OutliersConfig("inputs", input_bits=6, factor=10.0),
    "inputs-6-alpha-0": OutliersConfig("inputs", input_bits=6, alpha=0.0),
    "inputs-6-alpha-1": OutliersConfig("inputs", input_bits=6, alpha=1.0),
}


@dataclass(frozen=True, slots=True, eq=False)
class OutlierCase:
    names: list[str]  # (C,)
    losses: np.ndarray  # (S, C) with planted channels
    clean_losses: np.ndarray  # (S, C) without


@dataclass(frozen=True, slots=True, eq=False)
class OutlierStudy:
    cases: dict[str, OutlierCase]
    full_loss: float
    seeds: tuple[int, ...]
    seconds: float


def planted(seeds: tuple[int, ...] = (0, 1, 2)) -> OutlierStudy:
    """Other channels and other calibration stories with every seed."""
    started = time.perf_counter()
    cases, full = {}, 0.0
    for name, config in OUTLIER_CASES.items():
        results = [outliers.run(replace(config, seed=seed)) for seed in seeds]
        full = results[0].full_loss
        cases[name] = OutlierCase(
            results[0].cases,
            np.array([one.losses for one in results]),
            np.array([one.clean_losses for one in results]),
        )
    return OutlierStudy(cases, full, seeds, time.perf_counter() - started)
