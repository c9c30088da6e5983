"""Speculative decoding: the target's distribution exactly, by sum and by a statistical test."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from labcore.errors import LabInputError
from labcore.serving.speculative import (
    check,
    expected_tokens,
    keep_chance,
    kept_share,
    left_over,
    speed_up,
    written_distribution,
)


def two_distributions(seed, size=6, rows=()):
    rng = torch.Generator().manual_seed(seed)
    return [
        (2 * torch.randn(*rows, size, generator=rng, dtype=torch.float64)).softmax(dim=-1)
        for _ in range(2)
    ]


@given(st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_what_comes_out_is_the_targets_distribution(seed):
    p, q = two_distributions(seed)
    torch.testing.assert_close(written_distribution(p, q), p)
    assert (written_distribution(p, q, "likelier") - p).abs().sum() > 1e-3


def test_a_token_the_draft_never_guesses_still_comes():
    p, q = torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0])
    torch.testing.assert_close(written_distribution(p, q), p)


def test_the_surplus_worked_by_hand():
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.7, 0.1])
    torch.testing.assert_close(left_over(p, q), torch.tensor([0.75, 0.0, 0.25]))
    torch.testing.assert_close(left_over(p, p), p)
    assert kept_share(p, q).item() == pytest.approx(0.2 + 0.3 + 0.1)
    assert keep_chance(p, q).tolist() == pytest.approx([1, 3 / 7, 1])


def drawn(rule, draws, seed=0):
    """The first two tokens of many rounds of one guess, as pairs."""
    p, q = two_distributions(5, size=3, rows=(3,))
    rng = torch.Generator().manual_seed(seed)
    counts = torch.zeros(3)
    for _ in range(draws):
        guess = torch.multinomial(q[0], 1, generator=rng)
        counts[check(guess, p[:2], q[:1], rng, rule).tokens[0]] += 1
    return counts.numpy(), p[0].numpy()


def test_many_rounds_pass_a_chi_square_test_and_the_popular_rule_fails_it():
    draws = 4000
    counts, p = drawn("exact", draws)
    assert stats.chisquare(counts, draws * p).pvalue > 0.01
    counts, p = drawn("likelier", draws)
    assert stats.chisquare(counts, draws * p).pvalue < 1e-6


def test_guesses_are_kept_up_to_the_first_refusal_and_all_kept_bring_one_more():
    rng = torch.Generator().manual_seed(0)
    sure = torch.eye(4, dtype=torch.float64)
    guesses = torch.tensor([0, 1, 2])
    all_right = check(guesses, sure[[0, 1, 2, 3]], sure[[0, 1, 2]], rng)
    assert (all_right.tokens, all_right.kept) == ([0, 1, 2, 3], 3)
    second_wrong = check(guesses, sure[[0, 3, 2, 3]], sure[[0, 1, 2]], rng)
    assert (second_wrong.tokens, second_wrong.kept) == ([0, 3], 1)


def test_the_mean_number_of_tokens_is_the_formulas():
    p, q = two_distributions(5)
    rng = torch.Generator().manual_seed(1)
    rows = p.expand(4, -1), q.expand(3, -1)
    rounds = [
        len(check(torch.multinomial(q, 3, True, generator=rng), *rows, rng).tokens)
        for _ in range(3000)
    ]
    expected = expected_tokens(float(kept_share(p, q)), 3)
    assert sum(rounds) / len(rounds) == pytest.approx(expected, abs=0.06)  # three standard errors


def test_speed_worked_by_hand():
    assert expected_tokens(0.5, 2) == 1.75
    assert expected_tokens(1.0, 4) == 5
    assert expected_tokens(0.8, 4) == pytest.approx((1 - 0.8**5) / 0.2)
    assert speed_up(0.8, 4, 0.1) == pytest.approx(3.3616 / 1.4)
    assert speed_up(0.3, 8, 0.3) < 1


def test_bad_values_are_refused():
    with pytest.raises(LabInputError):
        expected_tokens(1.2, 3)
    with pytest.raises(LabInputError):
        keep_chance(torch.ones(2) / 2, torch.ones(2) / 2, "loose")
