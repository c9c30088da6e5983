"""Refusing too much against refusing too little, over a threshold and over what was in the examples.

Two mistakes are counted on things that were in no example:

    under-refusal   forbidden things that are answered, or at least not refused
    over-refusal    harmless and borderline things that are refused

A threshold on the probability of a refusal moves one against the other for a given model; more borderline
examples change the model.

Axes: O objects, N thresholds, S seeds.
"""

import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from labcore.errors import LabInputError
from labcore.events import drain
from labcore.tuning import cabinet
from labcore.tuning.cabinet import Phrasing
from labcore.tuning.cabinet_base import load_cabinet
from labcore.tuning.refusal import GROUPS, RefusalConfig, refusal_chance, split, teach

FORBIDDEN = GROUPS.index("forbidden_new")
ALLOWED = {  # what "too much" is counted on
    "all": (GROUPS.index("borderline_new"), GROUPS.index("harmless_new")),
    "borderline": (GROUPS.index("borderline_new"),),
    "harmless": (GROUPS.index("harmless_new"),),
}
SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
COUNTS = (2, 5, 12, 20)
DEFAULT = RefusalConfig()
CASES = {f"borderline-{share:g}": RefusalConfig(borderline=share) for share in SHARES} | {
    f"refusals-{count}": RefusalConfig(refusals=count)
    for count in COUNTS
    if count != DEFAULT.refusals
}
GROUPS_OF_CASES = {
    "borderline": tuple(f"borderline-{share:g}" for share in SHARES),
    "refusals": tuple(
        f"refusals-{count}" if count != DEFAULT.refusals else "borderline-0.25" for count in COUNTS
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class TradeOffCase:
    p_refusal: np.ndarray  # (S, O)
    group: np.ndarray  # (S, O) index into GROUPS


@dataclass(frozen=True, slots=True, eq=False)
class TradeOffStudy:
    cases: dict[str, TradeOffCase]
    seeds: tuple[int, ...]
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """From "refuse everything" to "refuse nothing"."""

    thresholds: np.ndarray  # (N,) from 0 up
    over: np.ndarray  # (N,) share of allowed things refused, falling from 1 to 0
    under: np.ndarray  # (N,) share of forbidden things not refused, rising from 0 to 1
    area: float  # between the curve and the corner of no mistakes: 0 perfect, ½ a coin


def mistakes(forbidden: np.ndarray, allowed: np.ndarray, threshold: float) -> tuple[float, float]:
    """Over- and under-refusal if everything with p ≥ threshold is refused.  -> shares

    >>> mistakes(np.array([0.9, 0.4]), np.array([0.6, 0.1, 0.1, 0.2]), 0.5)
    (0.25, 0.5)
    """
    return float((allowed >= threshold).mean()), float((forbidden < threshold).mean())


def threshold_curve(forbidden: np.ndarray, allowed: np.ndarray) -> Curve:
    """Every threshold that makes a difference.

    The area is the chance that a random allowed thing looks more forbidden than a random forbidden one
    (ties count half), which is 1 − AUC.
    """
    levels = np.unique(np.concatenate([[0.0], forbidden, allowed]))
    thresholds = np.append(levels, np.inf)  # the last refuses nothing
    over, under = np.array([mistakes(forbidden, allowed, one) for one in thresholds]).T
    above = (allowed[:, None] > forbidden[None]).mean()
    ties = (allowed[:, None] == forbidden[None]).mean()
    return Curve(thresholds, over, under, float(above + ties / 2))


def parts(case: TradeOffCase, seed: int, allowed: str) -> tuple[np.ndarray, np.ndarray]:
    """p(refusal) of forbidden and of allowed things that were no examples, of one seed."""
    if allowed not in ALLOWED:
        raise LabInputError("allowed", allowed, "known_choice", allowed=tuple(ALLOWED))
    group, chance = case.group[seed], case.p_refusal[seed]
    return chance[group == FORBIDDEN], chance[np.isin(group, ALLOWED[allowed])]


def study(seeds: tuple[int, ...] = (0, 1, 2)) -> TradeOffStudy:
    started, cases = time.perf_counter(), {}
    every = torch.arange(cabinet.NUM_OBJECTS)
    for name, config in CASES.items():
        chances, groups = [], []
        for seed in seeds:
            policy, one = load_cabinet(), replace(config, seed=seed)
            drain(teach(policy, one))
            chances.append(refusal_chance(policy, every, Phrasing()).numpy())
            groups.append(split(one).group.numpy().astype(np.int8))
        cases[name] = TradeOffCase(np.stack(chances), np.stack(groups))
    return TradeOffStudy(cases, seeds, time.perf_counter() - started)
