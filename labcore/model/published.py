"""Published weights, renamed into this Transformer's own: GPT-2, the Llama family, BERT, T5.

The mathematics is the same; what differs is what the authors called things, which way round they
stored a matrix, and what they glued together.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.published_configs import LLAMA_FAMILY, HFConfig, config_from_hf
from labcore.model.transformer import Transformer

Weights = dict[str, Tensor]

LLAMA_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn.q",
    "self_attn.k_proj": "attn.k",
    "self_attn.v_proj": "attn.v",
    "self_attn.o_proj": "attn.out",
    "post_attention_layernorm": "mlp_norm",
    "mlp.gate_proj": "mlp.gate",
    "mlp.up_proj": "mlp.up",
    "mlp.down_proj": "mlp.down",
}
BERT_LAYER = {
    "attention.self.query": "attn.q",
    "attention.self.key": "attn.k",
    "attention.self.value": "attn.v",
    "attention.output.dense": "attn.out",
    "attention.output.LayerNorm": "attn_norm",
    "intermediate.dense": "mlp.up",
    "output.dense": "mlp.down",
    "output.LayerNorm": "mlp_norm",
}
BERT_OUTSIDE = {
    "embeddings.word_embeddings": "token_embedding",
    "embeddings.position_embeddings": "stack.position_embedding",
    "embeddings.token_type_embeddings": "type_embedding",
    "embeddings.LayerNorm": "stack.embedding_norm",
    "cls.predictions.transform.dense": "head.dense",
    "cls.predictions.transform.LayerNorm": "head.norm",
    "cls.predictions": "head",
}
# In a file, but no weight of this model: constants, and heads for tasks that the lab does not have.
NOT_WEIGHTS = ("inv_freq", "position_ids", "attn.bias", "masked_bias")
OTHER_HEADS = ("pooler.", "cls.seq_relationship.")
EMBEDDINGS = (
    "wte.weight",
    "embed_tokens.weight",
    "embeddings.word_embeddings.weight",
    "shared.weight",
)
HEADS = ("lm_head.weight", "cls.predictions.decoder.weight")


def from_hf(
    hf_config: HFConfig, state_dict: Mapping[str, Tensor], dtype: torch.dtype = torch.float32
) -> Transformer:
    """A Transformer, in evaluation mode, with published weights.

    `hf_config`: the dict of `config.json`; `state_dict`: as `transformers` names it, with or without
    the prefix of a head's class. Weights already of `dtype` are shared with `state_dict`, not copied.
    Raises LabInputError for an unsupported family or option, and for weights missing, left over or
    of the wrong shape.
    """
    state = plain_names(state_dict)
    config = fit_head(config_from_hf(hf_config), state, hf_config["model_type"])
    weights = weights_from_hf(state, config, hf_config["model_type"])
    weights = {name: weight.detach().to(dtype).contiguous() for name, weight in weights.items()}
    try:
        return Transformer(config, weights=weights).eval()
    except RuntimeError as error:  # names missing, or shapes that the config does not lead to
        raise LabInputError("weights", str(error), "match_config") from error


def weights_from_hf(state_dict: Mapping[str, Tensor], config: ModelConfig, family: str) -> Weights:
    """This Transformer's state dict from a published one; `family` is the file's `model_type`."""
    left = plain_names(state_dict)
    ours: Weights = {}
    if family == "gpt2":
        _take_gpt2(left, ours, config)
    elif family in LLAMA_FAMILY:
        _take_llama(left, ours, config)
    elif family == "bert":
        _take_bert(left, ours, config)
    else:
        _take_t5(left, ours, config)
    unknown = [name for name in left if not _may_stay(name)]
    if unknown:
        raise LabInputError("weights", sorted(unknown)[:5], "known_weights", left=len(unknown))
    return ours


def fit_head(config: ModelConfig, state: Mapping[str, Tensor], family: str) -> ModelConfig:
    """What the weights say about the head goes before what the config says.

    A separate head that differs from the embedding is not tied; BERT has a head if its weights are
    there; an untied family without one is a bare model.
    """
    if family == "bert":
        masked = any(name.startswith("cls.predictions.transform") for name in state)
        config = config.with_(head="mlm" if masked else "none", head_bias=masked)
    embedding = next((state[name] for name in EMBEDDINGS if name in state), None)
    output = next((state[name] for name in HEADS if name in state), None)
    if output is not None:
        return config.with_(tie_embeddings=embedding is not None and torch.equal(output, embedding))
    if not config.tie_embeddings and config.head == "lm":
        return config.with_(head="none")
    return config


def plain_names(state_dict: Mapping[str, Tensor]) -> Weights:
    """Without the prefix that only says which head's class saved it; old BERT says gamma and beta."""
    plain = {}
    for name, tensor in state_dict.items():
        for prefix in ("transformer.", "model.", "bert."):
            name = name.removeprefix(prefix)
        name = name.replace("LayerNorm.gamma", "LayerNorm.weight")
        plain[name.replace("LayerNorm.beta", "LayerNorm.bias")] = tensor
    return plain


