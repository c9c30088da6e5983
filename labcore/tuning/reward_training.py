"""Fitting a reward model to pairs, and asking what it found.

Axes: N pairs, C causes of worth.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from labcore.training.optimiser import clip_gradients
from labcore.training.schedule import learning_rate
from labcore.tuning.preferences import Pairs, causes_of
from labcore.tuning.reward_model import RewardModel, bradley_terry_loss

BATCH_PAIRS = 64
TRUNK_RATE, HEAD_RATE = 1e-3, 1e-2  # the heads begin at nothing, the trunk at a trained policy
WARMUP_STEPS = 20
CLIP_NORM = 1.0


def steps_of(pairs: int, epochs: int) -> int:
    return epochs * -(-pairs // BATCH_PAIRS)


def fit(
    model: RewardModel, pairs: Pairs, epochs: int, generator: torch.Generator
) -> Iterator[float]:
    """Train in place, every pair once per epoch.  -> the loss before each update, in nats"""
    trunk = list(model.trunk.parameters())
    heads = [weight for name, weight in model.named_parameters() if not name.startswith("trunk.")]
    optimiser = torch.optim.AdamW(
        [{"params": trunk, "peak": TRUNK_RATE}, {"params": heads, "peak": HEAD_RATE}],
        weight_decay=0.01, betas=(0.9, 0.95),
    )  # fmt: skip
    prompts, ordered = pairs.asked.tokens, pairs.ordered  # (N, P), (N, 2, R)
    step, steps = 0, steps_of(len(pairs), epochs)
    for _ in range(epochs):
        for rows in torch.randperm(len(pairs), generator=generator).split(BATCH_PAIRS):
            step += 1
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(
                    step, group["peak"], "cosine", steps, min(WARMUP_STEPS, steps), 0.1
                )
            both = torch.cat([ordered[rows, 0], ordered[rows, 1]])
            rewards = model(prompts[rows].repeat(2, 1), both)
            loss = bradley_terry_loss(*rewards.chunk(2))
            optimiser.zero_grad()
            loss.backward()
            clip_gradients(model, CLIP_NORM)
            optimiser.step()
            yield loss.item()


@torch.no_grad()
def rewards_of(model: RewardModel, pairs: Pairs) -> Tensor:
    """Both answers of every pair.  -> (N, 2)"""
    prompts = pairs.asked.tokens
    return torch.stack([model(prompts, pairs.responses[:, at]) for at in (0, 1)], dim=1)


def pair_accuracy(rewards: Tensor, pairs: Pairs) -> float:
    """The share of pairs whose preferred answer got the higher reward; (N, 2). A tie is half a hit."""
    gap = rewards[:, 0] - rewards[:, 1]
    hit = (gap > 0) == pairs.first_preferred
    return float(torch.where(gap == 0, 0.5, hit.double()).mean())


def found_worths(rewards: Tensor, pairs: Pairs) -> np.ndarray:
    """How much reward goes, on average, with being right, a mark, a digit.  (N, 2) -> (C,)

    Least squares on the differences within pairs: whatever a prompt adds to both answers is gone.
    """
    causes = torch.stack([causes_of(pairs.asked, pairs.responses[:, at]) for at in (0, 1)], dim=1)
    gaps = (rewards[:, 0] - rewards[:, 1]).double()
    worths, *_ = np.linalg.lstsq((causes[:, 0] - causes[:, 1]).numpy(), gaps.numpy(), rcond=None)
    return worths
