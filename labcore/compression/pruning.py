"""Pruning: which weights may go, and what the others should do about it.

A score says how much each weight is worth, and the least worthy become zero: at random, by size, or by size
times the usual size of the input it multiplies (Wanda). They differ also in whom a weight is compared with:
its whole matrix, its own row, or (n:m) its m neighbours. SparseGPT goes on where these stop: it zeroes
weights column by column and lets the columns behind make up for it, as GPTQ does for rounding.

Sources: Wanda arXiv:2306.11695; SparseGPT arXiv:2301.00774; 2:4 arXiv:2104.08378.
Axes: O outputs, I inputs, B a block of columns.
"""

import torch
from torch import Tensor

from labcore.compression.gptq import inverse_factor
from labcore.configs import lab_config
from labcore.errors import LabInputError

METHODS = ("random", "magnitude", "wanda", "sparsegpt")
GROUPS = ("matrix", "row", "n:m")
BLOCK = 128  # columns whose mask SparseGPT decides together


@lab_config
class PruningConfig:
    ratio: float = 0.5  # share of the weights that go; n:m decides for itself
    compared: str = "row"  # whom a weight is compared with
    kept: int = 2  # n of n:m
    of: int = 4  # m of n:m

    def __post_init__(self):
        if not 0 <= self.ratio <= 1:
            raise LabInputError("ratio", self.ratio, "between", low=0, high=1)
        if self.compared not in GROUPS:
            raise LabInputError("compared", self.compared, "known_choice", allowed=GROUPS)
        if not 1 <= self.kept <= self.of:
            raise LabInputError("kept", self.kept, "between", low=1, high=self.of)


def wanda_scores(weight: Tensor, input_size: Tensor) -> Tensor:
    """|w_ij| · ‖x_j‖: what a weight usually contributes.  (O, I), (I,) -> (O, I)

    Worked by hand: weights 3 and −1 with inputs of size 1 and 5 score 3 and 5. By size alone the −1
    would go; it carries more than the 3.
    """
    return weight.abs() * input_size


def keep_mask(scores: Tensor, config: PruningConfig) -> Tensor:
    """True where a weight stays: everywhere but at the lowest scores.  (O, I) -> (O, I) bool

    Exactly the share asked for goes (rounded down), ties by place.
    """
    if config.compared == "n:m":
        if scores.shape[1] % config.of:
            raise LabInputError("of", config.of, "divides_inputs", inputs=scores.shape[1])
        groups, going = scores.reshape(-1, config.of), config.of - config.kept
    else:
        groups = scores if config.compared == "row" else scores.reshape(1, -1)
        # subtle: 0.7 · 10 is 6.999…; what a person means by it is 7.
        going = int(config.ratio * groups.shape[1] + 1e-9)
    lowest = groups.argsort(dim=1, stable=True)[:, :going]
    kept = torch.ones_like(groups, dtype=torch.bool).scatter_(1, lowest, False)
    return kept.reshape(scores.shape)


def sparsegpt(
    weight: Tensor, moments: Tensor, config: PruningConfig, damping: float = 0.01
) -> Tensor:
    """Zero weights and let those behind make up for them.  (O, I), (I, I) float64 -> (O, I) float64

    A weight's worth is what its loss would cost *after* the best correction: w² / [H⁻¹]_jj for the H of the
    columns still open, which is w² over the square of the factor's diagonal. The mask is chosen
    for a block of columns (or for each m) when its turn comes, by the weights as corrected by then.
    `compared` "matrix" and "row" both choose within a block: over all rows at once, as the paper
    does, or row by row.
    """
    w = weight.double().clone()
    factor = inverse_factor(moments, damping)
    width = config.of if config.compared == "n:m" else min(BLOCK, w.shape[1])
    for start in range(0, w.shape[1], width):
        block = slice(start, start + width)
        worth = (w[:, block] / factor.diagonal()[block]).square()
        kept = keep_mask(worth, config)
        for i in range(start, min(start + width, w.shape[1])):
            pruned = torch.where(kept[:, i - start], torch.zeros(()).double(), w[:, i])
            w[:, i:] -= (pruned / factor[i, i])[:, None] * factor[i, i:]
            # subtle: exactly zero, not the 1e-17 that the subtraction leaves
            w[:, i] = torch.where(kept[:, i - start], w[:, i], 0.0)
    return w


def pruned(
    weight: Tensor,
    method: str,
    config: PruningConfig,
    moments: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """A matrix with zeros, by any of the four methods.  (O, I), (I, I) -> (O, I)"""
    if method == "sparsegpt":
        return sparsegpt(weight, moments, config).to(weight.dtype)
    return weight * keep_mask(scores(weight, method, moments, generator), config)


def scores(weight: Tensor, method: str, moments: Tensor, generator: torch.Generator) -> Tensor:
    """How much each weight is worth, to the methods that only choose.  (O, I), (I, I) -> (O, I)"""
    if method == "random":
        return torch.rand(weight.shape, generator=generator)
    if method == "magnitude":
        return weight.abs()
    if method == "wanda":
        return wanda_scores(weight, moments.diagonal().sqrt().to(weight.dtype))
    raise LabInputError("method", method, "known_choice", allowed=METHODS)
