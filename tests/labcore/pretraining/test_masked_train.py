"""An encoder trained to fill gaps: the exam's marks by hand, runs that repeat, rules that differ."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from labcore.errors import LabInputError
from labcore.model.transformer import Output
from labcore.pretraining import corpus, masked_exam, masked_study, masked_train
from labcore.pretraining.corpus import WorldTextConfig, pretraining_text
from labcore.pretraining.masked_rule import ALL_HIDDEN, Rule
from labcore.pretraining.masked_study import StudyConfig
from labcore.pretraining.masked_train import MaskedConfig, MaskedResult
from labcore.pretraining.pipeline import PipelineConfig, SourceConfig
from labcore.pretraining.training_text import TrainingTextConfig
from labcore.text.masking import IGNORE

WORLD = WorldTextConfig(held_out_rows=24)
KEPT = TrainingTextConfig(PipelineConfig(SourceConfig(kilobytes=20)), vocab_size=400, row_tokens=64)
QUICK = MaskedConfig(WORLD, steps=20)


class Constant(nn.Module):
    """Says the same everywhere: log-probabilities from the counts of the asked tokens."""

    def __init__(self, logits: torch.Tensor):
        super().__init__()
        self.logits = logits

    def forward(self, tokens, **rest):
        return Output(self.logits.expand(*tokens.shape, -1), None, None, torch.zeros(()))


@pytest.fixture(scope="module")
def asked():
    return masked_exam.exam(pretraining_text(WORLD))


def test_the_three_exams_ask_the_same(asked):
    text = pretraining_text(WORLD)
    for gaps, plain, swapped, shown in zip(
        asked.gaps, asked.plain, asked.swapped, corpus.shown_held_out(text), strict=True
    ):
        question = gaps.targets != IGNORE
        assert torch.equal(plain.tokens, shown.tokens)
        assert (gaps.tokens[question] == text.tokenizer.mask_id).all()
        for one in (plain, swapped):
            assert torch.equal(one.targets, gaps.targets)
            assert torch.equal(one.tokens[~question], shown.tokens[~question])
        for row in range(len(question)):
            there = set(shown.tokens[row].tolist())
            assert set(swapped.tokens[row].tolist()) <= there


def test_a_guess_that_never_changes_pays_the_entropy_of_the_counts(asked):
    """In each exam, whatever stands there."""
    counts = torch.bincount(asked.targets, minlength=1920).double()
    marks = masked_exam.mark(Constant((counts / counts.sum()).clamp(min=1e-12).log()), asked)
    expected = masked_exam.constant_nats(asked)
    shares = counts[counts > 0] / counts.sum()
    assert expected == pytest.approx(float(-(shares * shares.log()).sum()))
    for nats in (marks.gap_nats, marks.plain_nats, marks.swapped_nats):
        assert nats == pytest.approx(expected, abs=1e-6)


def test_spotting_counts_pairs():
    """All 40 · 25 pairs one by one, a tie counting half: Mann and Whitney's U as a share of them."""
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 9, 40).astype(float), rng.integers(0, 7, 25).astype(float)
    pairs = [(one > two) + 0.5 * (one == two) for one in first for two in second]
    assert masked_exam.above(first, second) == pytest.approx(sum(pairs) / (40 * 25))


@pytest.fixture(scope="module")
def quick() -> MaskedResult:
    return masked_train.run(QUICK)


def test_one_seed_one_run(quick):
    again = masked_train.run(QUICK)
    np.testing.assert_array_equal(again.loss_nats, quick.loss_nats)
    np.testing.assert_array_equal(again.gap_nats, quick.gap_nats)
    assert again.guesses == quick.guesses


def test_what_is_counted_adds_up(quick):
    """About 512 tokens a step; of all but the three special ones of each row 15 % are asked."""
    assert len(quick.loss_nats) == len(quick.questions) == 20
    assert quick.tokens.mean() == pytest.approx(masked_train.STEP_TOKENS, rel=0.2)
    may_be_asked = quick.tokens - 3 * quick.sequences
    assert (quick.questions / may_be_asked).mean() == pytest.approx(0.15, abs=0.02)
    assert quick.uniform_nats == pytest.approx(math.log(1920))
    assert quick.gap_nats[-1] < quick.uniform_nats
    assert quick.look_steps.tolist() == list(range(2, 21, 2))
    assert sum(map(len, quick.probe_gaps)) == quick.probs.shape[1] == len(quick.guesses[0])


def test_the_probe_speaks_both_languages(quick):
    tags = [labels[1] for labels in quick.probe]
    assert sorted(tags) == ["<|en|>", "<|en|>", "<|zh|>", "<|zh|>"]
    assert all(
        labels[place] not in ("<|bos|>", "<|eos|>")
        for labels, gaps in zip(quick.probe, quick.probe_gaps, strict=True)
        for place in gaps
    )


@pytest.mark.parametrize("unit", ["token", "span"])
def test_a_kept_dataset_trains_as_well_without_a_floor(unit):
    result = masked_train.run(MaskedConfig(KEPT, Rule(unit=unit), steps=20))
    assert result.floor_nats is None
    assert result.gap_nats[-1] < math.log(400)
    assert result.tokens.mean() == pytest.approx(masked_train.STEP_TOKENS, rel=0.2)


def test_the_study_compares_what_it_was_asked_to():
    found = masked_study.run(
        StudyConfig(("rate-15", "hide40-ask15"), (0, 1), 20, 24, exam_shares=(0.15,))
    )
    assert found.gap_nats.shape == (2, 2, 10)
    assert found.questions[0] == pytest.approx(found.questions[1], rel=0.1)
    np.testing.assert_allclose(found.exam_nats[..., 0], found.gap_nats[..., -1], rtol=1e-5)
    alone = masked_train.run(MaskedConfig(WORLD, ALL_HIDDEN, steps=20, seed=1))
    np.testing.assert_allclose(alone.gap_nats, found.gap_nats[0, 1], rtol=1e-6)


@pytest.mark.parametrize("wrong", [{"steps": 5}, {"steps": 9999}, {"learning_rate": 1.0}])
def test_nonsense_is_refused(wrong):
    with pytest.raises(LabInputError) as refused:
        MaskedConfig(**wrong)
    assert refused.value.field in wrong


def test_a_rate_that_is_too_high_ends_the_run_in_a_sentence():
    result = masked_train.run(replace(QUICK, learning_rate=0.1))
    assert len(result.loss_nats) == 20
    assert np.isfinite(result.loss_nats).all() != result.diverged
