"""NormalFloat in four bits (NF4): sixteen levels where a bell has its weights, and a scale for every block.

A block of 64 weights is divided by its largest absolute value; each weight then becomes the number of the
nearest of sixteen levels. With double quantisation the scales, one per block, go through eight bits as
well: 256 of them share a scale of their own, after their mean has been taken off.

Source: Dettmers et al., QLoRA, arXiv:2305.14314; the values agree with bitsandbytes (a test compares).
Axes: N weights, B blocks, S size of a block.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 64
SCALES_BLOCK = 256
# Probability beyond the outermost levels: the mean of half a bin for 16 and for 15 bins of the bell.
TAIL = (1 / 32 + 1 / 30) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Quantised:
    codes: Tensor  # (N,) uint8, which level; two of them fit into a byte
    scales: Tensor  # (B,) fp32, the largest absolute value of each block
    shape: tuple[int, ...]  # of the weight


def levels() -> Tensor:
    """The sixteen levels: quantiles of the bell, eight above zero, seven below, and zero.  -> (16,)

    Equally likely bins would be cut at equally spaced probabilities. Zero must be a level of its own,
    so that padding and pruned weights stay exact; hence the two halves are spaced for themselves.
    """
    above = torch.special.ndtri(torch.linspace(1 - TAIL, 0.5, 9, dtype=torch.float64)[:-1])  # (8,)
    below = -torch.special.ndtri(torch.linspace(1 - TAIL, 0.5, 8, dtype=torch.float64)[:-1])  # (7,)
    all_of_them = torch.cat([below, torch.zeros(1), above]).sort().values
    return (all_of_them / all_of_them.max()).float()


def nearest(values: Tensor, table: Tensor) -> Tensor:
    """Which entry of a sorted table is nearest to each value.  (…), (L,) -> (…) int64"""
    return torch.bucketize(values, (table[:-1] + table[1:]) / 2)


def quantise(weight: Tensor, table: Tensor, block: int = BLOCK) -> Quantised:
    """Divide each block by its largest absolute value and round to the table."""
    flat = weight.detach().float().flatten()
    rows = torch.nn.functional.pad(flat, (0, -len(flat) % block)).view(-1, block)  # (B, S)
    scales = rows.abs().amax(dim=1)  # (B,)
    codes = nearest(rows / scales.clamp(min=1e-38)[:, None], table)
    return Quantised(codes.flatten()[: len(flat)].to(torch.uint8), scales, tuple(weight.shape))


def dequantise(quantised: Quantised, table: Tensor, block: int = BLOCK) -> Tensor:
    """The weights that the codes stand for, in the shape that they had."""
    values = table[quantised.codes.long()]
    scales = quantised.scales.repeat_interleave(block)[: len(values)]
    return (values * scales).view(quantised.shape)


def through_eight_bits(scales: Tensor) -> Tensor:
    """Scales as double quantisation gives them back.  (B,) -> (B,)"""
    mean, table = scales.mean(), dynamic_levels()
    return dequantise(quantise(scales - mean, table, SCALES_BLOCK), table, SCALES_BLOCK) + mean


def dynamic_levels() -> Tensor:
    """256 signed levels for numbers of very different size: seven decades, each with twice as many
    levels as the smaller one before it.  -> (256,)

    Source: Dettmers, arXiv:1511.04561.
    """
    found = [torch.tensor([0.0, 1.0])]
    for decade in range(7):
        edges = torch.linspace(0.1, 1, 2**decade + 1)
        middles = 10.0 ** (decade - 6) * (edges[:-1] + edges[1:]) / 2
        found += [middles, -middles]
    return torch.cat(found).sort().values


def bits_per_weight(block: int = BLOCK, double: bool = False) -> float:
    """Four bits and a share of the scales.

    >>> bits_per_weight(), round(bits_per_weight(double=True), 3)
    (4.5, 4.127)
    """
    return 4 + ((8 + 32 / SCALES_BLOCK) / block if double else 32 / block)
