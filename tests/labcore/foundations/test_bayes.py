"""Bayes' rule: by hand, in odds, and against a counted town."""

import numpy as np
import pytest

from labcore.errors import LabInputError
from labcore.foundations import bayes
from labcore.foundations.bayes import ScreeningConfig, posterior


def test_one_in_a_hundred_by_hand():
    """0.01 · 0.9 = 0.009 and 0.99 · 0.05 = 0.0495: 0.009 / 0.0585 = 2/13."""
    result = bayes.run(ScreeningConfig())
    np.testing.assert_allclose(result.joint, [[0.009, 0.001], [0.0495, 0.9405]])
    assert result.posterior == pytest.approx(2 / 13)
    assert result.after_negative == pytest.approx(0.001 / 0.9415)


def test_odds_are_multiplied_by_each_independent_result_and_by_none_told_again():
    result = bayes.run(ScreeningConfig())
    odds = result.independent / (1 - result.independent)
    np.testing.assert_allclose(odds, (1 / 99) * 18.0 ** np.arange(7))
    np.testing.assert_allclose(result.repeated[1:], 2 / 13)


def test_a_useless_test_changes_nothing():
    result = bayes.run(ScreeningConfig(0.3, 0.2, 0.2))
    np.testing.assert_allclose(result.curve, result.prevalences)
    assert result.posterior == result.after_negative == pytest.approx(0.3)


def test_a_counted_town_comes_close():
    """20,000 people, about 1170 positive: the share is within four standard errors of 2/13."""
    result = bayes.run(ScreeningConfig(people=20_000))
    positive = result.tested.sum()
    error = np.sqrt(2 / 13 * 11 / 13 / positive)
    assert abs(result.running[-1] - result.posterior) < 4 * error
    assert result.counts.sum() == 20_000
    assert result.running[-1] == result.counts[0, 0] / result.counts[:, 0].sum()


def test_the_same_seed_draws_the_same_town():
    one, same, other = (bayes.run(ScreeningConfig(seed=seed)) for seed in (3, 3, 4))
    assert np.array_equal(one.ill, same.ill)
    assert not np.array_equal(one.ill, other.ill)


def test_three_causes_by_hand():
    """Weights 0.5 · 0.1, 0.3 · 0.2, 0.2 · 0.7 = 0.05, 0.06, 0.14 of 0.25."""
    np.testing.assert_allclose(
        posterior(np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.2, 0.7])), [0.2, 0.24, 0.56]
    )


def test_bad_values_are_refused():
    with pytest.raises(LabInputError, match="between"):
        ScreeningConfig(prevalence=1.1)
    with pytest.raises(LabInputError, match="positive"):
        ScreeningConfig(prevalence=1.0, sensitivity=0.0)
