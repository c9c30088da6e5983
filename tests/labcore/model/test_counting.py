"""Formulas against counted numbers: the model's own tensors, and torch's counter of operations."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from labcore.errors import LabInputError
from labcore.model.cache import KVCache
from labcore.model.config import LatentAttention, MixtureOfExperts, ModelConfig
from labcore.model.counting import (
    cache_numbers_per_token,
    count_flops,
    count_parameters,
    flops_total,
    kv_cache_bytes,
    parameter_total,
    weight_bytes,
)
from labcore.model.presets import PRESETS
from labcore.model.transformer import Transformer

TINY = ModelConfig(vocab_size=50, hidden_size=32, num_heads=4, max_positions=64)
EVERY_CHOICE = {
    "default": TINY,
    "grouped queries": TINY.with_(num_key_value_heads=2),
    "multi-query": TINY.with_(num_key_value_heads=1),
    "wide heads": TINY.with_(head_dim=16, intermediate_size=70),
    "biases": TINY.with_(qkv_bias=True, attention_out_bias=True, mlp_bias=True, head_bias=True),
    "norm without shift": TINY.with_(norm_bias=False),
    "learned": TINY.with_(positions="learned"),
    "sinusoidal, post-norm": TINY.with_(positions="sinusoidal", norm_placement="post"),
    "alibi, window": TINY.with_(positions="alibi", sliding_window=4),
    "llama": TINY.with_(norm="rmsnorm", activation="swiglu", tie_embeddings=False),
    "latent": TINY.with_(latent=LatentAttention()),
    "latent queries": TINY.with_(latent=LatentAttention(q_lora_rank=12), norm="rmsnorm"),
    "attention alone": TINY.with_(intermediate_size=0),
    "no norm": TINY.with_(norm="none", residual=False),
    "experts": TINY.with_(moe=MixtureOfExperts(num_experts=4, experts_per_token=2)),
    "bert": PRESETS["bert-base"].config.with_(
        vocab_size=50, hidden_size=32, num_layers=2, num_heads=4, max_positions=64
    ),
    "encoder without head": TINY.with_(kind="encoder", head="none"),
    "t5": PRESETS["t5-v1.1-small"].config.with_(
        vocab_size=50, hidden_size=32, num_layers=2, num_heads=4, head_dim=16, num_encoder_layers=3
    ),
    "translator, learned": TINY.with_(
        kind="encoder_decoder", positions="learned", embedding_norm=True, latent=LatentAttention()
    ),
}


def build(config: ModelConfig) -> Transformer:
    return Transformer(config, torch.Generator().manual_seed(0))


def counted(forward) -> int:
    """FLOPs of one call as torch counts them, operation by operation."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        forward()
    return counter.get_total_flops()


@pytest.mark.parametrize("config", EVERY_CHOICE.values(), ids=EVERY_CHOICE)
def test_every_weight_tensor_is_foreseen_by_name_and_shape(config):
    """Not only the total: name by name what the built model holds; tied tensors are not held."""
    built = {name: tuple(tensor.shape) for name, tensor in build(config).named_parameters()}
    foreseen = {part.name: part.shape for part in count_parameters(config) if not part.tied_to}
    assert foreseen == built


@pytest.mark.parametrize("config", EVERY_CHOICE.values(), ids=EVERY_CHOICE)
def test_operations_of_a_forward_pass_equal_those_that_torch_counts(config):
    """The traced pass takes the explicit path, where each product is a call that torch can see."""
    model, tokens = build(config), torch.arange(7)[None]
    context = torch.arange(5)[None] if config.kind == "encoder_decoder" else None
    measured = counted(lambda: model(tokens, context=context, trace=True))
    assert flops_total(config, tokens=7, context=5) == measured


@pytest.mark.parametrize(
    "name", [name for name, config in EVERY_CHOICE.items() if config.kind != "encoder"]
)
def test_operations_of_one_generated_token_equal_those_that_torch_counts(name):
    """Seven tokens are in the cache; the eighth makes its own key and value and looks at eight."""
    config = EVERY_CHOICE[name]
    model, cache = build(config), KVCache()
    context = torch.arange(5)[None] if config.kind == "encoder_decoder" else None
    model(torch.arange(7)[None], context=context, cache=cache)
    measured = counted(lambda: model(torch.tensor([[7]]), cache=cache, trace=True))
    assert flops_total(config, tokens=1, cached=7, context=5) == measured


def test_a_block_by_hand():
    """One layer, D = 4, H = 2, F = 16, V = 10, T = 3, two FLOPs per multiply-add.

    q, k, v, out: 4 · 2·3·4·4 = 384. Scores and mixing: 2 · 2·(2 heads)·3·3·2 = 144.
    Up and down: 2 · 2·3·4·16 = 768. Vocabulary: 2·3·4·10 = 240. Together 1536.
    """
    config = ModelConfig(vocab_size=10, hidden_size=4, num_layers=1, num_heads=2)
    by_name = {work.name: work.flops for work in count_flops(config, tokens=3)}
    assert by_name["layers.0.attn.q"] == 96
    assert by_name["layers.0.attn.scores"] == 72
    assert by_name["layers.0.mlp.hidden"] == 384
    assert by_name["logits"] == 240
    assert flops_total(config, tokens=3) == 1536


@pytest.mark.parametrize("name", ["default", "grouped queries", "multi-query", "latent", "t5"])
def test_cache_bytes_equal_what_the_cache_holds(name):
    """fp32 is four bytes a number; MHA 2·H·d, GQA and MQA 2·K·d, MLA r + d_rope per layer."""
    config = EVERY_CHOICE[name]
    cache = KVCache()
    context = torch.arange(5)[None] if config.kind == "encoder_decoder" else None
    build(config)(torch.arange(7)[None], context=context, cache=cache)
    assert kv_cache_bytes(config, tokens=7, bytes_per_number=4, context=5) == cache.bytes()


def test_llama_3_caches_128_kib_a_token():
    """32 layers · 2 · 8 key/value heads · 128 · 2 bytes = 131,072; with all 32 heads four times it."""
    config = PRESETS["llama-3-8b"].config
    assert kv_cache_bytes(config, tokens=1) == 131_072
    assert kv_cache_bytes(config.with_(num_key_value_heads=None), tokens=1) == 4 * 131_072


def test_a_sliding_window_bounds_the_cache():
    config = PRESETS["mistral-7b"].config
    assert kv_cache_bytes(config, tokens=4096) == kv_cache_bytes(config, tokens=100_000)
    assert kv_cache_bytes(config, tokens=4095) < kv_cache_bytes(config, tokens=4096)


def test_an_encoder_has_nothing_to_cache():
    assert cache_numbers_per_token(PRESETS["bert-base"].config) == 0


def test_weights_in_half_precision_take_two_bytes_each():
    config = PRESETS["llama-2-7b"].config
    assert weight_bytes(config) == 2 * parameter_total(config) == 2 * 6_738_415_616


@pytest.mark.parametrize(
    ("arguments", "field"),
    [({"tokens": 0}, "tokens"), ({"tokens": 1, "cached": -1}, "cached")],
)
def test_lengths_that_cannot_be_are_refused(arguments, field):
    with pytest.raises(LabInputError, match=field) as caught:
        count_flops(TINY, **arguments)
    assert caught.value.rule == "at_least"


def test_an_encoder_cannot_continue_from_a_cache():
    with pytest.raises(LabInputError, match="needs_decoder"):
        count_flops(TINY.with_(kind="encoder"), tokens=1, cached=4)
