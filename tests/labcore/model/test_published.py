"""Our Transformer against transformers' own classes: same weights, same logits.

Sizes are small and odd on purpose, weights are drawn large (deviation 0.2) so that a wrong scale,
a swapped matrix or a shifted position shows far above the tolerance of 1e-4.
"""

import pytest
import torch
import transformers as hf

from labcore.errors import LabInputError
from labcore.model.published import config_from_hf, from_hf

TOLERANCE = 1e-4


def filled(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """All parameters drawn anew; norms around 1, so that they matter too."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            around = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
            noise = torch.empty(parameter.shape).normal_(0.0, 0.2, generator=draw)
            parameter.copy_(around + noise)
    return model.eval()


def some_tokens(rows: int, length: int, vocabulary: int = 97) -> torch.Tensor:
    return torch.randint(vocabulary, (rows, length), generator=torch.Generator().manual_seed(1))


def padding(lengths: list[int], width: int, side: str = "right") -> torch.Tensor:
    """(B, T) bool, True on real tokens."""
    place = torch.arange(width)
    if side == "left":
        place = place.flip(0)
    return place < torch.tensor(lengths)[:, None]


def ours(theirs: torch.nn.Module) -> torch.nn.Module:
    return from_hf(theirs.config.to_dict(), theirs.state_dict())


def assert_close(mine: torch.Tensor, theirs: torch.Tensor, real: torch.Tensor | None = None):
    if real is not None:
        mine, theirs = mine[real], theirs[real]
    assert theirs.std() > 0.01  # the reference itself says something
    torch.testing.assert_close(mine, theirs, atol=TOLERANCE, rtol=0)


# Decoders.

GPT2 = {"vocab_size": 97, "n_positions": 40, "n_embd": 24, "n_layer": 3, "n_head": 3}
LLAMA = {
    "vocab_size": 97,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 16,
    "pad_token_id": 0,
}


def rope(kind: str, **settings: float) -> dict:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 500.0, **settings}}


DECODERS = {
    "gpt2": lambda: hf.GPT2LMHeadModel(hf.GPT2Config(**GPT2)),
    "gpt2, narrow relu": lambda: hf.GPT2LMHeadModel(
        hf.GPT2Config(**GPT2, n_inner=20, activation_function="relu", scale_attn_weights=False)
    ),
    "llama, grouped": lambda: hf.LlamaForCausalLM(hf.LlamaConfig(**LLAMA)),
    "llama, tied": lambda: hf.LlamaForCausalLM(
        hf.LlamaConfig(**LLAMA, tie_word_embeddings=True, rms_norm_eps=1e-3)
    ),
    "llama, multi-query, biased, wide heads": lambda: hf.LlamaForCausalLM(
        hf.LlamaConfig(
            **{**LLAMA, "num_key_value_heads": 1},
            head_dim=10,
            attention_bias=True,
            mlp_bias=True,
        )
    ),
    "llama, linear": lambda: hf.LlamaForCausalLM(
        hf.LlamaConfig(**LLAMA, **rope("linear", factor=3.0))
    ),
    "llama, dynamic": lambda: hf.LlamaForCausalLM(
        hf.LlamaConfig(**LLAMA, **rope("dynamic", factor=2.5))
    ),
    "llama, yarn": lambda: hf.LlamaForCausalLM(
        hf.LlamaConfig(
            **LLAMA, **rope("yarn", factor=4.0, original_max_position_embeddings=8, beta_fast=8.0)
        )
    ),
    "llama, yarn, untruncated": lambda: hf.LlamaForCausalLM(
        hf.LlamaConfig(
            **LLAMA,
            head_dim=16,
            **rope("yarn", factor=4.0, truncate=False, beta_slow=0.3, attention_factor=1.3),
        )
    ),
    "llama, yarn, deepseek's amplitude": lambda: hf.LlamaForCausalLM(
        hf.LlamaConfig(**LLAMA, **rope("yarn", factor=4.0, mscale=1.2, mscale_all_dim=0.7))
    ),
    "llama, llama3": lambda: hf.LlamaForCausalLM(
        hf.LlamaConfig(
            **LLAMA,
            head_dim=16,
            **rope(
                "llama3",
                factor=8.0,
                low_freq_factor=1.0,
                high_freq_factor=4.0,
                original_max_position_embeddings=12,
            ),
        )
    ),
    "mistral, window": lambda: hf.MistralForCausalLM(hf.MistralConfig(**LLAMA, sliding_window=5)),
    "mistral, no window": lambda: hf.MistralForCausalLM(
        hf.MistralConfig(**LLAMA, sliding_window=None, head_dim=8)
    ),
    "qwen2": lambda: hf.Qwen2ForCausalLM(hf.Qwen2Config(**LLAMA, sliding_window=5)),
    "qwen2, window in all layers": lambda: hf.Qwen2ForCausalLM(
        hf.Qwen2Config(**LLAMA, use_sliding_window=True, sliding_window=5, max_window_layers=0)
    ),
    "mixtral": lambda: hf.MixtralForCausalLM(
        hf.MixtralConfig(**LLAMA, num_local_experts=5, num_experts_per_tok=2)
    ),
}


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("side", ["none", "right", "left"])
def test_decoder_logits_equal_those_of_transformers(name, side):
    """29 tokens: beyond the trained length of 16, of 8 and of 12 of the scaled RoPEs."""
    theirs = filled(DECODERS[name]())
    tokens = some_tokens(3, 29)
    real = None if side == "none" else padding([29, 20, 5], 29, side)
    with torch.no_grad():
        expected = theirs(tokens, attention_mask=None if real is None else real.long()).logits
        assert_close(ours(theirs)(tokens, padding_mask=real).logits, expected, real)


def test_positions_count_real_tokens_if_asked_to():
    """GPT-2's learned positions after left padding: transformers' generate counts real tokens only."""
    theirs = filled(DECODERS["gpt2"]())
    tokens, real = some_tokens(2, 9), padding([9, 4], 9, "left")
    positions = (real.long().cumsum(-1) - 1).clamp(min=0)
    with torch.no_grad():
        expected = theirs(tokens, attention_mask=real.long(), position_ids=positions).logits
        mine = ours(theirs)(tokens, padding_mask=real, positions=positions).logits
    assert_close(mine, expected, real)


def test_a_short_text_is_not_scaled_by_dynamic_ntk():
    theirs = filled(DECODERS["llama, dynamic"]())
    tokens = some_tokens(2, 11)
    with torch.no_grad():
        assert_close(ours(theirs)(tokens).logits, theirs(tokens).logits)


def test_older_config_files_say_rope_theta_and_rope_scaling():
    """The two forms of one config lead to the same ModelConfig."""
    new = {"model_type": "llama", **LLAMA, **rope("linear", factor=3.0)}
    old = {"model_type": "llama", **LLAMA, "rope_theta": 500.0}
    old["rope_scaling"] = {"type": "linear", "factor": 3.0}
    assert config_from_hf(old) == config_from_hf(new)
    assert config_from_hf(old).rope_theta == 500.0


def test_mixtral_weights_load_one_expert_at_a_time_too():
    """The published files hold w1, w3, w2 per expert where transformers 5 holds one tensor."""
    theirs = filled(DECODERS["mixtral"]())
    state = dict(theirs.state_dict())
    for layer in range(3):
        new, old = f"model.layers.{layer}.mlp", f"model.layers.{layer}.block_sparse_moe"
        state[f"{old}.gate.weight"] = state.pop(f"{new}.gate.weight")
        glued = state.pop(f"{new}.experts.gate_up_proj")
        down = state.pop(f"{new}.experts.down_proj")
        for expert in range(5):
            w1, w3 = glued[expert].chunk(2)
            pieces = {"w1": w1, "w3": w3, "w2": down[expert]}
            for name, piece in pieces.items():
                state[f"{old}.experts.{expert}.{name}.weight"] = piece
    tokens = some_tokens(2, 9)
    with torch.no_grad():
        mine = from_hf(theirs.config.to_dict(), state)(tokens).logits
        assert_close(mine, theirs(tokens).logits)


# Encoders.

BERT = {
    "vocab_size": 97,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "max_position_embeddings": 32,
}


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
def test_bert_hidden_states_equal_those_of_transformers(activation):
    theirs = filled(hf.BertModel(hf.BertConfig(**BERT, hidden_act=activation)))
    tokens, real = some_tokens(3, 13), padding([13, 6, 1], 13)
    types = some_tokens(3, 13, 2)
    model = ours(theirs)
    with torch.no_grad():
        expected = theirs(tokens, attention_mask=real.long(), token_type_ids=types)
        mine = model(tokens, padding_mask=real, token_types=types)
    assert mine.logits is None
    assert_close(mine.hidden, expected.last_hidden_state, real)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("tied", [True, False])
def test_bert_masked_language_model_equals_that_of_transformers(side, tied):
    settings = {**BERT, "type_vocab_size": 3, "tie_word_embeddings": tied}
    theirs = filled(hf.BertForMaskedLM(hf.BertConfig(**settings)))
    tokens, real = some_tokens(2, 10), padding([10, 4], 10, side)
    with torch.no_grad():
        expected = theirs(tokens, attention_mask=real.long()).logits
        assert_close(ours(theirs)(tokens, padding_mask=real).logits, expected, real)


# Encoder-decoders.

T5 = {
    "vocab_size": 97,
    "d_model": 24,
    "d_kv": 10,
    "d_ff": 40,
    "num_layers": 2,
    "num_decoder_layers": 3,
    "num_heads": 3,
    "relative_attention_num_buckets": 12,
    "relative_attention_max_distance": 20,
    "decoder_start_token_id": 0,
}


@pytest.mark.parametrize("feed_forward", ["relu", "gated-gelu", "gated-silu", "gelu"])
@pytest.mark.parametrize("tied", [True, False])
def test_t5_logits_equal_those_of_transformers(feed_forward, tied):
    """40 source tokens reach past the last bucket (20) on both sides; T5 v1.1 scales no output."""
    settings = {**T5, "feed_forward_proj": feed_forward, "tie_word_embeddings": tied}
    theirs = filled(hf.T5ForConditionalGeneration(hf.T5Config(**settings)))
    source, target = some_tokens(3, 40), some_tokens(3, 27)
    source_real, target_real = padding([40, 25, 3], 40), padding([27, 9, 18], 27)
    with torch.no_grad():
        expected = theirs(
            input_ids=source,
            attention_mask=source_real.long(),
            decoder_input_ids=target,
            decoder_attention_mask=target_real.long(),
        ).logits
        mine = ours(theirs)(
            target,
            padding_mask=target_real,
            context=source,
            context_padding_mask=source_real,
        ).logits
    assert_close(mine, expected, target_real)


def test_t5_with_a_separate_head_is_untied_whatever_its_config_says():
    """Published v1.1 files hold a head of their own; newer transformers configs say tied."""
    theirs = filled(hf.T5ForConditionalGeneration(hf.T5Config(**T5, tie_word_embeddings=False)))
    state = dict(theirs.state_dict())
    state["lm_head.weight"] = torch.roll(state["shared.weight"], 1, dims=0)
    model = from_hf(theirs.config.to_dict(), state)
    tokens = some_tokens(1, 5)
    with torch.no_grad():
        rolled = model(tokens, context=tokens).logits
        assert_close(rolled, theirs(input_ids=tokens, decoder_input_ids=tokens).logits.roll(1, -1))


# Names and refusals.


@pytest.mark.parametrize(
    ("build", "prefix"),
    [
        (DECODERS["gpt2"], "transformer."),
        (DECODERS["llama, tied"], "model."),
        (lambda: hf.BertForMaskedLM(hf.BertConfig(**BERT)), "bert."),
    ],
)
def test_weights_load_with_and_without_the_class_prefix(build, prefix):
    theirs = filled(build())
    state = theirs.state_dict()
    bare = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    assert set(bare) != set(state)
    one, other = (from_hf(theirs.config.to_dict(), names) for names in (state, bare))
    tokens = some_tokens(1, 6)
    with torch.no_grad():
        assert torch.equal(one(tokens).logits, other(tokens).logits)


def test_a_bare_llama_has_no_head_and_the_hidden_states_of_transformers():
    theirs = filled(hf.LlamaModel(hf.LlamaConfig(**LLAMA)))
    tokens = some_tokens(2, 9)
    with torch.no_grad():
        mine = ours(theirs)(tokens)
        assert_close(mine.hidden, theirs(tokens).last_hidden_state)
    assert mine.logits is None


def test_half_precision_weights_are_read_as_single_precision():
    theirs = filled(DECODERS["llama, grouped"]())
    halves = {name: weight.bfloat16() for name, weight in theirs.state_dict().items()}
    model = from_hf(theirs.config.to_dict(), halves)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    theirs.load_state_dict(halves)  # copies into single precision: the same rounded numbers
    tokens = some_tokens(1, 7)
    with torch.no_grad():
        assert_close(model(tokens).logits, theirs(tokens).logits)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"model_type": "mamba"}, "supported_family"),
        ({"model_type": None}, "supported_family"),
        ({"rope_scaling": {"rope_type": "longrope", "factor": 2.0}}, "supported_option"),
        ({"rope_parameters": {"partial_rotary_factor": 0.5}}, "supported_option"),
        ({"hidden_act": "gelu"}, "known_choice"),
        ({"hidden_size": None}, "required"),
    ],
)
def test_a_config_that_we_cannot_follow_is_refused(changes, rule):
    with pytest.raises(LabInputError) as error:
        config_from_hf({"model_type": "llama", **LLAMA, **changes})
    assert error.value.rule == rule


def test_missing_and_unknown_weights_are_refused():
    """A q_norm that we would ignore, or a layer that is not there, must not load in silence."""
    theirs = DECODERS["llama, grouped"]()
    state, config = dict(theirs.state_dict()), theirs.config.to_dict()
    with pytest.raises(LabInputError, match="known_weights"):
        from_hf(config, {**state, "model.layers.0.self_attn.q_norm.weight": torch.ones(6)})
    del state["model.layers.2.mlp.up_proj.weight"]
    with pytest.raises(LabInputError, match="match_config"):
        from_hf(config, state)
