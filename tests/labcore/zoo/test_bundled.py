"""The lab's own models through the same door, on a checkpoint of a few kilobytes."""

from pathlib import Path

import pytest
import torch

from labcore import shipped as files
from labcore import zoo
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.text.bpe import BPETokenizer
from labcore.training import checkpoints
from labcore.zoo import loading
from labcore.zoo.shelf import Shelf


@pytest.fixture
def shipped(tmp_path, monkeypatch) -> Transformer:
    """One bundled model, "tiny", of 1 layer over the bare bytes; beside it a folder that is none."""
    folder = tmp_path / "checkpoints"
    monkeypatch.setattr(files, "ASSETS", tmp_path)
    monkeypatch.setattr(checkpoints, "ASSETS", folder)
    monkeypatch.setattr(loading, "SHELF", Shelf())
    tokenizer = BPETokenizer()
    config = ModelConfig(vocab_size=tokenizer.vocab_size, hidden_size=16, num_layers=1, num_heads=2)
    model = Transformer(config, torch.Generator().manual_seed(0)).eval()
    card = checkpoints.Card(
        name="tiny", objective="causal", config=config,
        parameters=sum(weight.numel() for weight in model.parameters()),
        corpus="nothing", data_sha256="0" * 64, seed=0, command="python -m labcore.recipes.tiny",
        steps=7, tokens_seen=0, train_nats=2.0, held_out_nats=2.2, floor_nats=2.0,
        samples=(checkpoints.Sample("a", "b", "en"),), torch_version="2", date="2026-01-01",
        seconds=1.0,
    )  # fmt: skip
    checkpoints.save(folder / "tiny", model, tokenizer, card)
    (folder / "half-made").mkdir()
    return model


def test_bundled_names_are_those_of_the_list_and_no_other_folder(shipped):
    assert zoo.bundled_names() == ["tiny"]
    assert zoo.is_at_hand("tiny")


def test_a_bundled_model_computes_what_the_saved_one_did(shipped):
    loaded = zoo.load("tiny")
    tokens = torch.tensor([loaded.tokenizer.encode("a cat 天")])
    with torch.no_grad():
        assert torch.equal(loaded.model(tokens).logits, shipped(tokens).logits)
    assert zoo.load("tiny") is loaded


def test_its_card_tells_how_it_was_trained(shipped):
    """Held-out 2.2 nats over a floor of 2.0 is a ratio of 1.1."""
    card = zoo.load("tiny").card
    assert (card.kind, card.family, card.source) == ("decoder", "lab", "bundled")
    assert card.origin == "python -m labcore.recipes.tiny"
    assert card.languages == ("zh", "en")
    assert card.training["steps"] == 7
    assert card.training["floor_ratio"] == pytest.approx(1.1)
    assert card.training["samples"] == ({"prompt": "a", "text": "b", "language": "en"},)


def test_a_bundled_model_touches_neither_cache_nor_network(shipped, tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_LAB_CACHE", str(tmp_path / "cache"))
    zoo.load("tiny")
    assert not Path(tmp_path / "cache").exists()
