"""A rare illness and a good test: what a positive result is worth, exactly and by counting people.

P(ill | positive) = P(positive | ill)·P(ill) / P(positive). In odds, Bayes' rule is a product: odds after =
odds before · P(positive | ill) / P(positive | healthy), and a second *independent* result multiplies again.
The control: the same result told twice, which tells nothing new.

Axes: P people, C prevalences of the curve, N results.
"""

from dataclasses import dataclass

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits

MOST_PEOPLE, MOST_RESULTS = 20_000, 6
TOWN = 1_000  # people drawn one by one


@lab_config
class ScreeningConfig:
    prevalence: float = 0.01  # P(ill)
    sensitivity: float = 0.9  # P(positive | ill)
    false_alarm: float = 0.05  # P(positive | healthy)
    people: int = 5_000
    seed: int = 0

    def __post_init__(self):
        unit = {name: (0.0, 1.0) for name in ("prevalence", "sensitivity", "false_alarm")}
        check_limits(self, unit | {"people": (100, MOST_PEOPLE)})
        if self.prevalence * self.sensitivity + (1 - self.prevalence) * self.false_alarm == 0:
            raise LabInputError(
                "false_alarm", self.false_alarm, "positive"
            )  # nobody tests positive


@dataclass(frozen=True, slots=True, eq=False)
class ScreeningResult:
    joint: np.ndarray  # (2, 2) P(ill or healthy, positive or negative); sums to 1
    positive: float  # P(positive), the sum of a column
    posterior: float  # P(ill | positive)
    after_negative: float  # P(ill | negative)
    ill: np.ndarray  # (P,) bool, drawn
    tested: np.ndarray  # (P,) bool, positive
    running: np.ndarray  # (P,) share of the ill among the positive so far; nan before the first
    counts: np.ndarray  # (2, 2) as `joint`, of all people drawn
    prevalences: np.ndarray  # (C,)
    curve: np.ndarray  # (C,) P(ill | positive)
    independent: np.ndarray  # (N + 1,) P(ill) after 0 … N positive results that are independent
    repeated: np.ndarray  # (N + 1,) after the same result told again and again


def posterior(prior: np.ndarray, likelihood: np.ndarray) -> np.ndarray:
    """Bayes' rule for any number of causes: multiply, and divide by the sum.  (C,), (C,) -> (C,)

    >>> posterior(np.array([0.01, 0.99]), np.array([0.9, 0.05]))[0].round(4)  # 0.009 / (0.009 + 0.0495)
    np.float64(0.1538)
    """
    joint = prior * likelihood
    return joint / joint.sum(axis=-1, keepdims=True)


def run(config: ScreeningConfig) -> ScreeningResult:
    prior = np.array([config.prevalence, 1 - config.prevalence])
    given = np.array([config.sensitivity, config.false_alarm])  # P(positive | ·)
    joint = prior[:, None] * np.stack([given, 1 - given], axis=1)
    generator = torch.Generator().manual_seed(config.seed)
    ill, tested = draw(config, generator)
    with np.errstate(invalid="ignore"):  # before the first positive result there is no share
        running = np.cumsum(ill & tested) / np.cumsum(tested)
    counts = np.array([[np.sum((ill == i) & (tested == t)) for t in (1, 0)] for i in (1, 0)])
    prevalences = np.logspace(-4, np.log10(0.5), 60)
    priors = np.stack([prevalences, 1 - prevalences], axis=1)
    beliefs = [prior]
    for _ in range(MOST_RESULTS):  # each result's posterior is the next one's prior
        beliefs.append(posterior(beliefs[-1], given))
    independent = [belief[0] for belief in beliefs]
    once = independent[1]
    negative = joint[:, 1].sum()
    return ScreeningResult(
        joint, float(joint[:, 0].sum()), float(once),
        float(joint[0, 1] / negative) if negative > 0 else 0.0, ill, tested, running, counts,
        prevalences, posterior(priors, given)[:, 0], np.array(independent),
        np.array([config.prevalence] + [once] * MOST_RESULTS),
    )  # fmt: skip


def draw(config: ScreeningConfig, generator: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
    """People, each ill or not and then positive or not.  -> (P,) bool, (P,) bool"""
    chance = torch.rand(2, config.people, generator=generator, dtype=torch.float64).numpy()
    ill = chance[0] < config.prevalence
    tested = chance[1] < np.where(ill, config.sensitivity, config.false_alarm)
    return ill, tested
