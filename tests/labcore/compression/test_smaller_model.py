"""Structured removal: the smaller model says what the masked one says; who is judged, who goes first."""

import copy

import numpy as np
import pytest
import torch

from app import results
from labcore.compression import structured as lab
from labcore.compression.smaller_model import (
    SMALLER,
    kept_by,
    masking,
    parameters,
    units_of,
)
from labcore.compression.structured import StructuredConfig, Study
from labcore.compression.unit_importance import importance, masked_loss, slopes
from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.generation import SamplingConfig, generate
from labcore.model.transformer import Transformer
from labcore.training.objectives import Batch

CONFIG = ModelConfig(vocab_size=40, hidden_size=24, num_layers=3, num_heads=4)
KINDS = {
    "plain": CONFIG,
    "gated": CONFIG.with_(activation="swiglu", intermediate_size=40),
    "biased": CONFIG.with_(
        qkv_bias=True, mlp_bias=True, attention_out_bias=True, positions="learned"
    ),
}


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(config: ModelConfig = CONFIG) -> Transformer:
    """Larger weights than at initialisation, biases too, so that every unit says something."""
    model, chance = Transformer(config, rng()).eval().requires_grad_(False), rng(1)
    for weight in model.parameters():
        weight.add_(0.2 * torch.randn(weight.shape, generator=chance))
    return model


def text(rows: int = 3) -> Batch:
    tokens = torch.randint(40, (rows, 10), generator=rng(2))
    return Batch(tokens[:, :-1], tokens[:, 1:], torch.ones(rows, 9, dtype=torch.bool))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unit", lab.UNITS)
