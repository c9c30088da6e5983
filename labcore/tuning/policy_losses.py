"""PPO's and GRPO's losses: move towards what was better than expected, but not far in one go.

Sources: PPO arXiv:1707.06347, equation 7; GRPO arXiv:2402.03300; the three estimators of a KL
divergence, Schulman 2020 (joschu.net/blog/kl-approx.html); Dr. GRPO's constant, arXiv:2503.20783.
Axes: B answers, R response tokens, V vocabulary. Probabilities are natural logarithms.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from labcore.errors import LabInputError

Averaging = Literal["token", "sequence", "constant"]
AVERAGINGS: tuple[str, ...] = ("token", "sequence", "constant")
Estimator = Literal["k1", "k2", "k3"]
ESTIMATORS: tuple[str, ...] = ("k1", "k2", "k3")


@dataclass(frozen=True, slots=True, eq=False)
class Surrogate:
    loss: Tensor  # (B, R) per token
    clipped: Tensor  # (B, R) bool: tokens whose gradient the clip has cut off


def clipped_surrogate(
    logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip: float
) -> Surrogate:
    """−min(ρ A, clip(ρ, 1 − ε, 1 + ε) A), with ρ = π / π_old.  (B, R) each

    By hand, ε = 0.2: ρ = 1.5, A = 1 gives −1.2 (cut off); ρ = 1.5, A = −1 gives 1.5 (not: a
    mistake that grew likelier is still punished); ρ = 0.5, A = −1 gives 0.8 (cut off).
    """
    ratio = (logprobs - old_logprobs).exp()
    free, held = ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages
    return Surrogate(-torch.minimum(free, held), held < free)


def clipped_value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip: float) -> Tensor:
    """½ max((V − R)², (V_clipped − R)²): the critic is held back as the policy is.  (B, R) each"""
    held = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * torch.maximum((values - returns) ** 2, (held - returns) ** 2)


def kl_estimate(logprobs: Tensor, reference_logprobs: Tensor, estimator: Estimator) -> Tensor:
    """KL(π ‖ π_ref) from the one token that π drew.  (B, R), (B, R) -> (B, R) nats

    With r = π_ref / π: k1 = −ln r is right on average but noisy, and negative for many a token;
    k2 = ½ (ln r)² is never negative, but biased; k3 = r − 1 − ln r is neither. That holds for the *value*.
    Differentiated through the drawn tokens, k2 gives the gradient of KL(π ‖ π_ref) on average, k1 a gradient
    whose average is zero, and k3 that of KL(π_ref ‖ π).
    """
    log_ratio = reference_logprobs - logprobs
    if estimator == "k1":
        return -log_ratio
    if estimator == "k2":
        return 0.5 * log_ratio**2
    if estimator == "k3":
        return log_ratio.exp() - 1 - log_ratio
    raise LabInputError("estimator", estimator, "known_choice", allowed=ESTIMATORS)


def exact_kl(logits: Tensor, reference_logits: Tensor) -> Tensor:
    """KL(π ‖ π_ref) over the whole vocabulary, at every place.  (…, V), (…, V) -> (…) nats"""
    logprobs, reference = logits.log_softmax(dim=-1), reference_logits.log_softmax(dim=-1)
    return (logprobs.exp() * (logprobs - reference)).sum(dim=-1)


def averaged(losses: Tensor, real: Tensor, over: Averaging, longest: int | None = None) -> Tensor:
    """One number out of many.  (B, R), (B, R) -> ()

    "token": every token counts the same. "sequence": every answer counts the same, so a token of a
    long answer counts less (GRPO's first form). "constant": sums divided by B times the longest
    answer there can be, so that no length is favoured (Dr. GRPO).
    """
    losses = losses.masked_fill(~real, 0.0)
    if over == "token":
        return losses.sum() / real.sum().clamp(min=1)
    if over == "sequence":
        return (losses.sum(dim=1) / real.sum(dim=1).clamp(min=1)).mean()
    if over == "constant":
        return losses.sum() / (len(losses) * (longest or losses.shape[1]))
    raise LabInputError("averaging", over, "known_choice", allowed=AVERAGINGS)
