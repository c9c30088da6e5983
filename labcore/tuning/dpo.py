"""Direct preference optimisation and four relatives, on pairs whose true answer is known.

The policy answers sums and is right about a third of the time. Each step takes pairs of a right and a
wrong answer and makes the right one likelier *compared with the wrong one*. What becomes of either alone,
and of the share of sums that are really solved, the loss does not say; it is measured here.

Sources: see `preference_losses`.
Axes: N pairs, M looks, R response tokens.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.events import drain
from labcore.model.transformer import Transformer
from labcore.training.optimiser import clip_gradients
from labcore.tuning import preference_losses as losses
from labcore.tuning import sums
from labcore.tuning.base_policy import answer, load_policy
from labcore.tuning.policy_losses import exact_kl
from labcore.tuning.preference_pairs import (
    SOURCES,
    AnswerPairs,
    flipped,
    near_pairs,
    own_pairs,
)
from labcore.tuning.rollouts import response_logits, token_logprobs

METHODS = ("dpo", "ipo", "kto", "simpo", "orpo")
LIMITS = {
    "beta": (0.01, 10.0), "learning_rate": (1e-5, 1e-2), "steps": (10, 600), "flips": (0.0, 0.5),
}  # fmt: skip
BATCH_PAIRS = 64
POOL = 2000  # sums asked for pairs, once, or a quarter of them at each refreshment
REFRESH_STEPS = 10  # between two fresh collections
LOOK_STEPS = 10
HELD_OUT_PAIRS, JUDGED_SUMS = 256, 300
SIMPO_GAP = 0.5  # γ
SAMPLES = 8
CLIP_NORM = 1.0


@lab_config
class DPOConfig:
    method: str = "dpo"
    source: str = "near"  # where the pairs come from
    beta: float = (
        0.1  # DPO, IPO, KTO: the price of leaving the reference; SimPO: a scale; ORPO: a weight
    )
    learning_rate: float = 3e-4
    steps: int = 120
    flips: float = 0.0  # share of the labels turned around
    seed: int = 0

    def __post_init__(self):
        if self.method not in METHODS:
            raise LabInputError("method", self.method, "known_choice", allowed=METHODS)
        if self.source not in SOURCES:
            raise LabInputError("source", self.source, "known_choice", allowed=SOURCES)
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """After `step` updates; changes are against the reference, in nats per answer, on held-out pairs."""

    step: int
    share: float  # of the run done
    loss: float  # mean since the last look; NaN at step 0
    chosen_change: float  # ln π of the right answers
    rejected_change: float  # ln π of the wrong answers
    told_apart: float  # share of pairs whose margin is on the right side
    sampled_right: float  # share of held-out sums solved, sampled at temperature 1
    greedy_right: float  # the same with the likeliest tokens
    divergence_nats: float  # KL(π ‖ reference) per answer, on the policy's own answers


@dataclass(frozen=True, slots=True, eq=False)
class DPOResult:
    looks: list[Look]  # (M,)
    pairs: int  # different pairs that were trained on
    prompts: list[str]  # (8,) held-out sums
    before: list[str]  # (8,) the reference's greedy answers
    after: list[str]  # (8,)
    seconds: float


def run(config: DPOConfig) -> DPOResult:
    return drain(align(config))


def align(config: DPOConfig) -> Generator[Look, None, DPOResult]:
    """Train on pairs, and look at what the pairs do not say."""
    started = time.perf_counter()
    generator = torch.Generator().manual_seed(config.seed)
    policy, reference = load_policy(), load_policy().eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(policy.parameters(), lr=config.learning_rate, weight_decay=0.0)
    exam = Exam(reference, near_pairs(HELD_OUT_PAIRS, torch.Generator().manual_seed(1), True))
    pool, seen, recent = None, 0, []
    looks = [exam.look(policy, 0, 0.0, float("nan"))]
    yield looks[0]
    for step in range(1, config.steps + 1):
        if pool is None or (config.source == "fresh" and step % REFRESH_STEPS == 1):
            pool = collect(config, policy, generator)
            seen += len(pool)
        batch = pool[torch.randint(len(pool), (BATCH_PAIRS,), generator=generator)]
        loss = pair_loss(config, policy, reference, batch)
        optimiser.zero_grad()
        loss.backward()
        clip_gradients(policy, CLIP_NORM)
        optimiser.step()
        recent.append(loss.item())
        if step % LOOK_STEPS == 0 or step == config.steps:
            looks.append(exam.look(policy, step, step / config.steps, float(np.mean(recent))))
            recent = []
            yield looks[-1]
    shown = exam.asked[torch.arange(SAMPLES)]
    before, after = (
        [sums.text_of(row) for row in answer(model, shown, torch.Generator(), temperature=0)]
        for model in (reference, policy)
    )
    prompts = [sums.text_of(row) for row in shown.tokens]
    return DPOResult(looks, seen, prompts, before, after, time.perf_counter() - started)


def collect(config: DPOConfig, policy: Transformer, generator: torch.Generator) -> AnswerPairs:
    """Pairs to train on; `fresh` ones are few, as they are soon stale."""
    if config.source == "near":
        pairs = near_pairs(POOL, generator)
    elif config.source == "own":
        pairs = own_pairs(policy, POOL, generator)
    else:
        pairs = own_pairs(policy, POOL // 4, generator)
    if len(pairs) == 0:  # a policy that is always right, or always wrong, gives none
        pairs = near_pairs(POOL // 4, generator)
    return flipped(pairs, config.flips, generator)


def pair_loss(
    config: DPOConfig, policy: Transformer, reference: Transformer, pairs: AnswerPairs
) -> Tensor:
    """The loss of a batch of pairs, whatever the method.  -> ()"""
    chosen, chosen_mean = answer_logprobs(policy, pairs.prompts, pairs.chosen)
    rejected, rejected_mean = answer_logprobs(policy, pairs.prompts, pairs.rejected)
    if config.method == "simpo":
        return losses.simpo_loss(chosen_mean, rejected_mean, config.beta, SIMPO_GAP).mean()
    if config.method == "orpo":
        return losses.orpo_loss(chosen_mean, rejected_mean, config.beta).mean()
    with torch.no_grad():
        was_chosen, _ = answer_logprobs(reference, pairs.prompts, pairs.chosen)
        was_rejected, _ = answer_logprobs(reference, pairs.prompts, pairs.rejected)
    good = losses.implicit_rewards(chosen, was_chosen, config.beta)
    bad = losses.implicit_rewards(rejected, was_rejected, config.beta)
    if config.method == "dpo":
        return losses.dpo_loss(good - bad).mean()
    if config.method == "ipo":
        return losses.ipo_loss(good - bad, config.beta).mean()
    point = reference_point(policy, reference, pairs, config.beta)
    desirable = torch.arange(2 * len(pairs)) < len(pairs)
    return losses.kto_loss(torch.cat([good, bad]), desirable, point).mean()


def answer_logprobs(
    policy: Transformer, prompts: Tensor, responses: Tensor
) -> tuple[Tensor, Tensor]:
    """ln π of whole answers, and per token.  -> (N,), (N,) nats"""
    logprobs, real = token_logprobs(policy, prompts, responses, sums.PAD)
    total = logprobs.sum(dim=1)
    return total, total / real.sum(dim=1)


@torch.no_grad()
def reference_point(
    policy: Transformer, reference: Transformer, pairs: AnswerPairs, beta: float
) -> Tensor:
    """KTO's z: how far the policy has moved in general, told from answers to other prompts.  -> ()"""
    elsewhere = pairs.prompts.roll(1, dims=0)
    now, _ = answer_logprobs(policy, elsewhere, pairs.chosen)
    was, _ = answer_logprobs(reference, elsewhere, pairs.chosen)
    return beta * (now - was).mean()


