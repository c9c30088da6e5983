"""Reinforcement learning from a reward: a policy answers, is scored, and makes what scored well likelier.

The task is one whose true score is known. So a learned reward can be watched while a policy climbs it:
whether the sums are right is measured at every look, and is never told to the run.

Sources: Ouyang et al., arXiv:2203.02155; over-optimisation, Gao et al., arXiv:2210.10760; see `rlhf_step`.
Axes: B answers, R response tokens, M looks.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from torch import Tensor

from labcore.events import drain
from labcore.model.transformer import Transformer
from labcore.training.checkpoints import weights_of
from labcore.training.loop import train
from labcore.tuning import reward_model, sums
from labcore.tuning.advantages import dead_groups
from labcore.tuning.base_policy import CONFIG, TRAINING, load_policy, worked_sums
from labcore.tuning.critic import Critic
from labcore.tuning.rlhf_config import RLHFConfig
from labcore.tuning.rlhf_exam import Exam, Look, right_counts
from labcore.tuning.rlhf_step import CRITIC_RATE, Judge, collect, update

LOOK_STEPS = 5
WEAK_STEPS = 100  # of the 200 that made the half-trained policy


@dataclass(frozen=True, slots=True, eq=False)
class RLHFResult:
    looks: list[Look]  # (M,)
    prompts: list[str]  # (8,) held-out sums whose answers the looks hold
    right_before: np.ndarray  # (J,) of 32 answers to each of J held-out sums, how many were right
    right_after: np.ndarray  # (J,)
    seconds: float


def run(config: RLHFConfig) -> RLHFResult:
    return drain(align(config))


def align(config: RLHFConfig) -> Generator[Look, None, RLHFResult]:
    """Answer, judge, give credit, update; and look at what the score does not say."""
    started = time.perf_counter()
    generator = torch.Generator().manual_seed(config.seed)
    policy = starting_policy(config.start)
    reference = starting_policy(config.start).eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(policy.parameters(), lr=config.learning_rate, weight_decay=0.0)
    critic, critic_optimiser = None, None
    if config.algorithm == "ppo":
        critic = Critic(starting_policy(config.start))
        critic_optimiser = torch.optim.AdamW(critic.parameters(), lr=CRITIC_RATE, weight_decay=0.0)
    judge = judge_named(config.reward)
    exam, recent = Exam(reference, judge), []
    looks = [exam.look(policy, 0, 0.0)]
    yield looks[0]
    for step in range(1, config.steps + 1):
        rollout = collect(config, policy, reference, judge, generator)
        done = update(config, policy, optimiser, rollout, critic, critic_optimiser)
        dead = dead_groups(rollout.scores.reshape(-1, config.group_size)).double().mean()
        recent.append((float(rollout.scores.mean()), float(dead), done))
        if step % LOOK_STEPS == 0 or step == config.steps:
            looks.append(exam.look(policy, step, step / config.steps, recent))
            recent = []
            yield looks[-1]
    return RLHFResult(
        looks, exam.prompts, right_counts(reference), right_counts(policy),
        time.perf_counter() - started,
    )  # fmt: skip


def judge_named(reward: str) -> Judge:
    """The verifier does the sum; a reward model has only seen which answers were preferred."""
    if reward == "verifier":
        return lambda asked, responses: sums.is_right(asked, responses).float()
    model = reward_model.load_reward_model(reward)

    def judge(asked: sums.Sums, responses: Tensor) -> Tensor:
        with torch.no_grad():
            return model(asked.tokens, responses)

    return judge


def starting_policy(start: str) -> Transformer:
    """A fresh copy of the policy to begin with, its gradients on."""
    if start == "half":
        return load_policy()
    weights = {name: tensor.clone() for name, tensor in weak_weights().items()}
    return Transformer(CONFIG, weights=weights).requires_grad_(True)


@cache
def weak_weights() -> dict[str, Tensor]:
    """The policy of `base_policy`, stopped after half of its steps."""
    policy = Transformer(CONFIG, torch.Generator().manual_seed(0))
    text = worked_sums(torch.Generator().manual_seed(0))
    for _ in train(policy, text, replace(TRAINING, steps=WEAK_STEPS)):
        pass
    return weights_of(policy)
