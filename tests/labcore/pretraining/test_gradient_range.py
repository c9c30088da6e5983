"""Gradients in powers of two: the shifted histogram against casting the gradients themselves."""

import numpy as np
import pytest
import torch

from labcore.pretraining import gradient_range as lab
from labcore.pretraining.gradient_range import RangeConfig
from labcore.pretraining.number_formats import FORMATS

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "e5m2": torch.float8_e5m2}


@pytest.fixture(scope="module")
def result():
    return lab.run(RangeConfig())


@pytest.fixture(scope="module")
def gradients():
    return lab.gradients(lab.MODEL)[0]


def test_every_gradient_is_in_a_bin(result, gradients):
    for kind in lab.KINDS:
        assert result.counts[kind].sum() + result.zeros[kind] == gradients[kind].numel()
    assert result.targets == 473  # of the eight stories that the lab's held-out text opens with


@pytest.mark.parametrize("name", list(DTYPES))
@pytest.mark.parametrize("shift", [-22, -12, 0])
def test_the_fate_is_that_of_a_real_cast(result, gradients, name, shift):
    """PyTorch casts g · 2^shift; what becomes 0 there is what the histogram said would."""
    for kind in lab.KINDS:
        fate = lab.fate(result, kind, shift, FORMATS[name])
        values = gradients[kind][gradients[kind] != 0] * 2.0**shift
        cast = values.to(DTYPES[name]).float().abs()
        tiny = FORMATS[name].smallest_normal
        assert fate.zero == pytest.approx(float((cast == 0).double().mean()), abs=1e-6)
        assert fate.overflow == pytest.approx(float(cast.isinf().double().mean()), abs=1e-6)
        subnormal = ((cast > 0) & (values.abs() < tiny)).double().mean()
        assert fate.subnormal == pytest.approx(float(subnormal), abs=1e-6)
        assert sum((fate.zero, fate.subnormal, fate.normal, fate.overflow)) == pytest.approx(1)


def test_a_large_batch_loses_most_of_fp16_and_a_scale_brings_it_back(result):
    """4 million tokens: 2^22. bf16 has fp32's range and loses nothing."""
    before, after = (lab.fate(result, "weights", k - 22, FORMATS["fp16"]) for k in (0, 16))
    assert before.zero > 0.8
    assert after.zero < 0.2
    assert after.overflow == 0
    assert lab.fate(result, "stream", -22, FORMATS["fp16"]).zero > 0.99
    assert lab.fate(result, "stream", -22, FORMATS["bf16"]).zero == 0


def test_too_large_a_scale_overflows(result):
    shares = [
        lab.fate(result, "weights", shift, FORMATS["fp16"]).overflow for shift in range(0, 31, 5)
    ]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] > 0.4


def test_the_ends_of_the_bins_hold_what_lies_beyond():
    powers = lab.exponents_of(torch.tensor([0.0, 1e-300, 1.0, -1.5, 2.0], dtype=torch.float64))
    np.testing.assert_array_equal(powers, [lab.LOW, 0, 0, 1])
