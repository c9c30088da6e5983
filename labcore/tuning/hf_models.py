"""A model in a folder, in the form in which `transformers` reads it: a real one, or a very small one.

The real one is SmolLM2, as the zoo keeps it. The small one is a Llama without any training, made here in a
moment: it shows how everything works where there is no time, and learns nothing worth reading.
"""

import json
from pathlib import Path

import safetensors.torch
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor

from labcore import zoo
from labcore.errors import LabInputError
from labcore.model import presets
from labcore.model.config import ModelConfig
from labcore.model.published import LLAMA_LAYER
from labcore.model.transformer import Transformer
from labcore.tuning import instructions
from labcore.zoo.cache import cache_root

SMALL, REAL = "tiny-llama", "smollm2-135m-instruct"
MODELS = (REAL, SMALL)
SMALL_VOCAB = 512
START, STOP = "<|im_start|>", "<|im_end|>"
# ChatML, SmolLM2's template without the system's turn.
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content']"
    " + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def folder_of(model: str, scratch: Path) -> Path:
    """Where `AutoModelForCausalLM.from_pretrained` finds it; what has to be made goes to `scratch`."""
    if model == SMALL:
        write_small(scratch / SMALL)
        return scratch / SMALL
    if model != REAL:
        raise LabInputError("model", model, "known_choice", allowed=MODELS)
    zoo.load(REAL)  # fetched and checked, if it is not here yet
    return cache_root() / "models" / REAL


def write_small(folder: Path) -> None:
    """A Llama of two layers that nobody has trained, with a vocabulary of 512 tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = [f"{row.user}\n{row.output}" for row in instructions.load("en")]
    tokenizer = learn_vocabulary(texts)
    config = presets.llama(tokenizer.get_vocab_size(), 64, 2, (4, 2), 128, 512, tied=True)
    model = Transformer(config, generator=torch.Generator().manual_seed(0))
    safetensors.torch.save_file(
        llama_weights(model), folder / "model.safetensors", metadata={"format": "pt"}
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {"bos_token": START, "eos_token": STOP, "pad_token": STOP}
    write(folder / "tokenizer_config.json", special | {"chat_template": CHAT_TEMPLATE})
    ids = {f"{role}_id": tokenizer.token_to_id(token) for role, token in special.items()}
    write(folder / "config.json", llama_config(config) | ids)


def learn_vocabulary(texts: list[str]) -> Tokenizer:
    """A byte-level BPE of these texts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SMALL_VOCAB, special_tokens=[START, STOP], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def llama_weights(model: Transformer) -> dict[str, Tensor]:
    """This project's names -> the published ones; the way back of `published.from_hf`."""
    published = {ours: theirs for theirs, ours in LLAMA_LAYER.items()}
    outside = {
        "token_embedding": "model.embed_tokens", "stack.final_norm": "model.norm", "head": "lm_head",
    }  # fmt: skip
    state = {}
    for name, weight in model.named_parameters():
        stem, _, kind = name.rpartition(".")
        if stem.startswith("stack.layers."):
            _, _, layer, part = stem.split(".", 3)
            stem = f"model.layers.{layer}.{published[part]}"
        else:
            stem = outside[stem]
        state[f"{stem}.{kind}"] = weight.detach().contiguous()
    return state


def llama_config(config: ModelConfig) -> dict:
    """The values of a published `config.json`."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.mlp_size,
        "num_hidden_layers": config.decoder_layers,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.key_value_heads,
        "max_position_embeddings": config.max_positions,
        "rope_theta": config.rope_theta,
        "rms_norm_eps": config.norm_eps,
        "hidden_act": "silu",
        "tie_word_embeddings": config.tie_embeddings,
        "torch_dtype": "float32",
    }


def write(path: Path, values: dict) -> None:
    path.write_text(json.dumps(values, indent=1), encoding="utf-8")
