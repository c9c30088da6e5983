"""A sentence moved: what speaks of distances cannot notice, what speaks of places must."""

import numpy as np
import pytest

from labcore.architecture import positions_shift as lab
from labcore.architecture.positions_shift import ShiftConfig
from labcore.errors import LabInputError

RELATIVE_EXACT = ("alibi", "t5", "none")  # whole numbers are subtracted: no rounding at all
ABSOLUTE = ("learned", "sinusoidal")


@pytest.fixture(scope="module")
def moved():
    return {one.encoding: one for one in lab.run(ShiftConfig(offset=16)).moved}


def test_encodings_of_distance_do_not_notice(moved):
    """Where a bias is added, differences of places are exact; RoPE's angles are rounded to 32 bits."""
    for encoding in RELATIVE_EXACT:
        assert moved[encoding].score_change == moved[encoding].output_change == 0
        assert np.array_equal(moved[encoding].before, moved[encoding].after)
    assert 0 < moved["rope"].score_change < 1e-5


def test_encodings_of_place_notice(moved):
    for encoding in ABSOLUTE:
        assert moved[encoding].score_change > 0.1
        assert moved[encoding].weight_change > 0.01


def test_ropes_rounding_grows_with_the_angle():
    """An angle near 4,096 has steps of 2^-11 ≈ 0.0005 in 32 bits: a hundred times those near 16."""
    near, far = (lab.run(ShiftConfig(offset=offset)).moved[0] for offset in (16, 4096))
    assert near.encoding == far.encoding == "rope"
    assert near.score_change < far.score_change < 1e-3


def test_without_a_move_nothing_changes():
    for one in lab.run(ShiftConfig(offset=0)).moved:
        assert one.score_change == one.weight_change == one.output_change == 0


def test_a_trained_model_with_rope_does_not_notice_either():
    result = lab.run(ShiftConfig(model="world-decoder", offset=64))
    (one,) = result.moved
    assert one.encoding == "rope"
    assert one.before.shape[-1] == len(result.tokens) == len(result.allowed)
    assert one.score_change < 1e-4 < one.before.max()


def test_an_encoder_sees_everything_and_a_decoder_what_came_before():
    encoder = lab.run(ShiftConfig(model="world-encoder"))
    decoder = lab.run(ShiftConfig())
    assert encoder.allowed.all()
    assert np.array_equal(decoder.allowed, np.tril(np.ones_like(decoder.allowed)))


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        ({"text": "  "}, "not_empty"),
        ({"model": "world-translator"}, "one_stack"),
        ({"offset": 4097}, "between"),
        ({"offset": -1}, "between"),
    ],
)
def test_what_cannot_be_moved_is_refused(bad, rule):
    with pytest.raises(LabInputError) as error:
        lab.run(ShiftConfig(**bad))
    assert error.value.rule == rule


def test_a_long_text_of_any_script_is_cut():
    result = lab.run(ShiftConfig(text="狗咬人 🙂 " * 200))
    assert len(result.tokens) == 64
    assert result.dropped_tokens > 0
