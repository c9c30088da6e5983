"""Attention: each token asks, every token it may see answers, the answers are mixed by fit.

Axes: B batch, T query position, S key position, D width, H heads, K key/value heads, d head_dim.
Source: Vaswani et al., arXiv:1706.03762; K < H is grouped-query attention, arXiv:2305.13245, K = 1
multi-query attention, arXiv:1911.02150.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import and_

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labcore.model.cache import KVCache
from labcore.model.config import ModelConfig
from labcore.model.positions import Rotation, rotate
from labcore.model.trace import Probe

See = Callable[[str, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Rope:
    """The turns of queries and keys in one pass."""

    query: Rotation
    key: Rotation
    # Dynamic NTK changes all angles as a text grows, so its keys are kept unturned in the cache.
    after_cache: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """What all layers of a stack share in one pass: who may see whom, and how far away it is."""

    mask: Tensor | None  # (B or 1, 1, T, S) True where looking is allowed; None: everywhere
    bias: Tensor | None = None  # (B or 1, H, T, S) added to the scores
    rope: Rope | None = None
    real: Tensor | None = None  # (B, T) True where a token is real; None: everywhere
    cache: KVCache | None = None


def attention_mask(
    query_index: Tensor,
    key_index: Tensor,
    causal: bool,
    window: int | None = None,
    padding_mask: Tensor | None = None,
    documents: Tensor | None = None,
    prefix: Tensor | None = None,
) -> Tensor | None:
    """Who may look at whom: not ahead, not beyond the window, not at padding, not into another document.

    (T,), (S,), padding (B, S), documents (B, S) -> (B or 1, 1, T, S) bool, or None if everybody
    sees everything. Where several documents share a row (T = S), `documents` numbers them. Tokens of a
    `prefix` (B, S) see each other both ways, whatever is causal.
    """
    distance = (query_index[:, None] - key_index[None, :])[None, None]  # (1, 1, T, S)
    rules = []
    if causal and prefix is None:
        rules.append(distance >= 0)
    if causal and prefix is not None:
        both_ways = prefix[:, None, :, None] & prefix[:, None, None, :]
        rules.append((distance >= 0) | both_ways)
    if window is not None:
        rules.append(distance.abs() < window)
    if documents is not None:
        rules.append(documents[:, None, :, None] == documents[:, None, None, :])
    if padding_mask is not None:
        rules.append(padding_mask[:, None, None, :].expand(-1, 1, len(query_index), -1))
    return reduce(and_, rules) if rules else None


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Weights that sum to 1 over the allowed keys.  (B, H, T, S), (B, 1, T, S) -> (B, H, T, S)

    The mask becomes numbers to add, 0 and -inf, once for all heads: over T·S scores a head that is a
    third of the time of filling them in.
    """
    forbidden = torch.zeros_like(mask, dtype=scores.dtype).masked_fill(~mask, -torch.inf)
    weights = (scores + forbidden).softmax(dim=-1)
    # A row that went wrong is NaN throughout, so its first entry tells.
    if weights[..., 0].isnan().any():
        return careful_softmax(scores, mask)
    return weights


def careful_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """The same in steps, for the rows at which a plain softmax fails.

    subtle: a row without any allowed key (a padding token's) is -inf throughout, whose softmax is
    NaN; it gets weight 0 everywhere, as in torch's fused kernel.
    """
    scores = scores.masked_fill(~mask, -torch.inf)
    largest = scores.amax(dim=-1, keepdim=True).clamp(min=torch.finfo(scores.dtype).min)
    weights = (scores - largest).exp()  # the shift changes nothing but keeps exp from overflowing
    return weights / weights.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(scores.dtype).tiny)


