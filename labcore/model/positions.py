"""Where a token stands: six ways to tell a Transformer about order.

Attention by itself sees a set, not a sequence. Learned and sinusoidal positions are added to the
embeddings; RoPE turns queries and keys; ALiBi and T5 add a bias to the scores.

Axes: B batch, T query position, S key position, D width, H heads, d head_dim.
"""

import math

import torch
from torch import Tensor

from labcore.model.config import RopeScaling

Rotation = tuple[Tensor, Tensor]  # cos and sin, each (B or 1, 1, T, d/2)


def sinusoidal(positions: Tensor, width: int) -> Tensor:
    """Sine and cosine of each position at D/2 wavelengths from 2π to 20000π.  (…, T) -> (…, T, D)

    Source: Vaswani et al., arXiv:1706.03762, section 3.5; even channels sine, odd channels cosine.
    """
    wavelengths = 10000 ** (torch.arange(0, width, 2, device=positions.device) / width)  # (D/2,)
    angles = positions[..., None] / wavelengths  # (…, T, D/2)
    waves = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)  # (…, T, D)
    return waves[..., :width]


# RoPE: Su et al., arXiv:2104.09864.


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair of channels by its angle.  (B, H, T, d) -> (B, H, T, d)

    The pairs are (i, i + d/2), the "half-split" order of published Llama weights; the paper pairs
    (2i, 2i + 1). Both are the same up to a permutation of the rows of W_q and W_k; mixing them is a bug.
    """
    first, second = x.chunk(2, dim=-1)  # (B, H, T, d/2) each
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def rotation(
    positions: Tensor,
    frequencies: Tensor,
    amplitude: float = 1.0,
    dtype: torch.dtype = torch.float32,
) -> Rotation:
    """cos and sin of position · frequency.  (B or 1, T), (d/2,) -> two of (B or 1, 1, T, d/2)"""
    angles = (positions[..., None].float() * frequencies)[
        :, None
    ]  # half precision cannot count far
    return (angles.cos() * amplitude).to(dtype), (angles.sin() * amplitude).to(dtype)


def rope_frequencies(width: int, theta: float) -> Tensor:
    """How far one step turns each pair, in radians: 1 down to almost 1/theta.  -> (d/2,)"""
    return 1.0 / theta ** (torch.arange(0, width, 2, dtype=torch.float32) / width)


def scaled_frequencies(
    width: int, theta: float, scaling: RopeScaling | None, length: int
) -> tuple[Tensor, float]:
    """RoPE's frequencies after scaling, and the factor on cos and sin.  -> (d/2,), amplitude

    `length`: tokens at hand, which only "dynamic" looks at.
    """
    frequencies = rope_frequencies(width, theta)
    if scaling is None:
        return frequencies, 1.0
    if scaling.kind == "linear":
        return frequencies / scaling.factor, 1.0
    if scaling.kind == "dynamic":
        return rope_frequencies(width, ntk_theta(width, theta, scaling, length)), 1.0
    if scaling.kind == "llama3":
        return llama3_frequencies(frequencies, scaling), 1.0
    return yarn_frequencies(frequencies, theta, scaling), yarn_amplitude(scaling)


def ntk_theta(width: int, theta: float, scaling: RopeScaling, length: int) -> float:
    """The larger base for texts beyond the trained length: slow pairs stretched, fast ones spared."""
    trained = scaling.original_max_positions
    stretch = scaling.factor * max(length, trained) / trained - (scaling.factor - 1)
    return theta * stretch ** (width / max(1, width - 2))  # one pair alone turns by 1 at any base


def llama3_frequencies(frequencies: Tensor, scaling: RopeScaling) -> Tensor:
    """Llama 3.1: slow pairs divided by the factor, fast ones kept, a smooth mix between.  (d/2,)"""
    turns = scaling.original_max_positions * frequencies / (2 * math.pi)  # over the trained length
    span = scaling.high_freq_factor - scaling.low_freq_factor
    kept = ((turns - scaling.low_freq_factor) / span).clamp(0, 1)
    return frequencies * (kept + (1 - kept) / scaling.factor)


def yarn_frequencies(frequencies: Tensor, theta: float, scaling: RopeScaling) -> Tensor:
    """YaRN's "NTK by parts": the ramp runs over the pair's index.  (d/2,), arXiv:2309.00071, 3.2"""
    width = 2 * len(frequencies)
    low = yarn_pair(scaling.beta_fast, width, theta, scaling.original_max_positions)
    high = yarn_pair(scaling.beta_slow, width, theta, scaling.original_max_positions)
    if scaling.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, width - 1)
    span = (high - low) or 0.001  # a ramp of no width is a step
    interpolated = ((torch.arange(width // 2) - low) / span).clamp(0, 1)
    return frequencies * ((1 - interpolated) + interpolated / scaling.factor)


def yarn_pair(turns: float, width: int, theta: float, trained: int) -> float:
    """Index of the pair that turns `turns` times over the trained length."""
    return width * math.log(trained / (turns * 2 * math.pi)) / (2 * math.log(theta))


def yarn_amplitude(scaling: RopeScaling) -> float:
    """YaRN's temperature on the scores, put on cos and sin: 0.1·ln(factor) + 1."""
    if scaling.attention_factor is not None:
        return scaling.attention_factor
    return 0.1 * math.log(scaling.factor) + 1


# Biases on the scores.


def alibi_slopes(num_heads: int) -> list[float]:
    """One slope per head, a geometric series from 2^(-8/H); Press et al., arXiv:2108.12409.

    For a head count that is no power of two, the authors take the series of the power below and
    fill up with every second slope of the power above.
    """
    power = 2 ** int(math.log2(num_heads))
    slopes = [2 ** (-8 * (head + 1) / power) for head in range(power)]
    between = [2 ** (-4 * (head + 1) / power) for head in range(0, 2 * power, 2)]
    return slopes + between[: num_heads - power]


def alibi_bias(query_positions: Tensor, key_positions: Tensor, num_heads: int) -> Tensor:
    """A penalty that grows with the distance |i - j|.  (B, T), (B, S) -> (B, H, T, S)"""
    slopes = torch.tensor(alibi_slopes(num_heads), device=query_positions.device)  # (H,)
    distance = (query_positions[:, None, :, None] - key_positions[:, None, None, :]).abs()
    return -slopes[:, None, None] * distance


def t5_bucket(relative: Tensor, buckets: int, max_distance: int, bidirectional: bool) -> Tensor:
    """The bucket of a relative position j - i: exact when near, logarithmic when far.

    With `bidirectional`, half of the buckets are for keys after the query; without, all of those
    fall into bucket 0. Source: Raffel et al., arXiv:1910.10683, section 2.1.
    """
    offset = torch.zeros_like(relative)
    if bidirectional:
        buckets //= 2
        offset = torch.where(relative > 0, buckets, 0)
        distance = relative.abs()
    else:
        distance = (-relative).clamp(min=0)
    exact = buckets // 2
    growth = torch.log(distance.clamp(min=1).float() / exact) / math.log(max_distance / exact)
    far = (exact + (growth * (buckets - exact)).long()).clamp(max=buckets - 1)
    return offset + torch.where(distance < exact, distance, far)
