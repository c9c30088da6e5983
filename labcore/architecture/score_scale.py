"""Why √d: random queries and keys, the softmax over their products, and what its gradient becomes.

The numbers of a query and a key are drawn from a normal distribution of mean 0 and variance 1. Their
product is a sum of d independent terms of variance 1, so its standard deviation is √d, and only a factor
of 1/√d keeps the scores, and with them the softmax and its gradient, the same at every width.

Axes: N seeds, W widths d, Q queries, S keys. Source: Vaswani et al., arXiv:1706.03762, section 3.2.1.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import check_limits

WIDTHS = (16, 32, 64, 128, 256, 512, 1024)
SCALES = ("none", "sqrt_d", "sqrt_width", "d")
MEASURES = ("std", "largest", "entropy", "jacobian", "reach")
QUERIES = 64
LIMITS = {"keys": (2, 256), "heads": (1, 32), "seeds": (1, 10), "seed": (0, 9999)}


@lab_config
class ScoreScaleConfig:
    keys: int = 32  # tokens that one query looks at
    heads: int = 8  # so that D = heads · d, for those who divide by √D
    seeds: int = 5  # independent draws, to see how far chance goes
    seed: int = 0  # the first of them

    def __post_init__(self):
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True, eq=False)
class ScoreScaleResult:
    """`measures[name][scale]` is (N, W); `weights[scale]` (W, S) is one query's, largest first."""

    measures: dict[str, dict[str, np.ndarray]]
    means: dict[str, np.ndarray]  # reach again, as a mean over queries where `reach` is a median
    weights: dict[str, np.ndarray]


def factor(scale: str, d: int, heads: int) -> float:
    """What the scores are multiplied by: the right one, and three that are often met."""
    return {"none": 1.0, "sqrt_d": d**-0.5, "sqrt_width": (heads * d) ** -0.5, "d": 1 / d}[scale]


def measure(products: Tensor, gram: Tensor, scale: float) -> dict[str, float]:
    """What becomes of the softmax.  products (Q, S): q·k; gram (S, S): k·k"""
    scores = products * scale
    p = scores.softmax(dim=-1)
    entropy = -torch.special.xlogy(p, p).sum(dim=-1)  # (Q,) nats
    reach = reach_norm(p, gram, scale)
    return {
        "std": scores.std().item(),
        "largest": p.amax(dim=-1).mean().item(),
        "entropy": entropy.mean().item(),
        "jacobian": jacobian_norm(p).mean().item(),
        "reach": reach.median().item(),
        "mean_reach": reach.mean().item(),
    }


def jacobian_norm(p: Tensor) -> Tensor:
    """The size of ∂p/∂s, the matrix diag(p) − p pᵀ.  (Q, S) -> (Q,) Frobenius norms

    Its entries squared sum to Σp² − 2Σp³ + (Σp²)²; no matrix need be written down.
    """
    squares = p.square().sum(dim=-1)
    return (squares - 2 * p.pow(3).sum(dim=-1) + squares.square()).clamp(min=0).sqrt()


def reach_norm(p: Tensor, gram: Tensor, scale: float) -> Tensor:
    """The size of ∂p/∂q = scale · (diag(p) − p pᵀ) K, what learning at the query gets.  -> (Q,)

    Row i of it is p_i times the way from the mean key Σ p_j k_j to key i, whose length the products of
    the keys among themselves give.
    """
    to_mean = p @ gram  # (Q, S): k_i · mean
    squared = gram.diagonal() - 2 * to_mean + (p * to_mean).sum(dim=-1, keepdim=True)
    return scale * (p.square() * squared.clamp(min=0)).sum(dim=-1).sqrt()


def run(config: ScoreScaleConfig) -> ScoreScaleResult:
    """Every scale at every width on the same draws, so that only the factor differs."""
    shape = (config.seeds, len(WIDTHS))
    measures = {name: {scale: np.zeros(shape) for scale in SCALES} for name in MEASURES}
    means = {scale: np.zeros(shape) for scale in SCALES}
    weights = {scale: np.zeros((len(WIDTHS), config.keys)) for scale in SCALES}
    for at in np.ndindex(shape):
        d = WIDTHS[at[1]]
        q, k = draw(config, at[0], d)
        products, gram = q @ k.T, k @ k.T
        for scale in SCALES:
            by = factor(scale, d, config.heads)
            found = measure(products, gram, by)
            means[scale][at] = found.pop("mean_reach")
            for name, value in found.items():
                measures[name][scale][at] = value
            if at[0] == 0:
                first = (products[0] * by).softmax(dim=-1)
                weights[scale][at[1]] = first.sort(descending=True).values.numpy()
    return ScoreScaleResult(measures, means, weights)


def draw(config: ScoreScaleConfig, row: int, d: int) -> tuple[Tensor, Tensor]:
    """Queries (Q, d) and keys (S, d), every number from N(0, 1)."""
    generator = torch.Generator().manual_seed(config.seed + row)
    q = torch.randn(QUERIES, d, generator=generator, dtype=torch.float64)
    return q, torch.randn(config.keys, d, generator=generator, dtype=torch.float64)
