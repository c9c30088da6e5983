"""How large a tile may be: what it keeps in the fast memory of a chip, and what that buys.

Sizes are the most shared memory that one block of threads may have (CUDA C++ programming guide, table of
compute capabilities; for AMD the local data share, CDNA 3 white paper). Kernels keep part of a tile in
registers instead, so these are the sizes of an order, not of a product.
Axes: T tokens, d head width, M queries and N keys of a tile.
"""

from dataclasses import dataclass

from labcore.configs import lab_config
from labcore.distributed.cluster import DEVICES, Device
from labcore.errors import LabInputError
from labcore.serving.tiled_attention import plain_moves, tiled_moves

KIB = 1024
SHARED_BYTES = {
    "v100": 96 * KIB, "a100-80": 163 * KIB, "rtx4090": 99 * KIB, "h100": 227 * KIB,
    "b200": 227 * KIB, "mi300x": 64 * KIB,
}  # fmt: skip
NUMBER_BYTES = 2  # queries, keys, values, results: 16 bits
SUM_BYTES = 4  # scores and all that is summed: 32 bits
STEP = 16  # matrix units take numbers in sixteens


def tile_bytes(query_tile: int, key_tile: int, width: int) -> int:
    """What one tile keeps at hand: queries M·d, keys and values 2·N·d; scores M·N, the output so far
    M·d, a maximum and a sum for each query.

    128 × 128 at d = 64: 2 · 3 · 8192 + 4 · (16384 + 8192 + 256) = 148,480 bytes.
    """
    inputs = query_tile * width + 2 * key_tile * width
    sums = query_tile * key_tile + query_tile * width + 2 * query_tile
    return NUMBER_BYTES * inputs + SUM_BYTES * sums


def largest_tile(memory_bytes: int, width: int) -> int:
    """The largest square tile that fits, in steps of 16; 0 if none does."""
    tile = 0
    while tile_bytes(tile + STEP, tile + STEP, width) <= memory_bytes:
        tile += STEP
    return tile


@lab_config
class BillConfig:
    device: str = "a100-80"
    length: int = 4096
    width: int = 64
    causal: bool = False

    def __post_init__(self):
        if self.device not in SHARED_BYTES:
            raise LabInputError("device", self.device, "known_choice")
        for name, limit in (("length", 2**20), ("width", 512)):
            if not 1 <= getattr(self, name) <= limit:
                raise LabInputError(name, getattr(self, name), "between", low=1, high=limit)


@dataclass(frozen=True, slots=True)
class Bill:
    """One head on one device, forward. Seconds are lower bounds, as a roofline's are."""

    tile: int  # the largest that fits
    tile_bytes: int
    shared_bytes: int
    plain_bytes: int  # moved
    tiled_bytes: int
    score_bytes: int  # what the plain way must keep: T² scores
    flops: int
    plain_seconds: float  # of moving
    tiled_seconds: float
    flops_seconds: float  # of computing what is needed
    square_seconds: float  # of computing all T² scores, as the plain way must


def bill(config: BillConfig) -> Bill:
    """What is moved and what is computed, in the time that a real device takes for each.

    Arithmetic is the same for both, 4·T²·d: two products of T × T × d, two operations each. Where the
    future is skipped, which only tiles can do, about half of it is left.
    """
    device: Device = DEVICES[config.device]
    shared = SHARED_BYTES[config.device]
    tile = largest_tile(shared, config.width)
    if tile == 0:
        raise LabInputError("width", config.width, "no_tile_fits")
    plain = NUMBER_BYTES * plain_moves(config.length, config.width)
    moves = tiled_moves(config.length, config.width, tile, config.causal, tile)
    square = 4 * config.length**2 * config.width
    flops = square // 2 if config.causal else square
    return Bill(
        tile, tile_bytes(tile, tile, config.width), shared, plain, NUMBER_BYTES * moves,
        NUMBER_BYTES * config.length**2, flops, plain / device.memory_bandwidth,
        NUMBER_BYTES * moves / device.memory_bandwidth, flops / device.peak_flops,
        square / device.peak_flops,
    )  # fmt: skip
