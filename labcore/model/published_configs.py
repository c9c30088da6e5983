"""From a published `config.json` to a ModelConfig: GPT-2, the Llama family, BERT, T5.

A file that asks for something this Transformer does not do is refused, never half understood.
Dropout is left at 0: it belongs to a training run, not to the weights.
"""

from collections.abc import Mapping
from math import log
from typing import Any

from labcore.errors import LabInputError
from labcore.model.config import MixtureOfExperts, ModelConfig, RopeScaling

HFConfig = Mapping[str, Any]

LLAMA_FAMILY = ("llama", "mistral", "qwen2", "mixtral")
SUPPORTED = ("gpt2", *LLAMA_FAMILY, "bert", "t5")

ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "gelu_new": "gelu_tanh"}
ACTIVATIONS |= {"gelu_pytorch_tanh": "gelu_tanh", "gelu_fast": "gelu_tanh"}
GATED = {"silu": "swiglu", "swish": "swiglu", "gelu_new": "geglu", "gelu_pytorch_tanh": "geglu"}


def config_from_hf(hf: HFConfig) -> ModelConfig:
    """The ModelConfig of a `config.json`, given as a dict; `rope_theta` with `rope_scaling` (older
    files) and `rope_parameters` (newer ones) are both understood.

    Raises LabInputError for a family, activation or option that this Transformer does not have.
    """
    family = hf.get("model_type")
    if family == "gpt2":
        return gpt2_config(hf)
    if family in LLAMA_FAMILY:
        return llama_config(hf)
    if family == "bert":
        return bert_config(hf)
    if family == "t5":
        return t5_config(hf)
    raise LabInputError("model_type", family, "supported_family", supported=SUPPORTED)


def gpt2_config(hf: HFConfig) -> ModelConfig:
    if hf.get("scale_attn_by_inverse_layer_idx"):
        raise LabInputError("scale_attn_by_inverse_layer_idx", True, "supported_option")
    return ModelConfig(
        vocab_size=_size(hf, "vocab_size"),
        hidden_size=_size(hf, "n_embd"),
        num_layers=_size(hf, "n_layer"),
        num_heads=_size(hf, "n_head"),
        intermediate_size=hf.get("n_inner"),
        max_positions=_size(hf, "n_positions"),
        positions="learned",
        norm_eps=hf.get("layer_norm_epsilon", 1e-5),
        activation=_activation(hf.get("activation_function", "gelu_new"), ACTIVATIONS),
        qkv_bias=True,
        attention_out_bias=True,
        mlp_bias=True,
        attention_scale=None if hf.get("scale_attn_weights", True) else 1.0,
        tie_embeddings=hf.get("tie_word_embeddings", True),
    )


def llama_config(hf: HFConfig) -> ModelConfig:
    """Llama 2 and 3, SmolLM2, Mistral, Qwen2 and Qwen2.5 (biased q, k, v), Mixtral (experts)."""
    qwen = hf["model_type"] == "qwen2"
    biased = bool(hf.get("attention_bias", False))
    theta, scaling = rope_from_hf(hf)
    return ModelConfig(
        vocab_size=_size(hf, "vocab_size"),
        hidden_size=_size(hf, "hidden_size"),
        num_layers=_size(hf, "num_hidden_layers"),
        num_heads=_size(hf, "num_attention_heads"),
        num_key_value_heads=hf.get("num_key_value_heads"),
        head_dim=hf.get("head_dim"),
        intermediate_size=_size(hf, "intermediate_size"),
        max_positions=_size(hf, "max_position_embeddings"),
        positions="rope",
        rope_theta=theta,
        rope_scaling=scaling,
        norm="rmsnorm",
        norm_eps=hf.get("rms_norm_eps", 1e-6),
        activation=_activation(hf.get("hidden_act", "silu"), GATED),
        qkv_bias=qwen or biased,
        attention_out_bias=biased,
        mlp_bias=hf.get("mlp_bias", False),
        sliding_window=_window(hf),
        moe=_experts(hf),
        tie_embeddings=hf.get("tie_word_embeddings", False),
    )


def bert_config(hf: HFConfig) -> ModelConfig:
    """BERT, MiniLM. Without a word on its head (`architectures`), it has none."""
    kind = hf.get("position_embedding_type", "absolute")
    if kind != "absolute":
        raise LabInputError("position_embedding_type", kind, "supported_option")
    names = " ".join(hf.get("architectures") or ())
    masked = any(name in names for name in ("MaskedLM", "PreTraining", "LMHead"))
    return ModelConfig(
        kind="decoder" if hf.get("is_decoder") else "encoder",
        vocab_size=_size(hf, "vocab_size"),
        hidden_size=_size(hf, "hidden_size"),
        num_layers=_size(hf, "num_hidden_layers"),
        num_heads=_size(hf, "num_attention_heads"),
        intermediate_size=_size(hf, "intermediate_size"),
        max_positions=_size(hf, "max_position_embeddings"),
        positions="learned",
        norm_placement="post",
        norm_eps=hf.get("layer_norm_eps", 1e-12),
        activation=_activation(hf.get("hidden_act", "gelu"), ACTIVATIONS),
        qkv_bias=True,
        attention_out_bias=True,
        mlp_bias=True,
        head="mlm" if masked else "none",
        head_bias=masked,
        tie_embeddings=hf.get("tie_word_embeddings", True),
        token_types=hf.get("type_vocab_size", 2),
        embedding_norm=True,
    )


