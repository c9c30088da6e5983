"""Round-to-nearest quantisation: a few levels, a scale, and the nearest of them for every weight.

A block of weights shares one scale (and, if its levels need not lie around zero, one zero point). The
smaller the block, the better the levels fit and the more scales must be kept. What is stored is exactly
that, and is counted here: packed codes, scales in half precision, zero points.

Sources: uniform affine quantisation as in Jacob et al., arXiv:1712.05877; the search for a clip that
costs least as in GPTQ's reference settings, arXiv:2210.17323.
Axes: O outputs, I inputs, N blocks, E weights of a block.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError

GRANULARITIES = ("tensor", "row", "group")
CLIPS = ("none", "percentile", "mse")
FEWEST_BITS, MOST_BITS = 2, 8
SHRINKS = torch.linspace(1.0, 0.3, 36).tolist()  # shares of the range that the search tries
SCALE_BITS = 16  # a scale is kept in half precision


@lab_config
class GridConfig:
    """Which levels a weight may take."""

    bits: int = 4
    symmetric: bool = True  # levels around zero; otherwise they cover what there is
    granularity: str = "row"  # weights that share a scale: all, a row, a group of a row
    group_size: int = 32
    clip: str = "none"  # what is done about the largest weights
    percentile: float = 99.9  # share of the weights that a percentile clip leaves whole, in percent

    def __post_init__(self):
        if not FEWEST_BITS <= self.bits <= MOST_BITS:
            raise LabInputError("bits", self.bits, "between", low=FEWEST_BITS, high=MOST_BITS)
        if self.granularity not in GRANULARITIES:
            raise LabInputError(
                "granularity", self.granularity, "known_choice", allowed=GRANULARITIES
            )
        if self.clip not in CLIPS:
            raise LabInputError("clip", self.clip, "known_choice", allowed=CLIPS)
        if not self.group_size >= 2:
            raise LabInputError("group_size", self.group_size, "at_least", limit=2)
        if not 50 <= self.percentile <= 100:
            raise LabInputError("percentile", self.percentile, "between", low=50, high=100)

    @property
    def dtype(self) -> torch.dtype:
        """The smallest whole numbers of torch that hold a code."""
        return torch.int8 if self.symmetric else torch.uint8

    @property
    def lowest(self) -> int:
        """The smallest code.

        >>> GridConfig(4).lowest, GridConfig(4, symmetric=False).lowest
        (-7, 0)
        """
        return -self.highest if self.symmetric else 0

    @property
    def highest(self) -> int:
        """The largest code. Symmetric levels leave one code out, so that zero stays in the middle.

        >>> GridConfig(4).highest, GridConfig(4, symmetric=False).highest
        (7, 15)
        """
        return 2 ** (self.bits - 1) - 1 if self.symmetric else 2**self.bits - 1


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The levels of each block: scale · (code − zero)."""

    scale: Tensor  # (N, 1)
    zero: Tensor  # (N, 1), whole numbers; 0 if symmetric
    config: GridConfig

    def codes(self, blocks: Tensor) -> Tensor:
        """The nearest level of each weight, as its number.  (N, E) -> (N, E) whole numbers"""
        nearest = torch.round(blocks / self.scale) + self.zero
        return nearest.clamp(self.config.lowest, self.config.highest)

    def values(self, codes: Tensor) -> Tensor:
        """(N, E) -> (N, E)"""
        return (codes - self.zero) * self.scale

    def rounded(self, blocks: Tensor) -> Tensor:
        """Each weight moved to its nearest level.  (N, E) -> (N, E)"""
        return self.values(self.codes(blocks))


