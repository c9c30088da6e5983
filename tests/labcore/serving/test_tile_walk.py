"""Tiles counted while they run, and what fits on a chip."""

import numpy as np
import pytest

from labcore.errors import LabInputError
from labcore.serving import on_chip
from labcore.serving import tile_walk as lab
from labcore.serving.tile_walk import WalkConfig


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("query_tile", "key_tile"), [(16, 16), (8, 32), (64, 8), (24, 40)])
def test_counters_end_where_the_formula_says(query_tile, key_tile, causal):
    walk = lab.run(WalkConfig(128, 32, query_tile, key_tile, causal))
    assert walk.moved[-1] == walk.formula
    assert walk.plain_moved == walk.plain_formula
    assert walk.difference < 1e-5


def test_the_first_picture_by_hand():
    """8 × 8 tiles of 16, the lower triangle with its diagonal: 36. The first reads 3 · 16 · 64 numbers and
    writes 16 · 64 when it is done, for it is the only one of its row."""
    walk = lab.run(WalkConfig())
    assert len(walk.places) == 36
    assert (walk.read[0], walk.written[0]) == (3072, 1024)
    assert walk.places[1].tolist() == [16, 32, 0, 16]
    assert walk.moved[-1] == 90_112
    assert (walk.held, walk.plain_held) == (256, 128 * 128)


def test_every_score_that_counts_lies_in_one_visited_tile():
    walk = lab.run(WalkConfig(100, 16, 24, 16))
    visits = np.zeros((100, 100), int)
    for top, bottom, left, right in walk.places:
        visits[top:bottom, left:right] += 1
    assert visits.max() == 1
    assert (visits[np.tril_indices(100)] == 1).all()


def test_twice_the_queries_halve_what_is_read_again():
    walk = lab.run(WalkConfig(256, 64, causal=False))
    again = walk.by_size - 2 * 256 * 64
    np.testing.assert_array_equal(again[:-1], 2 * again[1:])


def test_the_tile_of_an_a100_by_hand():
    """128: 2 · 3 · 8192 + 4 · (16384 + 8192 + 256) = 148,480 bytes of 166,912; 144 would take 176,256."""
    assert on_chip.tile_bytes(128, 128, 64) == 148_480
    assert on_chip.tile_bytes(144, 144, 64) == 176_256
    assert on_chip.largest_tile(163 * 1024, 64) == 128
    assert on_chip.largest_tile(99 * 1024, 64) == 96


def test_a_bill_by_hand():
    """4,096 tokens, d = 64: 68,157,440 numbers plain and 17,301,504 in tiles of 128, two bytes
    each; 4 · T² · d operations at 312e12 a second."""
    bill = on_chip.bill(on_chip.BillConfig())
    assert (bill.plain_bytes, bill.tiled_bytes) == (136_314_880, 34_603_008)
    assert bill.flops_seconds == pytest.approx(13.77e-6, rel=1e-3)
    assert bill.tiled_seconds == pytest.approx(34_603_008 / 2.039e12)
    causal = on_chip.bill(on_chip.BillConfig(causal=True))
    assert causal.flops_seconds == pytest.approx(bill.flops_seconds / 2)
    assert causal.square_seconds == bill.square_seconds == bill.flops_seconds


@pytest.mark.parametrize("device", on_chip.SHARED_BYTES)
@pytest.mark.parametrize("width", [64, 128, 256])
def test_on_every_device_a_tile_fits_and_the_next_does_not(device, width):
    bill = on_chip.bill(on_chip.BillConfig(device, 1024, width))
    assert bill.tile_bytes <= bill.shared_bytes
    assert on_chip.tile_bytes(bill.tile + 16, bill.tile + 16, width) > bill.shared_bytes


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: WalkConfig(length=4), "between"),
        (lambda: WalkConfig(query_tile=1), "between"),
        (lambda: on_chip.BillConfig("abacus"), "known_choice"),
        (lambda: on_chip.BillConfig(length=0), "between"),
        (lambda: on_chip.bill(on_chip.BillConfig("mi300x", width=512)), "no_tile_fits"),
    ],
)
def test_what_cannot_be_walked_is_refused(make, rule):
    with pytest.raises(LabInputError) as refused:
        make()
    assert refused.value.rule == rule
