"""Four ways to the same attention, timed on this machine, and the memory that each takes.

The plain way is torch's fastest products with the T × S scores between them; the tiled way is this
project's loop in Python; the fused way is `F.scaled_dot_product_attention`, which does in one kernel what
the loop spells out; and the same call with the fused kernel switched off, to see that the kernel matters and
not the call. Ways take turns within a round, so that a busy moment hits all of them, and the first
round, which warms up, does not count.

Axes: W ways, L lengths, R rounds, Z tile sizes; one head of width d, 32 bits, one thread.
"""

import json
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.profiler import ProfilerActivity, profile

from labcore.configs import lab_config
from labcore.errors import check_limits
from labcore.events import drain
from labcore.serving.tiled_attention import plain_attention, tiled_attention

WAYS = ("plain", "tiled", "fused", "unfused")
LENGTHS = (128, 256, 512, 1024, 2048, 4096)
LIMITS = {"longest": (128, 4096), "tile": (16, 1024), "rounds": (3, 30), "seed": (0, 9999)}
WIDTH = 64
TILE_SIZES = (32, 64, 128, 256, 512, 1024, 2048)
SIZES_AT = 2048  # tokens at which the tile's size is varied; as large as the text, it is one tile


@lab_config
class SpeedConfig:
    longest: int = 4096  # of LENGTHS, those up to here
    tile: int = 256  # queries and keys of a tile of the Python loop
    causal: bool = False
    rounds: int = 9
    seed: int = 0

    def __post_init__(self):
        check_limits(self, LIMITS)

    @property
    def lengths(self) -> tuple[int, ...]:
        return tuple(length for length in LENGTHS if length <= self.longest)


@dataclass(frozen=True, slots=True)
class Timed:
    """One length has been timed and weighed."""

    length: int
    share: float
    milliseconds: tuple[tuple[float, ...], ...]  # (W, R)
    peak_bytes: tuple[int, ...]  # (W,)


@dataclass(frozen=True, slots=True, eq=False)
class Speed:
    lengths: np.ndarray  # (L,)
    milliseconds: np.ndarray  # (W, L, R)
    peak_bytes: np.ndarray  # (W, L) the most that a call held at one time, its result included
    sizes: np.ndarray  # (Z,) of the loop's tile
    by_size: np.ndarray  # (Z, R) milliseconds of the loop at `sizes_at` tokens
    sizes_at: int
    tile: int
    causal: bool
    seconds: float

    @property
    def median(self) -> np.ndarray:
        """(W, L)"""
        return np.median(self.milliseconds, axis=2)

    def crossover(self, way: str, other: str = "plain") -> int | None:
        """The first length from which on `way` is faster than `other` in the median; None if at none."""
        faster = self.median[WAYS.index(way)] < self.median[WAYS.index(other)]  # (L,)
        slower = np.flatnonzero(~faster)
        first = 0 if len(slower) == 0 else slower[-1] + 1
        return int(self.lengths[first]) if first < len(self.lengths) else None


def ways(
    q: Tensor, k: Tensor, v: Tensor, causal: bool, tile: int
) -> dict[str, Callable[[], Tensor]]:
    return {
        "plain": lambda: plain_attention(q, k, v, causal)[0],
        "tiled": lambda: loop(q, k, v, causal, tile),
        "fused": lambda: F.scaled_dot_product_attention(q, k, v, is_causal=causal),
        "unfused": lambda: unfused(q, k, v, causal),
    }


def unfused(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> Tensor:
    with sdpa_kernel(SDPBackend.MATH):
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal)


def loop(q: Tensor, k: Tensor, v: Tensor, causal: bool, tile: int) -> Tensor:
    return drain(tiled_attention(q, k, v, causal, tile, tile))[0]


def timed(call: Callable[[], object]) -> float:
    """Milliseconds of this thread's processor time: what others take meanwhile is not counted."""
    started = time.thread_time()
    call()
    return (time.thread_time() - started) * 1e3


def peak_bytes(call: Callable[[], object]) -> int:
    """The most that a call holds at one time beyond its inputs, told by torch's allocator."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        result = call()
    del result
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace.json")
        watched.export_chrome_trace(str(path))
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    changes = [
        (event["ts"], event["args"]["Bytes"]) for event in events if event.get("name") == "[memory]"
    ]
    held = np.cumsum([change for _, change in sorted(changes, key=lambda pair: pair[0])])
    return int(held.max(initial=0))


@torch.no_grad()
def measure(config: SpeedConfig) -> Generator[Timed, None, Speed]:
    """Length by length: `rounds` rounds of all ways, then one call of each for its memory."""
    started, found = time.perf_counter(), []
    total, done = 1.5 * sum(length**2 for length in config.lengths), 0
    for length in config.lengths:
        q, k, v = inputs(length, config.seed)
        calls = ways(q, k, v, config.causal, config.tile)
        per_way = in_turns([calls[way] for way in WAYS], config.rounds)
        done += length**2
        weights = tuple(peak_bytes(calls[way]) for way in WAYS)
        found.append(Timed(length, done / total, per_way, weights))
        yield found[-1]
    return gathered(config, found, vary_size(config), time.perf_counter() - started)


def vary_size(config: SpeedConfig) -> tuple[tuple[float, ...], ...]:
    """The loop at one length, with tiles from small to as large as the text.  -> (Z, R)"""
    length = min(config.longest, SIZES_AT)
    q, k, v = inputs(length, config.seed)
    calls = [partial(loop, q, k, v, config.causal, size) for size in TILE_SIZES if size <= length]
    return in_turns(calls, config.rounds)


def inputs(length: int, seed: int) -> list[Tensor]:
    """Queries, keys and values, (1, 1, T, d) each."""
    rng = torch.Generator().manual_seed(seed)
    return [torch.randn(1, 1, length, WIDTH, generator=rng) for _ in range(3)]


def in_turns(
    calls: Sequence[Callable[[], object]], rounds: int
) -> tuple[tuple[float, ...], ...]:  # fmt: skip
    """Milliseconds of each call in each round, after one round that warms up."""
    found = [[timed(call) for call in calls] for _ in range(rounds + 1)]
    return tuple(zip(*found[1:], strict=True))


def gathered(
    config: SpeedConfig, found: Sequence[Timed], by_size: Sequence[Sequence[float]] = (),
    seconds: float = 0.0,
) -> Speed:  # fmt: skip
    """What has been timed so far."""
    return Speed(
        np.array([one.length for one in found]),
        np.stack([np.array(one.milliseconds) for one in found], axis=1),
        np.array([one.peak_bytes for one in found]).T,
        np.array(TILE_SIZES[: len(by_size)]), np.array(by_size), min(config.longest, SIZES_AT),
        config.tile, config.causal, seconds,
    )  # fmt: skip


def run(config: SpeedConfig) -> Speed:
    return drain(measure(config))
