"""Single weights go: which ones, what it costs, and what each matrix looks like afterwards.

Sources: see `pruning`.
Axes: W matrices, O outputs, I inputs, S seeds, R ratios.
"""

import copy
import time
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from labcore.compression.calibration import Inputs, output_error
from labcore.compression.judged import matrices
from labcore.compression.prune_model import (
    base,
    held_out,
    inputs_of_matrices,
    kept_masks,
    prune_model,
)
from labcore.compression.pruning import METHODS
from labcore.configs import lab_config
from labcore.errors import check_choices, check_limits
from labcore.training.objectives import held_out_loss

COMPARED = ("row", "matrix", "model", "n:m")
LIMITS = {"ratio": (0.0, 0.95), "stories": (2, 128)}


@lab_config
class UnstructuredConfig:
    method: str = "magnitude"
    ratio: float = 0.5  # share of the weights that go; 2:4 is always a half
    compared: str = "row"
    planted: bool = False  # two channels of every norm are thirty times larger
    stories: int = 32  # read to see what the matrices are fed
    seed: int = 0  # of those stories, and of the random choice

    def __post_init__(self):
        ways = COMPARED if self.method != "sparsegpt" else ("row", "matrix", "n:m")
        check_choices(self, {"method": METHODS, "compared": ways})
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True, eq=False)
class UnstructuredResult:
    loss_nats: float
    dense_nats: float  # before
    floor_nats: float
    names: tuple[str, ...]  # (W,)
    zero_share: np.ndarray  # (W,)
    output_error: np.ndarray  # (W,) ‖X(W′ − W)ᵀ‖² / ‖XWᵀ‖² on the calibration text
    kept: dict[str, np.ndarray]  # each (O, I) bool
    seconds: float


def run(config: UnstructuredConfig) -> UnstructuredResult:
    """Prune a copy of the model and ask it."""
    started = time.perf_counter()
    judge = held_out()
    inputs = inputs_of_matrices(config.planted, config.stories, config.seed)
    before = base(config.planted)
    model = prune_model(
        copy.deepcopy(before), config.method, config.ratio, config.compared, inputs,
        torch.Generator().manual_seed(config.seed),
    )  # fmt: skip
    kept = {name: mask.numpy() for name, mask in kept_masks(model).items()}
    return UnstructuredResult(
        loss_nats=held_out_loss(model, judge.batches),
        dense_nats=judge.dense_nats,
        floor_nats=judge.floor_nats,
        names=tuple(kept),
        zero_share=np.array([1 - mask.mean() for mask in kept.values()]),
        output_error=relative_errors(model, before, inputs),
        kept=kept,
        seconds=time.perf_counter() - started,
    )


def relative_errors(
    model: torch.nn.Module, before: torch.nn.Module, inputs: dict[str, Inputs]
) -> np.ndarray:
    """By how much each matrix's output has changed, against its size.  -> (W,)"""
    now, was = matrices(model), matrices(before)
    return np.array(
        [
            output_error(now[name].weight - was[name].weight, inputs[name].moments)
            / output_error(was[name].weight, inputs[name].moments)
            for name in now
        ]
    )


# Recorded: every method over the ratio, with calibration text of several seeds.

RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
CASES = {
    "random": ("random", "row"),
    "magnitude-model": ("magnitude", "model"),
    "magnitude": ("magnitude", "row"),
    "wanda": ("wanda", "row"),
    "sparsegpt": ("sparsegpt", "row"),
}
TWO_FOUR = METHODS


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    ratios: np.ndarray  # (R,)
    losses: dict[str, dict[str, np.ndarray]]  # "clean", "planted": case: (S, R) nats
    two_four: dict[str, dict[str, np.ndarray]]  # the same, method: (S,)
    dense_nats: float
    floor_nats: float
    seeds: tuple[int, ...]
    seconds: float


def study(seeds: tuple[int, ...] = (0, 1, 2)) -> Study:
    started = time.perf_counter()
    losses, two_four = {}, {}
    for name, planted in (("clean", False), ("planted", True)):
        losses[name] = {
            case: np.array([[cost(*way, r, planted, seed) for r in RATIOS] for seed in seeds])
            for case, way in CASES.items()
        }
        two_four[name] = {
            method: np.array([cost(method, "n:m", 0.5, planted, seed) for seed in seeds])
            for method in TWO_FOUR
        }
    judge = held_out()
    return Study(
        np.array(RATIOS), losses, two_four, judge.dense_nats, judge.floor_nats, seeds,
        time.perf_counter() - started,
    )  # fmt: skip


@cache
def cost(method: str, compared: str, ratio: float, planted: bool, seed: int) -> float:
    """Held-out nats.  Size knows neither text nor chance, so all its seeds are one run."""
    if method == "magnitude" and seed:
        return cost(method, compared, ratio, planted, 0)
    return run(UnstructuredConfig(method, ratio, compared, planted, seed=seed)).loss_nats
