"""The clinic's pairs: they differ in one thing, and that thing does what is said of it.

Runs of 40 steps, one second each; what needs more steps is read from the recording by the page's tests.
"""

import math
from functools import cache
from itertools import islice

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.pretraining import clinic
from labcore.pretraining.clinic import CASES, RATE, RECIPES, SET_BATCHES, PairConfig, make, moments
from labcore.pretraining.clinic_study import (
    ALIKE,
    LEVELS,
    OTHER_RECIPES,
    Judged,
    blinded,
    confusion,
    judge,
    pairs,
    slim,
)
from labcore.pretraining.monitor import MonitorConfig
from labcore.pretraining.monitor_text import text_of
from labcore.text.masking import IGNORE
from labcore.training import faults
from labcore.training.faults import FAULTS
from labcore.training.loop import Step

STEPS = 40


@cache
def made(recipe: str) -> list[Step]:
    return list(make(RECIPES[recipe], STEPS, 0))


def losses(recipe: str) -> np.ndarray:
    return np.array([step.loss_nats for step in made(recipe)])


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case].twin == "healthy"])
def test_patient_and_twin_begin_with_the_same_weights_and_the_same_text(case):
    """So their first losses agree, but for the leak, which reads the same text with other eyes."""
    first = next(make(RECIPES[CASES[case].sick], STEPS, 0)).loss_nats
    if CASES[case].sick == "leak":
        assert first != losses("healthy")[0]
        assert first == pytest.approx(losses("healthy")[0], abs=0.1)
    else:
        assert first == losses("healthy")[0]


def test_adams_first_update_is_one_rate_for_every_number():
    """|Δw| / |w| = η / rms(w): η is a twentieth of 0.01 on the first of 20 warm-up steps.

    Rows of tokens that the batch does not hold get no gradient and stay, so it is a little less.
    """
    text = text_of(clinic.STORIES, clinic.BATCH_ROWS, 0)
    model = faults.build(clinic.setup_of(RECIPES["healthy"], STEPS, text.tokenizer.vocab_size), 0)
    squares = torch.cat([w.detach().flatten() for w in model.parameters() if w.dim() == 2]).pow(2)
    expected = RATE / clinic.WARMUP_STEPS / squares.mean().sqrt().item()
    assert made("healthy")[0].signals.update_ratio == pytest.approx(expected, rel=0.02)


def test_the_optimiser_of_a_copy_moves_nothing():
    """No update, a live gradient that nobody clears, and a loss that stays at ln V to a twentieth."""
    steps = made("copy")
    assert all(step.signals.update_ratio == 0 for step in steps)
    assert all(step.grad_norm > 1 for step in steps)
    assert losses("copy") == pytest.approx(math.log(1920), rel=0.05)


def test_a_run_taken_up_with_everything_is_the_run_that_never_broke_off():
    """Number for number; with weights alone the first step agrees and the next does not."""
    at = moments(STEPS)
    assert (at["saved"], at["broken"]) == (20, 22)  # a half, and 0.5625 of 40 to the nearest even
    whole, again = made("healthy"), made("everything")
    assert [step.step for step in again] == [*range(1, 23), *range(21, 41)]
    resumed = again[22:]
    assert [s.loss_nats for s in resumed] == [s.loss_nats for s in whole[20:]]
    forgetful = made("weights_only")[22:]
    assert forgetful[0].loss_nats == whole[20].loss_nats
    assert forgetful[1].loss_nats != whole[21].loss_nats
    assert forgetful[0].signals.update_ratio > 1.5 * whole[20].signals.update_ratio


def test_a_batch_that_asks_for_nothing_is_no_number_and_ends_the_run():
    steps = made("empty")
    assert [step.diverged for step in steps] == [False] * 23 + [True]
    assert math.isnan(steps[-1].loss_nats)
    assert moments(STEPS)["empty"] == 24
    assert max(step.grad_norm for step in steps[10:-1]) < 5  # nothing announces it


