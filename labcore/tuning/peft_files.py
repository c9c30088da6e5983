"""What was learnt beside the weights, in the files that `peft` reads and writes.

A zip of `adapter_config.json` and `adapter_model.safetensors`, with the names that the matrices have in
`transformers`' Llama. With `base_files()` on disk,

    base = LlamaForCausalLM.from_pretrained("teller")
    PeftModel.from_pretrained(base, "adapter")

says what our model says. A file that comes back is measured before anything is built from it; nothing is
unpickled.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.published import LLAMA_LAYER
from labcore.training.checkpoints import weights_of
from labcore.tuning import teller
from labcore.tuning.lora import corrections
from labcore.tuning.methods import LOW_RANK, Method
from labcore.tuning.small_parts import Bottleneck, PrefixTuned, PromptTuned, ScaledLinear

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."  # what peft puts before the names of the model that it wraps
PEFT_TYPES = {
    **dict.fromkeys(LOW_RANK, "LORA"),
    "ia3": "IA3",
    "prompt": "PROMPT_TUNING",
    "prefix": "PREFIX_TUNING",
    "adapter": "BOTTLENECK",
}  # fmt: skip  (peft has no bottleneck adapters: that file only comes back to this lab)


def packed(model: nn.Module, method: Method) -> bytes:
    """The zip of what `method` has learnt; of a full fine-tune the whole model, as `base_files` has it."""
    if method.name == "full":
        return zipped(llama_files(model, model.config))
    config, weights = peft_config(method), peft_weights(model, method)
    return zipped(
        {
            CONFIG_FILE: json.dumps(config, indent=1).encode(),
            WEIGHTS_FILE: safetensors.torch.save(weights, metadata={"format": "pt"}),
        }
    )


def zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():  # a fixed date: the same run gives the same file
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


# Writing.


def peft_config(method: Method) -> dict[str, Any]:
    """The fields that peft asks for; all others have its defaults."""
    if method.name not in PEFT_TYPES:
        raise LabInputError("method", method.name, "known_choice", allowed=tuple(PEFT_TYPES))
    shared = {
        "peft_type": PEFT_TYPES[method.name], "task_type": "CAUSAL_LM", "inference_mode": True,
        "base_model_name_or_path": "teller",
    }  # fmt: skip
    if method.name in LOW_RANK:
        lora = method.lora
        return shared | {
            "r": lora.rank, "lora_alpha": lora.alpha, "lora_dropout": lora.dropout, "bias": "none",
            "use_rslora": lora.rank_stabilised, "use_dora": lora.dora,
            "target_modules": [hf_target(name) for name in lora.targets],
        }  # fmt: skip
    if method.name == "ia3":
        return shared | {
            "target_modules": ["k_proj", "v_proj", "down_proj"],
            "feedforward_modules": ["down_proj"],
        }
    if method.name == "adapter":
        return shared | {"width": method.size}
    base = teller.CONFIG
    return shared | {
        "num_virtual_tokens": method.size, "token_dim": base.hidden_size,
        "num_transformer_submodules": 1, "num_attention_heads": base.num_heads,
        "num_layers": base.num_layers,
    }  # fmt: skip


def peft_weights(model: nn.Module, method: Method) -> dict[str, Tensor]:
    """What has learnt, by peft's names."""
    if isinstance(model, PromptTuned):
        return {"prompt_embeddings": model.prompt.detach().clone()}
    if isinstance(model, PrefixTuned):
        return {"prompt_embeddings": flat_prefix(model)}
    weights: dict[str, Tensor] = {}
    for name, part in corrections(model).items():
        theirs = PREFIX + hf_name(name)
        weights[f"{theirs}.lora_A.weight"], weights[f"{theirs}.lora_B.weight"] = part.a, part.b
        if part.length is not None:
            weights[f"{theirs}.lora_magnitude_vector"] = part.length
    for name, part in model.named_modules():
        if isinstance(part, ScaledLinear):
            shape = (1, -1) if part.scale_inputs else (-1, 1)
            weights[f"{PREFIX}{hf_name(name)}.ia3_l"] = part.factors.view(shape)
        if isinstance(part, Bottleneck):
            weights[f"{PREFIX}{hf_name(name)}.narrow"] = part.narrow
            weights[f"{PREFIX}{hf_name(name)}.widen"] = part.widen
    return {name: weight.detach().clone().contiguous() for name, weight in weights.items()}


def flat_prefix(model: PrefixTuned) -> Tensor:
    """Keys and values of every layer side by side, as peft keeps them.  -> (P, 2·L·K·d)

    peft's order per virtual token: layer 0's keys, layer 0's values, layer 1's keys, …
    """
    pairs = zip(model.keys, model.values, strict=True)
    entries = [part.detach()[0].transpose(0, 1).flatten(1) for pair in pairs for part in pair]
    return torch.cat(entries, dim=1).contiguous()


def hf_name(name: str) -> str:
    """>>> hf_name("stack.layers.0.attn.q")
    'model.layers.0.self_attn.q_proj'
    """
    _, layers, index, part = name.split(".", 3)
    theirs = {ours: name for name, ours in LLAMA_LAYER.items()}
    return f"model.{layers}.{index}.{theirs[part]}"


def hf_target(name: str) -> str:
    """>>> hf_target("out"), hf_target("gate")
    ('o_proj', 'gate_proj')
    """
    return "o_proj" if name == "out" else f"{name}_proj"


# The base, as `transformers` reads it.


def base_files() -> dict[str, bytes]:
    """`config.json`, `model.safetensors`, and `tokens.json`, the texts that the ids stand for."""
    known = teller.vocabulary()
    texts = json.dumps([known.label(token) for token in range(known.size)], ensure_ascii=False)
    return llama_files(teller.load_teller(), teller.CONFIG) | {"tokens.json": texts.encode()}


def llama_files(model: nn.Module, config: ModelConfig) -> dict[str, bytes]:
    weights = {}
    outside = {"token_embedding": "model.embed_tokens", "stack.final_norm": "model.norm"}
    for name, weight in weights_of(model).items():
        module, _, last = name.rpartition(".")
        weights[f"{outside.get(module) or hf_name(module)}.{last}"] = weight
    settings = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "vocab_size": config.vocab_size, "hidden_size": config.hidden_size,
        "intermediate_size": config.mlp_size, "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads, "num_key_value_heads": config.key_value_heads,
        "max_position_embeddings": config.max_positions, "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta, "tie_word_embeddings": True, "attention_bias": False,
        "mlp_bias": False, "bos_token_id": None, "eos_token_id": teller.ending(),
    }  # fmt: skip
    return {
        "config.json": json.dumps(settings, indent=1).encode(),
        "model.safetensors": safetensors.torch.save(weights, metadata={"format": "pt"}),
    }
