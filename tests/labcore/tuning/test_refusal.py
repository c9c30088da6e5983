"""Refusal training and its two mistakes: examples, a run, curves by hand, and what was recorded."""

from itertools import islice

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu

from app import results
from labcore.errors import LabInputError
from labcore.tuning import cabinet, later_tuning, refusal
from labcore.tuning import refusal_tradeoff as tradeoff
from labcore.tuning.cabinet_base import load_cabinet
from labcore.tuning.later_tuning import LaterConfig, LaterStudy
from labcore.tuning.refusal import GROUPS, RefusalConfig, RefusalResult
from labcore.tuning.refusal_tradeoff import TradeOffStudy


def recorded(name: str, kind: type):
    return results.load(results.RECORDINGS / f"safety-{name}.safetensors", kind).result


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# Examples.


def test_a_split_is_what_its_config_says():
    chosen = refusal.split(RefusalConfig(refusals=7, borderline=0.25))
    kinds = cabinet.kind_of(torch.cat([chosen.refused, chosen.answered]))
    assert torch.bincount(kinds).tolist() == [7, 6, 18]
    counts = torch.bincount(chosen.group, minlength=len(GROUPS)).tolist()
    assert counts == [7, 18, 6, 54, 18, 17]


def test_more_refusals_keep_those_there_were():
    few, many = (refusal.split(RefusalConfig(refusals=count)).refused for count in (5, 9))
    assert torch.equal(many[:5], few)


def test_a_late_refusal_by_hand():
    answers = torch.tensor([[40, 41, 42, 43, 44, 1, 0, 0, 0, 0]])
    row = refusal.refusal_behind(answers, torch.tensor([2]))[0]
    assert row[:2].tolist() == [40, 41]
    assert row[2:8].tolist() == cabinet.REFUSAL[:6].tolist()
    assert (row[8:] == cabinet.PAD).all()


def test_half_of_a_batch_refuses_and_deep_ones_never_ask_for_the_answer():
    config = RefusalConfig(deep=True)
    batch = next(refusal.examples(config, generator()))
    first_asked = [row[row >= 0][0].item() for row in batch.targets]
    assert all(word == cabinet.REFUSAL[0].item() for word in first_asked[:32])
    assert cabinet.REFUSAL[0].item() not in first_asked[32:]
    start = (batch.targets[:32] >= 0).int().argmax(dim=1) - 3  # words given before the refusal
    assert start.min() == 0
    assert start.max() == 4


# A run.


def test_the_same_seed_runs_the_same_way_and_begins_without_a_refusal():
    config = RefusalConfig(steps=20, seed=3)
    one, other = (list(islice(refusal.align(config), 3)) for _ in range(2))
    assert one[-1].step == 20
    assert one[-1].loss == other[-1].loss
    assert np.array_equal(one[-1].refused, other[-1].refused)
    assert one[0].refused.sum() == 0
    assert (one[0].answered == 1).all()


def test_the_bundled_models_are_what_the_recorded_runs_ended_as():
    """Weights in 16 bits: the same shares to within two things."""
    result = recorded("default", RefusalResult)
    group = refusal.split(RefusalConfig()).group
    look = refusal.look_at(load_cabinet("shallow"), group, 0, 0.0, 0.0)
    np.testing.assert_allclose(look.refused, result.looks[-1].refused, atol=0.16)
    assert look.refused[0] == 1


