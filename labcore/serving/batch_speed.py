"""Reading a prompt and writing an answer: why the one is cheap per token and the other dear.

A pass of the model reads every weight once, whether it has one token to work on or a hundred. A prompt's
tokens go through together (prefill); an answer's cannot, each waits for the one before (decode). What can
go through together is one token each of several texts: a batch. Weights are drawn, not
trained: time does not depend on what they say.

Time is the processor's for this computation, on one core.
Axes: M sizes of a pass in tokens, R rounds.
"""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.events import drain
from labcore.model.cache import KVCache
from labcore.model.config import ModelConfig
from labcore.model.counting import count_flops, kv_cache_bytes, weight_bytes
from labcore.model.transformer import Transformer

MODELS = {
    # 21 million weights, 85 MB: more than a core keeps close to itself
    "large": ModelConfig(vocab_size=4096, hidden_size=512, num_layers=6, num_heads=8),
    # 0.9 million weights, 3.4 MB: they stay in the core's own memory
    "small": ModelConfig(vocab_size=512, hidden_size=128, num_layers=4, num_heads=4),
}
SIZES = (1, 2, 4, 8, 16, 32, 64)
LIMITS = {"context": (16, 256), "rounds": (2, 15)}
FP32_BYTES = 4


@lab_config
class BatchConfig:
    model: str = "large"
    context: int = 64  # tokens that each text has in its cache
    rounds: int = 5
    seed: int = 0

    def __post_init__(self):
        if self.model not in MODELS:
            raise LabInputError("model", self.model, "known_choice", allowed=tuple(MODELS))
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True, eq=False)
class BatchLook:
    share: float
    decode_seconds: np.ndarray  # (rounds so far, M)
    prefill_seconds: np.ndarray  # (rounds so far, M)


@dataclass(frozen=True, slots=True, eq=False)
class BatchResult:
    sizes: np.ndarray  # (M,) tokens in one pass
    decode_seconds: np.ndarray  # (R, M) a pass over one new token of each of M texts
    prefill_seconds: np.ndarray  # (R, M) a pass over M tokens of one prompt
    decode_flops: np.ndarray  # (M,)
    decode_bytes: np.ndarray  # (M,) weights and caches, each number read once


def run(config: BatchConfig) -> BatchResult:
    return drain(measure(config))


def measure(config: BatchConfig) -> Generator[BatchLook, None, BatchResult]:
    """Both kinds of pass at every size, in turns; the first round warms up and does not count."""
    rng = torch.Generator().manual_seed(config.seed)
    model = Transformer(MODELS[config.model], rng)
    decode = [decoding(model, size, config.context, rng) for size in SIZES]
    prefill = [prefilling(model, size, rng) for size in SIZES]
    rounds = []
    for number in range(config.rounds + 1):
        rounds.append([[timed(step) for step in steps] for steps in (decode, prefill)])
        if number:
            seconds = np.array(rounds[1:])  # (rounds, 2, M)
            yield BatchLook(number / config.rounds, seconds[:, 0], seconds[:, 1])
    flops = sum(work.flops for work in count_flops(model.config, 1, config.context))
    weights = weight_bytes(model.config, FP32_BYTES)
    cache = np.array([kv_cache_bytes(model.config, config.context, FP32_BYTES, b) for b in SIZES])
    return BatchResult(
        np.array(SIZES), seconds[:, 0], seconds[:, 1], np.array(SIZES) * float(flops),
        weights + cache,
    )  # fmt: skip


@torch.no_grad()
def timed(step: Callable[[], object]) -> float:
    started = time.thread_time()
    step()
    return time.thread_time() - started


def decoding(
    model: Transformer, batch: int, context: int, rng: torch.Generator
) -> Callable[[], object]:
    """One new token of each of `batch` texts, whose caches hold `context` tokens."""
    entries = random_entries(model.config, batch, context, rng)
    tokens = torch.randint(model.config.vocab_size, (batch, 1), generator=rng)

    def step() -> object:
        cache = KVCache()  # a fresh one: each round writes the same token behind the same context
        cache.entries, cache.positions = dict(entries), torch.arange(context)[None]
        return model(tokens, cache=cache)

    return step


def prefilling(model: Transformer, length: int, rng: torch.Generator) -> Callable[[], object]:
    """`length` tokens of one prompt, all in one pass."""
    tokens = torch.randint(model.config.vocab_size, (1, length), generator=rng)
    return lambda: model(tokens, cache=KVCache())


def random_entries(
    config: ModelConfig, batch: int, context: int, rng: torch.Generator
) -> dict[str, tuple[Tensor, Tensor]]:
    """Keys and values (B, K, S, d) of every layer: what a cache of so many tokens would hold."""
    shape = (batch, config.key_value_heads, context, config.size_per_head)
    return {
        f"layers.{layer}.attn": (
            torch.randn(shape, generator=rng), torch.randn(shape, generator=rng),
        )
        for layer in range(config.num_layers)
    }  # fmt: skip