def test_the_smaller_model_says_what_the_masked_one_says(unit, kind):
    model, tokens = drawn(KINDS[kind]), text().tokens
    worth = torch.rand(units_of(model, unit), generator=rng(3))
    kept = kept_by(worth, 1 if unit == "layers" else worth.numel() // 2)
    masks = masking(unit, kept.float())
    smaller = SMALLER[unit](copy.deepcopy(model), kept)
    assert parameters(smaller) < parameters(model)
    with torch.no_grad():
        masked, cut = model(tokens, interventions=masks).logits, smaller(tokens).logits
        assert torch.allclose(masked, cut, atol=1e-4)
        assert not torch.allclose(cut, model(tokens).logits, atol=1e-2)


def test_what_a_unit_weighs():
    """A head 4Dd = 4 · 24 · 6, a neuron 2D, a layer 12D² and two norms of 2D."""
    sizes = {"heads": 576, "neurons": 48, "layers": 12 * 24**2 + 4 * 24}
    for unit, size in sizes.items():
        model = drawn()
        whole = parameters(model)
        worth = torch.arange(float(torch.Size(units_of(model, unit)).numel()))
        kept = kept_by(worth.reshape(units_of(model, unit)), 2)
        assert whole - parameters(SMALLER[unit](model, kept)) == 2 * size


def test_a_smaller_model_writes_with_its_cache_as_without():
    kept = torch.tensor([[1, 1, 0, 0], [1, 0, 0, 1], [0, 0, 1, 0]]).bool()
    model = SMALLER["heads"](drawn(), kept)
    settings = SamplingConfig(max_new_tokens=8, temperature=1.0, seed=0)
    written = [step.token for step in generate(model, [3, 1], settings, stop_ids=set())]
    again = torch.tensor([[3, 1, *written]])
    with torch.no_grad():
        probs = model(again).logits[0, 1:-1].softmax(dim=-1)
    assert len(written) == 8
    steps = generate(model, [3, 1], settings, stop_ids=set())
    for row, step in zip(probs, steps, strict=True):
        assert torch.allclose(row, torch.as_tensor(step.logits).softmax(dim=-1), atol=1e-4)


def test_the_least_important_go_but_every_layer_keeps_one():
    worth = torch.tensor([[1.0, 2.0, 3.0], [9.0, 8.0, 7.0]])
    kept = kept_by(worth, 3)
    assert kept.tolist() == [[False, False, True], [True, True, False]]
    assert kept_by(worth, 4).sum(dim=1).tolist() == [1, 1]
    assert kept_by(torch.zeros(2, 3), 4).sum(dim=1).tolist() == [1, 1]
    with pytest.raises(LabInputError):
        kept_by(worth, 5)


def test_there_is_no_matrix_without_rows():
    with pytest.raises(LabInputError, match="one_each"):
        SMALLER["heads"](drawn(), torch.tensor([[0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]]).bool())


# What a unit is worth.


def test_a_head_that_writes_nothing_is_worth_nothing():
    model = drawn()
    model.stack.layers[1].attn.out.weight[:, 6:12] = 0
    for kind in ("alone", "slope", "size"):
        worth = importance(model, "heads", kind, text(), rng())
        assert worth[1, 1] == pytest.approx(0, abs=1e-6)
        assert worth.abs().argmin() == 5


@pytest.mark.parametrize("unit", lab.UNITS)
def test_a_slope_is_what_a_small_turn_of_the_gate_does(unit):
    model, batch = drawn().double(), text(1)
    gates = torch.ones(units_of(model, unit)).double()
    up, down = gates.clone(), gates.clone()
    up.view(-1)[2] += 1e-4
    down.view(-1)[2] -= 1e-4
    with torch.no_grad():
        turned = [masked_loss(model, unit, one, batch) for one in (up, down)]
    numeric = abs(float(turned[0] - turned[1])) / 2e-4
    assert slopes(model, unit, batch).view(-1)[2] == pytest.approx(numeric, rel=1e-3)


def test_slopes_do_not_depend_on_padding():
    one, more = text(2), text(2)
    tokens, targets, real = (
        torch.nn.functional.pad(part, (0, 4), value=value)
        for part, value in ((more.tokens, 0), (more.targets, -100), (more.padding_mask, False))
    )
    padded = slopes(drawn(), "heads", Batch(tokens, targets, real))
    assert torch.allclose(padded, slopes(drawn(), "heads", one), atol=1e-6)


def test_neurons_are_not_asked_one_by_one():
    with pytest.raises(LabInputError):
        importance(drawn(), "neurons", "alone", text(), rng())


@pytest.mark.parametrize(
    "bad",
    [
        {"unit": "atoms"}, {"removed": 0.9}, {"removed": -1}, {"importance": "fame"},
        {"unit": "neurons", "importance": "alone"},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError):
        StructuredConfig(**bad)


def test_a_run_cuts_and_times_and_repeats_itself():
    config = StructuredConfig("layers", 0.25, "size")
    one, other = lab.run(config), lab.run(config)
    assert one.loss_nats == other.loss_nats
    assert one.weights == (788_480, 788_480 - 197_120)
    assert one.model_bytes[0] - one.model_bytes[1] == 4 * 197_120
    assert one.milliseconds.shape == (2, lab.ROUNDS)
    assert (one.milliseconds > 0).all()


# What was recorded.


@pytest.fixture(scope="module")
def study() -> Study:
    return results.load(results.RECORDINGS / "pruning-structured.safetensors", Study).result


def test_judged_alone_beats_chance_until_half_of_the_heads_are_gone(study):
    heads = study.losses["heads"]
    assert (heads["alone"][:, :4].max(axis=0) < heads["random"][:, :4].min(axis=0)).all()


def test_size_is_no_judge_of_heads_and_neurons(study):
    """Worse than chance in the mean from a quarter of the heads and two fifths of the neurons on."""
    for unit, upto in (("heads", slice(1, 4)), ("neurons", slice(2, None))):
        losses = study.losses[unit]
        assert (losses["size"].mean(axis=0) > losses["random"].mean(axis=0))[upto].all()


def test_the_first_layer_is_missed_most_with_every_seed(study):
    rise = study.first["layers"]  # (S, L)
    assert rise[:, 0].min() > 6
    assert rise[:, 1:].max() < 0.2


def test_a_recorded_point_is_what_a_cut_gives_today(study):
    worth = lab.judged("heads", "size", 0)
    smaller, _ = lab.smaller_model("heads", worth, 0.25)
    loss = lab.held_out_loss(smaller, lab.held_out().batches)
    at = np.flatnonzero(study.shares["heads"] == 0.25)[0]
    assert loss == pytest.approx(study.losses["heads"]["size"][0, at], rel=1e-3)
