"""Heads, neurons or layers go: what it costs, what it saves in weights and in time, and who goes first.

Axes: L layers, U units of a layer, N units of the model, M points of a curve, S seeds, R rounds.
"""

import copy
import time
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch

from labcore.compression.prune_model import base, calibration_batches, held_out
from labcore.compression.smaller_model import SMALLER, kept_by, parameters
from labcore.compression.unit_importance import IMPORTANCES, importance
from labcore.configs import lab_config
from labcore.errors import check_choices, check_limits
from labcore.events import drain
from labcore.model.transformer import Transformer
from labcore.training.objectives import held_out_loss

UNITS = ("heads", "neurons", "layers")
STORIES = 24  # that judge the units
ROUNDS = 30
TIMED_ROWS, TIMED_TOKENS = 4, 96


@lab_config
class StructuredConfig:
    unit: str = "heads"
    removed: float = 0.5  # share of the units; rounded down to whole ones
    importance: str = "alone"
    seed: int = 0  # of the stories that judge, and of the random order

    def __post_init__(self):
        kinds = IMPORTANCES if self.unit != "neurons" else IMPORTANCES[1:]
        check_choices(self, {"unit": UNITS, "importance": kinds})
        check_limits(self, {"removed": (0, 0.75)})


@dataclass(frozen=True, slots=True)
class Progress:
    stage: str  # "judged" or "timed"
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class StructuredResult:
    importance: np.ndarray  # (L, U) or (L,)
    kept: np.ndarray  # (L, U) or (L,) bool
    loss_nats: float
    dense_nats: float
    floor_nats: float
    weights: tuple[int, int]  # inside the blocks, before and after
    model_bytes: tuple[int, int]  # the whole model in 32 bits, table of tokens included
    milliseconds: np.ndarray  # (2, R) of one pass, before and after, in turns
    seconds: float


def run(config: StructuredConfig) -> StructuredResult:
    return drain(prune_units(config))


def prune_units(config: StructuredConfig) -> Generator[Progress, None, StructuredResult]:
    """Judge the units, cut the least important out, ask and time what is left."""
    started, judge, whole = time.perf_counter(), held_out(), base()
    worth = judged(config.unit, config.importance, config.seed)
    yield Progress("judged", 0.5)
    smaller, kept = smaller_model(config.unit, worth, config.removed)
    loss = held_out_loss(smaller, judge.batches)
    yield Progress("timed", 0.7)
    milliseconds = timed_in_turns([whole, smaller], ROUNDS)
    return StructuredResult(
        importance=worth.numpy(),
        kept=kept.numpy(),
        loss_nats=loss,
        dense_nats=judge.dense_nats,
        floor_nats=judge.floor_nats,
        weights=(parameters(whole), parameters(smaller)),
        model_bytes=(4 * parameters(whole, ("",)), 4 * parameters(smaller, ("",))),
        milliseconds=milliseconds,
        seconds=time.perf_counter() - started,
    )


def judged(unit: str, kind: str, seed: int) -> torch.Tensor:
    """What each unit is worth, by stories of the training set.  -> (L, U) or (L,)"""
    batch = calibration_batches(STORIES, seed)[0]
    return importance(base(), unit, kind, batch, torch.Generator().manual_seed(seed)).detach()


def smaller_model(
    unit: str, worth: torch.Tensor, removed: float
) -> tuple[Transformer, torch.Tensor]:
    """A copy without its least important units, and which were kept."""
    kept = kept_by(worth, int(removed * worth.numel() + 1e-9))
    return SMALLER[unit](copy.deepcopy(base()), kept), kept


@torch.no_grad()
def timed_in_turns(models: list[Transformer], rounds: int) -> np.ndarray:
    """Milliseconds of one pass over 4 rows of 96 tokens.  -> (models, rounds)

    In turns, so that a busy moment of the machine hits all alike; the first three rounds warm up.
    """
    tokens = torch.arange(TIMED_ROWS * TIMED_TOKENS).view(TIMED_ROWS, TIMED_TOKENS)
    times = np.zeros((len(models), rounds + 3))
    for turn in range(rounds + 3):
        for at, model in enumerate(models):
            started = time.perf_counter()
            model(tokens)
            times[at, turn] = 1e3 * (time.perf_counter() - started)
    return times[:, 3:]


# Recorded: every importance over the share removed, judged by stories of several seeds.

SHARES = {
    "heads": (0.125, 0.25, 0.375, 0.5, 0.625, 0.75),
    "neurons": (0.1, 0.25, 0.4, 0.5, 0.6, 0.75),
    "layers": (0.25, 0.5, 0.75),
}


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    shares: dict[str, np.ndarray]  # unit: (M,)
    losses: dict[str, dict[str, np.ndarray]]  # unit: importance: (S, M) nats
    first: dict[str, np.ndarray]  # unit: (S, N) rise alone, for heads and layers
    dense_nats: float
    floor_nats: float
    seeds: tuple[int, ...]
    seconds: float


def study(seeds: tuple[int, ...] = (0, 1, 2)) -> Study:
    started, judge = time.perf_counter(), held_out()
    losses = {
        unit: {
            kind: np.array([course(unit, kind, seed) for seed in seeds])
            for kind in (IMPORTANCES if unit != "neurons" else IMPORTANCES[1:])
        }
        for unit in UNITS
    }
    first = {
        unit: np.stack([judged(unit, "alone", seed).flatten().numpy() for seed in seeds])
        for unit in ("heads", "layers")
    }
    return Study(
        {unit: np.array(shares) for unit, shares in SHARES.items()}, losses, first,
        judge.dense_nats, judge.floor_nats, seeds, time.perf_counter() - started,
    )  # fmt: skip


def course(unit: str, kind: str, seed: int) -> list[float]:
    """Held-out nats over the share removed, one order of the units."""
    worth = judged(unit, kind, seed)
    return [
        held_out_loss(smaller_model(unit, worth, share)[0], held_out().batches)
        for share in SHARES[unit]
    ]
