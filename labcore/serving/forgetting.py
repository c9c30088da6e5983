"""A cache that may not grow: what is lost when the oldest tokens are thrown out.

Three ways keep the same number of tokens. `window`: the latest. `sinks`: the very first few for good, and
the latest. `others`: the next few for good, and the latest, to see whether it is the first that matter.
`full` throws nothing out. Keys are kept unturned and RoPE turns them by their place *in the cache*, as
StreamingLLM has it, so that no distance is ever larger than the cache.

Tokens are read a chunk at a time, and thrown out after each: while it reads, a cache is up to a chunk longer.
Source: StreamingLLM, arXiv:2309.17453.
Axes: R rows, T tokens, M bins of positions.
"""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from labcore import zoo
from labcore.configs import lab_config
from labcore.errors import check_limits
from labcore.events import drain
from labcore.model.cache import KVCache
from labcore.model.config import RopeScaling
from labcore.model.transformer import Transformer
from labcore.serving.cache_texts import long_rows

WAYS = ("full", "window", "sinks", "others")
BIN_TOKENS = 16
ENDLESS = 2**30
LIMITS = {
    "window": (16, 256), "sinks": (1, 8), "length": (128, 1024), "rows": (1, 64), "chunk": (8, 16),
}  # fmt: skip


@lab_config
class ForgetConfig:
    model: str = "world-decoder"
    window: int = 64  # tokens kept, the sinks among them
    sinks: int = 4
    length: int = 384
    rows: int = 24
    chunk: int = 8  # tokens read between two clearances; no fewer than sinks
    seed: int = 0

    def __post_init__(self):
        check_limits(self, LIMITS)


# The same on a published model, whose passes are dear: three texts are three rows.
PUBLISHED = ForgetConfig("smollm2-135m-instruct", window=96, length=512, rows=3, chunk=16)


@dataclass(frozen=True, slots=True, eq=False)
class ForgetLook:
    share: float
    way: str


@dataclass(frozen=True, slots=True, eq=False)
class ForgetResult:
    positions: np.ndarray  # (M,) middle of each bin
    nats: dict[str, np.ndarray]  # (R, M) by way: mean loss of the bin's tokens
    kept_tokens: dict[str, int]  # by way, at the end
    kept_bytes: dict[str, int]  # by way, of one row at the end
    window: int

    def beyond(self, way: str) -> np.ndarray:
        """Mean loss of each row where the window no longer holds everything.  (R,)"""
        late = self.positions > self.window + BIN_TOKENS
        return self.nats[way][:, late].mean(axis=1)


def run(config: ForgetConfig) -> ForgetResult:
    return drain(forget(config))


def forget(config: ForgetConfig) -> Generator[ForgetLook, None, ForgetResult]:
    """The same rows read four times."""
    loaded = zoo.load(config.model)
    tokens = long_rows(loaded, config.rows, config.length, config.seed)
    model = unturned(loaded.model)
    nats, kept, held = {}, {}, {}
    for number, way in enumerate(WAYS):
        losses, cache = read(model, tokens, way, config)
        nats[way], kept[way] = binned(losses), cache.length
        held[way] = cache.bytes() // config.rows
        yield ForgetLook((number + 1) / len(WAYS), way)
    positions = (np.arange(nats["full"].shape[1]) + 0.5) * BIN_TOKENS
    return ForgetResult(positions, nats, kept, held, config.window)


def unturned(model: Transformer) -> Transformer:
    """The same model and weights, with keys that are turned when they are read, not when they are kept.

    subtle: that is what "dynamic" scaling does; with factor 1 and no end to the trained length it scales
    nothing.
    """
    scaling = RopeScaling("dynamic", factor=1.0, original_max_positions=ENDLESS)
    config = model.config.with_(rope_scaling=scaling)
    return Transformer(config, weights=model.state_dict())


@torch.no_grad()
def read(
    model: Transformer, tokens: Tensor, way: str, config: ForgetConfig
) -> tuple[Tensor, KVCache]:
    """Loss of every next token with a cache that is cleared after each chunk.  (R, T) -> (R, T - 1)"""
    cache, logits, cleared = KVCache(), [], False
    for at in range(0, tokens.shape[1] - 1, config.chunk):
        chunk = tokens[:, at : min(at + config.chunk, tokens.shape[1] - 1)]
        logits.append(model(chunk, cache=cache).logits)
        length = cache.length
        keep(cache, kept_places(way, length, config.window, config.sinks, cleared))
        cleared = cleared or cache.length < length
    predicted = torch.cat(logits, dim=1)  # (R, T - 1, V)
    return F.cross_entropy(predicted.transpose(1, 2), tokens[:, 1:], reduction="none"), cache


def kept_places(way: str, length: int, window: int, sinks: int, cleared: bool) -> Tensor:
    """Which of `length` tokens in the cache stay, in order.

    `cleared`: not for the first time, so that the tokens kept for good stand at the front already.
    """
    if way == "full" or length <= window:
        return torch.arange(length)
    if way == "window":
        return torch.arange(length - window, length)
    first = sinks if way == "others" and not cleared else 0
    for_good = torch.arange(first, first + sinks)
    return torch.cat([for_good, torch.arange(length - window + sinks, length)])


def keep(cache: KVCache, places: Tensor) -> None:
    """Throw out every token but these; those that stay move together."""
    cache.entries = {
        layer: tuple(kept.index_select(-2, places) for kept in entry)
        for layer, entry in cache.entries.items()
    }
    cache.positions = torch.arange(len(places))[None]


def binned(losses: Tensor) -> np.ndarray:
    """(R, T) -> (R, M), means of whole bins"""
    whole = losses.shape[1] // BIN_TOKENS * BIN_TOKENS
    return losses[:, :whole].unflatten(1, (-1, BIN_TOKENS)).mean(dim=2).numpy()
