"""One matrix and the few values that its weights may take.

Uniform levels lie evenly between two ends. A table of levels (NF4, FP4) has them closer together where a
bell has most of its weights. Either way a block of weights shares one scale, and every weight moves to the
nearest level of its block.

Axes: O outputs, I inputs, N blocks, E weights of a block, C codes, K bins.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from labcore.compression import judged
from labcore.compression.calibration import output_error
from labcore.compression.rounding import GridConfig, blocks_of, fitted_grid, round_to_nearest
from labcore.configs import lab_config
from labcore.errors import LabInputError, check_choices
from labcore.tuning import nf4

SCHEMES = ("uniform", "nf4", "fp4")
# Sign, two bits of exponent, one of mantissa, as bitsandbytes has it: the smallest is 1/192, not 1/12.
FP4_SIZES = (0.0, 1 / 192, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 1.0)
BINS = 81
STORIES = 24  # to calibrate: enough for one error, and told in a moment


@lab_config
class LevelsConfig:
    matrix: str = "stack.layers.3.mlp.up"
    scheme: str = "uniform"
    grid: GridConfig = field(default_factory=lambda: GridConfig(3, False, "tensor"))
    block_size: int = 64  # of a table's blocks
    block: int = 0  # whose levels are drawn
    seed: int = 0  # of the calibration stories

    def __post_init__(self):
        known = judged.matrices(judged.load(judged.MODEL).model)
        check_choices(self, {"matrix": tuple(known), "scheme": SCHEMES})
        if self.block_size < 2:
            raise LabInputError("block_size", self.block_size, "at_least", limit=2)
        whole = known[self.matrix].weight.numel()
        if whole % self.block_size:
            raise LabInputError("block_size", self.block_size, "divides", whole=whole)
        if self.block < 0:
            raise LabInputError("block", self.block, "at_least", limit=0)


@dataclass(frozen=True, slots=True, eq=False)
class LevelsResult:
    edges: np.ndarray  # (K + 1,) of the histograms
    counts: np.ndarray  # (K,) weights of the whole matrix
    block_counts: np.ndarray  # (K,) weights of the block
    levels: np.ndarray  # (C,) of the block
    used: np.ndarray  # (C,) weights of the block on each level
    block: int  # the block drawn, of
    blocks: int
    shape: tuple[int, int]  # (O, I)
    weight_error: float  # ‖W' − W‖² / ‖W‖²
    output_error: float  # the same of the outputs, over the calibration stories
    block_errors: np.ndarray  # (N,) ‖w' − w‖² / ‖w‖² of each block
    bits_per_weight: float
    stored_bytes: float
    full_bytes: int  # in fp32


def table_of(scheme: str) -> Tensor:
    """The sixteen levels between −1 and 1, ascending.  -> (16,); FP4 has zero twice and so fifteen values"""
    if scheme == "nf4":
        return nf4.levels()
    sizes = torch.tensor(FP4_SIZES)
    return torch.cat([-sizes[1:].flip(0), sizes])


def run(config: LevelsConfig) -> LevelsResult:
    linear = judged.matrices(judged.load(judged.MODEL).model)[config.matrix]
    weight = linear.weight.detach().float()  # (O, I)
    moments = judged.calibrated(config.seed, STORIES)[config.matrix].moments
    if config.scheme == "uniform":
        blocks = blocks_of(weight, config.grid)  # (N, E)
        quantised = round_to_nearest(weight, config.grid)
        rounded, bits = quantised.weight(), quantised.bits_per_weight
    else:
        table = table_of(config.scheme)
        blocks = weight.reshape(-1, config.block_size)
        kept = nf4.quantise(weight, table, config.block_size)
        rounded = nf4.dequantise(kept, table, config.block_size)
        bits = nf4.bits_per_weight(config.block_size)
    at = min(config.block, len(blocks) - 1)
    levels = levels_of(blocks[at], config)
    moved = rounded.reshape(blocks.shape)
    edges = np.linspace(*_ends(weight, levels), BINS + 1)
    return LevelsResult(
        edges=edges,
        counts=np.histogram(weight.numpy(), edges)[0],
        block_counts=np.histogram(blocks[at].numpy(), edges)[0],
        levels=levels.numpy(),
        used=np.bincount(nf4.nearest(moved[at], levels).numpy(), minlength=len(levels)),
        block=at,
        blocks=len(blocks),
        shape=tuple(weight.shape),
        weight_error=float((rounded - weight).square().sum() / weight.square().sum()),
        output_error=output_error(rounded - weight, moments) / output_error(weight, moments),
        block_errors=block_errors(moved, blocks).numpy(),
        bits_per_weight=bits,
        stored_bytes=bits * weight.numel() / 8,
        full_bytes=4 * weight.numel(),
    )


def levels_of(block: Tensor, config: LevelsConfig) -> Tensor:
    """What the weights of this block may become, ascending.  (E,) -> (C,)"""
    if config.scheme != "uniform":
        return table_of(config.scheme) * block.abs().max()
    grid = fitted_grid(block[None], config.grid)
    return grid.values(torch.arange(config.grid.lowest, config.grid.highest + 1)[None].float())[0]


def block_errors(moved: Tensor, blocks: Tensor) -> Tensor:
    """Squared change of each block, as a share of its squared size.  (N, E) -> (N,)"""
    return (moved - blocks).square().sum(dim=1) / blocks.square().sum(dim=1).clamp(min=1e-12)


def _ends(weight: Tensor, levels: Tensor) -> tuple[float, float]:
    """A little beyond whatever is drawn, alike on both sides."""
    furthest = 1.03 * max(float(weight.abs().max()), float(levels.abs().max()))
    return -furthest, furthest
