"""The run on the story teller, its parts, and the phenomena that were recorded over three seeds."""

import math
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from app import results
from labcore.errors import LabInputError
from labcore.tuning import sft, sft_ask, sft_packing, sft_template
from labcore.tuning.chat import ROLES
from labcore.tuning.instructions import Instruction
from labcore.tuning.sft_study import CROSSED, TRAINED, Study
from labcore.tuning.world_assistant import assistant_tokenizer
from labcore.tuning.world_instructions import TASKS, Asked


@pytest.fixture(scope="module")
def study() -> Study:
    return results.load(results.RECORDINGS / "sft-study.safetensors", Study).result


@pytest.fixture(scope="module")
def short():
    """Twenty steps, twice with the same seed."""
    return [sft.run(sft.SFTConfig(steps=20, seed=3)) for _ in range(2)]


# One conversation, and several.


@pytest.mark.parametrize("end", sft_template.ENDS)
@pytest.mark.parametrize("mask_prompt", [True, False])
def test_what_is_asked_of_a_typed_conversation(end, mask_prompt):
    config = sft_template.TemplateConfig("Who?", "It was Tom.", "small", mask_prompt, end)
    result = sft_template.run(config)
    role = np.array(ROLES)[result.roles]
    assert result.asked[role == "answer"].all()
    assert result.asked[role == "end"].all() == (end == "asked")
    assert result.asked[role == "user"].all() == (not mask_prompt)
    assert not result.asked[0]


def test_what_is_too_long_is_cut_and_counted():
    result = sft_template.run(sft_template.TemplateConfig("a " * 400, "b"))
    assert result.cut_characters == 800 - sft_template.MOST_CHARACTERS


@pytest.mark.parametrize(
    "bad", [{"question": " "}, {"answer": ""}, {"model": "x"}, {"end": "x"}]
)  # fmt: skip
def test_a_conversation_needs_words_and_a_template(bad):
    with pytest.raises(LabInputError):
        sft_template.TemplateConfig(**({"question": "q", "answer": "a"} | bad))


def test_packing_changes_no_logit_behind_its_mask():
    """The phenomenon and its control on the same rows."""
    result = sft_packing.run(sft_packing.PackingConfig(conversations=8))
    assert result.apart_change < 1e-3
    assert result.open_change > 1
    assert result.packed_waste < result.padded_waste
    assert (result.padded == sft_packing.ASKED).sum() == (result.packed == sft_packing.ASKED).sum()
    assert not result.mask[np.triu_indices(len(result.mask), 1)].any()


# The run.


def test_nothing_is_right_before_the_first_step(short):
    first = short[0].looks[0]
    assert (first.step, first.right) == (0, 0)
    assert math.isnan(first.loss)
    assert first.story_nats == pytest.approx(0.448, abs=0.01)  # the bundled model's own
    assert short[0].floor_nats < first.story_nats


def test_the_same_seed_runs_the_same_way(short):
    one, other = ([look.story_nats for look in result.looks] for result in short)
    assert one == other
    assert [shown.after for shown in short[0].shown] == [shown.after for shown in short[1].shown]


def test_the_weights_that_are_kept_are_those_of_the_last_look(short):
    """In 16 bits: the same answers, the same loss but for rounding."""
    model, exam = sft.tuned(short[0].weights), sft.Exam(sft.SFTConfig())
    again, last = exam.look(model, 20, 1.0, 0.0), short[0].looks[-1]
    assert again.story_nats == pytest.approx(last.story_nats, abs=2e-3)
    assert again.right == pytest.approx(last.right, abs=0.02)
    assert sft.without_weights(short[0]).weights == b""


def test_one_of_each_kind_is_shown_in_each_language(short):
    assert len({(one.task, one.language) for one in short[0].shown}) == 2 * len(TASKS)


@pytest.mark.parametrize(("replay", "every"), [(0.1, 10), (0.5, 2)])
def test_replay_gives_back_its_share_of_the_steps(replay, every):
    """A batch of stories asks for every token, one of instructions for a few."""
    drawn = list(islice(sft.batches(sft.SFTConfig(replay=replay), []), 20))
    stories = [batch.num_targets == int(batch.padding_mask.sum()) for batch in drawn]
    assert [n + 1 for n, told in enumerate(stories) if told] == list(range(every, 21, every))


