"""The spectrum of learnt matrices: against LAPACK, the rank of a head, and cuts that the model feels."""

import numpy as np
import pytest

from labcore.errors import LabInputError
from labcore.foundations import spectrum
from labcore.foundations.spectrum import SpectrumConfig


@pytest.mark.parametrize("kind", spectrum.KINDS)
def test_values_are_lapacks_and_the_matrix_comes_back(kind):
    matrix = spectrum.weight_of(SpectrumConfig(kind=kind))
    left, values, right = spectrum.taken_apart(3, kind, 0)
    np.testing.assert_allclose(values, np.linalg.svd(matrix, compute_uv=False), atol=1e-11)
    np.testing.assert_allclose(left * values @ right.T, matrix, atol=1e-11)


def test_a_heads_product_has_the_rank_of_its_width():
    result = spectrum.run(SpectrumConfig(kind="head", rank=32))
    assert result.values[31] > 1e-2
    assert result.values[32] < 1e-12
    assert result.measured_error < 1e-12


def test_a_shuffle_keeps_the_length_and_spreads_it():
    result = spectrum.run(SpectrumConfig())
    assert (result.shuffled**2).sum() == pytest.approx((result.values**2).sum())
    assert (result.errors[1:100] < result.shuffled_errors[1:100]).all()


@pytest.mark.parametrize("rank", [0, 5, 128])
def test_the_error_measured_is_the_error_of_the_formula(rank):
    result = spectrum.run(SpectrumConfig(rank=rank))
    assert result.measured_error == pytest.approx(result.errors[rank], abs=1e-7)
    assert result.numbers == rank * 256


def test_all_terms_are_the_model_itself_and_close_is_not_always_good():
    """Measured: with the one largest term of `up` in layer 3 the model is worse than with none."""
    result = spectrum.judge(SpectrumConfig(kind="up"))
    assert result.nats[-1] == pytest.approx(result.full_nats, abs=1e-5)
    assert result.small_nats[-1] == pytest.approx(result.full_nats, abs=1e-5)
    assert result.nats[0] == result.small_nats[0]
    assert result.nats[1] > result.nats[0] + 0.01 > result.full_nats > result.floor_nats - 0.05


def test_bad_values_are_refused():
    for bad in ({"layer": 4}, {"head": -1}, {"rank": 129}):
        with pytest.raises(LabInputError, match="between"):
            SpectrumConfig(**bad)
    with pytest.raises(LabInputError, match="known_choice"):
        SpectrumConfig(kind="gate")
    with pytest.raises(LabInputError, match="known_choice"):
        spectrum.judge(SpectrumConfig(kind="head"))
