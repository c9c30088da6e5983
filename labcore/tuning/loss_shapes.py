"""What a pair costs, and how hard it pulls, as a function of how far it has been told apart.

Axes: X log-ratios, from −20 to 20 nats.
"""

from dataclasses import dataclass

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.tuning.preference_losses import dpo_loss, ipo_loss, kto_loss

SHAPES = ("dpo", "ipo", "kto")
FARTHEST_NATS, POINTS = 20.0, 201


@lab_config
class ShapeConfig:
    beta: float = 0.1
    smoothing: float = 0.0  # share of labels that DPO takes to be wrong

    def __post_init__(self):
        if not 0.01 <= self.beta <= 10:
            raise LabInputError("beta", self.beta, "between", low=0.01, high=10)
        if not 0 <= self.smoothing < 0.5:
            raise LabInputError("smoothing", self.smoothing, "between", low=0, high=0.5)


@dataclass(frozen=True, slots=True, eq=False)
class Shapes:
    log_ratio: np.ndarray  # (X,) ln(π / π_ref) of the chosen answer less that of the rejected one
    losses: dict[str, np.ndarray]  # (X,) by method
    pulls: dict[
        str, np.ndarray
    ]  # (X,) −dloss / dlog-ratio, in units of its value at 0; > 0 pulls apart


def run(config: ShapeConfig) -> Shapes:
    """The losses on a line of log-ratios, and their slopes by autograd."""
    log_ratio = torch.linspace(-FARTHEST_NATS, FARTHEST_NATS, POINTS, dtype=torch.float64)
    losses, pulls = {}, {}
    for method in SHAPES:
        h = log_ratio.clone().requires_grad_(True)
        loss = pair_cost(method, h, config)
        (slope,) = torch.autograd.grad(loss.sum(), h)
        losses[method] = loss.detach().numpy()
        pulls[method] = (slope / slope[POINTS // 2]).numpy()
    return Shapes(log_ratio.numpy(), losses, pulls)


def pair_cost(method: str, log_ratio: torch.Tensor, config: ShapeConfig) -> torch.Tensor:
    """A pair's loss at a log-ratio h.  (X,) -> (X,)

    KTO knows no pairs: here a good answer has taken half of the way up and a bad one half of the way down.
    """
    margin = config.beta * log_ratio
    if method == "dpo":
        return dpo_loss(margin, config.smoothing)
    if method == "ipo":
        return ipo_loss(margin, config.beta)
    nowhere = torch.zeros((), dtype=margin.dtype)
    good, bad = (
        torch.ones(len(margin), dtype=torch.bool),
        torch.zeros(len(margin), dtype=torch.bool),
    )
    return kto_loss(margin / 2, good, nowhere) + kto_loss(-margin / 2, bad, nowhere)
