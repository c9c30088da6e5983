"""A recipe makes the same checkpoint again; shown on a recipe of a few seconds."""

import dataclasses
import hashlib
import json

import pytest
import torch

from labcore.model.config import ModelConfig
from labcore.recipes.recipe import Recipe, make
from labcore.text.bpe import BPETokenizer
from labcore.training import checkpoints
from labcore.training.checkpoints import Sample
from labcore.training.loop import TrainConfig
from labcore.training.objectives import causal_batch, held_out_loss, shuffled

TOKENIZER = BPETokenizer()
ROWS = [TOKENIZER.encode(text) for text in ("abcabcabc", "bcabca", "cabcabcab", "abcab") * 4]


def small_recipe() -> Recipe:
    pad = TOKENIZER.pad_id
    order = shuffled([len(row) for row in ROWS], 4, torch.Generator().manual_seed(0))
    return Recipe(
        name="small-one",
        objective="causal",
        corpus="three letters",
        model=ModelConfig(vocab_size=TOKENIZER.vocab_size, hidden_size=16, num_layers=1),
        training=(TrainConfig(steps=40, batch_size=4, learning_rate=1e-2, eval_every=20),),
        tokenizer=TOKENIZER,
        batches=(causal_batch([ROWS[at] for at in numbers], pad) for numbers in order),
        data_sha256="0" * 64,
        told=[causal_batch(ROWS[:4], pad)],
        held_out=[causal_batch(ROWS[:4], pad)],
        floor_nats=0.1,
        samples=lambda model: (Sample("a", "bc", "en"),),
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small-one")
    make(small_recipe(), folder)
    return folder


def weights_digest(folder) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_making_it_twice_gives_the_same_weights(made, tmp_path):
    make(small_recipe(), tmp_path)
    assert weights_digest(tmp_path) == weights_digest(made)


def test_another_seed_gives_other_weights(made, tmp_path):
    recipe = small_recipe()
    make(
        dataclasses.replace(recipe, training=(dataclasses.replace(recipe.training[0], seed=1),)),
        tmp_path,
    )
    assert weights_digest(tmp_path) != weights_digest(made)


def test_the_card_tells_the_truth_about_the_weights(made):
    loaded = checkpoints.load(made)
    assert loaded.card.steps == 40
    assert loaded.card.parameters == sum(w.numel() for w in loaded.model.parameters())
    assert held_out_loss(loaded.model, small_recipe().held_out) == pytest.approx(
        loaded.card.held_out_nats, abs=1e-12
    )


def test_the_card_names_the_command_that_makes_it(made):
    card = json.loads((made / "card.json").read_text(encoding="utf-8"))
    assert card["command"] == "python -m labcore.recipes.small_one"
    assert card["floor_ratio"] == pytest.approx(card["held_out_nats"] / 0.1)


def test_each_look_is_printed_with_its_distance_from_the_floor(tmp_path, capsys):
    make(small_recipe(), tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("small-one: floor 0.1000 nats")
    assert [line.split()[1] for line in lines if line.startswith("step")] == ["20", "40"]
    assert lines[-1] == "[en] a ▸ bc"


def test_a_second_round_goes_on_from_the_first(made, tmp_path):
    """Twice 40 steps on one stream of batches: the card counts both, and the loss has fallen further."""
    recipe = small_recipe()
    make(dataclasses.replace(recipe, training=recipe.training * 2), tmp_path)
    one, two = (checkpoints.load(folder).card for folder in (made, tmp_path))
    assert two.steps == 2 * one.steps
    assert two.tokens_seen > one.tokens_seen
    assert two.held_out_nats < one.held_out_nats
