"""One bell for two humps: against closed forms, and against torch's own distributions."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from labcore.errors import LabInputError
from labcore.foundations import two_humps
from labcore.foundations.two_humps import MEANS, WIDTHS, HumpsConfig


def test_with_one_hump_both_directions_are_the_closed_form_of_two_bells():
    result = two_humps.run(HumpsConfig(apart=0.0, width=0.8))
    for m, s in ((20, 10), (32, 20), (40, 15)):
        p, q = Normal(0.0, 0.8), Normal(MEANS[m].item(), WIDTHS[s].item())
        assert result.forward[s, m] == pytest.approx(kl_divergence(p, q).item(), abs=1e-6)
        assert result.reverse[s, m] == pytest.approx(kl_divergence(q, p).item(), abs=1e-6)


@pytest.mark.parametrize(("apart", "share"), [(4.0, 0.6), (6.0, 0.95), (2.0, 0.3)])
def test_the_forward_fit_has_the_moments_of_the_humps(apart, share):
    """Mean (1 − 2·share)·apart/2, variance width² + share(1 − share)·apart²; up to the grid's step."""
    result = two_humps.run(HumpsConfig(apart, share))
    mean = (1 - 2 * share) * apart / 2
    deviation = math.sqrt(0.36 + share * (1 - share) * apart**2)
    assert result.moments == pytest.approx((mean, deviation), abs=1e-6)
    assert abs(result.best["forward"][0] - mean) <= MEANS[1] - MEANS[0]
    assert abs(math.log(result.best["forward"][1] / deviation)) <= math.log(WIDTHS[1] / WIDTHS[0])


@pytest.mark.parametrize("share", [0.6, 0.95])
def test_the_reverse_fit_sits_on_the_larger_hump_and_costs_minus_the_log_of_its_share(share):
    result = two_humps.run(HumpsConfig(6.0, share))
    assert result.best["reverse"][0] == pytest.approx(-3.0, abs=0.13)
    assert result.lowest["reverse"] == pytest.approx(-math.log(share), abs=0.002)


def test_one_hump_has_one_valley_and_two_have_more():
    assert two_humps.run(HumpsConfig(apart=0.0)).valleys == 1
    assert two_humps.run(HumpsConfig(apart=5.0)).valleys >= 2


def test_each_fit_is_best_by_its_own_measure():
    result = two_humps.run(HumpsConfig())
    assert result.lowest["forward"] < result.crossed["reverse"]
    assert result.lowest["reverse"] < result.crossed["forward"]
    assert torch.from_numpy(result.forward).min() >= -1e-9
    assert np.sum(result.p) * (result.line[1] - result.line[0]) == pytest.approx(1, abs=1e-6)


def test_bad_values_are_refused():
    for bad in ({"apart": 7.0}, {"share": 0.0}, {"width": 2.0}):
        with pytest.raises(LabInputError, match="between"):
            HumpsConfig(**bad)
