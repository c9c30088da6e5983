"""What a reward model has learnt: how often it is right, how well it knows that, and what it pays for.

Axes: N pairs, C causes of worth, K levels of confidence, M = 5 numbers of marks.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.tuning import sums
from labcore.tuning.preferences import Pairs, best_accuracy, causes_of
from labcore.tuning.reward_model import RewardModel
from labcore.tuning.reward_training import found_worths, pair_accuracy, rewards_of

LEVELS = 10  # of confidence, from a coin's ½ to certainty
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MARKS_TRIED = 5  # 0 to 4; the policy, and so its raters, hardly ever went beyond 2
JUDGED_SUMS = 200
SLIP = 10  # a wrong answer is off by so much


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Pairs gathered by how sure the model was of its favourite; NaN where no pair fell."""

    confidence: np.ndarray  # (K,) mean chance that it gave its favourite
    preferred: np.ndarray  # (K,) share of pairs in which the rater took it
    pairs: np.ndarray  # (K,)
    error: float  # ECE: mean distance between the two, weighed by pairs


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    accuracy: float  # held-out pairs told as the rater did
    best_accuracy: float  # of one who knows the rater's taste, but not the dice
    loss_nats: float
    least_loss_nats: float  # of the same
    found: np.ndarray  # (C,) reward that goes with each cause
    calibration: Calibration
    kinds: np.ndarray  # (2, 3, 5) quantiles of reward: right or wrong, 0 to 2 marks
    answers: np.ndarray  # (2, 3) how many answers of each kind
    dependence: (
        np.ndarray
    )  # (2, M) mean reward of right and wrong answers to the same sums, by marks
    dependence_spread: np.ndarray  # (2, M) standard deviation over sums


def examine(model: RewardModel, pairs: Pairs) -> Exam:
    rewards = rewards_of(model, pairs)  # (N, 2)
    kinds, answers = rewards_by_kind(rewards, pairs)
    mean, spread = marks_dependence(model)
    chance = pairs.chance.clamp(1e-12, 1 - 1e-12)
    surprise = -(chance * chance.log() + (1 - chance) * (1 - chance).log())
    return Exam(
        accuracy=pair_accuracy(rewards, pairs),
        best_accuracy=best_accuracy(pairs),
        loss_nats=held_out_loss(rewards, pairs),
        least_loss_nats=float(surprise.mean()),
        found=found_worths(rewards, pairs),
        calibration=calibrate(rewards[:, 0] - rewards[:, 1], pairs.first_preferred),
        kinds=kinds,
        answers=answers,
        dependence=mean,
        dependence_spread=spread,
    )


def held_out_loss(rewards: Tensor, pairs: Pairs) -> float:
    gap = rewards[:, 0] - rewards[:, 1]
    return float(-torch.nn.functional.logsigmoid(gap.where(pairs.first_preferred, -gap)).mean())


def calibrate(gap: Tensor, first_preferred: Tensor) -> Calibration:
    """Of the pairs of which the model says 80 %, does the rater take the favourite in 80 %?  (N,), (N,)"""
    confidence = torch.sigmoid(gap.abs()).double().numpy()
    hit = torch.where(gap == 0, 0.5, ((gap > 0) == first_preferred).double()).numpy()
    level = np.minimum((2 * confidence - 1) * LEVELS, LEVELS - 1).astype(int)
    pairs = np.bincount(level, minlength=LEVELS)
    with np.errstate(invalid="ignore"):
        said, was = (
            np.bincount(level, weights=values, minlength=LEVELS) / pairs
            for values in (confidence, hit)
        )
    error = np.nansum(pairs * np.abs(said - was)) / len(hit)
    return Calibration(said, was, pairs, float(error))


def rewards_by_kind(rewards: Tensor, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles of what the policy's own answers get, by kind.  (N, 2) -> (2, 3, 5), (2, 3)"""
    asked, responses = pairs.asked.repeated(2), pairs.responses.flatten(0, 1)
    right, marks, _ = causes_of(asked, responses).T
    flat = rewards.flatten().double()
    kinds, answers = np.full((2, 3, len(QUANTILES)), np.nan), np.zeros((2, 3), np.int64)
    for row, is_right in enumerate((1, 0)):
        for count in range(sums.MOST_MARKS + 1):
            chosen = flat[(right == is_right) & (marks == count)].numpy()
            answers[row, count] = len(chosen)
            if len(chosen):
                kinds[row, count] = np.quantile(chosen, QUANTILES)
    return kinds, answers


@torch.no_grad()
def marks_dependence(model: RewardModel) -> tuple[np.ndarray, np.ndarray]:
    """The same sums, answered right and ten off, with 0 to 4 marks: only one thing changes at a time."""
    asked = sums.draw_sums(JUDGED_SUMS, torch.Generator().manual_seed(5), held_out=True)
    right = asked.left + asked.right
    rewards = torch.stack(
        [
            torch.stack(
                [
                    model(asked.tokens, sums.written(value, torch.full_like(value, marks)))
                    for marks in range(MARKS_TRIED)
                ]
            )
            for value in (right, right - SLIP)
        ]
    )  # (2, M, sums)
    return rewards.mean(dim=2).double().numpy(), rewards.std(dim=2).double().numpy()
