"""NF4 against bitsandbytes, its levels against what they are derived from, and the price of blocks."""

import bitsandbytes.functional as bnb
import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.tuning import nf4, nf4_study


def bell(rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    return 0.03 * torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def test_the_table_is_bitsandbytes():
    assert torch.allclose(nf4.levels(), bnb.get_4bit_type("nf4", device="cpu"), atol=1e-6, rtol=0)
    assert torch.equal(nf4.dynamic_levels(), bnb.create_dynamic_map())


@pytest.mark.parametrize("shape", [(64, 256), (192, 768)])
@pytest.mark.parametrize("block", [64, 256])
def test_codes_scales_and_values_are_bitsandbytes(shape, block):
    # Whole blocks to a row: bitsandbytes' kernel for CPUs takes the wrong scales for a block that goes on
    # in the next row, as 256 weights do in rows of 128.
    weight = bell(*shape)
    packed, state = bnb.quantize_4bit(weight, blocksize=block, quant_type="nf4")
    ours = nf4.quantise(weight, nf4.levels(), block)
    halves = torch.stack([packed.flatten() >> 4, packed.flatten() & 15], dim=1).flatten()
    assert torch.equal(ours.codes, halves)
    assert torch.equal(ours.scales, state.absmax)
    theirs = bnb.dequantize_4bit(packed, state)
    assert torch.allclose(nf4.dequantise(ours, nf4.levels(), block), theirs, atol=1e-7, rtol=0)


def test_scales_through_eight_bits_are_bitsandbytes_but_for_its_ties():
    """bitsandbytes' search in the table of 256 now and then takes a neighbour; ours is never farther off."""
    scales = nf4.quantise(bell(1024, 512), nf4.levels()).scales
    offset = scales.mean()
    theirs = bnb.dequantize_blockwise(*bnb.quantize_blockwise(scales - offset, blocksize=256))
    theirs += offset
    ours = nf4.through_eight_bits(scales)
    same = torch.isclose(ours, theirs, atol=1e-8, rtol=0)
    assert same.double().mean() > 0.99
    assert ((ours - scales).abs() <= (theirs - scales).abs() + 1e-8).all()


def test_levels_as_derived():
    """Zero and both ends are levels; eight lie above zero; equal steps of probability on either side."""
    levels = nf4.levels()
    assert levels[0] == -1
    assert levels[-1] == 1
    assert (levels == 0).sum() == 1
    assert (levels > 0).sum() == 8
    furthest = torch.special.ndtri(torch.tensor(1 - nf4.TAIL, dtype=torch.float64))
    for side, count in ((levels[levels >= 0], 8), (-levels[levels <= 0].flip(0), 7)):
        steps = torch.special.ndtr(side.double() * furthest).diff()
        assert torch.allclose(
            steps, torch.full((count,), (0.5 - nf4.TAIL) / count).double(), atol=1e-6
        )


def test_a_level_comes_back_as_it_is_and_padding_as_zero():
    weight = torch.tensor([[0.5, -0.5, 0.0]])
    assert torch.equal(nf4.dequantise(nf4.quantise(weight, nf4.levels()), nf4.levels()), weight)
    assert torch.equal(
        nf4.dequantise(nf4.quantise(torch.zeros(3, 5), nf4.levels()), nf4.levels()),
        torch.zeros(3, 5),
    )


@pytest.mark.parametrize(
    ("block", "double", "bits"), [(64, False, 4.5), (32, False, 5.0), (64, True, 4 + 8 / 64 + 32 / 64 / 256)]
)  # fmt: skip
def test_bits_by_hand(block, double, bits):
    assert nf4.bits_per_weight(block, double) == pytest.approx(bits)


# The page's study.


def test_on_a_real_matrix_the_bells_levels_beat_even_ones_from_blocks_of_64_on():
    result = nf4_study.run(nf4_study.NF4Config())
    from_64 = nf4_study.BLOCKS.index(64)
    assert (result.others["nf4"][from_64:] < result.others["even"][from_64:]).all()
    assert result.used.sum() == pytest.approx(1)
    assert result.bins.sum() == pytest.approx(1)
    assert result.error == pytest.approx(result.others["nf4"][from_64])


def test_an_outlier_spoils_a_large_block_more_than_a_small_one():
    calm, wild = (nf4_study.run(nf4_study.NF4Config(outlier=x)).others["nf4"] for x in (1.0, 20.0))
    assert (np.diff(wild) > 0).all()
    assert wild[-1] / calm[-1] > 2 * wild[0] / calm[0]


@pytest.mark.parametrize(
    "bad", [{"table": "odd"}, {"block": 3}, {"model": "x"}, {"outlier": 0}, {"layer": 99}]
)
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError):
        nf4_study.run(nf4_study.NF4Config(**bad))
