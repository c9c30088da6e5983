"""Tiles: exact whatever their size, and every number moved is counted."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from labcore.errors import LabInputError
from labcore.events import drain
from labcore.serving.tiled_attention import (
    nothing_seen,
    plain_attention,
    plain_moves,
    take_in,
    tiled_attention,
    tiled_moves,
)


def inputs(queries=13, keys=13, width=8, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return [torch.randn(2, 3, n, width, generator=rng).double() for n in (queries, keys, keys)]


@given(
    st.integers(1, 20), st.integers(1, 20), st.integers(1, 24), st.integers(1, 24), st.booleans()
)
@settings(max_examples=60, deadline=None)
def test_tiles_of_any_size_give_torchs_attention(queries, more, query_tile, key_tile, causal):
    q, k, v = inputs(queries, queries + more - 1)
    output, _ = drain(tiled_attention(q, k, v, causal, query_tile, key_tile))
    behind = k.shape[-2] - queries
    seen = torch.ones(queries, k.shape[-2]).tril(behind).bool() if causal else None
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(plain_attention(q, k, v, causal)[0], expected)


def test_the_worked_example():
    query = torch.zeros(1, 1)
    running = take_in(nothing_seen(query, 1), torch.tensor([[0.0]]), torch.tensor([[1.0]]))
    assert (running.largest.item(), running.total.item(), running.output.item()) == (0, 1, 1)
    running = take_in(running, torch.tensor([[math.log(3)]]), torch.tensor([[0.0]]))
    assert running.total.item() == pytest.approx(4 / 3)
    assert running.output.item() == pytest.approx(1 / 4)


def test_scores_that_would_overflow_do_not():
    q, k, v = inputs()
    output, _ = drain(tiled_attention(q * 1e3, k * 1e3, v, True, 4, 4))
    assert output.isfinite().all()


def test_a_tile_in_which_nothing_is_allowed_changes_nothing():
    query = torch.zeros(1, 2)
    nothing = torch.full((1, 3), -torch.inf)
    running = take_in(nothing_seen(query, 2), nothing, torch.ones(3, 2))
    assert running.output.tolist() == [[0.0, 0.0]]
    running = take_in(running, torch.zeros(1, 3), torch.ones(3, 2))
    assert running.output.tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("query_tile", "key_tile"), [(4, 4), (5, 3), (16, 1), (1, 16), (100, 100)])
def test_what_was_moved_is_what_the_formula_says(query_tile, key_tile, causal):
    q, k, v = (x[0, 0] for x in inputs(26, 26))
    _, traffic = drain(tiled_attention(q, k, v, causal, query_tile, key_tile))
    assert traffic.moved == tiled_moves(26, 8, query_tile, causal, key_tile)
    assert traffic.most_held == min(query_tile, 26) * min(key_tile, 26)
    assert plain_attention(q, k, v, causal)[1].moved == plain_moves(26, 8)


def test_tiles_save_traffic_where_rows_are_long():
    """T = 4096, d = 64, tiles of 128 queries: 2·T·d + 2·d·T·32 = 17.3 million against 68.2 million."""
    assert tiled_moves(4096, 64, 128, False, 128) == 17_301_504
    assert plain_moves(4096, 64) == 68_157_440


def test_a_tile_must_hold_something():
    with pytest.raises(LabInputError):
        drain(tiled_attention(*inputs(), True, 0, 4))
