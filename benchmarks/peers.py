"""A decoder of the lab as `transformers` writes it, with the same weights, to be measured beside it.

Llama is the class for RMSNorm and a gate, StarCoder2 the one for LayerNorm without: it too turns queries
and keys, and can leave every bias out but those of its norms, as our small decoders do.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Starcoder2Config, Starcoder2ForCausalLM

from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer

OUTSIDE = {
    "token_embedding": "model.embed_tokens",
    "stack.final_norm": "model.norm",
    "head.output": "lm_head",
}
INSIDE = {
    "attn_norm": "input_layernorm",
    "attn.q": "self_attn.q_proj",
    "attn.k": "self_attn.k_proj",
    "attn.v": "self_attn.v_proj",
    "attn.out": "self_attn.o_proj",
    "mlp_norm": "post_attention_layernorm",
    "mlp.gate": "mlp.gate_proj",
}
LLAMA = {"mlp.up": "mlp.up_proj", "mlp.down": "mlp.down_proj"}
STARCODER2 = {"mlp.up": "mlp.c_fc", "mlp.down": "mlp.c_proj"}


def in_transformers(model: Transformer, attention: str = "eager") -> torch.nn.Module:
    """The same function of the same tokens; `attention` is theirs to choose: "eager" or "sdpa".

    Decoders with RoPE, no bias in a matrix, and either RMSNorm with SwiGLU or LayerNorm with GELU.
    """
    config = model.config
    llama = (config.norm, config.activation) == ("rmsnorm", "swiglu")
    if llama:
        theirs = LlamaForCausalLM(
            LlamaConfig(**sizes(config, attention), hidden_act="silu", rms_norm_eps=config.norm_eps)
        )
    elif (config.norm, config.activation) == ("layernorm", "gelu"):
        theirs = Starcoder2ForCausalLM(
            Starcoder2Config(
                **sizes(config, attention), hidden_act="gelu", norm_epsilon=config.norm_eps,
                use_bias=False, sliding_window=None,
            )
        )  # fmt: skip
    else:
        raise ValueError(f"neither a Llama nor a StarCoder2: {config}")
    weights = renamed(model.state_dict(), INSIDE | (LLAMA if llama else STARCODER2))
    left = theirs.load_state_dict(weights, strict=False)
    tied = {"lm_head.weight"} if config.tie_embeddings else set()
    if set(left.missing_keys) - tied or left.unexpected_keys:
        raise ValueError(str(left))
    return theirs.eval()


def sizes(config: ModelConfig, attention: str) -> dict[str, Any]:
    """What both of their configs call the same."""
    return {
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.mlp_size,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.key_value_heads,
        "head_dim": config.size_per_head,
        "max_position_embeddings": config.max_positions,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "tie_word_embeddings": config.tie_embeddings,
        "attn_implementation": attention,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
    }


def renamed(weights: dict[str, torch.Tensor], inside: dict[str, str]) -> dict[str, torch.Tensor]:
    """Our state dict under their names."""
    theirs = {}
    for name, weight in weights.items():
        part, kind = name.rsplit(".", 1)
        if part in OUTSIDE:
            theirs[f"{OUTSIDE[part]}.{kind}"] = weight
        else:
            _, _, layer, part = part.split(".", 3)
            theirs[f"model.layers.{layer}.{inside[part]}.{kind}"] = weight
    return theirs
