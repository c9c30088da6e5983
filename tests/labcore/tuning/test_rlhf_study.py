"""Reinforcement learning: what was recorded, over three seeds, and how it is counted."""

import math
from itertools import islice, pairwise

import numpy as np
import pytest

from app import results
from labcore.tuning import rlhf
from labcore.tuning.base_policy import load_policy
from labcore.tuning.rlhf_config import RLHFConfig
from labcore.tuning.rlhf_exam import pass_curve, right_counts
from labcore.tuning.rlhf_study import (
    ABILITY_CASES,
    HACKING_CASES,
    AbilityStudy,
    HackingStudy,
)


@pytest.fixture(scope="module")
def hacking() -> HackingStudy:
    return results.load(results.RECORDINGS / "rlhf-hacking.safetensors", HackingStudy).result


@pytest.fixture(scope="module")
def ability() -> AbilityStudy:
    return results.load(results.RECORDINGS / "rlhf-ability.safetensors", AbilityStudy).result


def test_every_case_was_recorded_with_three_seeds(hacking, ability):
    assert list(hacking.cases) == list(HACKING_CASES)
    assert list(ability.cases) == list(ABILITY_CASES)
    assert all(len(c.last("loss")) == 3 for c in (hacking.cases | ability.cases).values())


def test_the_recorded_run_begins_as_a_run_of_today_does():
    path = results.RECORDINGS / "rlhf-default.safetensors"
    recorded = results.load(path, rlhf.RLHFResult).result
    for then, now in zip(recorded.looks, islice(rlhf.align(RLHFConfig()), 2), strict=False):
        assert now.proxy == pytest.approx(then.proxy, rel=1e-2)
        assert now.sampled_right == pytest.approx(then.sampled_right, abs=0.02)
    assert math.isclose(recorded.looks[-1].share, 1.0)


def test_without_a_price_the_score_rises_and_the_truth_falls_to_nothing(hacking):
    case = hacking.cases["shallow-0"]
    proxy, right = case.measures["proxy"], case.measures["sampled_right"]
    assert (proxy[:, -1] > proxy[:, 0] + 0.9).all()
    assert (right[:, -1] < 0.02).all()
    assert (right[:, 0] > 0.3).all()


def test_the_price_orders_distance_score_and_truth(hacking):
    """Every seed of a higher price ends nearer, with a lower score and more sums solved."""
    cases = [hacking.cases[f"shallow-{beta}"] for beta in ("0", "0.03", "0.1", "0.3")]
    for cheap, dear in pairwise(cases):
        for measure, sign in (("divergence_nats", -1), ("proxy", -1), ("sampled_right", 1)):
            rise = sign * (dear.last(measure) - cheap.last(measure)[:, None])
            assert (rise > 0).all(), measure


def test_the_informed_model_lifts_the_truth_and_adds_marks_which_cost_nothing(hacking):
    case = hacking.cases["informed-0"]
    assert (case.last("sampled_right") > case.measures["sampled_right"][:, 0] + 0.08).all()
    assert (case.last("marks") > 1.9).all()


def test_best_of_n_rises_and_falls_with_the_shallow_model_and_only_rises_with_the_informed(hacking):
    shallow, informed = hacking.best_of_n["shallow"], hacking.best_of_n["informed"]
    assert shallow.right.max() > shallow.right[0] + 0.02
    assert shallow.right[-1] < shallow.right[0] - 0.1
    assert (np.diff(informed.right) > 0).all()
    assert (np.diff(shallow.proxy) > 0).all()
    truth = hacking.best_of_n["verifier"]
    assert truth.right == pytest.approx(truth.proxy)
    assert (truth.right >= informed.right - 1e-9).all()  # no reward chooses better than the truth


@pytest.mark.parametrize(
    ("model", "low", "high"), [("shallow", -0.05, 0.05), ("informed", -0.5, -0.3)]
)
def test_runs_held_against_best_of_n_at_their_own_distance(hacking, model, low, high):
    """Within its reach of 3.2 nats: level with the shallow model, far below with the informed one."""
    best, within = hacking.best_of_n[model], 0
    for name, case in hacking.cases.items():
        gone = case.last("divergence_nats")
        near = gone < best.divergence_nats[-1]
        if name.startswith(model) and near.any():
            line = np.interp(gone[near], best.divergence_nats, best.right)
            ahead = case.last("sampled_right")[near] - line
            assert ((low < ahead) & (ahead < high)).all(), (name, ahead)
            within += near.sum()
    assert within >= 6


def test_k1_in_the_loss_holds_nothing_back_and_dividing_by_the_spread_loosens_k2(hacking):
    held = hacking.cases["shallow-0.1"].last("divergence_nats")
    assert (hacking.cases["loss-k1"].last("divergence_nats") > 5 * held.max()).all()
    divided, plain = (
        hacking.cases[f"{name}-k2"].last("divergence_nats") for name in ("loss", "plain")
    )
    assert divided.min() > 2 * plain.max()


def test_the_verifier_sharpens_one_answer_more_often_right_and_fewer_sums_within_reach(ability):
    for name in ("grpo", "rloo", "ppo", "reinforce"):
        case = ability.cases[name]
        assert (case.pass_after[:, 0] > case.pass_before[0] + 0.1).all(), name
        assert (case.pass_after[:, -1] < case.pass_before[-1]).all(), name


def test_the_loss_stays_about_zero_while_the_policy_learns(ability):
    assert np.nanmax(np.abs(ability.cases["grpo"].measures["loss"])) < 0.02


def test_too_fast_and_too_weak_come_to_nothing(ability):
    fast, weak = ability.cases["fast"], ability.cases["weak"]
    assert (fast.last("sampled_right") < 0.02).all()
    assert (fast.last("dead") > 0.95).all()
    assert (weak.last("dead") > 0.6).all()
    assert (weak.last("sampled_right") < 0.1).all()
    assert (weak.lost > weak.newly_solved).all()


def test_the_critic_foretells_next_to_nothing_of_right_and_wrong(ability):
    assert np.nanmax(ability.cases["ppo"].measures["foretold"]) < 0.1


def test_pass_at_k_of_counts():
    """Of three sums one is always right, one never, one once in 32: (1 + 0 + k/32) / 3."""
    found = pass_curve(np.array([32, 0, 1]))
    assert found == pytest.approx([(1 + k / 32) / 3 for k in (1, 2, 4, 8, 16, 32)])


def test_answers_are_counted_per_sum(monkeypatch):
    monkeypatch.setattr("labcore.tuning.rlhf_exam.PASS_SUMS", 5)
    counts = right_counts(load_policy())
    assert counts.shape == (5,)
    assert (counts <= 32).all()
    assert counts.sum() > 0
