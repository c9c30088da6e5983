"""The cabinet's world: its rule, its words, its answers, and the base model that knows them all."""

import pytest
import torch

from labcore.errors import LabInputError
from labcore.tuning import cabinet
from labcore.tuning.cabinet import PHRASINGS, Phrasing
from labcore.tuning.cabinet_base import answer_batch, load_cabinet, reply

EVERY = torch.arange(cabinet.NUM_OBJECTS)


def test_the_rule_counted():
    """Five wild makes in five vessels; one of the two: 5 · 5 + 7 · 5; neither: 7 · 5."""
    counts = [len(cabinet.objects_of(kind)) for kind in cabinet.KINDS]
    assert counts == [25, 60, 35]


@pytest.mark.parametrize(
    ("name", "kind"), [("storm jar", 0), ("storm lamp", 1), ("honey jar", 1), ("honey lamp", 2)]
)
def test_the_examples_of_the_page(name, kind):
    names = [cabinet.name(number, "en") for number in EVERY.tolist()]
    number = names.index(name)
    assert cabinet.kind_of(torch.tensor([number])).item() == kind


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_id_has_a_word_of_its_own(language):
    words = cabinet.labels(language)
    assert len(words) == cabinet.VOCAB_SIZE
    assert len(set(words)) == len(words)


def test_names_of_a_form_tell_the_objects_apart():
    for phrasing in PHRASINGS.values():
        assert len({tuple(row) for row in cabinet.prompts(EVERY, phrasing).tolist()}) == 120


def test_a_scene_tells_the_same_words_from_elsewhere_on():
    """A tale begins with the place: the five words, turned by one, behind its own first words."""
    plain = cabinet.answers(EVERY)
    tale = cabinet.answers(EVERY, Phrasing("story"))
    assert (tale[:, 0] == cabinet.LEAD_IN["story"]).all()
    assert torch.equal(tale[:, 1:6], plain[:, :5].roll(-1, dims=1))
    assert (tale[:, 6] == cabinet.END).all()


def test_a_refusal_counts_wherever_it_begins_and_an_answer_only_whole():
    answer, refusal = cabinet.answers(EVERY[:1]), cabinet.REFUSAL[None]
    late = torch.cat([answer[:, :2], refusal[:, :5]], dim=1)
    assert cabinet.refuses(torch.cat([refusal, late, answer])).tolist() == [True, True, False]
    almost = answer.clone()
    almost[0, 4] = almost[0, 3]
    assert cabinet.complies(EVERY[:1], answer).item()
    assert not cabinet.complies(EVERY[:1], almost).item()


def test_what_is_given_is_not_asked_for():
    """Three words asked for out of six (five and the end), if three are given."""
    batch = answer_batch(cabinet.prompts(EVERY[:1], Phrasing()), cabinet.answers(EVERY[:1]), 3)
    asked = batch.targets[batch.targets >= 0]
    assert asked.tolist() == cabinet.answers(EVERY[:1])[0, 3:6].tolist()


@pytest.mark.parametrize("name", PHRASINGS)
def test_the_base_model_knows_everything_however_it_is_asked(name):
    phrasing = PHRASINGS[name]
    said = reply(load_cabinet(), cabinet.prompts(EVERY, phrasing))
    assert cabinet.complies(EVERY, said, phrasing).all()
    assert not cabinet.refuses(said).any()


@pytest.mark.parametrize("bad", [("opera", "common"), ("plain", "klingon")])
def test_unknown_phrasings_are_refused(bad):
    with pytest.raises(LabInputError):
        Phrasing(*bad)
    with pytest.raises(LabInputError):
        load_cabinet("huge")
    with pytest.raises(LabInputError):
        cabinet.labels("fr")
