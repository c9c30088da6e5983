"""A cache in few bits: keys and values rounded, and what the model then makes of the rest of the text.

A context is read as usual, its keys and values are rounded and put back, and the rest of the text is read
with them. Numbers share a scale in groups of 32: along one token's channels, or along 32 tokens of one
channel. Both cost the same bytes. Which one fits depends on how keys and values are spread, and that differs
between the two.

Source: KIVI, arXiv:2402.02750.
Axes: R rows, T tokens, M numbers of bits, C context tokens, d head_dim.
"""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from labcore import zoo
from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.events import drain
from labcore.model.cache import KVCache
from labcore.model.transformer import Transformer
from labcore.serving.cache_texts import long_rows

BITS = (8, 4, 3, 2)
PARTS = ("keys", "values", "both")
AXES = ("token", "channel")
# "mixed": keys by channel, values by token, as KIVI has it.
NAMES = (*(f"{part}-{axis}" for part in PARTS for axis in AXES), "both-mixed")
GROUP = 32  # numbers that share a scale
LIMITS = {"context": (32, 512), "rest": (8, 128), "rows": (1, 256)}
SCALE_BITS = 2 * 16  # of a group: its lowest number and its step, in half precision


@lab_config
class BitsConfig:
    model: str = "world-decoder"
    context: int = 32  # tokens in the cache that is rounded
    rest: int = 24  # tokens read with it
    rows: int = 64  # texts
    seed: int = 0

    def __post_init__(self):
        check_limits(self, LIMITS)
        if self.context % GROUP:
            raise LabInputError("context", self.context, "divides_inputs", inputs=self.context)


PUBLISHED = BitsConfig("smollm2-135m-instruct", context=256, rest=64, rows=3)


@dataclass(frozen=True, slots=True, eq=False)
class BitsLook:
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class BitsResult:
    base_nats: np.ndarray  # (R,) with the cache as it is
    without_nats: np.ndarray  # (R,) with no cache: the rest read as if nothing came before
    nats: dict[str, np.ndarray]  # (M, R) by "keys-token" and so on
    bits_per_number: np.ndarray  # (M,) lowest numbers and steps included
    key_map: np.ndarray  # (C, d) keys of one head in the middle layer, of the first text
    value_map: np.ndarray  # (C, d)
    steady: dict[str, float]  # "keys" and "values": see `steadiness`, mean of all heads

    def extra(self, name: str) -> np.ndarray:
        """What rounding costs, text by text.  (M, R)"""
        return self.nats[name] - self.base_nats


def run(config: BitsConfig) -> BitsResult:
    return drain(compare(config))


def compare(config: BitsConfig) -> Generator[BitsLook, None, BitsResult]:
    """Every part, axis and number of bits on the same texts."""
    loaded = zoo.load(config.model)
    tokens = long_rows(loaded, config.rows, config.context + config.rest, config.seed)
    context, rest = tokens[:, : config.context], tokens[:, config.context :]
    kept = KVCache()
    with torch.no_grad():
        loaded.model(context, cache=kept)
    base = loss_of_rest(loaded.model, kept, rest)
    without = loss_of_rest(loaded.model, KVCache(), rest)
    nats, stored = {}, np.zeros(len(BITS))
    for number, name in enumerate(NAMES):
        rows = []
        for index, bits in enumerate(BITS):
            cache, stored[index] = rounded(kept, *name.split("-"), bits)
            rows.append(loss_of_rest(loaded.model, cache, rest))
        nats[name] = np.array(rows)
        yield BitsLook((number + 1) / len(NAMES))
    keys, values = kept.entries[f"layers.{loaded.model.config.num_layers // 2}.attn"]
    steady = {
        name: float(np.mean([steadiness(entry[at]) for entry in kept.entries.values()]))
        for at, name in enumerate(PARTS[:2])
    }
    maps = keys[0, 0].half().numpy(), values[0, 0].half().numpy()
    return BitsResult(base, without, nats, stored, *maps, steady)


def steadiness(entry: Tensor) -> float:
    """How much of a channel's size is the same at every token: the share of the mean square that the
    channels' means make up, between 0 and 1.  (B, K, C, d)"""
    return float(entry.mean(dim=2).square().mean() / entry.square().mean())


@torch.no_grad()
def loss_of_rest(model: Transformer, kept: KVCache, rest: Tensor) -> np.ndarray:
    """Mean loss of each row's tokens that follow the context, all but the first.  -> (R,)"""
    cache = copied(kept)
    predicted = model(rest, cache=cache).logits[:, :-1]
    losses = F.cross_entropy(predicted.transpose(1, 2), rest[:, 1:], reduction="none")
    return losses.mean(dim=1).numpy()


def copied(cache: KVCache) -> KVCache:
    """A cache to write on, so that the one it began as stays as it is."""
    other = KVCache()
    other.entries, other.positions = dict(cache.entries), cache.positions
    return other


def rounded(kept: KVCache, part: str, axis: str, bits: int) -> tuple[KVCache, float]:
    """The cache with keys, values or both in `bits` bits; and the bits that a number then takes."""
    cache, per_number = copied(kept), 0.0
    key_axis, value_axis = ("channel", "token") if axis == "mixed" else (axis, axis)
    for layer, (keys, values) in kept.entries.items():
        if part in ("keys", "both"):
            keys, per_number = round_entry(keys, key_axis, bits)
        if part in ("values", "both"):
            values, per_number = round_entry(values, value_axis, bits)
        cache.entries[layer] = (keys, values)
    return cache, per_number


def round_entry(entry: Tensor, axis: str, bits: int) -> tuple[Tensor, float]:
    """(B, K, C, d) -> the same, rounded; groups of 32 numbers of a token, or of a channel."""
    turned = entry if axis == "token" else entry.transpose(-2, -1)  # groups lie along the last axis
    back = round_groups(turned.reshape(-1, GROUP), bits).reshape(turned.shape)
    return (back if axis == "token" else back.transpose(-2, -1)), bits + SCALE_BITS / GROUP


def round_groups(groups: Tensor, bits: int) -> Tensor:
    """Each number to the nearest of 2^bits levels, spread from its group's lowest to its highest.  (N, 32)

    subtle: `compression.rounding` keeps zero among the levels, as weights lie around it. A channel of keys
    may lie far from zero, and levels from there up to it would be wasted.
    """
    low, high = (end.half().float() for end in (groups.amin(1, True), groups.amax(1, True)))
    step = ((high - low) / (2**bits - 1)).half().float().clamp(min=2**-24)
    codes = ((groups - low) / step).round().clamp(0, 2**bits - 1)
    return low + codes * step
