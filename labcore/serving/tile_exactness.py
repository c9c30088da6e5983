"""Is attention in tiles an approximation? Its error beside that of the plain way and of torch's kernel.

Every result is held against the plain formula in 64 bits on the same (rounded) inputs, so what is left is
rounding alone. Two controls are no rounding: forgetting to shrink what was summed before a larger score
came, and an attention that really is an approximation because it leaves out the farther half of the keys.

Axes: E seeds, Z tile sizes, L lengths, B = 2 batches of H = 2 heads, T tokens, d head width.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from labcore.configs import lab_config
from labcore.errors import check_limits
from labcore.events import drain
from labcore.serving.tiled_attention import (
    Running,
    nothing_seen,
    plain_attention,
    take_in,
    tiled_attention,
    tiles,
)

FORMATS = ("fp64", "fp32", "bf16", "bf16-fp32")  # the last: numbers of 16 bits, sums of 32
DTYPES = {"fp64": torch.float64, "fp32": torch.float32, "bf16": torch.bfloat16}
TILE_SIZES = (8, 16, 32, 64, 128, 256)
WORK_LENGTHS = (64, 128, 256, 512, 1024)
WORK_TILE = 64
LIMITS = {"length": (16, 512), "width": (8, 128), "seeds": (1, 10), "seed": (0, 9999)}


@lab_config
class ExactConfig:
    length: int = 256
    width: int = 64
    causal: bool = True
    seeds: int = 3
    seed: int = 0

    def __post_init__(self):
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True)
class Progress:
    seed: int
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class Exactness:
    """Largest absolute differences to the plain formula in 64 bits."""

    sizes: np.ndarray  # (Z,)
    tiled: dict[str, np.ndarray]  # by format, (E, Z)
    plain: dict[str, np.ndarray]  # by format, (E,)
    torch: dict[str, np.ndarray]  # by format, (E,)
    forgotten: np.ndarray  # (E, Z) fp32, without the shrinking
    half: np.ndarray  # (E,) fp32, the nearer half of the keys alone
    largest: np.ndarray  # (E,) of the results themselves
    lengths: np.ndarray  # (L,)
    flops: dict[str, np.ndarray]  # by way, (L,): counted by torch in matrix products
    held: dict[str, np.ndarray]  # by way, (L,): scores at one time


def forgetful(so_far: Running, scores: Tensor, values: Tensor) -> Running:
    """`take_in` with its one line left out: what was summed is not mended when a larger score comes."""
    largest = torch.maximum(so_far.largest, scores.amax(dim=-1, keepdim=True))
    weights = (scores - largest.clamp(min=torch.finfo(largest.dtype).min)).exp()
    return Running(
        largest,
        so_far.total + weights.sum(dim=-1, keepdim=True),
        so_far.mixed + weights @ values,
    )


def by_tiles(
    scores: Tensor, v: Tensor, size: int, step: Callable[[Running, Tensor, Tensor], Running]
) -> Tensor:
    """All queries at once, keys in tiles, with a step of one's choice.  (…, T, S), (…, S, d) -> (…, T, d)"""
    running = nothing_seen(scores[..., :1].expand(*scores.shape[:-1], 1), v.shape[-1])
    for columns in tiles(v.shape[-2], size):
        running = step(running, scores[..., columns], v[..., columns, :])
    return running.output


def error(output: Tensor, expected: Tensor) -> float:
    return (output.double() - expected).abs().max().item()


def compare(config: ExactConfig) -> Generator[Progress, None, Exactness]:
    """Every format, every size of tile, every seed; then the work, counted."""
    sizes = [size for size in TILE_SIZES if size <= config.length]
    found = []
    for row in range(config.seeds):
        found.append(one_seed(config, config.seed + row, sizes))
        yield Progress(config.seed + row, (row + 1) / (config.seeds + 1))
    flops, held = work(config.width)
    gathered = {
        name: {form: np.array([one[name][form] for one in found]) for form in FORMATS}
        for name in ("tiled", "plain", "torch")
    }
    return Exactness(
        np.array(sizes), **gathered,
        **{name: np.array([one[name] for one in found]) for name in ("forgotten", "half", "largest")},
        lengths=np.array(WORK_LENGTHS), flops=flops, held=held,
    )  # fmt: skip


def run(config: ExactConfig) -> Exactness:
    return drain(compare(config))


def one_seed(config: ExactConfig, seed: int, sizes: list[int]) -> dict:
    rng = torch.Generator().manual_seed(seed)
    shape = 2, 2, config.length, config.width
    drawn = [torch.randn(shape, generator=rng, dtype=torch.float64) for _ in range(3)]
    found: dict = {"tiled": {}, "plain": {}, "torch": {}}
    for form in FORMATS:
        kept = DTYPES[form.split("-")[0]]
        q, k, v = inputs = [x.to(kept) for x in drawn]
        expected, _ = plain_attention(*(x.double() for x in inputs), config.causal)
        summed = [x.to(DTYPES[form.split("-")[-1]]) for x in inputs]
        found["tiled"][form] = [
            error(drain(tiled_attention(*summed, config.causal, n, n))[0].to(kept), expected)
            for n in sizes
        ]
        found["plain"][form] = error(plain_attention(*summed, config.causal)[0].to(kept), expected)
        fused = F.scaled_dot_product_attention(q, k, v, is_causal=config.causal)
        found["torch"][form] = error(fused, expected)
    q, k, v = (x.float() for x in drawn)
    expected, _ = plain_attention(*(x.double() for x in (q, k, v)), config.causal)
    scores = q @ k.transpose(-2, -1) * config.width**-0.5  # (B, H, T, S)
    distance = torch.arange(config.length)[:, None] - torch.arange(config.length)
    if config.causal:
        scores = scores.masked_fill(distance < 0, -torch.inf)
    found["forgotten"] = [error(by_tiles(scores, v, n, forgetful), expected) for n in sizes]
    near = scores.masked_fill(distance.abs() >= config.length // 2, -torch.inf)
    found["half"] = error(by_tiles(near, v, config.length, take_in), expected)
    found["largest"] = expected.abs().max().item()
    return found


def work(width: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Operations in matrix products, counted by torch while they run, and scores held at one time."""
    ways = {
        "plain": lambda x: plain_attention(x, x, x, False)[1],
        "tiled": lambda x: drain(tiled_attention(x, x, x, False, WORK_TILE, WORK_TILE))[1],
        "causal": lambda x: drain(tiled_attention(x, x, x, True, WORK_TILE, WORK_TILE))[1],
    }
    flops: dict[str, list[int]] = {name: [] for name in ways}
    held: dict[str, list[int]] = {name: [] for name in ways}
    for length in WORK_LENGTHS:
        for name, way in ways.items():
            with FlopCounterMode(display=False) as counter:
                traffic = way(torch.zeros(length, width))
            flops[name].append(counter.get_total_flops())
            held[name].append(traffic.most_held)
    return tuple({n: np.array(v) for n, v in of.items()} for of in (flops, held))
