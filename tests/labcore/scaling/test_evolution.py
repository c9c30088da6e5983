"""Designs from GPT-2 to DeepSeek-V3: counted like `transformers` counts them, and like their reports."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers

from labcore.errors import LabInputError
from labcore.scaling import decoding, evolution
from labcore.scaling.decoding import BATCHES, DecodingConfig
from labcore.scaling.evolution import PUBLISHED, STEPS, V2, V3, EvolutionConfig


@pytest.mark.parametrize(
    ("name", "billions", "active"),
    [("mixtral-8x7b", 46.7, 12.9), ("deepseek-v2", 236, 21), ("deepseek-v3", 671, 37),
     ("qwen2.5-72b", 72.7, 72.7), ("llama-3.1-405b", 405, 405)],
)  # fmt: skip
def test_parameters_are_those_reported(name, billions, active):
    design = PUBLISHED[name]
    assert evolution.parameters(design) / 1e9 == pytest.approx(billions, rel=0.003)
    assert evolution.active_parameters(design) / 1e9 == pytest.approx(active, rel=0.02)


@pytest.mark.parametrize(("design", "kind"), [(V2, "DeepseekV2"), (V3, "DeepseekV3")])
def test_deepseeks_layers_are_those_of_transformers(design, kind):
    """Built without memory by the library's own classes, cut to a few layers with and without experts."""
    layers = design.dense_layers + 2
    model, latent = design.config, design.config.latent
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=model.vocab_size, hidden_size=model.hidden_size, num_hidden_layers=layers,
        num_attention_heads=model.num_heads, num_key_value_heads=model.num_heads,
        intermediate_size=design.dense_size, moe_intermediate_size=model.mlp_size,
        n_routed_experts=model.moe.num_experts, n_shared_experts=design.shared_experts,
        first_k_dense_replace=design.dense_layers, q_lora_rank=latent.q_lora_rank,
        kv_lora_rank=latent.kv_lora_rank, qk_rope_head_dim=latent.rope_head_dim,
        qk_nope_head_dim=latent.nope_head_dim, v_head_dim=latent.value_head_dim,
        n_group=1, topk_group=1, tie_word_embeddings=False,
    )  # fmt: skip
    with torch.device("meta"):
        theirs = getattr(transformers, f"{kind}ForCausalLM")(config)
    cut = replace(design, config=model.with_(num_layers=layers))
    assert evolution.parameters(cut) == sum(p.numel() for p in theirs.parameters())


@pytest.mark.parametrize(
    ("name", "kilobytes"),
    [("deepseek-v3", 70.272), ("qwen2.5-72b", 327.680), ("llama-3.1-405b", 516.096)],
)
def test_cache_per_token_as_deepseek_tells_it(name, kilobytes):
    """arXiv:2505.09343, table 1: at two bytes a number."""
    assert evolution.cache_bytes(PUBLISHED[name], 1) / 1000 == kilobytes


@pytest.mark.parametrize(
    ("name", "gigaflops"), [("deepseek-v2", 155), ("deepseek-v3", 250), ("llama-3.1-405b", 2448)]
)
def test_training_operations_per_token_as_deepseek_tells_them(name, gigaflops):
    """arXiv:2505.09343, table 2: texts of 4,096 tokens, forward and backward."""
    per_token = 3 * evolution.reading_flops(PUBLISHED[name], 4096)
    assert per_token / 1e9 == pytest.approx(gigaflops, rel=0.011)


def test_absorbing_makes_the_latents_cheap_to_write_from():
    """One layer's attention, by hand: the absorbed products, linear in the context by 2·H·(2r + d_rope)."""
    one, two = (evolution.writing_flops(V3, context) for context in (1000, 2000))
    assert two - one == 61 * 1000 * 2 * 128 * (2 * 512 + 64)
    naive = 61 * 2 * 128 * 1000 * (512 * 256 + 192 + 128)  # rebuild keys and values, then look
    assert naive > 50 * (two - one)


def test_a_dense_design_writes_as_counting_says():
    """Llama 2 7B: two per weight met, and 4·D per cached token and layer, itself included."""
    weights = 6_738_415_616 - 32000 * 4096 - 65 * 4096  # no table of tokens, no norms
    expected = 2 * weights + 32 * 4 * 4096 * 101
    assert evolution.writing_flops(PUBLISHED["llama-2-7b"], 100) == expected