def _may_stay(name: str) -> bool:
    return name.endswith(NOT_WEIGHTS) or name.startswith(OTHER_HEADS) or name in HEADS


def _move(left: Weights, ours: Weights, theirs: str, name: str) -> None:
    """Take a module's weight and bias, as far as it has them."""
    for part in ("weight", "bias"):
        if f"{theirs}.{part}" in left:
            ours[f"{name}.{part}"] = left.pop(f"{theirs}.{part}")


def _take_gpt2(left: Weights, ours: Weights, config: ModelConfig) -> None:
    """GPT-2 stores its maps as (in, out), and q, k, v as one."""
    _move(left, ours, "wte", "token_embedding")
    _move(left, ours, "wpe", "stack.position_embedding")
    _move(left, ours, "ln_f", "stack.final_norm")
    for index in range(config.num_layers):
        theirs, layer = f"h.{index}", f"stack.layers.{index}"
        _move(left, ours, f"{theirs}.ln_1", f"{layer}.attn_norm")
        _move(left, ours, f"{theirs}.ln_2", f"{layer}.mlp_norm")
        for part in ("weight", "bias"):
            glued = left.pop(f"{theirs}.attn.c_attn.{part}").chunk(3, dim=-1)
            for letter, piece in zip("qkv", glued, strict=True):
                ours[f"{layer}.attn.{letter}.{part}"] = piece.t() if part == "weight" else piece
        for name, own in (
            ("attn.c_proj", "attn.out"),
            ("mlp.c_fc", "mlp.up"),
            ("mlp.c_proj", "mlp.down"),
        ):
            ours[f"{layer}.{own}.weight"] = left.pop(f"{theirs}.{name}.weight").t()
            ours[f"{layer}.{own}.bias"] = left.pop(f"{theirs}.{name}.bias")
    _take_output(left, ours, config)


def _take_llama(left: Weights, ours: Weights, config: ModelConfig) -> None:
    """Llama 2 and 3, SmolLM2, Mistral, Qwen2; Mixtral's experts."""
    _move(left, ours, "embed_tokens", "token_embedding")
    _move(left, ours, "norm", "stack.final_norm")
    for index in range(config.num_layers):
        for theirs, name in LLAMA_LAYER.items():
            _move(left, ours, f"layers.{index}.{theirs}", f"stack.layers.{index}.{name}")
        if config.moe:
            _take_experts(left, ours, f"layers.{index}", f"stack.layers.{index}.mlp", config)
    _take_output(left, ours, config)


