"""What was each action worth beyond what was to be expected? Three answers.

With a critic: generalised advantage estimation, an average over all horizons. Without one: compare the
answers to the same question with each other, by their mean and spread (GRPO) or each with the others (RLOO).

Sources: GAE arXiv:1506.02438; GRPO arXiv:2402.03300, equation 3; without the division by the spread,
Dr. GRPO arXiv:2503.20783; RLOO arXiv:2402.14740.
Axes: B answers, R response tokens, Q questions, G answers to each question.
"""

import torch
from torch import Tensor

SPREAD_FLOOR = 1e-4  # added to the spread, so that a group without any divides by something


def shaped_rewards(scores: Tensor, kl: Tensor, real: Tensor, beta: float) -> Tensor:
    """The score where the answer ends, less β times the divergence at every token.

    scores (B,), kl (B, R) nats, real (B, R) -> (B, R)
    """
    rewards = (-beta * kl).masked_fill(~real, 0.0)
    last = real.sum(dim=1) - 1
    return rewards.index_put(
        (torch.arange(len(scores)), last), scores.to(rewards.dtype), accumulate=True
    )


def gae(
    rewards: Tensor, values: Tensor, real: Tensor, discount: float = 1.0, decay: float = 0.95
) -> tuple[Tensor, Tensor]:
    """Advantages and the returns that a critic should have foretold.  (B, R) each -> (B, R), (B, R)

    δ_t = r_t + γ V_{t+1} − V_t, and Â_t = δ_t + γλ Â_{t+1}; after the end there is nothing. λ = 0 trusts
    the critic one step ahead, λ = 1 adds up what really came.

    By hand, γ = 1, λ = 0.5, rewards 0, 0, 1, values 0.2, 0.4, 0.8:
    δ = 0.2, 0.4, 0.2; Â_3 = 0.2, Â_2 = 0.4 + 0.5 · 0.2 = 0.5, Â_1 = 0.2 + 0.5 · 0.5 = 0.45.
    """
    advantages = torch.zeros_like(rewards)
    coming = torch.zeros_like(rewards[:, 0])
    next_value = torch.zeros_like(coming)
    for t in reversed(range(rewards.shape[1])):
        surprise = rewards[:, t] + discount * next_value - values[:, t]
        coming = (surprise + discount * decay * coming) * real[:, t]
        next_value = values[:, t] * real[:, t]
        advantages[:, t] = coming
    return advantages, (advantages + values) * real


def group_advantages(scores: Tensor, divide_by_spread: bool = True) -> Tensor:
    """GRPO: how far each answer's score lies from its group's mean, in units of the spread.

    (Q, G) -> (Q, G). A group of equal scores gets 0 throughout: there is nothing to learn from it.
    """
    centred = scores - scores.mean(dim=1, keepdim=True)
    if not divide_by_spread:
        return centred
    return centred / (scores.std(dim=1, keepdim=True) + SPREAD_FLOOR)


def leave_one_out_advantages(scores: Tensor) -> Tensor:
    """RLOO: each score less the mean of the others in its group.  (Q, G) -> (Q, G)

    G / (G − 1) times the distance from the mean of all: 1, 0, 0, 0 gives 1, −1/3, −1/3, −1/3.
    """
    size = scores.shape[1]
    return (scores - scores.mean(dim=1, keepdim=True)) * size / (size - 1)


def dead_groups(scores: Tensor) -> Tensor:
    """Groups whose answers all scored alike.  (Q, G) -> (Q,) bool"""
    return (scores == scores[:, :1]).all(dim=1)
