"""The backward pass in tiles: the weights are not kept but computed once more.

Backpropagation through a softmax needs its weights P, T × S of them, and the plain way keeps them from the
forward pass. With one number per query from there, L = maximum + ln(sum), any tile of them comes back as
P = e^(scores − L), exactly and without a second online pass. That costs one matrix product more, and saves
the only thing whose size was quadratic.

Source: arXiv:2205.14135, algorithm 4; arXiv:2307.08691, algorithm 2.
Axes: E seeds, W ways, N lengths; B batch, H heads, T queries, S keys, d head width.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import check_limits
from labcore.serving.tiled_attention import ahead, nothing_seen, take_in, tiles

GRADIENTS = ("q", "k", "v")
WAYS = ("plain", "fused", "ours")
LENGTHS = (64, 128, 256, 512)
LIMITS = {"length": (8, 256), "width": (8, 128), "tile": (4, 256), "seeds": (1, 10)}


@lab_config
class BackwardConfig:
    length: int = 96
    width: int = 32
    tile: int = 32
    causal: bool = True
    seeds: int = 3
    seed: int = 0

    def __post_init__(self):
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True, eq=False)
class Backward:
    errors: dict[str, dict[str, np.ndarray]]  # {"fp32" or "fp64": {"q", "k", "v": (E,)}}
    without_sum: np.ndarray  # (E,) fp64, for q, with D left out of the formula
    largest: dict[str, float]  # of each gradient itself
    lengths: np.ndarray  # (N,)
    kept_bytes: dict[str, np.ndarray]  # (N,) by way: what autograd keeps between the passes
    products: dict[str, int]  # matrix products by way, forward and backward together


def forward(q: Tensor, k: Tensor, v: Tensor, causal: bool, tile: int) -> tuple[Tensor, Tensor]:
    """Attention in tiles and L = maximum + ln(sum).  -> (…, T, d), (…, T, 1)"""
    outputs, logsums = [], []
    for rows in tiles(q.shape[-2], tile):
        running = nothing_seen(q[..., rows, :], v.shape[-1])
        for columns in tiles(k.shape[-2], tile):
            running = take_in(running, scores_of(q, k, causal, rows, columns), v[..., columns, :])
        outputs.append(running.output)
        logsums.append(running.largest + running.total.log())
    return torch.cat(outputs, dim=-2), torch.cat(logsums, dim=-2)


def scores_of(q: Tensor, k: Tensor, causal: bool, rows: slice, columns: slice) -> Tensor:
    """One tile of scores.  -> (…, M, N)"""
    scores = q[..., rows, :] @ k[..., columns, :].transpose(-2, -1) * q.shape[-1] ** -0.5
    return scores.masked_fill(ahead(rows, columns, 0), -torch.inf) if causal else scores


def backward(
    q: Tensor, k: Tensor, v: Tensor, output: Tensor, logsum: Tensor, grad: Tensor,
    causal: bool, tile: int, with_sum: bool = True,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Gradients from what the forward pass left: its output and L, no weights.

    q, k, v, output, grad (…, T, d), logsum (…, T, 1) -> dq, dk, dv (…, T, d)
    """
    dq, dk, dv = (torch.zeros_like(x) for x in (q, k, v))
    scale = q.shape[-1] ** -0.5
    # D = Σ_j P_ij dP_ij, which the softmax takes off; as a sum over d it is at hand before any tile.
    weighted = (grad * output).sum(dim=-1, keepdim=True) * with_sum  # (…, T, 1)
    for columns in tiles(k.shape[-2], tile):
        keys, values = k[..., columns, :], v[..., columns, :]
        for rows in tiles(q.shape[-2], tile):
            scores = scores_of(q, k, causal, rows, columns)
            weights = (scores - logsum[..., rows, :]).exp()  # (…, M, N), computed once more
            dv[..., columns, :] += weights.transpose(-2, -1) @ grad[..., rows, :]
            d_weights = grad[..., rows, :] @ values.transpose(-2, -1)
            d_scores = weights * (d_weights - weighted[..., rows, :]) * scale
            dq[..., rows, :] += d_scores @ keys
            dk[..., columns, :] += d_scores.transpose(-2, -1) @ q[..., rows, :]
    return dq, dk, dv


class TiledAttention(torch.autograd.Function):
    """Both passes for autograd, which then keeps inputs, output and L."""

    @staticmethod
    def forward(context, q, k, v, causal, tile):
        output, logsum = forward(q, k, v, causal, tile)
        context.save_for_backward(q, k, v, output, logsum)
        context.how = causal, tile
        return output

    @staticmethod
    def backward(context, grad):
        return *backward(*context.saved_tensors, grad, *context.how), None, None


def plain(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> Tensor:
    """The formula, left to autograd."""
    everything = slice(0, q.shape[-2]), slice(0, k.shape[-2])
    return scores_of(q, k, causal, *everything).softmax(dim=-1) @ v


def run(config: BackwardConfig) -> Backward:
    errors = {form: {name: [] for name in GRADIENTS} for form in ("fp64", "fp32")}
    without, largest = [], dict.fromkeys(GRADIENTS, 0.0)
    for seed in range(config.seed, config.seed + config.seeds):
        rng = torch.Generator().manual_seed(seed)
        shape = 1, 2, config.length, config.width
        drawn = [torch.randn(shape, generator=rng, dtype=torch.float64) for _ in range(4)]
        for form, dtype in (("fp32", torch.float32), ("fp64", torch.float64)):
            q, k, v, grad = (x.to(dtype) for x in drawn)
            expected = autograds(*(x.double() for x in (q, k, v, grad)), config.causal)
            output, logsum = forward(q, k, v, config.causal, config.tile)
            kept = q, k, v, output, logsum, grad, config.causal, config.tile
            for name, ours, theirs in zip(GRADIENTS, backward(*kept), expected, strict=True):
                errors[form][name].append((ours - theirs).abs().max().item())
                largest[name] = max(largest[name], theirs.abs().max().item())
        wrong, _, _ = backward(*kept, with_sum=False)
        without.append((wrong - expected[0]).abs().max().item())
    return Backward(
        {form: {n: np.array(v) for n, v in of.items()} for form, of in errors.items()},
        np.array(without), largest, np.array(LENGTHS),
        {way: np.array([kept_bytes(way, length, config) for length in LENGTHS]) for way in WAYS},
        {"plain": 2 + 4, "fused": 2 + 5, "ours": 2 + 5},
    )  # fmt: skip


def autograds(q: Tensor, k: Tensor, v: Tensor, grad: Tensor, causal: bool) -> list[Tensor]:
    leaves = [x.clone().requires_grad_(True) for x in (q, k, v)]
    plain(*leaves, causal).backward(grad)
    return [leaf.grad for leaf in leaves]


def kept_bytes(way: str, length: int, config: BackwardConfig) -> int:
    """What autograd keeps from the forward pass for the backward one, told by its own hooks.

    A tensor kept twice counts once: queries are the same memory wherever they are kept.
    """
    q, k, v = (torch.zeros(1, 1, length, config.width, requires_grad=True) for _ in range(3))
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        {
            "plain": lambda: plain(q, k, v, config.causal),
            "fused": lambda: F.scaled_dot_product_attention(q, k, v, is_causal=config.causal),
            "ours": lambda: TiledAttention.apply(q, k, v, config.causal, config.tile),
        }[way]()
    return sum(kept.values())