def test_taught_in_one_language_none_of_the_other_is_read():
    batch = next(sft.batches(sft.SFTConfig(taught="zh"), []))
    assert (batch.tokens[:, 1] == assistant_tokenizer().special_id("<|zh|>")).all()


@pytest.mark.parametrize(
    ("said", "right"),
    [("It is red.", True), (" It is red. And", True), ("It is blue.", False), ("", False), ("It", False)],
)  # fmt: skip
def test_right_is_what_begins_with_the_right_words(said, right):
    asked = Asked("colour", "en", Instruction("?", "", "It is red."))
    assert sft.is_right(asked, said) is right


@pytest.mark.parametrize(
    "bad",
    [{"taught": "fr"}, {"template": "x"}, {"asked_with": "x"}, {"replay": 0.9}, {"replay": -0.1},
     {"learning_rate": 1.0}, {"steps": 1}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError):
        sft.SFTConfig(**bad)


def test_an_own_question_is_answered_before_and_after(short):
    text = "Lily had a red hat. What colour is the capital?"
    asked = sft_ask.run(sft_ask.AskConfig(text, short[0].weights))
    assert asked.unknown == ("capital",)
    assert asked.before != asked.after
    untouched = sft_ask.run(sft_ask.AskConfig(text))
    assert (untouched.before, untouched.after) == (asked.before, "")
    with pytest.raises(LabInputError):
        sft_ask.AskConfig("  ")


# What was recorded, over three seeds.


def test_every_case_was_recorded_with_three_seeds(study):
    assert set(study.cases) == {*TRAINED, *(f"{name}-crossed" for name in CROSSED)}
    assert all(len(case.last("right")) >= 3 for case in study.cases.values())


def test_it_learns_to_answer_and_forgets_its_stories(study):
    right = study.cases["right"]
    assert (right.measures["right"][:, 0] == 0).all()
    assert (right.last("right") > 0.7).all()
    assert (right.last("stopped") > 0.95).all()
    assert (right.last("story_nats") > study.floor_nats + 0.5).all()


def test_an_unmasked_prompt_costs_answers_at_equal_steps(study):
    """Every seed below every seed of the masked run; the stories suffer a little less."""
    right, no_mask = study.cases["right"], study.cases["no_mask"]
    assert no_mask.last("right").max() < right.last("right").min()
    assert no_mask.last("story_nats").max() < right.last("story_nats").min()


def test_without_the_end_it_answers_as_well_and_does_not_stop(study):
    no_end = study.cases["no_end"]
    assert no_end.last("stopped").max() < 0.5
    assert no_end.last("right").min() > 0.7


def test_the_other_template_costs_right_answers(study):
    for name in CROSSED:
        own, other = study.cases[name], study.cases[f"{name}-crossed"]
        assert other.last("right").mean() < own.last("right").mean() - 0.1


def test_a_little_replay_keeps_the_stories(study):
    """Whatever the seed: with 5 % of the steps most of the loss is not lost."""
    none, some = study.cases["right"], study.cases["replay-5"]
    start = none.measures["story_nats"][:, 0]
    assert ((some.last("story_nats") - start) < 0.3 * (none.last("story_nats") - start)).all()
    assert study.cases["replay-20"].last("right").min() > 0.6


def test_todays_run_begins_as_the_recorded_one_did():
    recorded = results.load(results.RECORDINGS / "sft-default.safetensors", sft.SFTResult).result
    assert recorded.weights == b""
    first = next(sft.tune(sft.SFTConfig()))
    assert first.story_nats == pytest.approx(recorded.looks[0].story_nats, rel=1e-4)
    assert recorded.looks[-1].right > 0.7


def test_the_study_is_of_the_runs_that_the_page_offers():
    assert TRAINED["right"] == sft.SFTConfig()
    assert replace(TRAINED["no_mask"], mask_prompt=True) == sft.SFTConfig()
    assert torch.tensor([c.steps for c in TRAINED.values()]).unique().numel() == 1
