"""Rounding: torch's own quantisers, worked examples, and what is really stored."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labcore.compression.bit_packing import pack, unpack
from labcore.compression.rounding import (
    GRANULARITIES,
    GridConfig,
    blocks_of,
    fitted_grid,
    range_grid,
    round_to_nearest,
)
from labcore.errors import LabInputError


def weights(rows=24, columns=64, seed=0):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) * 0.1


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", range(2, 9))
def test_codes_and_values_are_those_of_torchs_own_quantiser(bits, symmetric):
    config = GridConfig(bits, symmetric)
    weight = weights()
    got = round_to_nearest(weight, config)
    scale, zero = got.grid.scale[:, 0], got.grid.zero[:, 0].int()
    expected = torch.fake_quantize_per_channel_affine(
        weight, scale, zero, 0, config.lowest, config.highest
    )
    torch.testing.assert_close(got.weight(), expected)


def test_the_worked_example_of_both_kinds_of_levels():
    low, high = torch.tensor([[-0.6]]), torch.tensor([[1.5]])
    lopsided = range_grid(low, high, GridConfig(3, symmetric=False))
    levels = lopsided.values(torch.arange(8.0)[None])
    torch.testing.assert_close(levels, torch.arange(-2, 6)[None] * 0.3, atol=2e-3, rtol=0)
    even = range_grid(low, high, GridConfig(3))
    torch.testing.assert_close(
        even.values(torch.arange(-3.0, 4)[None]), torch.arange(-3, 4)[None] * 0.5
    )


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("symmetric", [True, False])
def test_zero_is_always_a_level_and_no_weight_moves_further_than_half_a_step(
    granularity, symmetric
):
    config = GridConfig(4, symmetric, granularity, 16)
    weight = weights()
    blocks = blocks_of(weight, config)
    grid = fitted_grid(blocks, config)
    assert (grid.rounded(torch.zeros_like(blocks)) == 0).all()
    # A scale in half precision is off by up to 1/2048, which the outermost level shows whole.
    slack = 0.5 + config.highest / 2048 + (0 if symmetric else 0.5)
    assert ((grid.rounded(blocks) - blocks).abs() <= slack * grid.scale).all()


def test_smaller_blocks_and_more_bits_cost_less():
    weight = weights()

    def cost(bits, granularity):
        config = GridConfig(bits, granularity=granularity, group_size=16)
        return float((round_to_nearest(weight, config).weight() - weight).square().mean())

    by_size = [cost(4, granularity) for granularity in GRANULARITIES]
    assert by_size == sorted(by_size, reverse=True)
    by_bits = [cost(bits, "row") for bits in range(2, 9)]
    assert by_bits == sorted(by_bits, reverse=True)


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_the_search_for_a_clip_never_costs_more_than_no_clip_and_helps_at_few_bits(bits):
    weight = weights()
    plain, searched = (
        (round_to_nearest(weight, GridConfig(bits, clip=clip)).weight() - weight)
        .square()
        .sum(dim=1)
        for clip in ("none", "mse")
    )
    assert (searched <= plain).all()
    assert searched.sum() < 0.9 * plain.sum()


def test_a_percentile_clip_spares_the_many_at_the_cost_of_the_largest():
    weight = weights()
    weight[:, 0] = 5.0
    kept = weight[:, 1:]
    plain, clipped = (
        round_to_nearest(weight, GridConfig(4, clip=clip, percentile=98)).weight()
        for clip in ("none", "percentile")
    )
    assert (clipped[:, 1:] - kept).square().sum() < 0.1 * (plain[:, 1:] - kept).square().sum()
    assert (clipped[:, 0] - 5).abs().min() > 3


def test_a_matrix_of_zeros_stays_one():
    assert (round_to_nearest(torch.zeros(3, 8), GridConfig(4)).weight() == 0).all()


def test_stored_bits_worked_by_hand():
    two_groups = torch.ones(1, 64)
    symmetric = GridConfig(4, True, "group", 32)
    assert round_to_nearest(two_groups, symmetric).stored_bits == 288
    lopsided = GridConfig(4, False, "group", 32)
    assert round_to_nearest(two_groups, lopsided).bits_per_weight == 4.625


@given(st.integers(2, 8), st.integers(1, 200), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_packed_codes_come_back_and_take_no_more_bytes_than_their_bits(bits, count, seed):
    codes = np.random.default_rng(seed).integers(0, 2**bits, count)
    packed = pack(codes, bits)
    assert packed.nbytes == -(-count * bits // 8)
    np.testing.assert_array_equal(unpack(packed, bits, count), codes)


@pytest.mark.parametrize(
    ("field", "value"),
    [("bits", 1), ("bits", 9), ("granularity", "column"), ("clip", "hard"), ("group_size", 1),
     ("percentile", 20)],
)  # fmt: skip
def test_values_that_make_no_grid_are_refused(field, value):
    with pytest.raises(LabInputError) as refused:
        GridConfig(**{field: value})
    assert refused.value.field == field


def test_groups_must_fit_the_row():
    with pytest.raises(LabInputError, match="divides_inputs"):
        round_to_nearest(weights(columns=50), GridConfig(granularity="group"))
