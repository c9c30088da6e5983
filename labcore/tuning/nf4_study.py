"""Four bits for a real matrix: where the levels stand, how well they are used, what rounding costs.

Axes: L = 16 levels, H bins of the histogram.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore import zoo
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.tuning import nf4

MODELS = ("world-decoder", "smollm2-135m-instruct")
TABLES = ("nf4", "even")
BLOCKS = (16, 32, 64, 128, 256, 512, 1024, 4096)
BINS = 81
MOST_WEIGHTS = 2**17  # of a matrix that is looked at


@lab_config
class NF4Config:
    model: str = "world-decoder"
    layer: int = 0
    table: str = "nf4"  # "even": sixteen levels at equal distances
    block: int = nf4.BLOCK
    double: bool = False  # scales through eight bits
    outlier: float = 1.0  # one weight in a thousand made so many times larger

    def __post_init__(self):
        for name, allowed in (("model", MODELS), ("table", TABLES), ("block", BLOCKS)):
            if getattr(self, name) not in allowed:
                raise LabInputError(name, getattr(self, name), "known_choice", allowed=allowed)
        if not 1 <= self.outlier <= 50:
            raise LabInputError("outlier", self.outlier, "between", low=1, high=50)


@dataclass(frozen=True, slots=True, eq=False)
class NF4Result:
    levels: np.ndarray  # (L,)
    used: np.ndarray  # (L,) share of the weights at each level
    bin_edges: np.ndarray  # (H + 1,) of weights divided by their block's largest
    bins: np.ndarray  # (H,) share of the weights in each
    error: float  # root mean square of the rounding, over that of the weights
    bits: float  # per weight, scales included
    shape: tuple[int, int]  # of the matrix
    others: dict[str, np.ndarray]  # error at each of `BLOCKS`, for each table
    block_bits: np.ndarray  # bits per weight at each of `BLOCKS`


def run(config: NF4Config) -> NF4Result:
    weight = matrix(config)
    table = table_of(config.table)
    quantised = nf4.quantise(weight, table, config.block)
    scaled = table[quantised.codes.long()]
    rows = torch.nn.functional.pad(weight.flatten(), (0, -weight.numel() % config.block))
    rows = (rows.view(-1, config.block) / quantised.scales[:, None].clamp(min=1e-38)).flatten()
    bins, edges = np.histogram(rows[: len(scaled)].numpy(), bins=BINS, range=(-1, 1))
    used = torch.bincount(quantised.codes.long(), minlength=16) / len(scaled)
    return NF4Result(
        table.numpy(), used.numpy(), edges, bins / len(scaled),
        rounding_error(weight, table, config.block, config.double),
        nf4.bits_per_weight(config.block, config.double), tuple(weight.shape),
        {
            name: np.array([rounding_error(weight, table_of(name), b, config.double) for b in BLOCKS])
            for name in TABLES
        },
        np.array([nf4.bits_per_weight(block, config.double) for block in BLOCKS]),
    )  # fmt: skip


def matrix(config: NF4Config) -> Tensor:
    """Rows of the first MLP matrix of a layer, with some weights made larger if asked for.  -> (O, I)"""
    layers = zoo.load(config.model).model.stack.layers
    if not 0 <= config.layer < len(layers):
        raise LabInputError("layer", config.layer, "between", low=0, high=len(layers) - 1)
    weight = layers[config.layer].mlp.up.weight.detach().float()
    weight = weight[: MOST_WEIGHTS // weight.shape[1]].clone()
    weight.flatten()[::1000] *= config.outlier
    return weight


def table_of(name: str) -> Tensor:
    """Sixteen levels, sorted.  -> (16,)"""
    return nf4.levels() if name == "nf4" else torch.linspace(-1, 1, 16)


def rounding_error(weight: Tensor, table: Tensor, block: int, double: bool) -> float:
    """Root mean square of what rounding changes, over that of the weights."""
    quantised = nf4.quantise(weight, table, block)
    if double:
        scales = nf4.through_eight_bits(quantised.scales)
        quantised = nf4.Quantised(quantised.codes, scales, quantised.shape)
    return float((nf4.dequantise(quantised, table, block) - weight).norm() / weight.norm())
