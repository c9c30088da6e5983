"""Repair: zeros that stay zeros, runs that repeat, and what three seeds recorded."""

from itertools import islice

import numpy as np
import pytest

from app import results
from labcore.compression import repair as lab
from labcore.compression.repair import RepairConfig, Study
from labcore.errors import LabInputError
from labcore.training.loop import TrainConfig, train

SHORT = TrainConfig(steps=3, batch_size=16, learning_rate=1e-2, warmup_steps=0, weight_decay=0.1)


def trained(config: RepairConfig):
    model = lab.to_repair(config)
    before = lab.zero_share(model)
    losses = [step.loss_nats for step in train(model, lab.told(config), SHORT)]
    return before, lab.zero_share(model), losses


def test_held_zeros_stay_zeros_whatever_the_rate_and_the_decay():
    config = RepairConfig(ratio=0.5, steps=10)
    before, after, losses = trained(config)
    assert before == after == pytest.approx(0.5)
    assert trained(config)[2] == losses


def test_zeros_let_go_grow_back():
    before, after, _ = trained(RepairConfig(ratio=0.5, steps=10, hold=False))
    assert before == pytest.approx(0.5)
    assert after < 0.01


def test_neurons_are_cut_out_and_leave_no_zeros():
    model = lab.to_repair(RepairConfig("neurons", 0.5))
    assert lab.zero_share(model) < 1e-3
    assert sum(block.mlp.up.out_features for block in model.stack.layers) == 1024


def test_seeds_read_other_stories():
    one, other = (next(lab.told(RepairConfig(steps=10, seed=seed))).tokens for seed in (0, 1))
    assert one.shape != other.shape or not (one == other).all()


@pytest.mark.parametrize(
    "bad", [{"way": "prayer"}, {"ratio": 1.0}, {"steps": 1}, {"learning_rate": 1.0}]
)
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError):
        RepairConfig(**bad)


# What was recorded.


@pytest.fixture(scope="module")
def study() -> Study:
    return results.load(results.RECORDINGS / "pruning-repairs.safetensors", Study).result


def test_every_case_was_recorded_with_three_seeds_from_the_pruned_model_on(study):
    assert set(study.losses) == {*lab.CASES, "dense"}
    assert all(runs.shape == (3, len(study.steps)) for runs in study.losses.values())
    first = next(islice(lab.course(lab.to_repair(RepairConfig()), RepairConfig()), 1))
    assert first[1] == pytest.approx(study.losses["magnitude-0.7"][0, 0], rel=1e-3)


def test_repair_mends_most_of_the_damage_and_the_control_gains_nothing(study):
    for name in ("magnitude-0.7", "sparsegpt-0.7"):
        runs = study.losses[name]
        assert (runs[:, -1] - study.floor_nats < 0.25 * (runs[:, 0] - study.floor_nats)).all()
    dense = study.losses["dense"]
    assert (dense[:, -1] > dense[:, 0]).all()


def test_zeros_were_held_in_every_case_but_one(study):
    for name, shares in study.zero_share.items():
        if name == "free-0.7":
            assert (shares[:, 1] < 0.01).all()
        else:
            np.testing.assert_array_equal(shares[:, 0], shares[:, 1])