def _take_experts(left: Weights, ours: Weights, theirs: str, mlp: str, config: ModelConfig) -> None:
    """One module per expert in the published files, all experts in one tensor in newer ones."""
    _move(left, ours, f"{theirs}.block_sparse_moe.gate", f"{mlp}.router")
    _move(left, ours, f"{theirs}.mlp.gate", f"{mlp}.router")
    for expert in range(config.moe.num_experts):
        for letter, name in (("w1", "gate"), ("w3", "up"), ("w2", "down")):
            source = f"{theirs}.block_sparse_moe.experts.{expert}.{letter}"
            _move(left, ours, source, f"{mlp}.experts.{expert}.{name}")
    gate_up = left.pop(f"{theirs}.mlp.experts.gate_up_proj", ())  # (E, 2F, D)
    for expert, glued in enumerate(gate_up):
        ours[f"{mlp}.experts.{expert}.gate.weight"] = glued[: config.mlp_size]
        ours[f"{mlp}.experts.{expert}.up.weight"] = glued[config.mlp_size :]
    for expert, down in enumerate(left.pop(f"{theirs}.mlp.experts.down_proj", ())):  # (E, D, F)
        ours[f"{mlp}.experts.{expert}.down.weight"] = down


def _take_bert(left: Weights, ours: Weights, config: ModelConfig) -> None:
    for theirs, name in BERT_OUTSIDE.items():
        _move(left, ours, theirs, name)
    for index in range(config.num_layers):
        for theirs, name in BERT_LAYER.items():
            _move(left, ours, f"encoder.layer.{index}.{theirs}", f"stack.layers.{index}.{name}")
    shift = left.pop("cls.predictions.decoder.bias", None)
    if shift is not None:  # the one that is added; cls.predictions.bias is another name for it
        ours["head.bias"] = shift
    if config.head != "none" and not config.tie_embeddings:
        _move(left, ours, "cls.predictions.decoder", "head.output")


def _take_t5(left: Weights, ours: Weights, config: ModelConfig) -> None:
    """Two stacks that share the embedding; block 0 of each holds its table of relative biases."""
    _move(left, ours, "shared", "token_embedding")
    for theirs, stack, layers in (
        ("encoder", "encoder", config.encoder_layers),
        ("decoder", "stack", config.decoder_layers),
    ):
        left.pop(f"{theirs}.embed_tokens.weight", None)  # the shared embedding again
        _move(left, ours, f"{theirs}.final_layer_norm", f"{stack}.final_norm")
        table = f"{theirs}.block.0.layer.0.SelfAttention.relative_attention_bias"
        _move(left, ours, table, f"{stack}.relative_bias")
        for index in range(layers):
            source, layer = f"{theirs}.block.{index}.layer", f"{stack}.layers.{index}"
            _take_t5_layer(left, ours, source, layer, cross=theirs == "decoder")
    _take_output(left, ours, config)


def _take_t5_layer(left: Weights, ours: Weights, theirs: str, layer: str, cross: bool) -> None:
    parts = [("SelfAttention", "attn"), ("EncDecAttention", "cross")]
    for number, (attention, name) in enumerate(parts if cross else parts[:1]):
        for letter, own in (("q", "q"), ("k", "k"), ("v", "v"), ("o", "out")):
            source = f"{theirs}.{number}.{attention}.{letter}"
            _move(left, ours, source, f"{layer}.{name}.{own}")
        _move(left, ours, f"{theirs}.{number}.layer_norm", f"{layer}.{name}_norm")
    mlp = f"{theirs}.{2 if cross else 1}"
    _move(left, ours, f"{mlp}.layer_norm", f"{layer}.mlp_norm")
    for name, own in (("wi", "up"), ("wi_0", "gate"), ("wi_1", "up"), ("wo", "down")):
        _move(left, ours, f"{mlp}.DenseReluDense.{name}", f"{layer}.mlp.{own}")


def _take_output(left: Weights, ours: Weights, config: ModelConfig) -> None:
    if config.head == "lm" and not config.tie_embeddings:
        _move(left, ours, "lm_head", "head.output")
