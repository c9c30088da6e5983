"""Bytes to the browser and back."""

import json
import math

import numpy as np
import pytest

from app.charts.payload import Canvas, pack, quantise, unpack


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_packed_array_comes_back_bit_for_bit(dtype):
    """Round trip, with an odd header length, so that no array starts on a boundary by luck."""
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    header, arrays = unpack(pack({"tokens": ["猫", "</script>", "\u2028"], "x": "a"}, {"a": array}))
    assert header == {"tokens": ["猫", "</script>", "\u2028"], "x": "a"}
    assert arrays["a"].dtype == dtype
    np.testing.assert_array_equal(arrays["a"], array)


def test_big_endian_and_strided_arrays_travel_in_the_one_order():
    array = np.arange(12, dtype=">f4").reshape(3, 4).T
    _, arrays = unpack(pack({}, {"a": array}))
    np.testing.assert_array_equal(arrays["a"], array)


def test_the_header_is_json_that_a_browser_reads():
    """JSON has no NaN; Python writes one unless told not to, and the browser would stop."""
    payload = pack({"n": 1}, {"a": np.zeros(3, np.uint8)})
    length = int.from_bytes(payload[:4], "little")
    assert json.loads(payload[4 : 4 + length])["arrays"] == [["a", "uint8", [3], 0]]
    with pytest.raises(ValueError, match="not JSON compliant"):
        pack({"n": math.nan}, {})


def test_quantising_is_off_by_half_a_step_at_most():
    """255 steps over [-1, 3]: the nearest code is within 4/255/2 of the value."""
    values = np.linspace(-1, 3, 1001)
    back = -1 + quantise(values, -1, 3) / 255 * 4
    assert np.abs(back - values).max() <= 4 / 255 / 2 + 1e-12


def test_quantising_takes_what_has_no_code_to_the_nearer_end():
    values = np.array([-math.inf, -5, 9, math.inf, math.nan])
    assert quantise(values, 0, 1).tolist() == [0, 0, 255, 255, 0]
    assert quantise(np.ones(2), 1, 1).tolist() == [0, 0]  # no range at all


def test_the_chosen_head_travels_exactly():
    exact = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    canvas = Canvas({"selected": 1}, {"codes": np.zeros(1, np.uint8)}, exact)
    for selection, head in [(None, 1), ({"head": 2}, 2), ({"head": 7}, 1), ({}, 1)]:
        header, arrays = unpack(canvas.pack(selection))
        assert header["exact_head"] == head
        np.testing.assert_array_equal(arrays["exact"], exact[head])
