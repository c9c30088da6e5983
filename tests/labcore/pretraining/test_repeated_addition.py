"""Sums in short formats, against PyTorch's own arithmetic in these formats."""

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.pretraining import repeated_addition as lab
from labcore.pretraining.repeated_addition import AdditionConfig

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@pytest.mark.parametrize(("start", "addend"), [(1.0, 0.001), (0.0, 0.1), (256.0, -0.7)])
def test_the_sums_are_those_that_pytorch_stores(start, addend):
    """A sum of two short numbers is exact in float64 and then rounded once, as hardware does."""
    result = lab.run(AdditionConfig(start, addend, 300))
    for name, dtype in DTYPES.items():
        total, step = torch.tensor(start, dtype=dtype), torch.tensor(addend, dtype=dtype)
        sums = [total.item()]
        for _ in range(300):
            total = total + step
            sums.append(total.item())
        np.testing.assert_array_equal(result.nearest[name], sums)


def test_a_thousand_thousandths_leave_bf16_at_one():
    """Next to 1 the gap is 1/128: 0.001 is less than half of it. In fp16 it is 1/1024, nearly 0.001."""
    result = lab.run(AdditionConfig())
    assert result.exact[-1] == pytest.approx(2.0)
    assert result.nearest["bf16"][-1] == 1.0
    assert result.nearest["fp16"][-1] == 1 + 1000 / 1024
    assert result.stuck == {"fp32": None, "fp16": None, "bf16": 0}


def test_rounded_by_chance_the_sum_is_right_on_average():
    """A step of 1/128 with chance 0.128, a thousand times: deviation √(1000 · 0.128 · 0.872)/128 = 0.083.

    The mean of eight draws is within three of its deviations, 0.083/√8, of 2.
    """
    result = lab.run(AdditionConfig())
    assert result.chance.shape == (lab.DRAWS, 1001)
    assert result.chance[:, -1].mean() == pytest.approx(2.0, abs=3 * 0.083 / np.sqrt(lab.DRAWS))
    assert (result.chance[:, -1] != result.chance[0, -1]).any()
    again = lab.run(AdditionConfig())
    np.testing.assert_array_equal(result.chance, again.chance)


def test_a_sum_is_stuck_when_half_a_gap_is_more_than_what_is_added():
    """bf16 has 8 digits: from 1 on the gaps of [2^k, 2^(k+1)) are 2^(k−7), so adding 1 stops at 256."""
    result = lab.run(AdditionConfig(0.0, 1.0, 300))
    assert result.nearest["bf16"][-1] == 256
    assert result.stuck["bf16"] == 256
    assert lab.stuck_at(np.array([0.0, 1.0, 1.0, 2.0])) is None


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"additions": 0}, "between"),
        ({"additions": 2001}, "between"),
        ({"start": float("nan")}, "a_number"),
        ({"addend": float("inf")}, "a_number"),
        ({"short": "int8"}, "known_choice"),
    ],
)
def test_what_cannot_be_added_up_is_refused(change, rule):
    with pytest.raises(LabInputError, match=rule):
        AdditionConfig(**change)
