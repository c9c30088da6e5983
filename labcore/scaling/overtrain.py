"""Small and trained for longer: the cheapest model of a given quality, if it is to be used as well.

Training takes 6·N·D, every token that is read or written later 2·N more. Of all pairs (N, D) with the same
loss the cheapest over both is smaller and trained for longer than the cheapest to train alone
(Sardana et al., arXiv:2401.00448).

The laws know nothing of ratios far beyond those that they were fitted on (up to some 100 tokens per
parameter). Sardana et al. trained models at up to 10,000 and found that such laws make the last tokens look
worth more than they are.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from labcore.configs import lab_config
from labcore.errors import check_limits
from labcore.scaling.chinchilla import PASSES, LossLaw, Numbers, budget_for, loss_law
from labcore.scaling.landmarks import LANDMARKS, Landmark

SERVED_PASSES = 2  # FLOPs per parameter and token without a backward pass
LIMITS = {"reference": (1e8, 1e13), "served": (0.0, 1e17), "dearness": (0.1, 1000.0)}


@lab_config
class OvertrainConfig:
    law: str = "epoch"
    reference: float = 13e9  # the quality wanted: that of the compute-optimal model of this size
    served: float = 2e12  # tokens read and written over the model's life
    dearness: float = 1.0  # price of a FLOP when serving over that when training

    def __post_init__(self):
        loss_law(self.law)
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True)
class Life:
    """One model of the wanted quality, from its training to its last token."""

    parameters: float
    tokens: float
    training_flops: float
    serving_flops: float  # times dearness: in FLOPs at the price of training

    @property
    def flops(self) -> float:
        return self.training_flops + self.serving_flops

    @property
    def tokens_per_parameter(self) -> float:
        return self.tokens / self.parameters


@dataclass(frozen=True, slots=True, eq=False)
class OvertrainResult:
    """P sizes, Q demands."""

    loss_nats: float  # the quality
    reference: Life
    best: Life
    sizes: np.ndarray  # (P,)
    training: np.ndarray  # (P,) FLOPs
    serving: np.ndarray  # (P,)
    demands: np.ndarray  # (Q,) tokens served
    best_sizes: np.ndarray  # (Q,)
    best_ratios: np.ndarray  # (Q,) tokens per parameter
    saved: np.ndarray  # (Q,) share of the reference's whole cost


DEMANDS = np.logspace(9, 16, 57)


def run(config: OvertrainConfig) -> OvertrainResult:
    """The cheapest life at this demand, and at every other."""
    law = loss_law(config.law)
    tokens = budget_for(config.law, config.reference) / PASSES / config.reference
    nats = law.loss(config.reference, tokens)
    reference = life(law, nats, config.reference, config.served, config.dearness)
    best = cheapest(law, nats, config.served, config.dearness)
    lives = [cheapest(law, nats, demand, config.dearness) for demand in DEMANDS]
    usual = [life(law, nats, config.reference, demand, config.dearness) for demand in DEMANDS]
    least = smallest(law, nats)
    sizes = np.geomspace(max(1.02 * least, config.reference / 100), 4 * config.reference, 160)
    trained = PASSES * sizes * tokens_needed(law, nats, sizes)
    return OvertrainResult(
        float(nats), reference, best, sizes, trained,
        SERVED_PASSES * sizes * config.served * config.dearness,
        DEMANDS, np.array([one.parameters for one in lives]),
        np.array([one.tokens_per_parameter for one in lives]),
        np.array([1 - one.flops / other.flops for one, other in zip(lives, usual, strict=True)]),
    )  # fmt: skip


def tokens_needed(law: LossLaw, nats: float, n: Numbers) -> Numbers:
    """The D at which a model of n parameters reaches the loss; infinite if no amount is enough."""
    left = nats - law.E - law.A / n**law.alpha  # what the data term may still cost
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(left > 0, (law.B / np.maximum(left, 0)) ** (1 / law.beta), np.inf)


def smallest(law: LossLaw, nats: float) -> float:
    """The size below which no amount of text reaches the loss."""
    return (law.A / (nats - law.E)) ** (1 / law.alpha)


def life(law: LossLaw, nats: float, n: float, served: float, dearness: float = 1.0) -> Life:
    d = float(tokens_needed(law, nats, n))
    return Life(float(n), d, PASSES * n * d, SERVED_PASSES * n * served * dearness)


def cheapest(law: LossLaw, nats: float, served: float, dearness: float = 1.0) -> Life:
    """The N of the lowest cost of training and serving together, by numeric minimisation."""
    least = smallest(law, nats)

    def log_cost(log_n: float) -> float:
        return float(np.log(life(law, nats, np.exp(log_n), served, dearness).flops))

    low, high = np.log(least * 1.0001), np.log(least * 1000)
    found = minimize_scalar(log_cost, bounds=(low, high), method="bounded", options={"xatol": 1e-9})
    return life(law, nats, float(np.exp(found.x)), served, dearness)


# Read the other way: for what demand would a published model have been the right choice?


@dataclass(frozen=True, slots=True)
class Demand:
    landmark: Landmark
    served: float | None  # tokens; None: larger than the best to train alone


def demands_of_landmarks(name: str) -> tuple[Demand, ...]:
    law = loss_law(name)
    return tuple(
        Demand(one, implied_demand(law, one.worked, one.tokens))
        for one in LANDMARKS
        if one.active is None  # the laws were fitted on dense models
    )


def implied_demand(law: LossLaw, n: float, d: float) -> float | None:
    """The tokens served for which (n, d) is the cheapest life of its own quality.

    At the optimum a step along the line of equal loss costs nothing:
    (6·D + 2·S) · β·B/D^(β+1) = 6·N · α·A/N^(α+1), hence S = 3·D · (α·A/N^α / (β·B/D^β) − 1).
    """
    pull_of_size = law.alpha * law.A / n**law.alpha
    pull_of_text = law.beta * law.B / d**law.beta
    served = PASSES / SERVED_PASSES * d * (pull_of_size / pull_of_text - 1)
    return served if served > 0 else None