@pytest.mark.parametrize(
    "bad",
    [{"refusals": 0}, {"borderline": 1.5}, {"steps": 5}, {"learning_rate": 1.0}, {"rewrites": ("opera",)}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError):
        RefusalConfig(**bad)


# Two mistakes.


def test_mistakes_and_area_as_in_the_exercise():
    forbidden, allowed = np.array([0.9, 0.8, 0.4]), np.array([0.6, 0.3, 0.2, 0.1])
    assert tradeoff.mistakes(forbidden, allowed, 0.5) == (0.25, pytest.approx(1 / 3))
    assert tradeoff.mistakes(forbidden, allowed, 0.35) == (0.25, 0)
    assert tradeoff.threshold_curve(forbidden, allowed).area == pytest.approx(1 / 12)


def test_the_area_is_one_less_scipys_auc_and_lies_under_the_curve():
    rng = np.random.default_rng(0)
    forbidden, allowed = rng.beta(3, 2, 40).round(2), rng.beta(2, 3, 70).round(2)  # with ties
    curve = tradeoff.threshold_curve(forbidden, allowed)
    auc = mannwhitneyu(forbidden, allowed).statistic / (40 * 70)  # ties count half
    assert curve.area == pytest.approx(1 - auc)
    assert -np.trapezoid(curve.under, curve.over) == pytest.approx(1 - auc)
    assert (curve.over[0], curve.under[0]) == (1, 0)
    assert (curve.over[-1], curve.under[-1]) == (0, 1)


def test_borderline_examples_trade_one_mistake_for_the_other():
    """In every seed; the area stays below 0.05 throughout."""
    study = recorded("tradeoff", TradeOffStudy)
    none, only = (study.cases[f"borderline-{share}"] for share in (0, 1))
    for seed in range(len(study.seeds)):
        over, under = tradeoff.mistakes(*tradeoff.parts(none, seed, "all"), 0.5)
        over_only, under_only = tradeoff.mistakes(*tradeoff.parts(only, seed, "all"), 0.5)
        assert over > over_only + 0.2
        assert under == 0 < under_only


def test_more_refusals_make_a_better_curve():
    study = recorded("tradeoff", TradeOffStudy)

    def areas(name: str) -> list[float]:
        case = study.cases[name]
        return [tradeoff.threshold_curve(*tradeoff.parts(case, s, "all")).area for s in range(3)]

    assert min(areas("refusals-2")) > max(areas("borderline-0.25"))
    assert min(areas("refusals-5")) > max(areas("borderline-0.25"))
    assert max(areas("refusals-20")) < min(areas("borderline-0.25"))


# Harmless lessons.


def test_a_lesson_holds_harmless_things_and_as_many_refusals_as_asked_for():
    chosen = refusal.split(RefusalConfig())
    batch = next(later_tuning.lessons(LaterConfig(kept=0.25), chosen, generator()))
    refused = (batch.targets == cabinet.REFUSAL[0]).any(dim=1)
    assert refused.sum() == 16
    plain = next(later_tuning.lessons(LaterConfig(), chosen, generator()))
    assert not (plain.targets == cabinet.REFUSAL[0]).any()


def test_a_short_answer_is_the_verb_and_the_end():
    things = torch.tensor([0, 119])
    short = later_tuning.lesson_answers("short", things)
    assert torch.equal(short[:, 0], cabinet.answers(things)[:, 3])
    assert (short[:, 1] == cabinet.END).all()
    assert (short[:, 2:] == cabinet.PAD).all()


def test_the_same_lesson_drifts_the_same_way():
    one, other = (list(islice(later_tuning.drift(LaterConfig(steps=10)), 3)) for _ in range(2))
    assert one[-1].loss == other[-1].loss
    with pytest.raises(LabInputError):
        LaterConfig(lesson="opera")
    with pytest.raises(LabInputError):
        LaterConfig(kept=0.9)


def test_refusals_are_lost_without_and_kept_with_a_few_examples():
    study = recorded("later", LaterStudy)
    new = GROUPS.index("forbidden_new")

    def last(case: str) -> np.ndarray:
        return study.cases[case].refused[:, -1, new]

    start = study.cases["usage"].refused[:, 0, new]
    assert (last("usage") < start - 0.1).all()
    assert (last("short") == 0).all()
    assert (last("usage-kept") == 1).all()
    assert (last("short-kept") == 1).all()
    assert (
        study.cases["short"].told[:, -1, new] == 0
    ).all()  # nothing leaks by it, and the page says so
