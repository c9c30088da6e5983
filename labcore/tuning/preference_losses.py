"""Learning from pairs without a reward model: DPO and its relatives.

The policy that maximises reward − β · KL(π ‖ π_ref) is π ∝ π_ref · exp(r / β). Turned around, every policy
is the best one for some reward: r = β ln(π / π_ref) + a constant of the prompt. Put into Bradley and Terry's
model the constant cancels, and what is left is a loss on probabilities alone.

Sources: DPO arXiv:2305.18290; with label smoothing, cDPO, Mitchell 2023; IPO arXiv:2310.12036,
equation 17; KTO arXiv:2402.01306; SimPO arXiv:2405.14734; ORPO arXiv:2403.07691.
Axes: N pairs. ln π of a whole answer is the sum over its tokens, in nats; `mean_…` is per token.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def implicit_rewards(logprobs: Tensor, reference_logprobs: Tensor, beta: float) -> Tensor:
    """β ln(π / π_ref): the reward that this policy would be the best answer to.  (N,) each"""
    return beta * (logprobs - reference_logprobs)


def dpo_loss(margin: Tensor, smoothing: float = 0.0) -> Tensor:
    """−ln σ(margin), where margin = reward of the chosen − reward of the rejected.  (N,) -> (N,)

    ln 2 = 0.693 at margin 0: where every run begins, and where one stays that learns nothing.
    `smoothing` is the share of labels believed to be wrong.
    """
    return -(1 - smoothing) * F.logsigmoid(margin) - smoothing * F.logsigmoid(-margin)


def ipo_loss(margin: Tensor, beta: float) -> Tensor:
    """(h − 1 / 2β)² with h = margin / β, the plain log-ratio: a goal, not a race.  (N,) -> (N,)

    DPO's loss falls for ever as the margin grows; IPO's has its minimum where the log-ratio is 1 / 2β.
    """
    return (margin / beta - 1 / (2 * beta)) ** 2


def kto_loss(
    rewards: Tensor, desirable: Tensor, reference_point: Tensor, weights: tuple[float, float] = (1.0, 1.0)
) -> Tensor:  # fmt: skip
    """Single answers, each marked good or bad; no pairs are needed.  (N,), (N,) bool, () -> (N,)

    λ (1 − σ(±(reward − z))): the value of a gain or a loss, measured from the reference point z ≥ 0, which is
    β times the divergence from the reference policy and is not differentiated.
    """
    sign = torch.where(desirable, 1.0, -1.0)
    weight = torch.where(desirable, *torch.tensor(weights, dtype=rewards.dtype))
    return weight * (1 - torch.sigmoid(sign * (rewards - reference_point.detach().clamp(min=0))))


def simpo_loss(mean_chosen: Tensor, mean_rejected: Tensor, beta: float, gap: float) -> Tensor:
    """−ln σ(β (mean ln π of the chosen − of the rejected) − γ): no reference at all.  (N,) -> (N,)"""
    return -F.logsigmoid(beta * (mean_chosen - mean_rejected) - gap)


def log_odds(mean_logprobs: Tensor) -> Tensor:
    """ln(p / (1 − p)) of p = exp(mean ln π), without leaving the logarithm.  (N,) -> (N,)"""
    return mean_logprobs - torch.log(-torch.expm1(mean_logprobs))


def orpo_loss(mean_chosen: Tensor, mean_rejected: Tensor, weight: float) -> Tensor:
    """−mean ln π of the chosen − λ ln σ(log of the odds ratio): imitation and preference at once."""
    ratio = log_odds(mean_chosen) - log_odds(mean_rejected)
    return -mean_chosen - weight * F.logsigmoid(ratio)
