"""Random repeated tokens: what they cost at least, worked by hand and by adding up."""

import math

import pytest
import torch

from labcore.text.repetition import (
    LENGTH,
    PERIODS,
    distinct_row_nats,
    distinct_rows,
    row_nats,
    rows,
)


def test_every_row_repeats_with_a_period_of_its_own():
    drawn = rows(range(100, 2000), 200, torch.Generator().manual_seed(0))
    periods = []
    for row in drawn:
        assert len(row) == LENGTH
        period = next(p for p in range(1, LENGTH) if row[p:] == row[: LENGTH - p])
        periods.append(period)
    # chance repeats among so many tokens are rare, so nearly all rows show the period they drew
    assert set(periods) <= set(PERIODS)
    assert len(set(periods)) > 20


def test_the_same_seed_draws_the_same_rows():
    first, again = (rows(range(50), 5, torch.Generator().manual_seed(3)) for _ in range(2))
    assert first == again


def test_new_tokens_cost_ln_v_until_a_period_may_be_over():
    """No period is below 4, so tokens 0 to 3 are surely new: ln V each. At token 4 one of 25 periods
    says "a copy of token 0", the others "new": a copy costs -ln(1/25 + 24/25 · 1/V)."""
    size = 10
    row = [1, 2, 3, 4, 1]
    nats = row_nats(row, size)
    assert nats[:4] == pytest.approx([math.log(10)] * 4)
    assert nats[4] == pytest.approx(-math.log(1 / 25 + 24 / 25 / 10))


def test_once_the_period_is_plain_an_echo_costs_next_to_nothing():
    row = [11, 12, 13, 14, 15] * 6
    assert row_nats(row, 1000)[10] < 1e-9


def test_the_probabilities_of_all_continuations_add_up_to_one():
    """Invariant of any prediction, whatever has been seen."""
    for prefix in ([0, 1, 2, 0], [0, 1, 2, 2, 0, 1], [1, 1, 1, 1, 1, 1]):
        costs = [row_nats([*prefix, token], 3)[-1] for token in range(3)]
        assert sum(math.exp(-cost) for cost in costs) == pytest.approx(1.0)


def test_distinct_rows_repeat_and_hold_no_token_twice_in_a_period():
    tokens, periods = distinct_rows(30, 50, torch.Generator().manual_seed(0), 40, range(5, 12))
    for row, period in zip(tokens.tolist(), periods.tolist(), strict=True):
        assert len(set(row[:period])) == period
        assert row[period:] == row[:-period]
    assert set(periods.tolist()) == set(range(5, 12))


def test_what_a_distinct_row_costs_worked_by_hand():
    """Ten tokens, period 2 or 3. Places 0 and 1 are surely new: ln 10, ln 9. At place 2 half of the
    belief says that the row begins again, half says one of 8 new tokens; after that all is known."""
    assert distinct_row_nats(2, 5, 10, (2, 3)) == pytest.approx(
        [math.log(10), math.log(9), math.log(2), 0, 0]
    )
    assert distinct_row_nats(3, 5, 10, (2, 3)) == pytest.approx(
        [math.log(10), math.log(9), math.log(16), 0, 0]
    )


def test_the_probabilities_of_all_distinct_rows_add_up_to_one():
    """There are V! / (V - p)! rows of period p, all of the same probability."""
    size, periods = 12, (3, 4, 6)
    total = sum(
        math.perm(size, p) * math.exp(-sum(distinct_row_nats(p, 9, size, periods))) for p in periods
    )
    assert total == pytest.approx(1.0)
