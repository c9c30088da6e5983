"""How large the cache is: by formula for any model, and by looking into a cache that was filled.

What one more token adds does not depend on the number of query heads or on the width of the MLP: only on
layers, key/value heads and their width. The weights are there once; the cache is there for every
token of every text that is being served.

Sources: multi-query attention arXiv:1911.02150, grouped-query arXiv:2305.13245, latent attention with
DeepSeek-V2's sizes arXiv:2405.04434; the other models in `model.presets`.
Axes: M context lengths.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.distributed.cluster import DEVICES
from labcore.errors import LabInputError
from labcore.model.cache import KVCache
from labcore.model.config import LatentAttention, ModelConfig
from labcore.model.counting import cache_numbers_per_token, kv_cache_bytes, parameter_total
from labcore.model.presets import PRESETS
from labcore.model.transformer import Transformer

DEEPSEEK_V2 = "deepseek-v2"
# subtle: its experts are of a kind that our Transformer does not have, so its weights are not counted
# here but taken from its report; the cache depends on attention alone.
DEEPSEEK_V2_CONFIG = ModelConfig(
    vocab_size=102400, hidden_size=5120, num_layers=60, num_heads=128, norm="rmsnorm",
    latent=LatentAttention(
        kv_lora_rank=512, q_lora_rank=1536, rope_head_dim=64, nope_head_dim=128, value_head_dim=128
    ),
)  # fmt: skip
DEEPSEEK_V2_PARAMETERS = 236e9

MODELS = (
    "smollm2-135m", "llama-2-7b", "llama-2-70b", "llama-3-8b", "llama-3-70b", "llama-3.1-405b",
    "mistral-7b", "mixtral-8x7b", "qwen2.5-7b", "gpt3-175b", DEEPSEEK_V2,
)  # fmt: skip
WEIGHT_BYTES = 2  # per weight: bf16
CACHE_BITS = (16, 8, 4)
LATENT_RATIO = 4  # DeepSeek-V2's latent is four heads wide, with half a head more for RoPE
KINDS = ("mha", "gqa", "mqa", "mla")
CURVE_POINTS = 40
LONGEST = 2**20
BATCH_LIMIT = 1024
SMALL = {"vocab_size": 64, "hidden_size": 128, "num_layers": 3, "num_heads": 8}
HELD_TOKENS, HELD_ROWS = 37, 2


@lab_config
class SizeConfig:
    model: str = "llama-3-8b"
    context: int = 8192  # tokens kept per text
    batch: int = 8  # texts at once
    bits: int = 16  # per number in the cache
    device: str = "h100"
    devices: int = 1  # sharing weights and cache evenly

    def __post_init__(self):
        for name, allowed in (("model", MODELS), ("device", tuple(DEVICES)), ("bits", CACHE_BITS)):
            if getattr(self, name) not in allowed:
                raise LabInputError(name, getattr(self, name), "known_choice", allowed=allowed)
        for name, high in (("context", LONGEST), ("batch", BATCH_LIMIT), ("devices", 64)):
            if not 1 <= getattr(self, name) <= high:
                raise LabInputError(name, getattr(self, name), "between", low=1, high=high)


@dataclass(frozen=True, slots=True, eq=False)
class SizeResult:
    published_kind: str  # which of KINDS the model has
    per_token_bytes: dict[str, float]  # by kind: what one more token adds
    cache_bytes: dict[str, float]  # by kind, for the whole batch
    weight_bytes: float
    memory_bytes: float  # of all devices
    fits: dict[
        str, int
    ]  # by kind: how many texts of this length beside the weights; 0 if not even these
    contexts: np.ndarray  # (M,)
    curves: dict[str, np.ndarray]  # (M,) by kind: cache of the whole batch in bytes


@dataclass(frozen=True, slots=True, eq=False)
class HeldResult:
    """Small models whose cache was filled and measured."""

    formula_bytes: dict[str, float]  # by kind
    held_bytes: dict[str, float]  # by kind


def run(config: SizeConfig) -> SizeResult:
    base = model_config(config.model)
    kinds = {kind: as_kind(base, kind) for kind in KINDS}
    share = config.bits / 8
    weights = weight_bytes(config.model)
    memory = DEVICES[config.device].memory_bytes * config.devices

    def cache(kind: str, tokens: int, batch: int = config.batch) -> float:
        return kv_cache_bytes(kinds[kind], tokens, share, batch)

    contexts = np.unique(np.geomspace(128, LONGEST, CURVE_POINTS).astype(int))
    return SizeResult(
        published_kind=kind_of(base),
        per_token_bytes={k: cache_numbers_per_token(c) * share for k, c in kinds.items()},
        cache_bytes={kind: cache(kind, config.context) for kind in KINDS},
        weight_bytes=weights,
        memory_bytes=memory,
        fits={
            kind: max(0, int((memory - weights) // cache(kind, config.context, 1)))
            for kind in KINDS
        },
        contexts=contexts,
        curves={kind: np.array([cache(kind, int(t)) for t in contexts]) for kind in KINDS},
    )


def model_config(name: str) -> ModelConfig:
    return DEEPSEEK_V2_CONFIG if name == DEEPSEEK_V2 else PRESETS[name].config


def weight_bytes(name: str) -> float:
    if name == DEEPSEEK_V2:
        return DEEPSEEK_V2_PARAMETERS * WEIGHT_BYTES
    return parameter_total(PRESETS[name].config) * WEIGHT_BYTES


def kind_of(config: ModelConfig) -> str:
    if config.latent:
        return "mla"
    return "mha" if config.key_value_heads == config.num_heads else "gqa"


def as_kind(config: ModelConfig, kind: str) -> ModelConfig:
    """The same model with another kind of attention; its own kind is left as published."""
    if kind == kind_of(config):
        return config
    if kind == "mla":
        size = config.size_per_head
        # RoPE turns pairs, so its part is even
        latent = LatentAttention(
            kv_lora_rank=LATENT_RATIO * size, rope_head_dim=size // 2 // 2 * 2,
            nope_head_dim=size, value_head_dim=size,
        )  # fmt: skip
        return replace(config, latent=latent, num_key_value_heads=None, head_dim=None)
    heads = {"mha": config.num_heads, "gqa": grouped(config.num_heads), "mqa": 1}[kind]
    size = config.latent.nope_head_dim if config.latent else config.size_per_head
    return replace(config, latent=None, num_key_value_heads=heads, head_dim=size)


def grouped(heads: int) -> int:
    """8 key/value heads, as most published models have, or the largest divisor below.

    >>> grouped(64), grouped(9), grouped(4)
    (8, 3, 2)
    """
    return max(k for k in range(1, min(8, heads - 1) + 1) if heads % k == 0)


def filled(config: ModelConfig, tokens: int, batch: int = 1) -> int:
    """Bytes held by the cache of a model with drawn weights after reading `tokens` random tokens."""
    rng = torch.Generator().manual_seed(0)
    model = Transformer(config, rng)
    cache = KVCache()
    with torch.no_grad():
        model(torch.randint(config.vocab_size, (batch, tokens), generator=rng), cache=cache)
    return cache.bytes()


def compare(tokens: int = HELD_TOKENS) -> HeldResult:
    """Formula and reality side by side, for a small model of each kind, in fp32."""
    small = {kind: as_kind(ModelConfig(**SMALL), kind) for kind in KINDS}
    return HeldResult(
        {kind: kv_cache_bytes(config, tokens, 4, HELD_ROWS) for kind, config in small.items()},
        {kind: float(filled(config, tokens, HELD_ROWS)) for kind, config in small.items()},
    )
