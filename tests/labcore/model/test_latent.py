"""Latent attention against DeepSeek-V2's in transformers, and against what makes it cheap."""

import torch
from transformers import DeepseekV2Config
from transformers.models.deepseek_v2.modeling_deepseek_v2 import (
    DeepseekV2Attention,
    DeepseekV2RotaryEmbedding,
)

from labcore.model.attention import Rope, View, attention_mask
from labcore.model.cache import KVCache
from labcore.model.config import LatentAttention, ModelConfig
from labcore.model.latent import LatentMultiHeadAttention
from labcore.model.positions import rope_frequencies, rotation
from labcore.model.trace import Probe
from labcore.model.transformer import Transformer

NOPE, ROPE, VALUE, RANK, HEADS = 6, 8, 5, 10, 3


def deepseek(q_lora_rank: int | None) -> tuple[DeepseekV2Attention, DeepseekV2RotaryEmbedding]:
    config = DeepseekV2Config(
        hidden_size=24,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        kv_lora_rank=RANK,
        q_lora_rank=q_lora_rank,
        qk_rope_head_dim=ROPE,
        head_dim=ROPE,  # what the rotary embedding of transformers 5 reads
        qk_nope_head_dim=NOPE,
        v_head_dim=VALUE,
        rope_parameters={"rope_type": "default", "rope_theta": 100.0},
    )
    config._attn_implementation = "eager"
    attention, draw = DeepseekV2Attention(config, layer_idx=0), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.normal_(0.0, 0.4, generator=draw)
    return attention, DeepseekV2RotaryEmbedding(config)


def ours(theirs: DeepseekV2Attention, q_lora_rank: int | None) -> LatentMultiHeadAttention:
    """DeepSeek glues maps together and turns interleaved pairs; ours are apart and half-split."""
    config = ModelConfig(
        hidden_size=24,
        num_heads=HEADS,
        norm="rmsnorm",
        norm_eps=1e-6,
        latent=LatentAttention(RANK, q_lora_rank, ROPE, NOPE, VALUE),
    )
    halves = torch.cat([torch.arange(0, ROPE, 2), torch.arange(1, ROPE, 2)])
    per_head = torch.cat([torch.arange(NOPE), NOPE + halves])
    rows = (torch.arange(HEADS)[:, None] * (NOPE + ROPE) + per_head).flatten()
    latent_rows, key_rows = theirs.kv_a_proj_with_mqa.weight.split([RANK, ROPE])
    rebuilt = theirs.kv_b_proj.weight.unflatten(0, (HEADS, NOPE + VALUE))
    weights = {
        "kv_down.weight": latent_rows,
        "k_rope.weight": key_rows[halves],
        "kv_norm.weight": theirs.kv_a_layernorm.weight,
        "k_up.weight": rebuilt[:, :NOPE].flatten(0, 1),
        "v_up.weight": rebuilt[:, NOPE:].flatten(0, 1),
        "out.weight": theirs.o_proj.weight,
    }
    if q_lora_rank is None:
        weights["q.weight"] = theirs.q_proj.weight[rows]
    else:
        weights["q_down.weight"] = theirs.q_a_proj.weight
        weights["q_norm.weight"] = theirs.q_a_layernorm.weight
        weights["q_up.weight"] = theirs.q_b_proj.weight[rows]
    attention = LatentMultiHeadAttention(config)
    attention.load_state_dict(weights)
    return attention


def test_latent_attention_equals_deepseeks():
    x = torch.randn(2, 9, 24, generator=torch.Generator().manual_seed(1))
    positions = torch.arange(9)[None]
    mask = attention_mask(positions[0], positions[0], causal=True)
    additive = torch.zeros(1, 1, 9, 9).masked_fill(~mask, -torch.inf)
    turn = rotation(positions, rope_frequencies(ROPE, 100.0))
    for rank in (None, 4):
        theirs, embedding = deepseek(rank)
        with torch.no_grad():
            expected, _ = theirs(x, additive, position_embeddings=embedding(x, positions))
            mine = ours(theirs, rank)(x, View(mask, rope=Rope(turn, turn)), "attn", Probe())
        assert expected.std() > 0.1
        torch.testing.assert_close(mine, expected, atol=1e-4, rtol=0)


def test_the_cache_holds_latent_and_shared_key_only():
    """Per token and layer r + d_rope = 16 + 8 numbers, instead of 2·H·d = 2·4·16; 4 bytes each."""
    config = ModelConfig(latent=LatentAttention(kv_lora_rank=16, rope_head_dim=8, nope_head_dim=8))
    sizes = {}
    for name, latent in (("latent", config.latent), ("plain", None)):
        cache = KVCache()
        with torch.no_grad():
            Transformer(config.with_(latent=latent)).eval()(torch.arange(10)[None], cache=cache)
        sizes[name] = cache.bytes()
    assert sizes == {"latent": 4 * 2 * 10 * 24, "plain": 4 * 2 * 10 * 2 * 4 * 16}
