"""Causal against masked on text: a short run, what it keeps, and any text under what it kept."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.events import drain
from labcore.pretraining import objective_natural as lab
from labcore.pretraining import objective_own as own
from labcore.pretraining.objective_kinds import Objective
from labcore.pretraining.objective_natural import NaturalConfig
from labcore.pretraining.pipeline import PipelineConfig
from labcore.pretraining.sources import SourceConfig
from labcore.pretraining.training_text import TrainingTextConfig, training_text
from labcore.text.masking import IGNORE

SMALL = lab.of_dataset(
    TrainingTextConfig(PipelineConfig(SourceConfig("english", 20, planted=False)), vocab_size=300)
)
QUICK = NaturalConfig(SMALL, steps=4, gaps=3, texts=4)


@pytest.fixture(scope="module")
def ran() -> tuple[lab.NaturalResult, list[lab.Progress]]:
    events = []
    return drain(lab.train_on_text(QUICK), events.append), events


def test_a_kept_dataset_is_read_in_rows_of_the_labs_own():
    kept = TrainingTextConfig(PipelineConfig(), vocab_size=4096, row_tokens=512, method="fit")
    mine = lab.of_dataset(kept)
    assert (mine.row_tokens, mine.method, mine.vocab_size) == (48, "cut", 1024)
    assert mine.pipeline == kept.pipeline


def test_equal_compute_is_not_an_equal_number_of_questions(ran):
    """16 rows of 48: at most 47 questions a row for causal; 15 % of a row's tokens, about 7, for masked."""
    result, events = ran
    assert result.tokens <= 16 * 48
    assert 16 * 40 <= result.targets[0] <= 16 * 47
    assert 16 * 6 <= result.targets[1] <= 16 * 7
    assert result.parameters[0] == result.parameters[1]
    assert [event.targets for event in events] == [result.targets[0], *[result.targets[1]] * 2]


def test_both_models_read_the_same_rows(ran):
    text = training_text(SMALL)
    batches = [next(lab.batches(text, Objective(kind), 5)) for kind in lab.KINDS]
    shown = batches[1].targets == IGNORE
    assert torch.equal(batches[0].tokens[shown], batches[1].tokens[shown])


def test_a_run_counts_what_it_did_and_repeats_itself(ran):
    result, events = ran
    again = lab.run(QUICK)
    np.testing.assert_array_equal(result.own_nats, again.own_nats)
    assert result.outcomes == again.outcomes
    assert result.looks.tolist() == [4]
    assert [event.share for event in events] == sorted(event.share for event in events)
    assert events[-1].share == 1
    outcome = result.outcomes[0]
    shares = [*outcome.filled.values(), *outcome.preferred.values(), *outcome.attested.values()]
    assert all(0 <= share <= 1 for share in [*shares, outcome.commonest])
    assert outcome.attested["real"] > max(outcome.attested[kind] for kind in lab.KINDS)


def test_the_kept_models_are_the_trained_ones_in_half_precision(ran):
    """Half precision has eleven binary digits: a relative error of 2^-11 at most."""
    result, _ = ran
    assert result.tokenizer().vocab_size == 300
    objective = QUICK.objective("causal")
    fresh = lab.build(objective, 300, 0)
    for name, weight in fresh.state_dict().items():
        halved = torch.from_numpy(lab.halved(fresh)[name]).float()
        torch.testing.assert_close(halved, weight, rtol=2**-11, atol=1e-7)
    assert result.model("masked").config.kind == "encoder"


@pytest.mark.parametrize(
    "text", ["The value.", "汉字也行", "😀 \u202e odd", "x" * 900, "a\n\nb   c"]
)
def test_any_text_of_two_tokens_is_read_by_both(ran, text):
    result, _ = ran
    told = own.read(result, own.Reading(text, place=1))
    assert told.labels == own.labels(result, text)
    assert len(told.causal_nats) == len(told.masked_nats) == len(told.labels) <= own.MOST_TOKENS
    assert told.candidates[0] == told.labels[1]
    assert len(told.candidates) == own.CANDIDATES
    assert all(0 <= values.min() <= values.sum() <= 1 + 1e-5 for values in told.shares.values())


def test_a_place_beyond_the_text_is_its_last_token_and_too_little_text_is_refused(ran):
    result, _ = ran
    assert own.read(result, own.Reading("The value.", place=99)).place == len(
        own.labels(result, "The value.")
    ) - 1  # fmt: skip
    with pytest.raises(LabInputError, match="not_empty"):
        own.Reading("  ")
    with pytest.raises(LabInputError, match="at_least_tokens"):
        own.read(result, own.Reading("x"))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"seeds": ()}, "choose_one"),
        ({"steps": 0}, "between"),
        ({"gaps": 0}, "between"),
        ({"texts": 999}, "between"),
        ({"share": 0.0}, "between"),
    ],
)
def test_a_run_that_cannot_be_is_refused(change, rule):
    with pytest.raises(LabInputError, match=rule):
        replace(QUICK, **change)
