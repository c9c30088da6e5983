"""Pairs, one training step of each method, the course of a run, and the phenomena that were recorded."""

import math
from itertools import islice

import numpy as np
import pytest
import torch

from app import results
from labcore.errors import LabInputError
from labcore.tuning import dpo, loss_shapes, sums
from labcore.tuning.base_policy import load_policy
from labcore.tuning.dpo_study import CASES, Study
from labcore.tuning.preference_pairs import flipped, near_pairs, own_pairs


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def asked_in(prompts: torch.Tensor) -> sums.Sums:
    digits = prompts
    return sums.Sums(digits[:, 0] * 10 + digits[:, 1], digits[:, 3] * 10 + digits[:, 4])


@pytest.fixture(scope="module")
def study() -> Study:
    return results.load(results.RECORDINGS / "dpo-study.safetensors", Study).result


# Pairs.


@pytest.mark.parametrize("source", ["near", "own"])
def test_of_every_pair_one_is_right_and_the_other_wrong(source):
    pairs = (
        near_pairs(100, generator())
        if source == "near"
        else own_pairs(load_policy(), 100, generator())
    )
    asked = asked_in(pairs.prompts)
    assert len(pairs) > 50
    assert sums.is_right(asked, pairs.chosen).all()
    assert not sums.is_right(asked, pairs.rejected).any()


def test_a_slip_is_off_by_one_or_ten_with_as_many_marks():
    pairs = near_pairs(200, generator())
    assert torch.equal(sums.count_marks(pairs.chosen), sums.count_marks(pairs.rejected))
    offs = {
        int(sums.text_of(bad).rstrip("!")) - int(sums.text_of(good).rstrip("!"))
        for good, bad in zip(pairs.chosen, pairs.rejected, strict=True)
    }
    assert offs == {-10, -1, 1, 10}


def test_turned_labels_change_places_and_nothing_else():
    pairs = near_pairs(400, generator())
    turned = flipped(pairs, 0.25, generator(1))
    same = (turned.chosen == pairs.chosen).all(dim=1)
    assert 0.18 < 1 - same.double().mean() < 0.32
    assert torch.equal(turned.chosen[~same], pairs.rejected[~same])
    assert torch.equal(flipped(pairs, 0.0, generator(1)).chosen, pairs.chosen)


# Losses of a batch.


@pytest.mark.parametrize(
    ("method", "start"),
    [
        ("dpo", math.log(2)),
        ("ipo", (1 / (2 * 0.1)) ** 2),  # the whole way to its goal of 5 nats
        ("kto", 0.5),
    ],
)
def test_where_every_run_begins(method, start):
    """Policy and reference are one: no margin."""
    policy, reference = load_policy(), load_policy()
    loss = dpo.pair_loss(dpo.DPOConfig(method), policy, reference, near_pairs(8, generator()))
    assert loss.item() == pytest.approx(start, rel=1e-4)


@pytest.mark.parametrize("method", dpo.METHODS)
def test_a_step_downhill_widens_the_gap(method):
    """Whatever the method, the right answers gain on the wrong ones in its own batch."""
    policy, reference = load_policy(), load_policy().requires_grad_(False)
    pairs = near_pairs(32, generator())

    def gap() -> float:
        with torch.no_grad():
            right, _ = dpo.answer_logprobs(policy, pairs.prompts, pairs.chosen)
            wrong, _ = dpo.answer_logprobs(policy, pairs.prompts, pairs.rejected)
        return float((right - wrong).mean())

    before = gap()
    optimiser = torch.optim.SGD(policy.parameters(), lr=1e-3)
    dpo.pair_loss(dpo.DPOConfig(method, beta=0.5), policy, reference, pairs).backward()
    torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
    optimiser.step()
    assert gap() > before


# A run.


def test_the_first_look_is_at_the_reference_itself():
    first = next(dpo.align(dpo.DPOConfig()))
    assert (first.step, first.chosen_change, first.rejected_change) == (0, 0, 0)
    assert first.divergence_nats == pytest.approx(0, abs=1e-5)
    assert math.isnan(first.loss)


@pytest.mark.parametrize("source", ["near", "fresh"])
def test_the_same_seed_runs_the_same_way(source):
    config = dpo.DPOConfig(source=source, steps=20, seed=3)
    one, other = (list(islice(dpo.align(config), 3)) for _ in range(2))
    assert one[-1].step == 20
    assert [look.chosen_change for look in one] == [look.chosen_change for look in other]


@pytest.mark.parametrize(
    "bad",
    [{"method": "ppo"}, {"source": "air"}, {"beta": 0}, {"learning_rate": 1.0}, {"steps": 1}, {"flips": 0.9}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError):
        dpo.DPOConfig(**bad)


# The losses alone.


@pytest.mark.parametrize("beta", [0.03, 0.1, 1.0])
def test_slopes_as_derived_on_the_page(beta):
    """DPO: β σ(−βh), β/2 at 0; IPO: 2 (1/2β − h), 1/β at 0."""
    shapes = loss_shapes.run(loss_shapes.ShapeConfig(beta))
    h = shapes.log_ratio
    assert shapes.pulls["dpo"] == pytest.approx(2 / (1 + np.exp(beta * h)))
    assert shapes.pulls["ipo"] == pytest.approx(1 - 2 * beta * h)


def test_smoothing_gives_dpo_a_goal():
    """With ε = 0.2 the slope vanishes where σ(βh) = 0.8, h = ln 4 / β."""
    shapes = loss_shapes.run(loss_shapes.ShapeConfig(beta=1.0, smoothing=0.2))
    lowest = shapes.log_ratio[shapes.losses["dpo"].argmin()]
    assert lowest == pytest.approx(math.log(4), abs=0.1)


# What was recorded, over three seeds.


def test_every_case_was_recorded_with_three_seeds(study):
    assert list(study.cases) == list(CASES)
    assert all(len(case.last("loss")) >= 3 for case in study.cases.values())


def test_with_a_small_price_both_fall_and_fewer_sums_are_solved(study):
    """Likelihood displacement: the loss falls below ln 2, the right answers fall as well."""
    case = study.cases["dpo"]
    assert (case.last("loss") < math.log(2)).all()
    assert (case.last("chosen_change") < -0.2).all()
    assert (case.last("rejected_change") < case.last("chosen_change")).all()
    assert (case.last("greedy_right") < case.measures["greedy_right"][:, 0]).all()


def test_a_higher_price_keeps_them_up(study):
    """At β = 1 every seed does better than the best at 0.1: right answers, sums, and distance gone."""
    dear, cheap = study.cases["beta-1"], study.cases["dpo"]
    assert dear.last("chosen_change").min() > cheap.last("chosen_change").max()
    assert dear.last("greedy_right").min() > cheap.last("greedy_right").max()
    assert dear.last("divergence_nats").max() < cheap.last("divergence_nats").min()


def test_own_answers_ruin_or_lift_as_the_price_says(study):
    start = study.cases["own-1"].measures["greedy_right"][:, 0]
    assert (study.cases["own-1"].last("greedy_right") > start).all()
    assert (study.cases["own-0.1"].last("greedy_right") < start - 0.2).all()


def test_imitation_holds_the_right_answers_up(study):
    assert (study.cases["orpo"].last("chosen_change") > 0.3).all()
    assert (
        study.cases["orpo"].last("greedy_right").min()
        > study.cases["dpo"].last("greedy_right").max()
    )
