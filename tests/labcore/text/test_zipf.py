"""The language with a long tail: its frequencies, its spelling, and what a perfect reader pays."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.text import zipf


def test_twice_the_rank_is_two_to_the_minus_s_as_frequent():
    """Zipf's law by hand: with s = 1.1 rank 20 comes 2^−1.1 = 0.467 times as often as rank 10."""
    share = zipf.language(1.1).share
    assert share.sum() == pytest.approx(1)
    assert share[19] / share[9] == pytest.approx(0.4665, abs=1e-4)


def test_all_words_differ_and_end_in_one_space():
    tokens, lengths = zipf.lexicon()
    assert len(np.unique(tokens, axis=0)) == len(tokens) == zipf.WORDS
    assert set(lengths.tolist()) == {3, 4}  # two or three syllables, and the space
    for place in range(zipf.MOST_TOKENS):
        inside = lengths - 1 > place
        assert (tokens[inside, place] > 0).all()
        assert (tokens[~inside, place] == zipf.SPACE).all()


def test_the_tokens_of_a_word_cost_together_what_the_word_costs():
    """The chain rule: −ln P(w1) − ln P(w2 | w1) − … = −ln P(word), for each of the twenty thousand."""
    language = zipf.language(1.1)
    np.testing.assert_allclose(language.nats.sum(axis=1), -np.log(language.share), atol=1e-9)


def test_a_token_costs_what_the_words_that_fit_say():
    """Straight from the definition, for the most frequent word: among all words that begin with its first
    syllable, the share of those that go on with its second."""
    language = zipf.language(1.1)
    first, second = language.tokens[0, :2]
    begins = language.tokens[:, 0] == first
    goes_on = begins & (language.tokens[:, 1] == second)
    expected = -np.log(language.share[goes_on].sum() / language.share[begins].sum())
    assert language.nats[0, 1] == pytest.approx(expected)
    assert language.nats[0, 0] == pytest.approx(-np.log(language.share[begins].sum()))


def test_a_long_text_costs_the_entropy():
    """200,000 tokens: the mean of −ln P has a standard error of about 0.005 nats."""
    language = zipf.language(1.1)
    nats = language.rows(800, 250, torch.Generator().manual_seed(0))[1]
    assert nats.mean() == pytest.approx(language.entropy_nats, abs=0.02)


def test_a_steeper_tail_has_less_to_say():
    entropies = [zipf.language(exponent).entropy_nats for exponent in (1.0, 1.5, 2.0)]
    assert entropies == sorted(entropies, reverse=True)


def test_rows_begin_with_a_space_and_hold_whole_words_but_for_the_last():
    language = zipf.language(1.1)
    rng = torch.Generator().manual_seed(3)
    tokens, nats = language.rows(5, 40, rng)
    again = language.rows(5, 40, torch.Generator().manual_seed(3))[0]
    assert torch.equal(tokens, again)
    assert tokens.shape == (5, 41)
    assert nats.shape == (5, 40)
    assert (tokens[:, 0] == zipf.SPACE).all()
    known = {tuple(word[:length].tolist()) for word, length in zip(*zipf.lexicon(), strict=True)}
    for row in tokens.tolist():
        ends = [place for place, token in enumerate(row) if token == zipf.SPACE]
        words = [tuple(row[a + 1 : b + 1]) for a, b in pairwise(ends)]
        assert len(words) >= 9  # of four tokens at most
        assert set(words) <= known


@pytest.mark.parametrize("exponent", [0.0, 9.0, float("nan")])
def test_an_exponent_outside_the_range_is_refused(exponent):
    with pytest.raises(LabInputError, match="exponent"):
        zipf.language(exponent)
