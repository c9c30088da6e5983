"""The square of queries and keys, tile by tile, with everything that is read, written and held.

The tiles are really computed: the counters are those of the running algorithm, not of a formula, and the
formula is held against them.
Axes: T queries and keys, d head width, N tiles visited.
"""

from dataclasses import dataclass

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import check_limits
from labcore.events import drain
from labcore.serving.tiled_attention import (
    TileEvent,
    plain_attention,
    plain_moves,
    tiled_attention,
    tiled_moves,
)

LIMITS = {"length": (8, 512), "width": (8, 128), "query_tile": (4, 512), "key_tile": (4, 512)}
SIZES = (4, 8, 16, 32, 64, 128, 256)  # of a tile, for the curve of the formula


@lab_config
class WalkConfig:
    length: int = 128
    width: int = 64
    query_tile: int = 16
    key_tile: int = 16
    causal: bool = True
    seed: int = 0

    def __post_init__(self):
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    places: (
        np.ndarray
    )  # (N, 4) first and last query, first and last key of each tile, ends excluded
    read: np.ndarray  # (N,) numbers read after each tile
    written: np.ndarray  # (N,) written after each; results leave with the last tile of their row
    held: int  # scores at any one time
    formula: int  # what should have been moved in the end
    plain_moved: int  # counted in the plain version
    plain_formula: int
    plain_held: int
    difference: float  # between the two results, largest
    sizes: np.ndarray  # (Z,) sizes of the queries' tile
    by_size: np.ndarray  # (Z,) numbers moved by the formula at each

    @property
    def moved(self) -> np.ndarray:
        return self.read + self.written


def run(config: WalkConfig) -> Walk:
    """Both versions on the same draw; 32 bits, one head."""
    rng = torch.Generator().manual_seed(config.seed)
    q, k, v = (torch.randn(config.length, config.width, generator=rng) for _ in range(3))
    events: list[TileEvent] = []
    walk = tiled_attention(q, k, v, config.causal, config.query_tile, config.key_tile)
    output, traffic = drain(walk, events.append)
    expected, plain = plain_attention(q, k, v, config.causal)
    sizes = np.array([size for size in SIZES if size <= config.length])
    return Walk(
        np.array([(e.queries.start, e.queries.stop, e.keys.start, e.keys.stop) for e in events]),
        np.array([event.read for event in events]),
        np.array([*(event.written for event in events[1:]), traffic.written]),
        traffic.most_held,
        tiled_moves(config.length, config.width, config.query_tile, config.causal, config.key_tile),
        plain.moved,
        plain_moves(config.length, config.width),
        plain.most_held,
        (output - expected).abs().max().item(),
        sizes,
        np.array(
            [
                tiled_moves(config.length, config.width, int(size), config.causal, config.key_tile)
                for size in sizes
            ]
        ),
    )
