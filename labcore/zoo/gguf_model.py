"""A Llama in a GGUF file, turned into the form in which models are published.

A GGUF file holds everything in one place: header values, the vocabulary, and weights in blocks of
32 numbers that share a scale (and, in Q4_1, a minimum). Dequantising gives back exactly the numbers
that the file stands for; nothing is trained or rounded again.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import safetensors.numpy
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

MODEL_PARTS = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}
BLOCK_PARTS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
# How text is cut before merging, by the file's `tokenizer.ggml.pre`. SmolLM's tokenizer first sets
# every digit apart: "a  1" keeps its two blanks together, which GPT-2's pattern alone would not do.
PRE_TOKENIZERS = {
    "gpt-2": (),
    "smollm": (pre_tokenizers.Digits(individual_digits=True),),
}


def convert(path: Path, folder: Path, on_share: Callable[[float], None]) -> None:
    """Write `config.json`, `tokenizer.json`, `tokenizer_config.json` and `model.safetensors`.

    Weights come out in fp32: fp16 could not hold scale · level + minimum exactly.
    """
    reader = gguf.GGUFReader(path)
    config = llama_config(reader)
    weights = {}
    for done, tensor in enumerate(reader.tensors, start=1):
        name = published_name(tensor.name)
        values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32, copy=False)
        if name.endswith("q_proj.weight"):
            values = unpermute(values, config["num_attention_heads"])
        elif name.endswith("k_proj.weight"):
            values = unpermute(values, config["num_key_value_heads"])
        weights[name] = np.ascontiguousarray(values)
        on_share(done / len(reader.tensors))
    config["tie_word_embeddings"] = "lm_head.weight" not in weights
    safetensors.numpy.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    _write_json(folder / "config.json", config)
    tokenizer(reader).save(str(folder / "tokenizer.json"))
    _write_json(folder / "tokenizer_config.json", tokenizer_config(reader))


def llama_config(reader: gguf.GGUFReader) -> dict[str, Any]:
    """The header's values under the names of a published Llama `config.json`."""
    if _field(reader, "general.architecture") != "llama":
        raise ValueError(f"no Llama: {_field(reader, 'general.architecture')}")
    heads = _field(reader, "llama.attention.head_count")
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": len(_field(reader, "tokenizer.ggml.tokens")),
        "hidden_size": _field(reader, "llama.embedding_length"),
        "intermediate_size": _field(reader, "llama.feed_forward_length"),
        "num_hidden_layers": _field(reader, "llama.block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": _field(reader, "llama.attention.head_count_kv", heads),
        "max_position_embeddings": _field(reader, "llama.context_length"),
        "rope_theta": _field(reader, "llama.rope.freq_base", 10000.0),
        "rms_norm_eps": _field(reader, "llama.attention.layer_norm_rms_epsilon"),
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": _field(reader, "tokenizer.ggml.bos_token_id"),
        "eos_token_id": _field(reader, "tokenizer.ggml.eos_token_id"),
        "pad_token_id": _field(reader, "tokenizer.ggml.padding_token_id"),
        "torch_dtype": "float32",
    }


def published_name(name: str) -> str:
    """A GGUF tensor's name as `transformers` writes it.

    >>> published_name("blk.3.attn_q.weight")
    'model.layers.3.self_attn.q_proj.weight'
    """
    stem, kind = name.rsplit(".", 1)
    if stem in MODEL_PARTS:
        return f"{MODEL_PARTS[stem]}.{kind}"
    _, layer, part = stem.split(".")
    return f"model.layers.{layer}.{BLOCK_PARTS[part]}.{kind}"


def unpermute(weight: np.ndarray, heads: int) -> np.ndarray:
    """Undo the order in which GGUF stores a head's query or key rows.  (H·d, D) -> (H·d, D)

    RoPE turns pairs of numbers. GGUF keeps a pair's two rows next to each other, published Llamas
    keep them half a head apart: row 2j+i of a head goes back to row i·d/2 + j.
    """
    rows, width = weight.shape
    pairs = weight.reshape(heads, rows // heads // 2, 2, width)  # (H, d/2, 2, D)
    return pairs.swapaxes(1, 2).reshape(rows, width)


def tokenizer(reader: gguf.GGUFReader) -> Tokenizer:
    """The byte-level BPE whose vocabulary and merges the file holds."""
    if _field(reader, "tokenizer.ggml.model") != "gpt2":
        raise ValueError("only byte-level BPE is read from GGUF")
    tokens = _field(reader, "tokenizer.ggml.tokens")
    merges = [tuple(pair.split(" ")) for pair in _field(reader, "tokenizer.ggml.merges")]
    bpe = models.BPE({token: index for index, token in enumerate(tokens)}, merges)
    built = Tokenizer(bpe)
    cuts = PRE_TOKENIZERS[_field(reader, "tokenizer.ggml.pre")]
    built.pre_tokenizer = pre_tokenizers.Sequence(
        [*cuts, pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    built.decoder = decoders.ByteLevel()
    kinds = _field(reader, "tokenizer.ggml.token_type")
    built.add_special_tokens(
        [
            AddedToken(token, special=True, normalized=False)
            for token, kind in zip(tokens, kinds, strict=True)
            if kind == gguf.TokenType.CONTROL
        ]
    )
    return built


def tokenizer_config(reader: gguf.GGUFReader) -> dict[str, Any]:
    """The special tokens by role, and the chat template if there is one."""
    tokens = _field(reader, "tokenizer.ggml.tokens")
    roles = {"bos": "bos", "eos": "eos", "pad": "padding", "unk": "unknown"}
    ids = {role: _field(reader, f"tokenizer.ggml.{key}_token_id") for role, key in roles.items()}
    found = {f"{role}_token": tokens[index] for role, index in ids.items() if index is not None}
    template = _field(reader, "tokenizer.chat_template")
    return {**found, **({"chat_template": template} if template else {})}


def _field(reader: gguf.GGUFReader, key: str, default: Any = None) -> Any:
    field = reader.get_field(key)
    return default if field is None else field.contents()


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False), encoding="utf-8")
