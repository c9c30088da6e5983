"""A translator learns where to look: the measures by hand, the floors, a short run, the recording."""

from itertools import islice

import numpy as np
import pytest
import torch

from app import results
from labcore.architecture import cross_alignment, families_alignment
from labcore.architecture.build_train_corpus import world
from labcore.architecture.cross_alignment import FinishedConfig, found, held_out, needed
from labcore.architecture.families_alignment import AlignmentConfig, Study, run
from labcore.errors import LabInputError
from labcore.text.world import split_of
from labcore.zoo import load

TINY = AlignmentConfig(hidden_size=32, num_heads=2, steps=20, look_every=10, batch_size=8)


def test_mass_and_hits_of_two_words_by_hand():
    """Word 1: 0.7 on its source, which is the largest weight. Word 2: 0.3 + 0.1 on its two sources, the
    largest weight (0.6) elsewhere. Row 3 is not asked. Mass (0.7 + 0.4) / 2, hits 1 of 2."""
    weights = torch.tensor([[[[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.0, 0.0, 1.0]]]])
    truth = torch.tensor([[[1, 0, 0], [1, 0, 1], [0, 0, 0]]], dtype=torch.bool)
    mass, hits = found(weights, truth, truth.any(dim=2))
    assert mass.tolist() == pytest.approx([0.55])
    assert hits.tolist() == [0.5]


def test_even_attention_scores_chance():
    given = held_out()
    real = given.batch.context_padding_mask.float()
    even = (real / real.sum(dim=1, keepdim=True))[:, None, None, :]
    even = even.expand(-1, 1, given.truth.shape[1], -1)
    assert float(found(even, given.truth, given.asked)[0]) == pytest.approx(given.chance)


def test_hiding_a_token_is_leaving_it_unseen():
    """With a model that ignores its source, nothing is needed; with the translator, the name is."""
    pair, model = held_out().pairs[0], load("world-translator").model
    need = needed(model, pair.source, pair.target)
    assert need.shape == (len(pair.target) - 1, len(pair.source))
    row = int(pair.truth[1:].any(axis=1).nonzero()[0][0])
    assert need[row].argmax() in pair.truth[1:][row].nonzero()[0]
    silent = {
        k: torch.zeros_like(v) if ".cross.out" in k else v for k, v in model.state_dict().items()
    }
    deaf = type(model)(model.config, weights=silent)
    assert needed(deaf, pair.source, pair.target).abs().max() < 1e-5


def test_both_floors():
    """The source cannot raise the floor, and a pair's two floors are those of the world."""
    floors = families_alignment.floors()
    assert 0 < floors.own < floors.alone
    pair = held_out().pairs[0]
    own = sum(world().translation_nats(pair.source, pair.target))
    alone = sum(world("passages").sequence_nats(pair.target)[1:])
    assert own < alone


def test_the_control_never_pairs_a_text_with_its_own_source():
    batch, judged = held_out().batch, families_alignment.judged_on("shuffled")
    assert not (judged.context == batch.context).all(dim=1).any()
    torch.testing.assert_close(judged.targets, batch.targets)
    assert (judged.context_padding_mask == (judged.context != world().tokenizer.pad_id)).all()


@pytest.mark.parametrize("sources", families_alignment.SOURCES)
def test_training_pairs_are_fit_or_unfit_and_never_held_out(sources):
    told = next(families_alignment.told(AlignmentConfig(sources, batch_size=8)))
    fits = 0
    for row in range(8):
        source = told.context[row][told.context_padding_mask[row]].tolist()
        real = told.padding_mask[row]
        target = [*told.tokens[row][real].tolist(), world().tokenizer.eos_id]
        fits += world().translation_nats(source, target) is not None
        assert split_of(world().tokenizer.decode(source)) == "train"
    assert fits == 8 if sources == "own" else fits < 4


def test_a_short_run_learns_repeats_itself_and_looks_where_it_says():
    first, again = run(TINY), run(TINY)
    np.testing.assert_array_equal(first.loss_nats, again.loss_nats)
    assert [look.step for look in first.looks] == [0, 10, 20]
    assert first.looks[-1].validation_nats < first.looks[0].validation_nats - 1
    look = first.looks[0]
    assert look.cross.shape == (1, 2, len(first.reading.queries), len(first.reading.keys))
    np.testing.assert_allclose(look.cross.sum(axis=-1) / 255, 1, atol=0.05)


def test_a_longer_run_begins_like_a_shorter_one():
    """The rate does not depend on the number of steps, so a live run retraces the recorded ones."""
    events = islice(families_alignment.learn_to_translate(AlignmentConfig(steps=1500)), 4)
    short = islice(families_alignment.learn_to_translate(AlignmentConfig(steps=100)), 4)
    longer = [event.loss_nats for event in events]
    assert longer == [event.loss_nats for event in short]
    study = results.load(results.RECORDINGS / "families-study.safetensors", Study).result
    np.testing.assert_allclose(longer[1:], study.first.loss_nats[:3], rtol=1e-3)


def test_what_was_recorded_has_the_shape_that_the_page_tells():
    """Three seeds: with own sources all fall far below the floor without a source and find their words;
    with shuffled ones none gets below it, and attention stays where chance would put it."""
    study = results.load(results.RECORDINGS / "families-study.safetensors", Study).result
    floors, chance = study.first.floors, study.first.chance
    own, shuffled = study.validation_nats["own"], study.validation_nats["shuffled"]
    assert own.shape == shuffled.shape == (3, len(study.steps))
    assert (own > floors.own).all()
    assert (own[:, -1] < floors.alone / 3).all()
    assert (shuffled > floors.alone).all()
    assert (study.hits["own"][:, -1] > 0.75).all()
    assert (np.abs(study.mass["shuffled"] - chance) < 0.02).all()
    halves = [study.steps[np.argmax(hits >= 0.5)] for hits in study.hits["own"]]
    for seed, half in enumerate(halves):  # looking comes late: below the floor without a source
        assert own[seed, list(study.steps).index(half)] < floors.alone
    assert study.first.reading.possible


def test_the_finished_translator_aligns_in_its_second_layer_only():
    result = cross_alignment.finished(FinishedConfig())
    first, last = result.alignment.joint_hits
    assert first < 0.15
    assert last > 0.95
    assert result.need_hits > 0.8
    assert result.reading.possible


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sources": "none"}, "sources"), ({"num_layers": 3}, "num_layers"),
        ({"num_heads": 5}, "num_heads"), ({"steps": 10**6}, "steps"),
        ({"learning_rate": 1.0}, "learning_rate"), ({"look_every": 1}, "look_every"),
    ],
)  # fmt: skip
def test_a_bad_knob_is_refused(changes, field):
    with pytest.raises(LabInputError) as caught:
        AlignmentConfig(**changes)
    assert caught.value.field == field


def test_a_pair_that_is_not_there_is_refused():
    with pytest.raises(LabInputError, match="between"):
        FinishedConfig(99)