@dataclass(frozen=True, slots=True, eq=False)
class Quantised:
    """A matrix as it is stored: codes and grids."""

    codes: Tensor  # (O, I) int8, or uint8 where the levels are not symmetric
    grid: Grid

    def weight(self) -> Tensor:
        """The matrix that the codes stand for.  -> (O, I)"""
        blocks = blocks_of(self.codes.float(), self.grid.config)
        return self.grid.values(blocks).reshape(self.codes.shape)

    @property
    def stored_bits(self) -> int:
        """All that must be kept to have the weights again: codes, scales, zero points.

        Worked by hand: 64 weights at 4 bits in two groups of 32 are 64 · 4 + 2 · 16 = 288 bits, 4.5 a
        weight; with zero points of 4 bits each 296, 4.625 a weight.
        """
        config, blocks = self.grid.config, self.grid.scale.numel()
        zero_bits = 0 if config.symmetric else config.bits
        return self.codes.numel() * config.bits + blocks * (SCALE_BITS + zero_bits)

    @property
    def bits_per_weight(self) -> float:
        return self.stored_bits / self.codes.numel()


def blocks_of(weight: Tensor, config: GridConfig) -> Tensor:
    """The weights that share a scale, block by block.  (O, I) -> (N, E)"""
    if config.granularity == "tensor":
        return weight.reshape(1, -1)
    if config.granularity == "row":
        return weight
    if weight.shape[1] % config.group_size:
        raise LabInputError(
            "group_size", config.group_size, "divides_inputs", inputs=weight.shape[1]
        )
    return weight.reshape(-1, config.group_size)


def range_grid(low: Tensor, high: Tensor, config: GridConfig) -> Grid:
    """Levels from `low` to `high`, spread evenly; zero is always one of them.  (N, 1), (N, 1)

    Worked by hand, 3 bits, weights −0.6 … 1.5. Asymmetric: seven steps of 2.1 / 7 = 0.3, zero is code 2,
    levels −0.6, −0.3, 0, 0.3 … 1.5. Symmetric: three steps to 1.5, so −1.5, −1, −0.5, 0, … 1.5.
    """
    low, high = low.clamp(max=0), high.clamp(min=0)
    if config.symmetric:
        scale = torch.maximum(-low, high) / config.highest
    else:
        scale = (high - low) / config.highest
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))  # a block of zeros stays zeros
    # A scale is stored in half precision, so it is rounded to that before anything is measured by it.
    scale = scale.clamp(min=2**-24).half().float()
    zero = torch.zeros_like(scale) if config.symmetric else torch.round(-low / scale)
    return Grid(scale, zero.clamp(config.lowest, config.highest), config)


def fitted_grid(blocks: Tensor, config: GridConfig) -> Grid:
    """The grid of each block, by the clip that the config asks for.  (N, E) -> N grids"""
    low, high = blocks.amin(dim=1, keepdim=True), blocks.amax(dim=1, keepdim=True)
    if config.clip == "percentile":
        cut = torch.quantile(blocks.abs(), config.percentile / 100, dim=1, keepdim=True)
        low, high = torch.maximum(low, -cut), torch.minimum(high, cut)
    if config.clip != "mse":
        return range_grid(low, high, config)
    return least_error_grid(blocks, low, high, config)


def least_error_grid(blocks: Tensor, low: Tensor, high: Tensor, config: GridConfig) -> Grid:
    """Of many ranges, each smaller than the last, the one whose rounding costs least in squares.

    A smaller range moves the largest weights further and all the others less.
    """
    best = range_grid(low, high, config)
    least = (best.rounded(blocks) - blocks).square().sum(dim=1, keepdim=True)  # (N, 1)
    for shrink in SHRINKS[1:]:
        grid = range_grid(low * shrink, high * shrink, config)
        error = (grid.rounded(blocks) - blocks).square().sum(dim=1, keepdim=True)
        better = error < least
        least = torch.where(better, error, least)
        best = Grid(
            torch.where(better, grid.scale, best.scale),
            torch.where(better, grid.zero, best.zero),
            config,
        )
    return best


def round_to_nearest(weight: Tensor, config: GridConfig) -> Quantised:
    """Every weight for itself, to its nearest level.  (O, I)"""
    blocks = blocks_of(weight.float(), config)
    grid = fitted_grid(blocks, config)
    return Quantised(grid.codes(blocks).reshape(weight.shape).to(config.dtype), grid)
