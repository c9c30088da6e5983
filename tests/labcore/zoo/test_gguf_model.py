"""A tiny Llama written to GGUF, read by us and by `transformers`: the same numbers, the same ids."""

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from labcore.zoo import gguf_model
from labcore.zoo.published_tokenizer import BYTE_OF, PublishedTokenizer

D, F, H, K, HEAD_DIM, LAYERS = 64, 96, 4, 2, 16, 2
MERGES = ["Ġ Ġ", "Ċ Ċ", "1 2", "t h", "th e"]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = "{% for m in messages %}{{'<|im_start|>' + m['content'] + '<|im_end|>'}}{% endfor %}"


def vocabulary() -> list[str]:
    """Special tokens, the 256 bytes, one token per merge."""
    return [*SPECIAL, *BYTE_OF, *(merge.replace(" ", "") for merge in MERGES)]


def write_gguf(path: Path, tied: bool = True) -> None:
    tokens = vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(128)
    writer.add_embedding_length(D)
    writer.add_feed_forward_length(F)
    writer.add_head_count(H)
    writer.add_head_count_kv(K)
    writer.add_rope_freq_base(50000.0)
    writer.add_rope_dimension_count(HEAD_DIM)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)))
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_chat_template(TEMPLATE)
    for name, shape in shapes(len(tokens), tied).items():
        rng = np.random.default_rng([len(name), *name.encode()])
        values = rng.normal(0, 0.5, shape).astype(np.float32)
        kind = gguf.GGMLQuantizationType.F32
        if len(shape) == 2:
            kind = gguf.GGMLQuantizationType.Q4_1
            values = gguf.quantize(values, kind)
        writer.add_tensor(name, values, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def shapes(vocab_size: int, tied: bool) -> dict[str, tuple[int, ...]]:
    named = {"token_embd": (vocab_size, D), "output_norm": (D,)}
    if not tied:
        named["output"] = (vocab_size, D)
    for layer in range(LAYERS):
        block = {
            "attn_norm": (D,),
            "attn_q": (H * HEAD_DIM, D),
            "attn_k": (K * HEAD_DIM, D),
            "attn_v": (K * HEAD_DIM, D),
            "attn_output": (D, H * HEAD_DIM),
            "ffn_norm": (D,),
            "ffn_gate": (F, D),
            "ffn_up": (F, D),
            "ffn_down": (D, F),
        }
        named |= {f"blk.{layer}.{part}": shape for part, shape in block.items()}
    return {f"{name}.weight": shape for name, shape in named.items()}


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def folders(request, tmp_path_factory) -> tuple[Path, Path]:
    """(with the GGUF file, with our conversion)"""
    source, converted = tmp_path_factory.mktemp("gguf"), tmp_path_factory.mktemp("converted")
    write_gguf(source / "tiny.gguf", tied=request.param)
    gguf_model.convert(source / "tiny.gguf", converted, lambda share: None)
    return source, converted


def test_the_converted_weights_are_those_that_transformers_reads_from_the_gguf(folders):
    """Bit for bit, query and key rows included, whose order GGUF changes."""
    source, converted = folders
    theirs = AutoModelForCausalLM.from_pretrained(source, gguf_file="tiny.gguf").state_dict()
    ours = AutoModelForCausalLM.from_pretrained(converted).state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_the_converted_config_means_what_transformers_reads_from_the_gguf(folders):
    source, converted = folders
    theirs = AutoModelForCausalLM.from_pretrained(source, gguf_file="tiny.gguf").config
    ours = AutoModelForCausalLM.from_pretrained(converted).config
    for name in (
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "hidden_act",
        "num_attention_heads", "num_key_value_heads", "max_position_embeddings", "rms_norm_eps",
        "rope_parameters", "tie_word_embeddings", "bos_token_id", "eos_token_id", "pad_token_id",
    ):  # fmt: skip
        assert getattr(ours, name) == getattr(theirs, name), name


@pytest.mark.parametrize(
    "text", ["the theme", "你好，世界 😀", "\tdef f(x):\n  return x\n", "it's 1 of 2"]
)
def test_ids_are_those_of_the_tokenizer_that_transformers_builds(folders, text):
    """On texts without digits in a row or blanks before one, where the two rules for cutting agree."""
    source, converted = folders
    theirs = AutoTokenizer.from_pretrained(source, gguf_file="tiny.gguf")
    ours = PublishedTokenizer.from_folder(converted)
    assert ours.encode(text) == theirs(text, add_special_tokens=False).input_ids
    assert ours.decode(ours.encode(text)) == text


def test_every_digit_stands_alone_and_the_blanks_before_it_stay_together(folders):
    """`smollm` cuts at digits first. Worked by hand: "\\n\\n12" is cut into "\\n\\n", "1", "2", so the
    merge "Ċ Ċ" applies and "1 2" cannot. GPT-2's pattern alone would leave one newline over for the
    digits ("\\n", "\\n", "12") — what reading this file through `transformers` gives."""
    tokenizer = Tokenizer.from_file(str(folders[1] / "tokenizer.json"))
    assert tokenizer.encode("\n\n12").tokens == ["ĊĊ", "1", "2"]
    assert tokenizer.encode("  1").tokens == ["ĠĠ", "1"]


def test_special_tokens_and_chat_template_come_along(folders):
    tokenizer = PublishedTokenizer.from_folder(folders[1])
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id) == (1, 2, 2)
    assert tokenizer.chat_prompt("the") == "<|im_start|>the<|im_end|>"


def test_undoing_the_row_order_by_hand():
    """One head of d = 4: GGUF keeps RoPE's pairs side by side, 0 2 | 1 3; published order is 0 1 2 3."""
    stored = np.array([[0.0], [2.0], [1.0], [3.0]])
    assert gguf_model.unpermute(stored, heads=1).ravel().tolist() == [0.0, 1.0, 2.0, 3.0]


def test_a_gguf_of_another_architecture_is_refused(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "other.gguf", "mamba")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ValueError, match="mamba"):
        gguf_model.convert(tmp_path / "other.gguf", tmp_path, lambda share: None)
