"""Trained short, read long: the same letters at every length, honest losses, one seed one run."""

import math

import numpy as np
import pytest
import torch

from labcore.architecture import positions_length as lab
from labcore.architecture import positions_rescue as rescue
from labcore.architecture.positions_length import LengthConfig
from labcore.architecture.positions_rescue import CURES, RescueConfig
from labcore.architecture.positions_text import letters
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.positions import rope_frequencies
from labcore.training.loop import train
from labcore.training.objectives import held_out_loss

SHORT = (64, 96)  # lengths judged in these tests; all six cost seconds


@pytest.fixture
def short(monkeypatch):
    for module in (lab, rescue):
        monkeypatch.setattr(module, "LENGTHS", SHORT)


def small(*encodings, **more):
    return LengthConfig(encodings, steps=3, batch_size=2, hidden_size=16, **more)


def test_a_run_tells_each_step_and_each_length(short):
    events = []
    config = small("alibi", "learned", seeds=(4, 5))
    result = drain(lab.compare(config), events.append)
    assert [event.share for event in events] == sorted(event.share for event in events)
    assert events[-1].share == pytest.approx(1)
    judged = [event for event in events if event.length is not None]
    assert [event.length for event in judged] == [*SHORT] * 4
    assert result.nats.flatten() == pytest.approx([event.nats for event in judged])
    assert result.nats.shape == (2, 2, 2)
    assert result.train_nats.shape == (2, 2, 3)
    # Untrained models guess about evenly among 256 bytes and six special tokens.
    assert result.train_nats[0, 0, 0] == pytest.approx(math.log(262), abs=0.3)
    assert result.t5_bias is None
    assert result.learned_rows.shape == (lab.REACH, 16)


def test_a_seed_repeats_its_run(short):
    first, again, other = (
        lab.run(small("rope", seeds=(seed,))).nats.tolist() for seed in (0, 0, 1)
    )
    assert first == again != other


def test_the_loss_is_that_of_the_last_letters_of_each_window(monkeypatch):
    """By another way: the model's mean loss over windows of 32 is the loss of all their letters."""
    monkeypatch.setattr(lab, "LENGTHS", (32,))
    text, model = letters("en"), lab.build(small("alibi"), "alibi", 0)
    batches = [lab.windows(text.held_out, lab.ends(text), 32)]
    assert lab.loss_at(model, text, 32) == pytest.approx(held_out_loss(model, batches), rel=1e-6)


def test_the_floor_is_the_price_of_the_very_letters_that_are_judged():
    text = letters("en")
    stream = torch.from_numpy(text.held_out_nats)
    last = lab.ends(text)[:, None] - torch.arange(lab.JUDGED)
    assert lab.floor(text) == pytest.approx(float(stream[last].mean()))
    judged = lab.windows(text.held_out, lab.ends(text), 64).targets[:, -lab.JUDGED :]
    assert torch.equal(text.held_out[last.flip(1)], judged)
    assert 0.05 < lab.floor(text) < 0.2  # stories of 0.10 nats per letter on the whole


def test_rows_that_no_window_reaches_stay_as_they_were_drawn():
    """Beyond place 63 a row has no gradient; weight decay alone may shrink it by a trifle."""
    config = small("learned")
    model, drawn = lab.build(config, "learned", 0), lab.build(config, "learned", 0)
    batches = lab.random_windows(letters("en").train, lab.TRAINED_LENGTH, 2, 0)
    for _ in train(model, batches, config.training(0)):
        pass
    now, before = lab.trained_rows(model), lab.trained_rows(drawn)
    assert now[64:] == pytest.approx(before[64:], rel=1e-3)
    assert (np.abs(now - before)[:64].max(axis=1) > 1e-3).all()


def test_the_trained_bias_is_the_table_by_bucket():
    model = lab.build(small("t5"), "t5", 0)
    bias, table = lab.trained_bias(model), model.stack.relative_bias.weight.detach().numpy()
    assert bias[:, 0] == pytest.approx(table[0])
    assert bias[:, 7] == pytest.approx(table[7])
    assert bias[:, 27:] == pytest.approx(np.repeat(table[15][:, None], lab.REACH - 27, axis=1))


def test_small_embeddings_beside_sinusoids_are_a_switch_of_that_model_alone():
    loud, quiet = LengthConfig(), LengthConfig(scale_embeddings=False)
    assert loud.model("sinusoidal").token_scale == 8  # √64
    assert quiet.model("sinusoidal").token_scale == 1
    assert loud.model("rope").token_scale == quiet.model("rope").token_scale == 1


def test_cosines_of_rows():
    rows = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, -2.0], [-1.0, 0.0]])
    assert lab.similarity(rows)[0] == pytest.approx([1, 1, 0, -1])


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        ({"encodings": ()}, "choose_one"),
        ({"encodings": ("fourier",)}, "known_choice"),
        ({"seeds": ()}, "choose_one"),
        ({"steps": 0}, "between"),
        ({"hidden_size": 30}, "divides_hidden_size"),
        ({"learning_rate": 0.0}, "positive"),
    ],
)
def test_what_cannot_be_compared_is_refused(bad, rule):
    with pytest.raises(LabInputError) as error:
        LengthConfig(**bad)
    assert error.value.rule == rule


# RoPE's cures.


def test_cures_touch_nothing_within_the_trained_length():
    assert [rescue.stretched(cure, 64) for cure in CURES] == [None] * 4


def test_what_each_cure_does_to_the_turns():
    """Eight times the length: linear divides all by 8, NTK the slowest by 8 and the fastest by 1."""
    long, trained = rescue.turns(10_000.0, 16, 512), rescue.turns(10_000.0, 16, 64)["none"]
    by_hand = 64 * rope_frequencies(16, 10_000.0).numpy() / (2 * math.pi)
    assert trained == pytest.approx(by_hand, rel=1e-6)
    assert long["none"] == pytest.approx(8 * trained, rel=1e-5)
    assert long["linear"] == pytest.approx(trained, rel=1e-5)
    assert long["ntk"][[0, -1]] == pytest.approx([8 * trained[0], trained[-1]], rel=1e-4)
    assert long["yarn"][[0, -1]] == pytest.approx([8 * trained[0], trained[-1]], rel=1e-4)
    assert (long["yarn"] <= long["none"] * 1.0001).all()
    assert (long["yarn"] >= long["linear"] * 0.9999).all()


def test_a_rescue_judges_every_cure_twice_and_leaves_the_weights_alone(short):
    events = []
    config = RescueConfig(steps=2, extra_steps=1)
    result = drain(rescue.rescue(config), events.append)
    assert [event.share for event in events] == sorted(event.share for event in events)
    assert events[-1].share == pytest.approx(1)
    judged = [(event.cure, event.tuned) for event in events if event.stage == "judge"]
    assert judged == [(cure, tuned) for tuned in (False, True) for cure in CURES]
    assert result.nats.shape == result.tuned_nats.shape == (1, 4, 2)
    # At the trained length no cure stretches anything: the same weights, the same loss.
    assert result.nats[0, :, 0] == pytest.approx(np.full(4, result.nats[0, 0, 0]), rel=1e-6)
    assert len(set(result.nats[0, :, 1].tolist())) == 4


def test_without_extra_training_there_is_no_second_chart(short):
    assert rescue.run(RescueConfig(steps=1, extra_steps=0)).tuned_nats is None


@pytest.mark.parametrize("bad", [{"extra_steps": -1}, {"steps": 0}, {"seeds": ()}])
def test_rescues_without_sense_are_refused(bad):
    with pytest.raises(LabInputError):
        RescueConfig(**bad)