def t5_config(hf: HFConfig) -> ModelConfig:
    """T5 and T5 v1.1. v1.1 says it by `tie_word_embeddings: false`, newer files by
    `scale_decoder_outputs`: only the original scales the hidden state before its tied head.
    """
    tied = hf.get("tie_word_embeddings", True)
    scaled = hf.get("scale_decoder_outputs", tied)
    gate, _, activation = hf.get("feed_forward_proj", "relu").rpartition("-")
    if gate and activation == "gelu":
        activation = "gelu_new"  # what "gated-gelu" has meant since v1.1
    decoder_layers = hf.get("num_decoder_layers")
    return ModelConfig(
        kind="encoder_decoder",
        vocab_size=_size(hf, "vocab_size"),
        hidden_size=_size(hf, "d_model"),
        num_layers=_size(hf, "num_layers") if decoder_layers is None else decoder_layers,
        num_encoder_layers=_size(hf, "num_layers"),
        num_heads=_size(hf, "num_heads"),
        head_dim=_size(hf, "d_kv"),
        intermediate_size=_size(hf, "d_ff"),
        max_positions=hf.get("n_positions", 512),
        positions="t5",
        t5_buckets=hf.get("relative_attention_num_buckets", 32),
        t5_max_distance=hf.get("relative_attention_max_distance", 128),
        norm="rmsnorm",
        norm_eps=hf.get("layer_norm_epsilon", 1e-6),
        activation=_activation(activation, GATED if gate else ACTIVATIONS),
        attention_scale=1.0,
        tie_embeddings=tied,
        logit_scale=hf["d_model"] ** -0.5 if scaled else 1.0,
    )


def rope_from_hf(hf: HFConfig) -> tuple[float, RopeScaling | None]:
    """rope_theta and the scaling, from either form of the file."""
    given = hf.get("rope_parameters") or hf.get("rope_scaling") or {}
    default = 1e6 if hf.get("model_type") == "mixtral" else 10000.0
    theta = given.get("rope_theta") or hf.get("rope_theta") or default
    kind = given.get("rope_type") or given.get("type") or "default"
    for partial in (given.get("partial_rotary_factor"), hf.get("partial_rotary_factor")):
        if partial not in (None, 1.0):
            raise LabInputError("partial_rotary_factor", partial, "supported_option")
    if kind == "default":
        return theta, None
    if kind not in ("linear", "dynamic", "yarn", "llama3"):
        raise LabInputError("rope_type", kind, "supported_option")
    longest = _size(hf, "max_position_embeddings")
    trained = longest
    if kind in ("yarn", "llama3"):  # the others know no trained length beside the model's own
        trained = hf.get("original_max_position_embeddings") or longest
        trained = given.get("original_max_position_embeddings") or trained
    factor = given.get("factor") or longest / trained
    return theta, RopeScaling(
        kind=kind,
        factor=factor,
        original_max_positions=trained,
        beta_fast=given.get("beta_fast") or 32.0,
        beta_slow=given.get("beta_slow") or 1.0,
        attention_factor=_yarn_amplitude(given, factor),
        truncate=given.get("truncate", True),
        low_freq_factor=given.get("low_freq_factor", 1.0),
        high_freq_factor=given.get("high_freq_factor", 4.0),
    )


def _yarn_amplitude(given: HFConfig, factor: float) -> float | None:
    """DeepSeek gives two weights of the logarithm instead of the amplitude itself."""
    above, below = given.get("mscale"), given.get("mscale_all_dim")
    if given.get("attention_factor") is not None or not (above and below):
        return given.get("attention_factor")
    return (0.1 * above * log(factor) + 1) / (0.1 * below * log(factor) + 1)


def _window(hf: HFConfig) -> int | None:
    """The sliding window, if all layers have it; layers of two kinds are refused."""
    window, kinds = hf.get("sliding_window"), set(hf.get("layer_types") or ())
    if hf["model_type"] == "qwen2":
        full_layers = hf.get("max_window_layers", 28)
        if not hf.get("use_sliding_window", False) or full_layers >= hf["num_hidden_layers"]:
            return None
        kinds |= {"full_attention", "sliding_attention"} if full_layers > 0 else set()
    if hf["model_type"] == "llama" or kinds == {"full_attention"}:
        return None
    if len(kinds) > 1:
        raise LabInputError("layer_types", sorted(kinds), "supported_option")
    return window


def _experts(hf: HFConfig) -> MixtureOfExperts | None:
    if hf["model_type"] != "mixtral":
        return None
    return MixtureOfExperts(
        num_experts=hf.get("num_local_experts", 8),
        experts_per_token=hf.get("num_experts_per_tok", 2),
        load_balance_weight=hf.get("router_aux_loss_coef", 0.001),
    )


def _activation(name: str, known: Mapping[str, str]) -> str:
    if name not in known:
        raise LabInputError("activation", name, "known_choice", allowed=tuple(known))
    return known[name]


def _size(hf: HFConfig, name: str) -> int:
    if hf.get(name) is None:
        raise LabInputError("config", name, "required")
    return hf[name]
