"""Bits shared out: the worked example, the best of all choices in a small case, and what was recorded."""

import itertools

import numpy as np
import pytest

from app import results
from labcore.compression import quantise_sensitivity as lab
from labcore.compression.quantise_sensitivity import WIDTHS, SensitivityConfig, shared_out
from labcore.errors import LabInputError


def test_shared_out_worked_by_hand():
    rises = np.array([[1.0, 0.0, 0.0], [0.1, 0.0, 0.0]])
    assert shared_out(rises, np.array([10, 10]), 2.5).tolist() == [3, 2]


def test_greed_keeps_to_the_budget_and_is_best_where_each_bit_gains_less_than_the_last():
    """With falling returns and matrices alike in size no other choice costs less (all 243 tried)."""
    rng = np.random.default_rng(0)
    two_to_three, three_to_four = np.sort(rng.random((2, 5)), axis=0)[::-1]
    rises = np.stack([two_to_three + three_to_four, three_to_four, np.zeros(5)], axis=1)
    sizes = np.full(5, 8)
    for budget in (2.0, 2.4, 3.0, 3.6, 4.0):
        bits = shared_out(rises, sizes, budget)
        assert bits.mean() <= budget + 1e-9
        cost = rises[np.arange(5), bits - 2].sum()
        others = (
            rises[np.arange(5), np.array(one) - 2].sum()
            for one in itertools.product(WIDTHS, repeat=5)
            if np.mean(one) <= budget + 1e-9
        )
        assert cost == pytest.approx(min(others))


def test_where_costs_add_up_a_choice_costs_what_was_promised(monkeypatch):
    """A stand-in for the loss: the squared change of all weights, a sum over matrices by its nature."""
    whole = {n: m.weight.clone() for n, m in lab.judged.matrices(lab.judged.fresh_model()).items()}

    def change(model, batches=None):
        maps = lab.judged.matrices(model)
        return sum(float((maps[name].weight - whole[name]).square().sum()) for name in whole)

    monkeypatch.setattr(lab.judged, "loss_nats", change)
    result = lab.run(SensitivityConfig(budget=2.7))
    assert result.full_loss == 0
    assert result.mixed_loss == pytest.approx(result.added_up)
    assert result.uniform_losses == pytest.approx(result.rises.sum(axis=0))
    assert result.mixed_loss < result.worst_loss < result.uniform_losses[0]
    assert 2.5 < result.spent <= 2.7


@pytest.mark.parametrize("bad", [{"budget": 1.5}, {"budget": 5.0}, {"granularity": "tensor"}])
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError) as refused:
        SensitivityConfig(**bad)
    assert refused.value.field == next(iter(bad))


def test_what_was_recorded_over_three_choices_of_stories():
    """Sharing by sensitivity beats sharing the other way round in every seed and at every budget."""
    path = results.RECORDINGS / "quantisation-sensitivity.safetensors"
    study = results.load(path, lab.SensitivityStudy).result
    assert len(study.seeds) == 3
    assert (study.spent <= study.budgets + 1e-9).all()
    assert (study.mixed < study.worst).all()
    assert (study.mixed[:, 0] < study.uniform[0]).all()


def test_the_recorded_run_is_one_of_todays():
    """Its first matrix, alone at two bits."""
    path = results.RECORDINGS / "quantisation-alone.safetensors"
    kept = results.load(path, lab.SensitivityResult).result
    model = lab.judged.fresh_model()
    choosing = lab.choosing_stories(0)
    base = lab.judged.loss_nats(model, choosing)
    linear = lab.judged.matrices(model)[kept.names[0]]
    linear.weight.copy_(lab.rounded(linear.weight, 2, SensitivityConfig()))
    assert lab.judged.loss_nats(model, choosing) - base == pytest.approx(kept.rises[0, 0], rel=1e-2)
