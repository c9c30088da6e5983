"""How long one more token takes: attention over a long cache, timed on this machine.

A decoder that writes reads its whole cache for every token. Sharing keys and values makes the cache
smaller and so the reading shorter. Latent attention has the choice: rebuild all keys and values from
the latent, or multiply the rebuilding into the query and read the latent itself (arXiv:2405.04434,
section 2.1.2). Weights are random: time does not depend on what they say.

Axes: B batch, H heads, S cached tokens, D width, r latent, d_nope, d_rope, d_v parts of a head.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.attention import Rope, View, join_heads
from labcore.model.cache import KVCache
from labcore.model.config import LatentAttention, ModelConfig
from labcore.model.latent import LatentMultiHeadAttention
from labcore.model.positions import rotate, rotation, scaled_frequencies
from labcore.model.trace import Probe
from labcore.model.transformer import Transformer

WIDTH, HEADS = 512, 8
KINDS = {
    "mha": {},
    "gqa": {"num_key_value_heads": 2},
    "mqa": {"num_key_value_heads": 1},
    "mla": {
        "latent": LatentAttention(
            kv_lora_rank=192, rope_head_dim=64, nope_head_dim=64, value_head_dim=64
        )
    },
}
ABSORBED = "mla-absorbed"


@lab_config
class SpeedConfig:
    lengths: tuple[int, ...] = (256, 1024, 4096)  # tokens in the cache
    repeats: int = 25  # of which the fastest counts: whatever else the machine does only adds
    seed: int = 0

    def __post_init__(self):
        if not self.lengths or min(self.lengths) < 1:
            raise LabInputError("lengths", min(self.lengths, default=0), "at_least", limit=1)
        if self.repeats < 1:
            raise LabInputError("repeats", self.repeats, "at_least", limit=1)


@dataclass(frozen=True, slots=True, eq=False)
class Speed:
    names: tuple[str, ...]  # the four kinds, and latent attention with its maps absorbed
    lengths: np.ndarray  # (M,) tokens in the cache
    milliseconds: np.ndarray  # (K, M) for one token in one layer, the fastest of the repeats


@torch.no_grad()
def measure(config: SpeedConfig) -> Speed:
    """Time one layer of each kind at each length, in turns, so that a busy moment hits all alike."""
    names = (*KINDS, ABSORBED)
    fastest = []
    for length in config.lengths:
        steps = [ready(name, length, config.seed) for name in names]
        seconds = np.array([[timed(step) for step in steps] for _ in range(config.repeats + 1)])
        fastest.append(seconds[1:].min(axis=0) * 1e3)  # the first round warms up
    return Speed(names, np.array(config.lengths), np.array(fastest, np.float32).T)


def timed(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def ready(name: str, length: int, seed: int) -> Callable[[], Tensor]:
    """One decoding step of one attention layer, its cache filled with `length` tokens."""
    rng = torch.Generator().manual_seed(seed)
    config = attention_only("mla" if name == ABSORBED else name)
    model = Transformer(config, rng)
    attention = model.stack.layers[0].attn
    x = torch.randn(1, 1, WIDTH, generator=rng)
    cached = random_cache(config, length, rng)
    place = torch.tensor([[length]])
    frequencies, amplitude = scaled_frequencies(config.rope_dim, config.rope_theta, None, length)
    turn = rotation(place, frequencies, amplitude, x.dtype)

    def step() -> Tensor:
        cache = KVCache()
        cache.entries["attn"] = cached
        view = View(mask=None, rope=Rope(turn, turn), cache=cache)
        if name == ABSORBED:
            return absorbed(attention, x, view)
        return attention(x, view, "attn", Probe())

    return step


def attention_only(name: str) -> ModelConfig:
    """One layer of attention and nothing else."""
    return ModelConfig(
        vocab_size=1, hidden_size=WIDTH, num_layers=1, num_heads=HEADS, intermediate_size=0,
        **KINDS[name],
    )  # fmt: skip


def random_cache(config: ModelConfig, length: int, rng: torch.Generator) -> tuple[Tensor, ...]:
    """A full cache: keys and values (1, K, S, d), or the latent (1, S, r) and its key (1, 1, S, d_rope)."""
    if config.latent:
        shapes = (length, config.latent.kv_lora_rank), (1, length, config.latent.rope_head_dim)
    else:
        shapes = ((config.key_value_heads, length, config.size_per_head),) * 2
    return tuple(torch.randn(1, *shape, generator=rng) for shape in shapes)


def absorbed(attention: LatentMultiHeadAttention, x: Tensor, view: View) -> Tensor:
    """Latent attention that rebuilds no key and no value: all heads read the latent itself.

    q · (W c) = (Wᵀ q) · c, so the map from latent to key moves over to the query; and the weighted
    sum of the latents is taken before the map from latent to value.  (B, 1, D) -> (B, 1, D)
    """
    sizes = attention.latent
    key_map = attention.k_up.weight.unflatten(0, (-1, sizes.nope_head_dim))  # (H, d_nope, r)
    value_map = attention.v_up.weight.unflatten(0, (-1, sizes.value_head_dim))  # (H, d_v, r)
    queries = attention.queries(x, view, Probe())[:, :, 0]  # (B, H, d_nope + d_rope)
    q_nope, q_rope = queries.split([sizes.nope_head_dim, sizes.rope_head_dim], dim=-1)
    latent, k_rope = remembered(attention, x, view)  # (B, S, r), (B, 1, S, d_rope)
    asked = torch.einsum("bhn,hnr->bhr", q_nope, key_map)
    scores = asked @ latent.transpose(1, 2) + q_rope @ k_rope[:, 0].transpose(1, 2)  # (B, H, S)
    mixed = (scores * attention.scale).softmax(dim=-1) @ latent  # (B, H, r)
    heads = torch.einsum("bhr,hvr->bhv", mixed, value_map)
    return attention.out(join_heads(heads[:, :, None]))


def remembered(attention: LatentMultiHeadAttention, x: Tensor, view: View) -> tuple[Tensor, Tensor]:
    """The new token's latent and turned key, behind those in the cache."""
    latent = attention.kv_norm(attention.kv_down(x))
    k_rope = rotate(attention.k_rope(x)[:, None], *view.rope.key)
    return view.cache.update("attn", latent, k_rope)
