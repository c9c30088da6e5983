"""A baseline changes nothing on average, and how much a batch's gradient wobbles.

The same policy, never updated, is asked again and again. Each batch gives one policy gradient; how far these
lie apart is the noise that training has to live with. Whatever is taken off every score without looking at
the answer itself leaves the mean gradient where it is.

Sources: Williams 1992; others of the group as the baseline, Kool et al. 2019, "Buy 4 REINFORCE samples, get
a baseline for free!" (openreview.net/forum?id=r1lgTGL5DE).
Axes: B = Q · G answers, Q sums, G answers to each, W weights, N batches, S seeds.
"""

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.model.transformer import Transformer
from labcore.tuning import sums
from labcore.tuning.advantages import leave_one_out_advantages
from labcore.tuning.base_policy import answer, load_policy
from labcore.tuning.rollouts import token_logprobs

ANSWERS = 128  # in every batch, however they are grouped
BATCHES = 24
GROUPS = (2, 4, 8, 16)  # G
SHIFT = 2.0  # a reward model's zero lies anywhere
CASES = ("none", "shifted", "half", "batch", *(f"others-{size}" for size in GROUPS))


@dataclass(frozen=True, slots=True, eq=False)
class GradientNoise:
    """Spread of a batch's gradient, in units of the spread without a baseline."""

    spreads: dict[str, np.ndarray]  # (S,) by case
    alike: float  # cosine of the mean gradients without and with a baseline, all seeds together
    seeds: tuple[int, ...]
    seconds: float


def baselined(case: str, scores: Tensor) -> Tensor:
    """Scores less their baseline.  (Q, G) -> (Q, G)"""
    if case == "none":
        return scores
    if case == "shifted":
        return scores + SHIFT
    if case in ("batch", "half"):  # the mean of all the other answers of the batch, or half of it
        less = leave_one_out_advantages(scores.reshape(1, -1)).reshape(scores.shape)
        return less if case == "batch" else (scores + less) / 2
    return leave_one_out_advantages(scores)


def policy_gradient(policy: Transformer, asked: sums.Sums, answers: Tensor, credit: Tensor):
    """∇ of the mean of credit · ln π(answer), all weights in one row.  (B, R), (B,) -> (W,)"""
    logprobs, _ = token_logprobs(policy, asked.tokens, answers, sums.PAD)
    gained = (credit * logprobs.sum(dim=1)).mean()
    return torch.cat([part.flatten() for part in torch.autograd.grad(gained, policy.parameters())])


def study(seeds: tuple[int, ...] = (0, 1, 2)) -> GradientNoise:
    started = time.perf_counter()
    policy = load_policy()
    spreads: dict[str, list[float]] = {case: [] for case in CASES}
    means: dict[str, list[Tensor]] = {case: [] for case in CASES}
    for seed in seeds:
        drawn = gradients(policy, torch.Generator().manual_seed(seed), BATCHES)
        unit = float(drawn["none"].var(dim=0).sum().sqrt())
        for case, rows in drawn.items():
            spreads[case].append(float(rows.var(dim=0).sum().sqrt()) / unit)
            means[case].append(rows.mean(dim=0))
    with_none, with_others = (torch.stack(means[case]).mean(dim=0) for case in ("none", "others-8"))
    alike = float(torch.cosine_similarity(with_none, with_others, dim=0))
    return GradientNoise(
        {case: np.array(values) for case, values in spreads.items()}, alike, seeds,
        time.perf_counter() - started,
    )  # fmt: skip


def gradients(policy: Transformer, generator: torch.Generator, batches: int) -> dict[str, Tensor]:
    """Every case's gradient for each batch; cases of the same G share their answers.  -> (N, W) each"""
    found: dict[str, list[Tensor]] = {case: [] for case in CASES}
    for _ in range(batches):
        for size in GROUPS:
            asked = sums.draw_sums(ANSWERS // size, generator).repeated(size)
            answers = answer(policy, asked, generator)
            scores = sums.is_right(asked, answers).float().reshape(-1, size)  # (Q, G)
            cases = [f"others-{size}"] + (["none", "shifted", "half", "batch"] if size == 8 else [])
            for case in cases:
                credit = baselined(case, scores).flatten()
                found[case].append(policy_gradient(policy, asked, answers, credit))
    return {case: torch.stack(rows) for case, rows in found.items()}
