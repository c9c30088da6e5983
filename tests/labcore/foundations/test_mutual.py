"""Mutual information: against scipy, exactly for a chain of two letters, and its bias."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from labcore.errors import LabInputError
from labcore.foundations import mutual
from labcore.foundations.mutual import MutualConfig, exact_by_distance, mutual_information


def drawn(count: int, symbols: int, seed: int) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(symbols, (count,), generator=generator).numpy()


def test_counting_is_scipys_g_statistic():
    """G = 2·N·I, the likelihood ratio of a table of counts against independence."""
    x = drawn(500, 5, 0)
    y = np.where(drawn(500, 2, 1) == 0, x, drawn(500, 5, 2))
    counts = np.bincount(5 * x + y, minlength=25).reshape(5, 5)
    g = stats.chi2_contingency(counts, correction=False, lambda_="log-likelihood").statistic
    assert mutual_information(x, y, 5) == pytest.approx(g / 1000)


def test_a_chain_of_two_letters_by_hand():
    """It stays with 0.9. After d steps it is the same letter with ½(1 + 0.8ᵈ), so I = ln 2 − H of that."""
    found = exact_by_distance(np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([0.5, 0.5]))
    same = 0.5 * (1 + 0.8**mutual.DISTANCES)
    open_nats = -same * np.log(same) - (1 - same) * np.log1p(-same)
    np.testing.assert_allclose(found, math.log(2) - open_nats, atol=1e-12)


def test_in_a_chain_information_only_falls():
    exact = mutual.run(MutualConfig()).exact
    assert (np.diff(exact) < 0).all()
    assert exact[-1] < 1e-6


def test_the_estimate_reaches_the_truth_where_text_is_long():
    """32,000 letters: within 0.01 nats of the exact value once the control is taken off."""
    result = mutual.run(MutualConfig(letters=32_000))
    np.testing.assert_allclose(result.above[:10], result.exact[:10], atol=0.01)


def test_independent_letters_have_the_bias_of_the_rule():
    """(K − 1)²/2N = 49/4000 nats for 8 symbols and 2,000 pairs; the mean of 100 texts, 10 % allowed."""
    found = [mutual_information(drawn(2000, 8, n), drawn(2000, 8, 1000 + n), 8) for n in range(100)]
    assert np.mean(found) == pytest.approx(49 / 4000, rel=0.1)
    assert min(found) > 0


@pytest.mark.parametrize("letters", mutual.LETTER_COUNTS)
def test_the_control_is_never_zero(letters):
    result = mutual.run(MutualConfig(letters=letters))
    assert result.shuffled.min() > 0
    assert result.shuffled.mean() == pytest.approx(result.bias, rel=0.25)


def test_with_too_many_symbols_the_rule_fails_and_the_control_does_not():
    """302 signs in 2,000 letters: the rule says more nats than a letter has."""
    result = mutual.run(MutualConfig("zh"))
    assert result.bias > result.entropy > result.shuffled.mean() > 2


def test_stories_remember_further_than_syllables():
    stories, chain = (mutual.run(MutualConfig(source, 32_000)) for source in ("en", "syllables"))
    assert stories.above[19] > 0.02 > 0.002 > chain.above[19]


def test_the_same_config_reads_the_same_text():
    one, same, other = (mutual.run(MutualConfig("en", seed=seed)) for seed in (1, 1, 2))
    assert one.sample == same.sample != other.sample
    assert np.array_equal(one.shuffled, same.shuffled)


def test_bad_values_are_refused():
    for bad in ({"source": "fr"}, {"letters": 77}, {"seed": -1}):
        with pytest.raises(LabInputError):
            MutualConfig(**bad)