def scaled_dot_product(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor,
    bias: Tensor | None,
    scale: float,
    see: See = lambda name, tensor: tensor,
) -> Tensor:
    """softmax(q·kᵀ · scale + bias) · v, step by step, each step shown to `see`.

    q (B, H, T, d), k and v (B, K, S, d), mask (B, 1, T, S), bias (B or 1, H, T, S) -> (B, H, T, d)
    """
    batch, heads, queries, keys = *q.shape[:3], k.shape[2]
    # The G query heads that share one key/value head stand below each other as G·T queries of it.
    shared = (batch, k.shape[1], -1)
    scores = (q * scale).reshape(*shared, q.shape[-1]) @ k.transpose(-2, -1)  # (B, K, G·T, S)
    scores = scores.view(batch, heads, queries, keys)
    scores = see("scores", scores if bias is None else scores + bias)
    weights = see("weights", masked_softmax(scores, see("mask", mask)))
    return (weights.reshape(*shared, keys) @ v).view(batch, heads, queries, v.shape[-1])


def fused(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, bias: Tensor | None, scale: float
) -> Tensor:
    """The same through torch's kernel, which never holds all T·S scores at once."""
    if bias is not None:
        mask = bias if mask is None else bias.masked_fill(~mask, -torch.inf)
    shared = k.shape[1] != q.shape[1]
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale, enable_gqa=shared)


def attend(q: Tensor, k: Tensor, v: Tensor, view: View, scale: float, probe: Probe) -> Tensor:
    """One vector per head and query: explicit when somebody looks inside, fused when nobody does."""
    if not probe.looks_at("scores", "mask", "weights"):
        return probe("heads", fused(q, k, v, view.mask, view.bias, scale))
    shape = (q.shape[0], 1, q.shape[2], k.shape[2])
    mask = torch.ones(1, dtype=torch.bool, device=q.device) if view.mask is None else view.mask
    return probe("heads", scaled_dot_product(q, k, v, mask.expand(shape), view.bias, scale, probe))


def split_heads(x: Tensor, width: int) -> Tensor:
    """(B, T, H·d) -> (B, H, T, d)"""
    return x.unflatten(-1, (-1, width)).transpose(1, 2)


def join_heads(heads: Tensor) -> Tensor:
    """(B, H, T, d) -> (B, T, H·d)"""
    return heads.transpose(1, 2).flatten(-2)


class Attention(nn.Module):
    """Multi-head, grouped-query or multi-query attention, to itself or to an encoder's output."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        width, bias = config.hidden_size, config.qkv_bias
        self.size = config.size_per_head
        self.scale = self.size**-0.5 if config.attention_scale is None else config.attention_scale
        self.q = nn.Linear(width, config.num_heads * self.size, bias=bias)
        self.k = nn.Linear(width, config.key_value_heads * self.size, bias=bias)
        self.v = nn.Linear(width, config.key_value_heads * self.size, bias=bias)
        self.out = nn.Linear(config.num_heads * self.size, width, bias=config.attention_out_bias)

    def forward(self, x: Tensor, view: View, name: str, probe: Probe) -> Tensor:
        """Attention of a text to itself.  (B, T, D) -> (B, T, D); `name` is the cache's key"""
        q, k, v = (split_heads(linear(x), self.size) for linear in (self.q, self.k, self.v))
        if view.rope is not None:
            q = rotate(probe("q_unrotated", q), *view.rope.query)
            k = probe("k_unrotated", k)
        if view.rope is not None and not view.rope.after_cache:
            k = rotate(k, *view.rope.key)
        if view.cache is not None:
            k, v = view.cache.update(name, k, v)
        if view.rope is not None and view.rope.after_cache:
            k = rotate(k, *view.rope.key)
        return self.read(q, k, v, view, probe)

    def cross(
        self, x: Tensor, context: Tensor | None, view: View, name: str, probe: Probe
    ) -> Tensor:
        """Attention to an encoder's output (B, S, D), or to its keys and values in the cache."""
        q = split_heads(self.q(x), self.size)
        if view.cache is not None and name in view.cache.entries:
            k, v = view.cache.entries[name]
        else:
            k, v = split_heads(self.k(context), self.size), split_heads(self.v(context), self.size)
            if view.cache is not None:
                view.cache.update(name, k, v)
        return self.read(q, k, v, view, probe)

    def read(self, q: Tensor, k: Tensor, v: Tensor, view: View, probe: Probe) -> Tensor:
        q, k, v = probe("q", q), probe("k", k), probe("v", v)
        return self.out(join_heads(attend(q, k, v, view, self.scale, probe)))
