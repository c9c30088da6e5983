"""The peers of the benchmarks compute what ours computes; else a ratio would compare two things."""

import pytest
import torch

from benchmarks.peers import in_transformers
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.zoo import load

SMALL = ModelConfig(
    vocab_size=50, hidden_size=24, num_layers=2, num_heads=4, num_key_value_heads=2,
    norm="rmsnorm", activation="swiglu", tie_embeddings=False,
)  # fmt: skip


@pytest.mark.parametrize("name", ["bundled", "llama"])
def test_a_decoder_in_transformers_gives_the_same_logits_and_maps(name):
    model = load("world-decoder").model if name == "bundled" else Transformer(SMALL).eval()
    theirs = in_transformers(model)
    rng = torch.Generator().manual_seed(0)
    tokens = torch.randint(model.config.vocab_size, (2, 9), generator=rng)
    with torch.no_grad():
        ours, wanted = model(tokens, trace=True), theirs(tokens, output_attentions=True)
    torch.testing.assert_close(ours.logits, wanted.logits, atol=1e-4, rtol=1e-4)
    for layer, maps in enumerate(wanted.attentions):
        torch.testing.assert_close(ours.trace[f"layers.{layer}.attn.weights"], maps)


def test_a_model_that_they_cannot_write_is_refused():
    with pytest.raises(ValueError, match="neither"):
        in_transformers(Transformer(SMALL.with_(activation="relu")))
