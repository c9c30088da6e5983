"""The language of syllables: a Markov chain whose probabilities and entropy can be checked."""

import numpy as np
import pytest
import torch

from labcore.text import syllables
from labcore.text.syllables import CONSONANTS, LETTERS, SPACE_SHARE, VOWELS


def kind(letter: str) -> str:
    return "consonant" if letter in CONSONANTS else "vowel" if letter in VOWELS else "space"


def test_every_row_of_the_table_is_a_distribution():
    table = syllables.transitions()
    assert torch.all(table >= 0)
    torch.testing.assert_close(table.sum(dim=1), torch.ones(len(LETTERS), dtype=torch.float64))


def test_only_the_steps_that_the_rules_allow_have_a_chance():
    allowed = {("space", "consonant"), ("consonant", "vowel"), ("vowel", "consonant"),
               ("vowel", "space")}  # fmt: skip
    table = syllables.transitions()
    for a, first in enumerate(LETTERS):
        for b, second in enumerate(LETTERS):
            assert (table[a, b] > 0) == ((kind(first), kind(second)) in allowed), first + second


def test_the_share_of_spaces_follows_from_the_rules():
    """Let s, c, v be the shares. Spaces follow vowels only: s = 0.4 v. Every consonant is followed by a
    vowel and every vowel comes after one: c = v. With s + c + v = 1: v = 1 / 2.4, s = 0.4 / 2.4 = 1/6."""
    assert syllables.stationary()[0] == pytest.approx(SPACE_SHARE / (2 + SPACE_SHARE))
    assert syllables.stationary().sum() == pytest.approx(1)


def test_the_stationary_shares_stay_after_a_step():
    shares = syllables.stationary()
    np.testing.assert_allclose(shares @ syllables.transitions().numpy(), shares, atol=1e-12)


def test_a_long_text_costs_a_perfect_reader_the_entropy_rate():
    """40,000 letters: the mean of −ln P has a standard error of about 0.005 nats."""
    text = syllables.rows(200, 201, torch.Generator().manual_seed(0))
    surprise = syllables.surprise_nats(text)
    assert torch.isfinite(surprise).all()
    assert surprise.mean().item() == pytest.approx(syllables.entropy_rate_nats(), abs=0.02)


def test_a_forbidden_step_is_infinitely_surprising():
    k, b, a = (LETTERS.index(letter) for letter in "kba")
    surprise = syllables.surprise_nats(torch.tensor([[0, k, a, b], [0, k, b, a]]))
    assert surprise.isinf().tolist() == [[False, False, False], [False, True, False]]


def test_rows_begin_a_word_and_depend_on_the_generator_alone():
    first, again = (syllables.rows(3, 9, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first, again)
    assert (first[:, 0] == 0).all()
    assert syllables.text_of(first[0]).startswith(" ")
