"""A watermark in words: half of the vocabulary is favoured a little, and which half only the key tells.

Before each token the one before it and a secret key seed a generator, which names a share γ of the
vocabulary green. Green tokens get δ added to their logits. A reader sees nothing; who has the key counts the
green tokens. In text written without the mark a token is green with probability γ, so the count is binomial,
and a long text with many green tokens is unlikely to be anybody else's.

Source: Kirchenbauer et al., arXiv:2301.10226.
Axes: V vocabulary, T tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from scipy import stats
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError

PRIME = 15_485_863  # spreads neighbouring tokens over far seeds


@lab_config
class WatermarkConfig:
    green_share: float = 0.5  # γ
    bias: float = 2.0  # δ, nats added to a green token's logit
    key: int = 42

    def __post_init__(self):
        if not 0 < self.green_share < 1:
            raise LabInputError("green_share", self.green_share, "between", low=0, high=1)
        if not 0 <= self.bias <= 20:
            raise LabInputError("bias", self.bias, "between", low=0, high=20)


def green_tokens(before: int, vocab_size: int, config: WatermarkConfig) -> Tensor:
    """The tokens that are favoured after `before`.  -> (V,) bool, γ·V of them True"""
    rng = torch.Generator().manual_seed(config.key * PRIME + before)
    green = torch.zeros(vocab_size, dtype=torch.bool)
    green[torch.randperm(vocab_size, generator=rng)[: int(config.green_share * vocab_size)]] = True
    return green


def marked_logits(logits: Tensor, before: int, config: WatermarkConfig) -> Tensor:
    """Logits with the mark in them.  (V,) -> (V,)"""
    return logits + config.bias * green_tokens(before, len(logits), config)


@dataclass(frozen=True, slots=True)
class Verdict:
    green: int
    counted: int  # different pairs of neighbours
    z: float  # standard deviations above what chance gives
    p_value: float  # how often text without the mark has so many green tokens, exactly


def detect(tokens: Sequence[int], vocab_size: int, config: WatermarkConfig) -> Verdict:
    """Count the green tokens of a text.  z = (green − γ·n) / √(n·γ·(1 − γ))

    Worked by hand: 40 of 50 green at γ = ½: z = (40 − 25) / √12.5 = 4.24.

    subtle: a pair of neighbours that comes again is green again for certain, so each is counted once; a text
    that repeats itself would otherwise be found guilty.
    """
    pairs = sorted(set(pairwise(tokens)))
    share = int(config.green_share * vocab_size) / vocab_size
    green = sum(bool(green_tokens(one, vocab_size, config)[other]) for one, other in pairs)
    if not pairs:
        return Verdict(0, 0, 0.0, 1.0)
    deviation = (len(pairs) * share * (1 - share)) ** 0.5
    tail = float(stats.binom.sf(green - 1, len(pairs), share))
    return Verdict(green, len(pairs), (green - share * len(pairs)) / deviation, tail)
