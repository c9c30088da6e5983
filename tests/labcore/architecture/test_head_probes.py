"""Probes of heads: what they return follows from the model's own trace."""

import numpy as np
import pytest
import torch

from labcore.architecture import head_probes
from labcore.architecture.head_probes import ProbeConfig, QueryKeyConfig, read_queries_and_keys
from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.zoo.cards import Card, LoadedModel

IDS = (3, 1, 4, 1, 5, 9)


def model(**settings) -> Transformer:
    config = ModelConfig(vocab_size=40, hidden_size=16, num_layers=2, num_heads=4, **settings)
    return Transformer(config, torch.Generator().manual_seed(0))


def on_the_shelf(monkeypatch, one: Transformer) -> None:
    card = Card("toy", one.config.kind, "lab", "bundled", "", 0, None, ())
    monkeypatch.setattr(head_probes, "load", lambda name: LoadedModel(one, None, card))


@pytest.mark.parametrize("groups", [4, 2])
def test_queries_and_keys_give_the_map_back(groups):
    """softmax(q·k/√d) under the causal mask is the definition of the weights (arXiv:1706.03762)."""
    one = model(num_key_value_heads=groups)
    result = read_queries_and_keys(one, QueryKeyConfig("toy", IDS, layer=1))
    keys = np.repeat(result.keys, 4 // groups, axis=0)
    scores = torch.from_numpy(result.queries @ keys.transpose(0, 2, 1) / 2)  # √d, d = 4
    scores.masked_fill_(torch.ones(6, 6).triu(1).bool(), -torch.inf)
    with torch.no_grad():
        trace = one(torch.tensor([IDS]), trace=True).trace
    torch.testing.assert_close(scores.softmax(-1), trace["layers.1.attn.weights"][0])


def test_cross_attention_asks_from_one_text_and_finds_keys_in_the_other():
    one = model(kind="encoder_decoder")
    config = QueryKeyConfig("toy", IDS, context_ids=(7, 8), kind="cross")
    result = read_queries_and_keys(one, config)
    assert result.queries.shape == (4, 6, 4)
    assert result.keys.shape == (4, 2, 4)


def test_a_layer_that_is_not_there_is_named_with_its_bounds():
    with pytest.raises(LabInputError) as caught:
        read_queries_and_keys(model(), QueryKeyConfig("toy", IDS, layer=2))
    assert (caught.value.field, caught.value.rule) == ("layer", "between")
    assert caught.value.facts == {"low": 0, "high": 1}


def test_the_same_seed_draws_the_same_random_text(monkeypatch):
    on_the_shelf(monkeypatch, model())
    first, again, other = (
        head_probes.probe(ProbeConfig("toy", seed)).scores["induction"] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_an_untrained_model_copies_nothing(monkeypatch):
    """Random weights make nearly uniform attention, which scores 0 by the definition of a score."""
    on_the_shelf(monkeypatch, model())
    result = head_probes.probe(ProbeConfig("toy"))
    assert result.scores["induction"].shape == (2, 4)
    assert np.abs(result.scores["induction"]).max() < 0.1
    assert not [label for label in result.labels if label.pattern == "induction"]


def test_only_a_decoder_can_be_probed(monkeypatch):
    on_the_shelf(monkeypatch, model(kind="encoder"))
    with pytest.raises(LabInputError) as caught:
        head_probes.probe(ProbeConfig("toy"))
    assert caught.value.rule == "needs_decoder"
