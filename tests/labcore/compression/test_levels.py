"""A matrix's levels: bitsandbytes' tables, counts that add up, errors that agree with each other."""

import bitsandbytes.functional as bnb
import numpy as np
import pytest
import torch

from labcore.compression import judged, levels
from labcore.compression.levels import LevelsConfig
from labcore.compression.rounding import GridConfig
from labcore.errors import LabInputError
from labcore.tuning import nf4


@pytest.mark.parametrize("scheme", ["nf4", "fp4"])
def test_tables_and_rounding_are_bitsandbytes(scheme):
    ours = levels.table_of(scheme)
    theirs = bnb.get_4bit_type(scheme, device="cpu").sort().values
    torch.testing.assert_close(ours, theirs.unique(), atol=2e-4, rtol=0)  # FP4 has zero twice
    weight = torch.randn(32, 64, generator=torch.Generator().manual_seed(0))
    codes, state = bnb.quantize_4bit(weight, blocksize=64, quant_type=scheme)
    expected = bnb.dequantize_4bit(codes, state)
    got = nf4.dequantise(nf4.quantise(weight, ours, 64), ours, 64)
    # They cut FP4 between levels at numbers rounded to a few digits: some weights fall to the neighbour.
    assert (torch.isclose(got, expected, atol=1e-3)).float().mean() > 0.99


@pytest.mark.parametrize(
    "config",
    [
        LevelsConfig(),
        LevelsConfig("stack.layers.0.attn.q", grid=GridConfig(4, False, "group"), block=511),
        LevelsConfig("stack.layers.1.mlp.down", "nf4", block=7),
        LevelsConfig("stack.layers.1.mlp.down", "fp4", block_size=32),
    ],
)
def test_counts_add_up_and_errors_agree(config):
    result = levels.run(config)
    weights = result.shape[0] * result.shape[1]
    assert result.counts.sum() == weights
    assert result.block_counts.sum() == result.used.sum() == weights // result.blocks
    # The whole error is the mean of the blocks', each weighed by its size in squares.
    weight = judged.matrices(judged.load(judged.MODEL).model)[config.matrix].weight.detach()
    sizes = weight.reshape(result.blocks, -1).square().sum(dim=1).numpy()
    mean = (result.block_errors * sizes).sum() / sizes.sum()
    assert result.weight_error == pytest.approx(mean, rel=1e-4)
    assert np.isclose(result.levels, 0).any()
    assert (np.diff(result.levels) > 0).all()
    assert result.stored_bytes == pytest.approx(result.bits_per_weight * weights / 8)


@pytest.mark.parametrize(
    ("bits", "symmetric", "count"), [(2, True, 3), (3, False, 8), (8, True, 255)]
)
def test_as_many_levels_as_the_bits_allow(bits, symmetric, count):
    grid = GridConfig(bits, symmetric, "tensor")
    assert len(levels.run(LevelsConfig(grid=grid)).levels) == count


def test_a_bit_more_makes_the_squared_error_about_four_times_smaller():
    """Half the step, a quarter of its square; the cut at the ends makes it less than exact."""
    errors = [
        levels.run(LevelsConfig(grid=GridConfig(bits, granularity="row"))).weight_error
        for bits in (4, 5, 6, 7)
    ]
    ratios = np.divide(errors[:-1], errors[1:])
    assert ((ratios > 3.5) & (ratios < 5.5)).all()


@pytest.mark.parametrize(
    "bad", [{"matrix": "embedding"}, {"scheme": "nf3"}, {"block_size": 1}, {"block": -1}]
)
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError) as refused:
        LevelsConfig(**bad)
    assert refused.value.field == next(iter(bad))
