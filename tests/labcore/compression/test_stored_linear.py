"""Stored forms: each computes what its codes stand for, and holds as many bytes as it says."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from app import results
from labcore.compression import quantise_speed, stored_linear
from labcore.compression.quantise_speed import SpeedConfig
from labcore.compression.rounding import round_to_nearest
from labcore.errors import LabInputError

# Torch's own part: torchao is timed where it is installed, and is no requirement.
FORMS = [name for name in stored_linear.FORMS if not name.startswith("ao-")]


def weight_and_input(outputs=96, inputs=128, rows=5):
    rng = torch.Generator().manual_seed(0)
    return torch.randn(outputs, inputs, generator=rng) / 11, torch.randn(
        rows, inputs, generator=rng
    )


@pytest.mark.parametrize(("form", "grid"), [("ours-4", "OURS_4"), ("ours-8", "OURS_8")])
def test_ours_unpack_to_exactly_the_rounded_matrix(form, grid):
    weight, x = weight_and_input()
    expected = x @ round_to_nearest(weight, getattr(stored_linear, grid)).weight().T
    torch.testing.assert_close(stored_linear.FORMS[form](weight)(x), expected)


@pytest.mark.parametrize(("form", "same"), [("torch-4", "ours-4"), ("torch-8", "ours-8")])
def test_torchs_kernels_read_the_same_codes(form, same):
    """They work in bf16: eight bits of mantissa."""
    weight, x = weight_and_input(outputs=128)
    got, expected = (stored_linear.FORMS[name](weight)(x) for name in (form, same))
    assert (got - expected).abs().max() < 0.02 * expected.abs().max()


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_near_full_precision_and_takes_any_batch(form):
    weight, x = weight_and_input(outputs=128)
    module = stored_linear.FORMS[form](weight)
    exact = x @ weight.T
    assert (module(x) - exact).square().sum() < 0.02 * exact.square().sum()
    assert module(x[None]).shape == (1, 5, 128)


def test_bytes_worked_by_hand():
    """128 × 128 weights."""
    weight, x = weight_and_input(outputs=128)
    held = {}
    for form in FORMS:
        module = stored_linear.FORMS[form](weight)
        module(x)
        held[form] = stored_linear.bytes_of(module)
    weights, groups = 128 * 128, 128 * 4
    assert held["fp32"] == 4 * weights
    assert held["bf16"] == 2 * weights
    assert held["ours-8"] == held["torch-8"] == weights + 128 * 2
    assert held["ours-4"] == weights / 2 + groups * (2 + 1)
    assert held["torch-4"] == weights / 2 + groups * (2 + 2)
    assert held["bnb-8"] == weights + 128 * 4
    # NF4's scales, one for 64 weights, themselves in eight bits with a scale of their own and two tables.
    assert held["bnb-nf4"] == weights / 2 + weights / 64 + 4 * (1 + 16 + 256)


def test_timing_warms_up_and_goes_round_in_turn():
    calls = []
    seconds = quantise_speed.timed(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3
    )
    assert seconds.shape == (2, 3)
    assert (seconds > 0).all()
    order = "".join(calls)
    assert order.startswith("aaaabbbb")  # warm-up and one timed call to size the rounds
    assert sum(a != b for a, b in pairwise(order)) == 7


def test_a_measurement_tells_time_bytes_and_error_of_every_form():
    result = quantise_speed.run(SpeedConfig(width=256, rows=2, rounds=3))
    assert result.forms == list(stored_linear.available())
    assert result.seconds.shape == (len(result.forms), 3)
    assert result.errors[0] == 0
    assert (result.errors[1:] > 0).all()
    assert (result.stored_bytes[1:] < result.stored_bytes[0]).all()


@pytest.mark.parametrize("bad", [{"width": 32}, {"rows": 0}, {"rounds": 1}])
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError) as refused:
        SpeedConfig(**bad)
    assert refused.value.field == next(iter(bad))


def test_what_was_recorded_of_time_and_bytes():
    """Fewer bytes, in our own unpacking, are more time for one map; a kernel of torch's is faster."""
    path = results.RECORDINGS / "quantisation-speed.safetensors"
    study = results.load(path, quantise_speed.SpeedStudy).result
    one = study.layers["1"]
    middle = dict(zip(one.forms, np.median(one.seconds, axis=1), strict=True))
    held = dict(zip(one.forms, one.stored_bytes, strict=True))
    assert held["ours-4"] < held["fp32"] / 6
    assert middle["ours-4"] > 2 * middle["fp32"]
    assert middle["torch-4"] < middle["fp32"]
    model = study.models["1"]
    middle = dict(zip(model.forms, np.median(model.seconds, axis=1), strict=True))
    assert middle["torch-4"] < 0.5 * middle["fp32"]
