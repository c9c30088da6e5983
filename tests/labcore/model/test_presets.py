"""The presets against the published models: totals as stated, and `transformers`' classes built empty."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from labcore.model.config import ModelConfig
from labcore.model.counting import count_parameters, flops_total, parameter_total
from labcore.model.presets import PRESETS

# As the makers' weight files hold them (safetensors metadata on the model cards).
PUBLISHED = {
    "gpt2": 124_439_808,
    "gpt2-medium": 354_823_168,
    "gpt2-large": 774_030_080,
    "gpt2-xl": 1_557_611_200,
    "t5-small": 60_506_624,
    "t5-base": 222_903_552,
    "t5-v1.1-small": 76_961_152,
    "t5-v1.1-base": 247_577_856,
    "llama-2-7b": 6_738_415_616,
    "llama-2-13b": 13_015_864_320,
    "llama-2-70b": 68_976_648_192,
    "llama-3-8b": 8_030_261_248,
    "llama-3-70b": 70_553_706_496,
    "llama-3.1-405b": 405_853_388_800,
    "llama-3.2-1b": 1_235_814_400,
    "mistral-7b": 7_241_732_096,
    "mixtral-8x7b": 46_702_792_704,
    "qwen2.5-0.5b": 494_032_768,
    "qwen2.5-7b": 7_615_616_512,
    "smollm2-135m": 134_515_008,
    "smollm2-360m": 361_821_120,
    "smollm2-1.7b": 1_711_376_384,
}
WITH_POOLER = {"bert-base": 109_482_240, "bert-large": 335_141_888, "minilm-l6": 22_713_216}


def reference(name: str, config: ModelConfig) -> PreTrainedModel:
    """The same sizes in `transformers`' own class, without memory for the weights."""
    with torch.device("meta"):
        if name.startswith("gpt"):
            sizes = GPT2Config(
                n_embd=config.hidden_size,
                n_layer=config.num_layers,
                n_head=config.num_heads,
                n_positions=config.max_positions,
            )
            return GPT2LMHeadModel(sizes)
        if config.kind == "encoder":
            sizes = BertConfig(
                hidden_size=config.hidden_size,
                num_hidden_layers=config.num_layers,
                num_attention_heads=config.num_heads,
                intermediate_size=config.mlp_size,
            )
            if config.head == "none":
                return BertModel(sizes, add_pooling_layer=False)
            return BertForMaskedLM(sizes)
        if config.kind == "encoder_decoder":
            sizes = T5Config(
                d_model=config.hidden_size,
                num_layers=config.num_layers,
                num_heads=config.num_heads,
                d_kv=config.size_per_head,
                d_ff=config.mlp_size,
                feed_forward_proj="gated-gelu" if config.gated else "relu",
            )
            model = T5ForConditionalGeneration(sizes)
            if not config.tie_embeddings:
                # transformers 5 ties every T5 it builds; T5 1.1 was published with a head apart.
                model.lm_head = torch.nn.Linear(config.hidden_size, config.vocab_size, bias=False)
            return model
        return llama_family(name, config)


def llama_family(name: str, config: ModelConfig) -> PreTrainedModel:
    sizes = {
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.key_value_heads,
        "intermediate_size": config.mlp_size,
        "tie_word_embeddings": config.tie_embeddings,
    }
    if name.startswith("qwen"):
        return Qwen2ForCausalLM(Qwen2Config(**sizes))
    if name.startswith("mistral"):
        return MistralForCausalLM(MistralConfig(**sizes))
    if name.startswith("mixtral"):
        return MixtralForCausalLM(MixtralConfig(**sizes))
    return LlamaForCausalLM(LlamaConfig(**sizes))


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_as_many_parameters_as_the_class_that_transformers_builds(name):
    config = PRESETS[name].config
    counted = sum(parameter.numel() for parameter in reference(name, config).parameters())
    assert parameter_total(config) == counted


@pytest.mark.parametrize("name", [name for name in PRESETS if "mixtral" not in name])
def test_a_preset_costs_as_many_operations_as_torch_counts_in_the_published_class(name):
    """On the meta device nothing is computed, yet every product is counted: 70 billion weights too.

    "eager" attention, since torch's counter does not see inside the fused kernel of this device.
    Mixtral is left to test_counting: how many tokens an expert gets cannot be known without numbers.
    """
    config = PRESETS[name].config
    model = reference(name, config).eval()
    model.set_attn_implementation("eager")
    inputs = {"input_ids": torch.zeros(1, 6, dtype=torch.long, device="meta")}
    if config.kind == "encoder_decoder":
        inputs["decoder_input_ids"] = torch.zeros(1, 9, dtype=torch.long, device="meta")
    if config.kind == "decoder":  # given whole, no number has to be looked at to make the mask
        inputs["attention_mask"] = torch.zeros(1, 1, 6, 6, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(**inputs, use_cache=False)
    tokens = 9 if config.kind == "encoder_decoder" else 6
    assert flops_total(config, tokens, context=6) == counter.get_total_flops()


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_preset_has_the_published_number_of_parameters(name):
    assert parameter_total(PRESETS[name].config) == PUBLISHED[name]


@pytest.mark.parametrize("name", WITH_POOLER)
def test_a_bare_bert_lacks_exactly_its_pooler(name):
    """Published counts are of the model without a vocabulary head, with a pooler of D² + D."""
    bare = PRESETS[name].config.with_(head="none", head_bias=False)
    pooler = bare.hidden_size**2 + bare.hidden_size
    assert parameter_total(bare) + pooler == WITH_POOLER[name]


def test_gpt3_has_175_billion_parameters_in_round_numbers():
    """Named 175 billion; 96 layers of width 12,288 and 2,048 positions make 174.6 (arXiv:2005.14165, 2.1)."""
    assert round(parameter_total(PRESETS["gpt3-175b"].config) / 1e9, 1) == 174.6


def test_gpt2_by_hand():
    """V·D + P·D + 12·(12·D² + 13·D) + 2·D with D = 768, V = 50257, P = 1024.

    Per block: q, k, v, out 4·D² + 4·D; up and down 8·D² + 5·D; two norms 4·D.
    """
    width = 768
    by_hand = (50257 + 1024) * width + 12 * (12 * width**2 + 13 * width) + 2 * width
    assert parameter_total(PRESETS["gpt2"].config) == by_hand == 124_439_808


def test_a_tied_head_is_listed_but_adds_nothing():
    head = count_parameters(PRESETS["gpt2"].config)[-1]
    assert (head.shape, head.tied_to, head.parameters) == (
        (50257, 768),
        "token_embedding.weight",
        0,
    )


def test_every_preset_says_when_and_where_it_was_published():
    for preset in PRESETS.values():
        assert preset.title
        assert 2017 <= preset.year <= 2026
        assert preset.source.startswith(("arXiv:", "https://", "Radford"))
