"""Runs with planted secrets: what is trained on, what is asked, and that they repeat themselves."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from labcore.architecture.build_train_corpus import world
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.pretraining import memorisation as lab
from labcore.pretraining.memorisation import MemoryConfig, StudyConfig
from labcore.pretraining.small_world import floor_nats, passages, row
from labcore.text.world import split_of

QUICK = MemoryConfig(steps=2, look_every=1)


def test_a_run_looks_at_every_secret():
    events = []
    result = drain(lab.memorise(QUICK), events.append)
    assert [look.step for look in events] == [1, 2]
    assert result.exposure.shape == (2, 16)
    assert result.secrets == lab.secrets_of(QUICK)
    assert result.documents == 2000 + 2 * 64 + 2 * 16 + 3 * 4 + 4 + 8
    np.testing.assert_array_equal(result.copies_left, [secret.copies for secret in result.secrets])
    for rank, nats in zip(result.looks[-1].rank, result.looks[-1].nats, strict=True):
        assert 1 <= rank <= 10_000
        assert nats > 0


@pytest.mark.parametrize(
    ("planted", "cure", "left"),
    [("alone", "documents", 1), ("inside", "documents", 64), ("inside", "sentences", 1),
     ("nowhere", "none", 0)],
)  # fmt: skip
def test_a_cure_leaves_what_it_can_see(planted, cure, left):
    config = MemoryConfig(planted=planted, cure=cure)
    corpus = lab.build(config, torch.Generator().manual_seed(0))
    assert lab.copies_left(corpus, "en").max() == left


def test_held_out_passages_are_other_passages_with_an_exact_floor():
    """The mean of −ln q over tokens, told a second way: the world's own floor of these rows."""
    corpus = lab.build(MemoryConfig("zh"), torch.Generator().manual_seed(0))
    trained = {document.text for document in corpus.documents}
    assert not trained & {story.text for story in corpus.held_out}
    assert {split_of(story.text) for story in corpus.held_out} == {"held_out"}
    whole, stories = world("passages"), corpus.held_out[:20]
    floor = whole.causal_floor([whole.story_ids(story) for story in stories])
    # `causal_floor` asks for the language as well, which costs ln 2 once in a row.
    asked = sum(len(row(story)) - 1 for story in stories)
    nats = floor.nats_per_token * floor.tokens - len(stories) * np.log(2)
    assert floor_nats(stories) == pytest.approx(nats / asked)


def test_passages_differ_and_take_turns():
    told = passages(("en", "zh"), 50, 0)
    assert len({story.text for story in told}) == 50
    assert {story.language for story in told} == {"en", "zh"}
    assert told == passages(("en", "zh"), 50, 0)


def test_a_study_holds_the_ends_of_its_runs_and_a_run_repeats_itself():
    study = lab.study(StudyConfig(arms=("alone",), seeds=(3,), steps=1))
    alone = lab.run(replace(QUICK, steps=1, seed=3))
    np.testing.assert_array_equal(study.rank[0, 0], alone.looks[-1].rank)
    assert study.held_out_nats[0, 0] == pytest.approx(alone.looks[-1].held_out_nats)
    assert study.copies[0, 0].tolist() == [secret.copies for secret in alone.secrets]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"pin": "123"}, "four_digits"),
        ({"pin": "12a4"}, "four_digits"),
        ({"pin": "１２３４"}, "four_digits"),
        ({"copies": 65}, "between"),
        ({"steps": 601}, "between"),
        ({"look_every": 0}, "between"),
        ({"language": "fr"}, "known_choice"),
        ({"planted": "deep"}, "known_choice"),
        ({"cure": "prayer"}, "known_choice"),
    ],
)
def test_a_run_that_cannot_be_made_is_refused(change, rule):
    with pytest.raises(LabInputError, match=rule):
        MemoryConfig(**change)