def test_sorted_and_shuffled_epochs_hold_the_same_rows():
    def epoch(shuffled: bool, number: int) -> torch.Tensor:
        batches = clinic.again_and_again(3, shuffled)
        start = number * SET_BATCHES
        return torch.cat([batch.tokens for batch in islice(batches, start, start + SET_BATCHES)])

    ordered, first, second = epoch(False, 0), epoch(True, 0), epoch(True, 1)
    assert torch.equal(ordered, epoch(False, 1))
    assert not torch.equal(first, second)
    for shuffled in (first, second):
        assert sorted(shuffled.tolist()) == sorted(ordered.tolist())
    tags = ordered[:, 1]  # <|en|> or <|zh|> stands after <|bos|>
    half = len(tags) // 2
    assert tags[:half].unique().tolist() != tags[half:].unique().tolist()
    assert len(tags[:half].unique()) == len(tags[half:].unique()) == 1


def test_few_batches_come_again_in_their_order():
    text = text_of(clinic.STORIES, clinic.BATCH_ROWS, 0)
    setup = clinic.setup_of(RECIPES["few"], STEPS, text.tokenizer.vocab_size)
    read = list(islice(clinic.reading(RECIPES["few"], setup, text, 0), 20))
    for step in range(20):
        assert torch.equal(read[step].tokens, read[step % clinic.FEW_BATCHES].tokens)


def test_the_empty_batch_keeps_its_tokens():
    text = text_of(clinic.STORIES, clinic.BATCH_ROWS, 0)
    batches = iter([text.batch_at(1), text.batch_at(2)])
    first, second = clinic.without_targets(batches, 2)
    assert first.num_targets == 8 * 32
    assert second.num_targets == 0
    assert (second.targets == IGNORE).all()
    assert torch.equal(second.tokens, text.batch_at(2).tokens)


def test_a_pair_tells_its_steps_in_turn_and_its_result_holds_both():
    events, running = [], clinic.train_pair(PairConfig("8", STEPS))
    while True:
        try:
            events.append(next(running))
        except StopIteration as stop:
            result = stop.value
            break
    assert [event.sick for event in events[:4]] == [True, False, True, False]
    shares = [event.share for event in events]
    assert shares == sorted(shares)
    assert len(result.sick.step) == 24
    assert len(result.twin.step) == 40
    np.testing.assert_array_equal(result.twin.loss_nats, losses("healthy"))


@pytest.mark.parametrize("bad", [{"case": "10"}, {"steps": 39}, {"steps": 401}, {"seed": -1}])
def test_a_config_out_of_bounds_is_refused(bad):
    with pytest.raises(LabInputError) as refused:
        PairConfig(**bad)
    assert refused.value.field == next(iter(bad))


# The study.


def test_a_study_in_small_names_the_loud_ones():
    """Forty steps are few; NaN and what is not connected are seen all the same."""
    study = pairs(seeds=(0,), steps=STEPS, recipes=("empty", "copy"))
    assert judge("nan", "empty", 0, study.runs["empty"][0]).named["loss"] == "nan"
    assert judge("stuck", "copy", 0, study.runs["copy"][0]).named["all"] == "stuck"


def test_blinding_takes_away_and_changes_nothing_else():
    log = slim(clinic.log_of_steps(made("healthy")))
    trainer, losses_only, loss = (blinded(log, level) for level in LEVELS[1:])
    assert trainer.floor_nats is None
    assert np.isnan(trainer.update_ratio).all()
    np.testing.assert_array_equal(trainer.grad_norm, log.grad_norm)
    assert np.isnan(losses_only.grad_norm).all()
    np.testing.assert_array_equal(losses_only.validation_nats, log.validation_nats)
    assert np.isnan(loss.validation_nats).all()
    np.testing.assert_array_equal(loss.loss_nats, log.loss_nats)


def test_counts_add_up_and_another_word_for_the_same_counts_as_right():
    runs = [
        Judged("leak", "", 0, None, {"all": "leak"}, 1.0),
        Judged("leak", "", 1, None, {"all": "healthy"}, 1.0),
        Judged("duplicates", "", 0, None, {"all": "overfitting"}, 1.0),
    ]
    truths, columns, counts = confusion(runs, "all")
    assert truths == ["leak", "duplicates"]
    assert columns == ["leak", "duplicates", "healthy", "overfitting"]
    assert counts.tolist() == [[1, 0, 1, 0], [0, 0, 0, 1]]
    assert [run.right("all") for run in runs] == [True, False, True]


def test_every_truth_has_a_rule_and_every_other_recipe_a_config():
    known = {case.fault for case in CASES.values()} | set(FAULTS)
    assert set(ALIKE) <= known
    for more in OTHER_RECIPES.values():
        assert MonitorConfig(**more) != MonitorConfig()
