"""What a longer text costs: matrix products with weights grow with T, those between tokens with T².

Every token meets every weight once, whatever stands beside it. Scores and weighted sums are products of
tokens with tokens: 4·H·d of them per pair of tokens and layer. Somewhere the second overtakes the first.

Axes: N lengths.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labcore.model.config import ModelConfig
from labcore.model.counting import Work, count_flops, kv_cache_bytes

BETWEEN_TOKENS = (
    ".scores",
    ".heads",
)  # the two products of attention in which no weight takes part


@dataclass(frozen=True, slots=True, eq=False)
class ContextCost:
    lengths: np.ndarray  # (N,) tokens read at once
    weight_flops: np.ndarray  # (N,) of products with weights
    attention_flops: np.ndarray  # (N,) of products between tokens
    cache_bytes: np.ndarray  # (N,)
    crossing: float  # tokens at which both cost the same


def context_cost(
    config: ModelConfig, lengths: Sequence[int], bytes_per_number: float = 2
) -> ContextCost:
    """Both kinds of operations, and the cache, at each length of the text.

    Lengths beyond `max_positions` are counted as well: the formula does not know what was trained.
    """
    pairs = [split_flops(count_flops(config, tokens)) for tokens in lengths]
    cache = [kv_cache_bytes(config, n, bytes_per_number, context=n) for n in lengths]
    return ContextCost(
        lengths=np.array(lengths),
        weight_flops=np.array([pair[0] for pair in pairs], dtype=np.float64),
        attention_flops=np.array([pair[1] for pair in pairs], dtype=np.float64),
        cache_bytes=np.array(cache),
        crossing=crossing(config),
    )


def split_flops(work: Sequence[Work]) -> tuple[int, int]:
    """FLOPs of products with weights, and of products between tokens."""
    between = sum(one.flops for one in work if one.name.endswith(BETWEEN_TOKENS))
    return sum(one.flops for one in work) - between, between


def crossing(config: ModelConfig) -> float:
    """The length at which both kinds cost the same.

    The first is a·T and the second b·T², so the T at which they are equal is a/b; one token tells
    both a and b.
    """
    linear, quadratic = split_flops(count_flops(config, 1))
    return linear / quadratic
