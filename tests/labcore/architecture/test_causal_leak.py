"""The leak: both models at small size, and the shapes of what was recorded."""

import numpy as np
import pytest
import torch

from app import results
from labcore.architecture import causal_leak as lab
from labcore.architecture.causal_leak import LIMITS, CausalLeakConfig, CausalLeakResult
from labcore.errors import LabInputError
from labcore.text import syllables

SMALL = CausalLeakConfig(num_layers=1, length=12, steps=100, seed=3)


@pytest.fixture(scope="module")
def result():
    return lab.run(SMALL)


@pytest.fixture(scope="module")
def recorded():
    return results.load(results.RECORDINGS / "by_hand-leak.safetensors", CausalLeakResult).result


def test_the_two_models_differ_in_the_mask_alone():
    masked, leaking = (lab.build(SMALL, kind, 0) for kind in lab.KINDS)
    for name, weight in masked.state_dict().items():
        assert torch.equal(weight, leaking.state_dict()[name]), name
    text = lab.held_out_text(12)[:1, :-1]
    changed = text.clone()
    changed[0, -1] = (text[0, -1] + 1) % 16
    for model, sees in ((masked, False), (leaking, True)):
        before, after = (model.eval()(tokens).logits[0, :-1] for tokens in (text, changed))
        assert (not torch.allclose(before, after, atol=1e-6)) is sees


def test_the_floor_is_that_of_the_held_out_text(result):
    surprise = syllables.surprise_nats(lab.held_out_text(12))
    assert result.floor_nats == pytest.approx(surprise.mean().item())
    assert result.floor_by_position.mean() == pytest.approx(result.floor_nats)
    assert result.floor_nats == pytest.approx(result.entropy_nats, abs=0.05)
    assert result.uniform_nats == pytest.approx(np.log(16))


def test_with_the_mask_the_loss_stays_above_the_floor_and_without_it_falls_below(result):
    masked, leaking = result.nats[0]
    assert masked.min() > result.floor_nats
    assert masked[-1] < result.floor_nats + 0.1
    assert leaking[-1] < result.floor_nats / 2


def test_one_masked_pass_answers_like_one_pass_per_prefix(result):
    """Training asks all positions at once: the mask makes each answer what writing would give."""
    np.testing.assert_allclose(result.by_prefix[0, 0], result.by_position[0, 0], atol=1e-5)
    np.testing.assert_allclose(result.by_position[0].mean(axis=1), result.nats[0, :, -1], atol=1e-4)


def test_the_leaking_model_is_worst_where_writing_happens(result):
    leaking = result.by_position[0, 1]
    assert leaking[-1] > 1.3  # the last position has nothing to copy
    assert leaking[-1] == pytest.approx(result.by_prefix[0, 1, -1], abs=1e-5)
    assert leaking[:-1].max() < 0.8
    assert result.by_prefix[0, 1].mean() > result.by_prefix[0, 0].mean() + 0.5
    assert result.forbidden[0, 1] > result.forbidden[0, 0] + 0.2


def test_a_run_depends_on_its_config_alone(result):
    again = lab.run(SMALL)
    np.testing.assert_array_equal(again.nats, result.nats)
    assert again.samples == result.samples


def test_events_tell_the_result(result):
    config = CausalLeakConfig(num_layers=1, length=8, steps=20, seeds=2)
    run, events = lab.prove_the_leak(config), []
    try:
        while True:
            events.append(next(run))
    except StopIteration as stop:
        made = stop.value
    looks = [event for event in events if event.nats is not None]
    assert [event.share for event in events] == sorted(event.share for event in events)
    assert events[-1].share == 1
    np.testing.assert_array_equal(made.nats[1, :, -1], looks[-1].nats)
    assert made.nats.shape == (2, 2, len(made.steps))


@pytest.mark.parametrize("field", LIMITS)
def test_values_outside_are_refused(field):
    for value in (LIMITS[field][0] - 1, LIMITS[field][1] + 1):
        with pytest.raises(LabInputError) as refused:
            CausalLeakConfig(**{field: value})
        assert (refused.value.field, refused.value.rule) == (field, "between")


# What is recorded: five seeds of the default settings.


def test_every_recorded_seed_proves_the_leak(recorded):
    masked, leaking = recorded.nats[:, 0], recorded.nats[:, 1]
    assert len(recorded.nats) == 5
    assert (masked.min(axis=1) > recorded.floor_nats).all()
    assert (masked[:, -1] < recorded.floor_nats + 0.02).all()
    assert (leaking[:, -1] < 0.15).all()
    # Only the last of 32 positions must guess: no leak can cost less than a 32nd of the floor.
    assert (leaking[:, -1] > recorded.floor_nats / 32).all()


def test_every_recorded_leaking_model_writes_worse_than_a_blind_guess(recorded):
    assert (recorded.by_prefix[:, 1].mean(axis=1) > recorded.uniform_nats).all()
    assert (recorded.forbidden[:, 1] > 0.5).all()
    assert (recorded.forbidden[:, 0] < 0.02).all()


def test_the_recording_begins_as_a_run_of_today_does(recorded):
    """The same seed gives the same losses; kernels of other machines may differ in the last digits."""
    run = lab.prove_the_leak(CausalLeakConfig())
    looks = []
    while len(looks) < 2:
        event = next(run)
        if event.nats is not None:
            looks.append(event.nats)
    np.testing.assert_allclose(np.array(looks).T, recorded.nats[0, :, :2], rtol=1e-3)
