"""What a run of reinforcement learning is asked at every look: the same held-out sums, the same dice.

The score that is being earned, and beside it what it stands for: whether the sums are right.

Axes: B answers, R response tokens, V vocabulary, J judged sums, K answers to each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.model.transformer import Transformer
from labcore.tuning import sums
from labcore.tuning.base_policy import answer
from labcore.tuning.pass_at_k import pass_at_k
from labcore.tuning.policy_losses import exact_kl
from labcore.tuning.rlhf_step import Judge, Updated
from labcore.tuning.rollouts import response_logits

JUDGED_SUMS = 300
SAMPLES = 8  # of them are shown
PASS_SUMS, PASS_ANSWERS = 150, 32
DRAWS = (1, 2, 4, 8, 16, 32)  # k


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """After `step` updates. Means over held-out sums; NaN at step 0 for what only training tells."""

    step: int
    share: float  # of the run done
    proxy: float  # the score that is being earned, of sampled answers
    sampled_right: float  # share of sums solved, sampled at temperature 1
    greedy_right: float  # the same with the likeliest tokens
    divergence_nats: float  # exact KL(π ‖ reference) per answer, on the policy's own answers
    entropy_nats: float  # per token, of what the policy says next
    marks: float  # exclamation marks per answer
    length: float  # tokens per answer, the end included
    train_score: float  # of the training answers since the last look
    loss: float  # its value before each batch's first update
    clipped: float  # share of tokens cut off by the clip
    gradient_norm: float  # before clipping
    dead: float  # share of groups whose answers all scored alike
    foretold: float  # share of what came that the critic had foretold; NaN without a critic
    answers: list[str]  # (8,) sampled answers, to the same sums with the same dice


class Exam:
    def __init__(self, reference: Transformer, judge: Judge):
        self.reference, self.judge = reference, judge
        self.asked = sums.draw_sums(JUDGED_SUMS, torch.Generator().manual_seed(2), held_out=True)

    @torch.no_grad()
    def look(
        self, policy: Transformer, step: int, share: float,
        trained: Sequence[tuple[float, float, Updated]] = (),
    ) -> Look:  # fmt: skip
        """`trained`: for every batch since the last look its mean score, share of dead groups and update."""
        sampled = answer(policy, self.asked, torch.Generator().manual_seed(3))
        greedy = answer(policy, self.asked, torch.Generator(), temperature=0)
        now, was = (
            response_logits(model, self.asked.tokens, sampled) for model in (policy, self.reference)
        )
        real = sampled != sums.PAD
        return Look(
            step=step,
            share=share,
            proxy=float(self.judge(self.asked, sampled).mean()),
            sampled_right=float(sums.is_right(self.asked, sampled).double().mean()),
            greedy_right=float(sums.is_right(self.asked, greedy).double().mean()),
            divergence_nats=float((exact_kl(now, was) * real).sum(dim=1).mean()),
            entropy_nats=float(entropy(now)[real].mean()),
            marks=float(sums.count_marks(sampled).double().mean()),
            length=float(real.sum(dim=1).double().mean()),
            train_score=_mean([score for score, _, _ in trained]),
            loss=_mean([done.loss for _, _, done in trained]),
            clipped=_mean([done.clipped for _, _, done in trained]),
            gradient_norm=_mean([done.gradient_norm for _, _, done in trained]),
            dead=_mean([dead for _, dead, _ in trained]),
            foretold=_mean([done.foretold for _, _, done in trained]),
            answers=[sums.text_of(row) for row in sampled[:SAMPLES]],
        )

    @property
    def prompts(self) -> list[str]:
        return [sums.text_of(row) for row in self.asked.tokens[:SAMPLES]]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def entropy(logits: Tensor) -> Tensor:
    """−Σ p ln p.  (…, V) -> (…) nats"""
    logprobs = logits.log_softmax(dim=-1)
    return -(logprobs.exp() * logprobs).sum(dim=-1)


def right_counts(policy: Transformer) -> np.ndarray:
    """Of 32 answers to each of 150 held-out sums, how many are right.  -> (J,)"""
    asked = sums.draw_sums(PASS_SUMS, torch.Generator().manual_seed(4), held_out=True)
    asked = asked.repeated(PASS_ANSWERS)
    right = sums.is_right(asked, answer(policy, asked, torch.Generator().manual_seed(5)))
    return right.reshape(PASS_SUMS, PASS_ANSWERS).sum(dim=1).numpy()


def pass_curve(counts: np.ndarray) -> np.ndarray:
    """pass@k for k = 1, 2, 4, …, 32, the mean over sums.  (J,) -> (6,)"""
    return np.array([np.mean([pass_at_k(PASS_ANSWERS, int(c), k) for c in counts]) for k in DRAWS])