class Exam:
    """What is asked at every look: the same held-out pairs, the same sums, the same dice."""

    def __init__(self, reference: Transformer, pairs: AnswerPairs):
        self.reference, self.pairs = reference, pairs
        self.asked = sums.draw_sums(JUDGED_SUMS, torch.Generator().manual_seed(2), held_out=True)
        with torch.no_grad():
            self.was = self.both(reference)

    def both(self, policy: Transformer) -> Tensor:
        """ln π of right and wrong answers.  -> (2, N)"""
        return torch.stack(
            [
                answer_logprobs(policy, self.pairs.prompts, responses)[0]
                for responses in (self.pairs.chosen, self.pairs.rejected)
            ]
        )

    @torch.no_grad()
    def look(self, policy: Transformer, step: int, share: float, loss: float) -> Look:
        chosen, rejected = self.both(policy) - self.was
        sampled = answer(policy, self.asked, torch.Generator().manual_seed(3))
        greedy = answer(policy, self.asked, torch.Generator(), temperature=0)
        logits, were = (
            response_logits(model, self.asked.tokens, sampled) for model in (policy, self.reference)
        )
        real = sampled != sums.PAD
        return Look(
            step=step,
            share=share,
            loss=loss,
            chosen_change=float(chosen.mean()),
            rejected_change=float(rejected.mean()),
            told_apart=float((chosen > rejected).double().mean()),
            sampled_right=float(sums.is_right(self.asked, sampled).double().mean()),
            greedy_right=float(sums.is_right(self.asked, greedy).double().mean()),
            divergence_nats=float((exact_kl(logits, were) * real).sum(dim=1).mean()),
        )
