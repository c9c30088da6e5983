"""The model that "LoRA and its family" tunes: it has learnt to tell English passages of the micro-world.

It is built as Llama is (RMSNorm, RoPE, SwiGLU, no biases, tied table), so what is learnt beside its weights
can go to any tool that knows Llama. Its 178,000 weights are kept in 16 bits.

`python -m labcore.recipes.teller` makes `assets/policies/teller.safetensors` again.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from torch import nn

from labcore import shipped
from labcore.architecture.build_train_corpus import world
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.pretraining.small_world import HELD_OUT_SEED, SmallVocabulary, passages, row
from labcore.text.world import Story
from labcore.training.loop import TrainConfig

ASSET = Path(__file__).resolve().parents[2] / "assets" / "policies" / "teller.safetensors"
CONFIG = ModelConfig(
    vocab_size=427, hidden_size=64, num_layers=3, num_heads=4, intermediate_size=176,
    norm="rmsnorm", activation="swiglu",
)  # fmt: skip
TRAINING = TrainConfig(
    steps=3000, batch_size=32, learning_rate=4e-3, warmup_steps=50, weight_decay=0.05,
    final_share=0.02, eval_every=500,
)  # fmt: skip
LANGUAGE = ("en",)
TOLD, HELD_OUT = 8000, 200  # passages
VOCABULARY = "vocabulary"  # the asset's entry that holds the world's ids of the model's tokens


def load_teller() -> Transformer:
    """A fresh copy with its gradients on, to be trained by whoever asked."""
    weights = {name: weight.float() for name, weight in _asset().items() if name != VOCABULARY}
    return Transformer(CONFIG, weights=weights).requires_grad_(True)


def vocabulary() -> SmallVocabulary:
    """(V,) the world's ids of the tokens that the teller knows."""
    return SmallVocabulary(_asset()[VOCABULARY].numpy())


@lru_cache(maxsize=1)
def _asset() -> dict:
    return shipped.tensors(ASSET)


def training_passages() -> tuple[Story, ...]:
    return passages(LANGUAGE, TOLD, TRAINING.seed)


def held_out_passages() -> tuple[Story, ...]:
    return passages(LANGUAGE, HELD_OUT, HELD_OUT_SEED, "held_out")


def rows(told: Sequence[Story]) -> list[list[int]]:
    """`<|en|> passage <|eos|>` each, in the teller's tokens."""
    known = vocabulary()
    return [known.narrow(row(story)) for story in told]


def opening() -> int:
    return _id("<|en|>")


def ending() -> int:
    return _id("<|eos|>")


@lru_cache(maxsize=2)
def _id(special: str) -> int:
    whole = world("passages").tokenizer.special_id(special)
    return vocabulary().narrow([whole])[0]


@torch.no_grad()
def tell(model: nn.Module, most_tokens: int = 30) -> list[int]:
    """The row that a tuned teller finds likeliest, token by token."""
    model.eval()
    tokens = [opening()]
    while len(tokens) <= most_tokens and tokens[-1] != ending():
        logits = model(torch.tensor([tokens])).logits[0, -1]
        tokens.append(int(logits.argmax()))
    return tokens


def text_of(row: Sequence[int]) -> str:
    said = [token for token in row if token not in (opening(), ending())]
    return world("passages").tokenizer.decode(vocabulary().tokens[said].tolist())