def test_each_step_changes_what_it_should():
    size = {name: evolution.parameters(design) for name, design in STEPS.items()}
    active = {name: evolution.active_parameters(design) for name, design in STEPS.items()}
    cache = {name: evolution.cache_bytes(design, 1) for name, design in STEPS.items()}
    assert cache["dense"] == 4 * cache["gqa"] == 4 * cache["moe"]
    assert cache["mla"] < cache["gqa"] / 3
    assert size["gqa"] == evolution.parameters(PUBLISHED["mistral-7b"])
    assert size["moe"] == evolution.parameters(PUBLISHED["mixtral-8x7b"])
    assert active["twin"] == pytest.approx(active["moe"], rel=1e-3)
    assert size["giant"] == pytest.approx(size["moe"], rel=1e-3)
    assert size["fine"] == pytest.approx(size["moe"], rel=1e-3)


def test_a_row_follows_the_knobs():
    before, after = (
        evolution.run(EvolutionConfig(context=c, batch=b, weight_bits=w, cache_bits=k))
        for c, b, w, k in ((1024, 1, 16, 16), (2048, 4, 8, 4))
    )
    for old, new in zip(before, after, strict=True):
        assert new.weight_bytes == old.weight_bytes / 2
        assert new.cache_bytes == old.cache_bytes * 2 * 4 / 4
        assert new.writing_flops > old.writing_flops
    window = next(
        row for row in evolution.run(EvolutionConfig(context=65536)) if "Mistral" in row.title
    )
    assert window.cache_bytes == 4096 * window.cache_token_bytes
    beyond = {row.name for row in evolution.run(EvolutionConfig(context=4096)) if row.beyond}
    assert beyond == {"gpt2-xl", "gpt3-175b"}


def decoded(**knobs):
    return {one.name: one for one in decoding.run(DecodingConfig(**knobs))}


def test_how_many_experts_a_batch_needs():
    """8 experts, 2 each: 2 for one token, 8 · (1 - 0.75²) = 3.5 for two; drawn at random for sixteen."""
    needed = decoding.experts_needed(STEPS["moe"], np.array([1.0, 2.0, 16.0]))
    np.testing.assert_allclose(needed[:2], [2, 3.5])
    rng = np.random.default_rng(0)
    drawn = [
        len({e for _ in range(16) for e in rng.permutation(8)[:2].tolist()}) for _ in range(4000)
    ]
    assert needed[2] == pytest.approx(np.mean(drawn), rel=0.01)


def test_one_token_of_a_mixture_is_read_like_its_twin_and_many_like_the_giant():
    made = decoded(context=128)
    twin, moe, giant = (made[name].weight_bytes for name in ("twin", "moe", "giant"))
    assert moe[0] == pytest.approx(twin[0], rel=1e-3)
    assert moe[-1] == pytest.approx(giant[-1], rel=1e-3)
    assert (moe >= 0.999 * twin).all()
    assert (moe <= 1.001 * giant).all()


def test_seconds_are_the_slower_of_reading_and_computing():
    """H100, batch 1: 2 · 12.88e9 bytes and a cache at 3.35 TB/s; batch 1,024 without context: products."""
    made = decoded(context=1)["twin"]
    assert made.seconds[0] == pytest.approx(2 * 12.8789e9 / 3.35e12, rel=1e-3)
    assert not made.computing[0]
    assert made.computing[-1]
    assert made.seconds[-1] == pytest.approx(made.flops / (0.6 * 989e12))
    assert len(BATCHES) == len(made.seconds)


@pytest.mark.parametrize(
    ("make", "bad", "field"),
    [
        (EvolutionConfig, {"designs": "dreams"}, "designs"), (EvolutionConfig, {"batch": 0}, "batch"),
        (DecodingConfig, {"names": ("gpt-9",)}, "names"), (DecodingConfig, {"device": "x"}, "device"),
        (DecodingConfig, {"context": 0}, "context"), (DecodingConfig, {"designs": "x"}, "designs"),
    ],
)  # fmt: skip
def test_a_comparison_that_cannot_be_made(make, bad, field):
    with pytest.raises(LabInputError) as error:
        make(**bad)
    assert error.value.field == field
