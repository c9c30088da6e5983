"""The lab's decoder a second time, slowly: numpy, 64 bits, query by query, RoPE by complex numbers.

It shares no line with `labcore.model`, so where both give the same logits, neither has a slip of its own.

Axes: T tokens, D width, d head width, V vocabulary.
"""

from collections.abc import Mapping

import numpy as np
from scipy.special import erf

from labcore.model.config import ModelConfig


def decoder_logits(
    weights: Mapping[str, np.ndarray], config: ModelConfig, tokens: list[int]
) -> np.ndarray:
    """A pre-norm decoder with LayerNorm, RoPE, exact GELU and tied embeddings.  (T,) -> (T, V)"""
    table = weights["token_embedding.weight"]
    x = table[tokens]  # (T, D)
    for layer in range(config.num_layers):
        name = f"stack.layers.{layer}"
        x = x + attended(weights, f"{name}.attn", config, normal(weights, f"{name}.attn_norm", x))
        inner = normal(weights, f"{name}.mlp_norm", x) @ weights[f"{name}.mlp.up.weight"].T
        x = x + (inner * (1 + erf(inner / np.sqrt(2))) / 2) @ weights[f"{name}.mlp.down.weight"].T
    return normal(weights, "stack.final_norm", x) @ table.T


def normal(weights: Mapping[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    """(T, D) -> (T, D)"""
    centred = x - x.mean(axis=1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    return centred / deviation * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def attended(
    weights: Mapping[str, np.ndarray], name: str, config: ModelConfig, x: np.ndarray
) -> np.ndarray:
    """Each head, each query: softmax over the keys up to its own place.  (T, D) -> (T, D)"""
    size = config.size_per_head
    q, k, v = (x @ weights[f"{name}.{which}.weight"].T for which in "qkv")
    heads = []
    for head in range(config.num_heads):
        here = slice(head * size, (head + 1) * size)
        asked, keys = turned(q[:, here], config.rope_theta), turned(k[:, here], config.rope_theta)
        rows = []
        for place in range(len(x)):
            # The real part of q · conj(k) is the dot product of the two as pairs of channels.
            scores = (asked[place] * keys[: place + 1].conj()).sum(axis=1).real / np.sqrt(size)
            shares = np.exp(scores - scores.max())
            rows.append(shares / shares.sum() @ v[: place + 1, here])
        heads.append(np.array(rows))
    return np.concatenate(heads, axis=1) @ weights[f"{name}.out.weight"].T


def turned(x: np.ndarray, theta: float) -> np.ndarray:
    """Channels i and i + d/2 as one complex number, times e^(i · place · frequency).  (T, d) -> (T, d/2)"""
    pairs = x.shape[1] // 2
    frequencies = theta ** (-np.arange(pairs) / pairs)
    angles = np.arange(len(x))[:, None] * frequencies
    return (x[:, :pairs] + 1j * x[:, pairs:]) * np.exp(1j * angles)
