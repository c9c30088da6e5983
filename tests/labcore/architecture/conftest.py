"""Small random models with the byte alphabet as their tokenizer: 256 bytes and six special tokens."""

from collections.abc import Callable

import pytest
import torch

from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.text.bpe import BPETokenizer
from labcore.zoo.cards import Card, LoadedModel

Make = Callable[..., LoadedModel]


@pytest.fixture
def make() -> Make:
    """`make("decoder", …changes to the config)`: a loaded model with random weights, seed 0."""

    def loaded(kind: str, **changes: object) -> LoadedModel:
        tokenizer = BPETokenizer()
        config = ModelConfig(
            kind=kind, vocab_size=tokenizer.vocab_size, hidden_size=32, max_positions=96
        ).with_(**changes)
        model = Transformer(config, torch.Generator().manual_seed(0)).eval()
        with torch.no_grad():  # as large as after training, so that no effect drowns in rounding
            for parameter in model.parameters():
                parameter.mul_(3)
        card = Card("random", kind, "lab", "bundled", "test", 0, None, ("en", "zh"))
        return LoadedModel(model, tokenizer, card)

    return loaded
