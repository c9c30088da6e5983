"""One step of reinforcement learning: answer, judge, give credit, update.

Four ways to give credit. REINFORCE: the score as it is. RLOO and GRPO: the score against the others' scores
in its group. PPO: against what a critic expected at every token. The update is the same for all: PPO's
clipped surrogate, which for a batch that is used once is the plain policy gradient.

Sources: PPO arXiv:1707.06347; GRPO arXiv:2402.03300; RLOO arXiv:2402.14740; the penalty within the reward,
arXiv:1909.08593.
Axes: B = Q · G answers, Q sums, G answers to each, P prompt tokens, R response tokens.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from labcore.model.transformer import Transformer
from labcore.training.optimiser import clip_gradients
from labcore.tuning import sums
from labcore.tuning.advantages import (
    gae,
    group_advantages,
    leave_one_out_advantages,
    shaped_rewards,
)
from labcore.tuning.base_policy import answer
from labcore.tuning.critic import Critic, explained_share
from labcore.tuning.policy_losses import (
    averaged,
    clipped_surrogate,
    clipped_value_loss,
    kl_estimate,
)
from labcore.tuning.rlhf_config import RLHFConfig
from labcore.tuning.rollouts import token_logprobs

Judge = Callable[[sums.Sums, Tensor], Tensor]  # sums, (B, R) answers -> (B,) scores
CLIP_NORM = 1.0
CRITIC_RATE = 1e-3  # it starts from nothing and may run ahead of the policy


@dataclass(frozen=True, slots=True, eq=False)
class Rollout:
    """Answers of the policy as it was, and what is known about them."""

    prompts: Tensor  # (B, P)
    responses: Tensor  # (B, R)
    real: Tensor  # (B, R) bool: not padding
    scores: Tensor  # (B,)
    old_logprobs: Tensor  # (B, R) nats
    reference_logprobs: Tensor  # (B, R) nats


@torch.no_grad()
def collect(
    config: RLHFConfig, policy: Transformer, reference: Transformer, judge: Judge,
    generator: torch.Generator,
) -> Rollout:  # fmt: skip
    """Ask Q sums G times each."""
    asked = sums.draw_sums(config.prompts, generator).repeated(config.group_size)
    prompts, responses = asked.tokens, answer(policy, asked, generator)
    old, real = token_logprobs(policy, prompts, responses, sums.PAD)
    was, _ = token_logprobs(reference, prompts, responses, sums.PAD) if config.beta else (old, real)
    return Rollout(prompts, responses, real, judge(asked, responses), old, was)


def credit(config: RLHFConfig, rollout: Rollout, values: Tensor) -> tuple[Tensor, Tensor]:
    """What each token is given credit for, and what the critic should have foretold.  -> (B, R) each"""
    real = rollout.real
    paid = kl_estimate(rollout.old_logprobs, rollout.reference_logprobs, config.estimator)
    if config.algorithm == "ppo":
        rewards = shaped_rewards(rollout.scores, paid, real, config.reward_beta)
        advantages, returns = gae(rewards, values, real, decay=config.decay)
        return whitened(advantages, real), returns
    totals = rollout.scores - config.reward_beta * (paid * real).sum(dim=1)  # (B,)
    groups = totals.reshape(-1, config.group_size)  # (Q, G)
    if config.algorithm == "grpo":
        groups = group_advantages(groups, config.divide_by_spread)
    elif config.algorithm == "rloo":
        groups = leave_one_out_advantages(groups)
    return groups.reshape(-1, 1) * real, values  # every token of an answer alike


def whitened(advantages: Tensor, real: Tensor) -> Tensor:
    """Mean 0 and spread 1 over the real tokens of the batch, as PPO is usually run.  (B, R) -> (B, R)"""
    known = advantages[real]
    return (advantages - known.mean()) / (known.std() + 1e-8) * real


@dataclass(frozen=True, slots=True)
class Updated:
    """What the update says of itself."""

    loss: float  # its value before the first of the updates
    clipped: float  # share of tokens whose gradient the clip cut off, mean over the updates
    gradient_norm: float  # before clipping, mean over the updates
    foretold: float  # share of what came that the critic had foretold; NaN without a critic


def update(
    config: RLHFConfig, policy: Transformer, optimiser: torch.optim.Optimizer, rollout: Rollout,
    critic: Critic | None, critic_optimiser: torch.optim.Optimizer | None,
) -> Updated:  # fmt: skip
    """Use a batch of answers `epochs` times."""
    values, foretold = torch.zeros_like(rollout.old_logprobs), float("nan")
    if critic is not None:
        with torch.no_grad():
            values = critic(rollout.prompts, rollout.responses)
    advantages, returns = credit(config, rollout, values)
    if critic is not None:
        foretold = explained_share(values, returns, rollout.real)
    seen = []
    for _ in range(config.epochs):
        logprobs, _ = token_logprobs(policy, rollout.prompts, rollout.responses, sums.PAD)
        loss, clipped = policy_loss(config, logprobs, rollout, advantages)
        optimiser.zero_grad()
        loss.backward()
        norm = clip_gradients(policy, CLIP_NORM)
        optimiser.step()
        seen.append((loss.item(), clipped, norm))
        if critic is not None:
            now = critic(rollout.prompts, rollout.responses)
            miss = averaged(
                clipped_value_loss(now, values, returns, config.clip), rollout.real, "token"
            )
            critic_optimiser.zero_grad()
            miss.backward()
            clip_gradients(critic, CLIP_NORM)
            critic_optimiser.step()
    (loss, _, _), (_, clips, norms) = seen[0], zip(*seen, strict=True)
    return Updated(loss, sum(clips) / len(clips), sum(norms) / len(norms), foretold)


def policy_loss(
    config: RLHFConfig, logprobs: Tensor, rollout: Rollout, advantages: Tensor
) -> tuple[Tensor, float]:
    """The loss of a batch, and the share of its tokens that the clip cuts off.  (B, R) -> (), share"""
    surrogate = clipped_surrogate(logprobs, rollout.old_logprobs, advantages, config.clip)
    losses = surrogate.loss
    if config.loss_beta:
        paid = kl_estimate(logprobs, rollout.reference_logprobs, config.estimator)
        losses = losses + config.loss_beta * paid
    clipped = surrogate.clipped[rollout.real].double().mean()
    return averaged(losses, rollout.real, config.averaging, sums.RESPONSE_TOKENS), float(clipped)
