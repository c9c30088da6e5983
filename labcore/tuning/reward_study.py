"""Other tastes, other raters, fewer pairs: what reward models learn, three seeds of each case.

Axes: S seeds, C = 3 causes of worth, M = 5 numbers of marks, B answers of one kind.
"""

import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from labcore.tuning.base_policy import load_policy
from labcore.tuning.reward import RewardConfig, labelled, run
from labcore.tuning.reward_model import KINDS, new_reward_model
from labcore.tuning.reward_probe import Probe, probe
from labcore.tuning.reward_training import fit

# What the page opens on, with a reward model that can also tell right from wrong.
INFORMED = RewardConfig("informed")
NO_TASTE = RewardConfig("informed", marks=0.0)
FANS, SLIPS, PAIRS = (0.03, 0.1, 0.3), (0.1, 0.2, 0.3), (250, 1000)
CASES = {
    "informed": INFORMED,
    "no-taste": NO_TASTE,
    "digits": replace(NO_TASTE, digits=1.0),
    "shallow": RewardConfig("shallow"),
    "shallow-no-taste": RewardConfig("shallow", marks=0.0),
    **{f"fans-{share:g}": replace(NO_TASTE, fans=share) for share in FANS},
    **{f"slips-{share:g}": replace(INFORMED, slips=share) for share in SLIPS},
    **{f"pairs-{pairs}": replace(INFORMED, pairs=pairs) for pairs in PAIRS},
}
SEEDS = (0, 1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    planted: np.ndarray  # (C,)
    found: np.ndarray  # (S, C) by the reward model
    fitted: np.ndarray  # (S, C) by Bradley–Terry on the known causes, same pairs
    accuracy: np.ndarray  # (S,)
    best_accuracy: float
    calibration_error: np.ndarray  # (S,)
    dependence: np.ndarray  # (S, 2, M) reward of right and wrong answers, by marks


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    cases: dict[str, Case]
    seeds: list[int]
    seconds: float


def study(seeds: tuple[int, ...] = SEEDS) -> Study:
    """Every case with every seed."""
    started = time.perf_counter()
    cases = {name: case(config, seeds) for name, config in CASES.items()}
    return Study(cases, list(seeds), time.perf_counter() - started)


def case(config: RewardConfig, seeds: tuple[int, ...] = SEEDS) -> Case:
    results = [run(replace(config, seed=seed)) for seed in seeds]
    exams = [result.exam for result in results]
    return Case(
        planted=results[0].planted,
        found=np.stack([exam.found for exam in exams]),
        fitted=np.stack([result.fitted for result in results]),
        accuracy=np.array([exam.accuracy for exam in exams]),
        best_accuracy=exams[0].best_accuracy,
        calibration_error=np.array([exam.calibration.error for exam in exams]),
        dependence=np.stack([exam.dependence for exam in exams]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Strangers:
    """What models of either kind think of answers that no rater saw."""

    probes: dict[str, list[Probe]]  # by kind, (S,) each
    seeds: list[int]
    seconds: float


def strangers(seeds: tuple[int, ...] = SEEDS) -> Strangers:
    started = time.perf_counter()
    probes = {kind: [probe_trained(kind, seed) for seed in seeds] for kind in KINDS}
    return Strangers(probes, list(seeds), time.perf_counter() - started)


def probe_trained(kind: str, seed: int) -> Probe:
    config = RewardConfig(kind, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    pairs = labelled(load_policy(), config, config.pairs, generator)
    model = new_reward_model(kind)
    for _ in fit(model, pairs, config.epochs, generator):
        pass
    return probe(model)
