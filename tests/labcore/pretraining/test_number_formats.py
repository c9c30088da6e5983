"""Number formats bit for bit against PyTorch's own dtypes, and by hand."""

import math

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.pretraining import number_formats as lab
from labcore.pretraining.number_formats import FORMATS, round_to

DTYPES = {
    "fp32": (torch.float32, torch.int32),
    "fp16": (torch.float16, torch.int16),
    "bf16": (torch.bfloat16, torch.int16),
    "e4m3": (torch.float8_e4m3fn, torch.uint8),
    "e5m2": (torch.float8_e5m2, torch.uint8),
}


def every_pattern(name: str) -> torch.Tensor:
    """All numbers of a 16- or 8-bit format, as float64."""
    dtype, integer = DTYPES[name]
    count = 2 ** FORMATS[name].bits
    return torch.arange(count).to(integer).view(dtype).double()


def samples() -> torch.Tensor:
    """float32 of every size, ties and ends included."""
    rng = torch.Generator().manual_seed(0)
    sizes = torch.exp2(torch.randint(-150, 128, (4000,), generator=rng).double())
    drawn = sizes * torch.randn(4000, generator=rng, dtype=torch.float64)
    ends = [v for f in FORMATS.values() for v in (f.largest, f.smallest, f.smallest_normal)]
    near = torch.tensor(ends, dtype=torch.float64)[:, None] * torch.tensor(
        [0.5, 0.75, 1, 1.25, 1.5]
    )
    ties = 1 + torch.arange(64) / 2**12
    return torch.cat([drawn, near.flatten(), -near.flatten(), ties, torch.zeros(1)]).float()


@pytest.mark.parametrize("name", list(FORMATS))
def test_rounding_is_pytorchs_for_numbers_of_every_size(name):
    """Numbers between two of the format, exact ties, overflow and underflow."""
    x = samples()
    ours = round_to(x.double().numpy(), FORMATS[name])
    theirs = x.to(DTYPES[name][0]).double().numpy()
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(np.signbit(ours), np.signbit(theirs))


@pytest.mark.parametrize("name", ["fp16", "bf16", "e4m3", "e5m2"])
def test_every_pattern_of_bits_means_what_pytorch_says(name):
    """Each of the 65,536 or 256 patterns: value from bits, and bits from value."""
    values = every_pattern(name)
    patterns = [f"{n:0{FORMATS[name].bits}b}" for n in range(len(values))]
    chosen = range(0, len(values), 1 if len(values) == 256 else 97)
    for n in chosen:
        told, value = lab.put_together(patterns[n], FORMATS[name]), float(values[n])
        assert told == value or (math.isnan(told) and math.isnan(value))
        if not math.isnan(value):
            assert lab.take_apart(value, FORMATS[name]).bits == patterns[n]


def test_fp32_has_the_bits_of_the_machine():
    x = samples()
    integers = x.view(torch.int32).long() % 2**32
    for value, bits in zip(x.tolist()[::20], integers.tolist()[::20], strict=True):
        if math.isfinite(value):
            assert lab.take_apart(value, FORMATS["fp32"]).bits == f"{bits:032b}"


def test_a_tenth_by_hand():
    """0.1 = 1.6 · 2^−4, so the exponent field of bf16 is 127 − 4 = 123 = 01111011.

    0.6 · 128 = 76.8 is rounded to 77 = 1001101: stored is (1 + 77/128)/16 = 205/2048 = 0.10009765625.
    """
    parts = lab.take_apart(0.1, FORMATS["bf16"])
    assert (parts.sign, parts.exponent, parts.mantissa) == ("0", "01111011", "1001101")
    assert parts.value == 205 / 2048
    assert (parts.below, parts.above) == (204 / 2048, 206 / 2048)
    assert parts.error == pytest.approx(205 / 2048 - 0.1)


@pytest.mark.parametrize("name", ["fp16", "bf16", "e4m3", "e5m2"])
def test_neighbours_are_the_next_values_of_the_list_of_all(name):
    values = np.unique(every_pattern(name).numpy())
    values = values[~np.isnan(values)]
    for n in range(1, len(values) - 1, 1 if len(values) < 256 else 997):
        if np.isfinite(values[n]):
            assert lab.neighbours(float(values[n]), FORMATS[name]) == (values[n - 1], values[n + 1])


@pytest.mark.parametrize("name", list(FORMATS))
def test_the_ends_of_a_format_are_pytorchs(name):
    told, ours = torch.finfo(DTYPES[name][0]), FORMATS[name]
    assert (ours.largest, ours.smallest_normal, ours.epsilon) == (told.max, told.tiny, told.eps)
    assert ours.bits == told.bits


def test_stochastic_rounding_goes_to_a_neighbour_as_often_as_it_is_near():
    """1.001 lies between 1 and 1.0078125 in bf16, an eighth (0.128) of the way up.

    Of 40,000 draws 0.128 ± 0.005 (three deviations) go up, so the mean is right to 4e-5.
    """
    rng = np.random.default_rng(0)
    drawn = round_to(np.full(40_000, 1.001), FORMATS["bf16"], rng.random(40_000))
    assert set(np.unique(drawn)) == {1.0, 1.0078125}
    assert (drawn > 1).mean() == pytest.approx(0.128, abs=0.005)
    negative = round_to(np.full(40_000, -1.001), FORMATS["bf16"], rng.random(40_000))
    assert negative.mean() == pytest.approx(-1.001, abs=4e-5)


@pytest.mark.parametrize("name", list(FORMATS))
def test_noise_moves_nothing_that_is_on_the_grid(name):
    x = round_to(samples().double().numpy()[:500], FORMATS[name])
    x = x[np.isfinite(x)]
    noise = np.random.default_rng(1).random(len(x))
    np.testing.assert_array_equal(round_to(x, FORMATS[name], noise), x)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.1", 0.1), (" -3 ", -3.0), ("6e-8", 6e-8), ("1/3", 1 / 3), ("−2", -2.0), ("inf", math.inf)],
)
def test_numbers_are_read_as_people_write_them(text, value):
    assert lab.parse(text) == value


@pytest.mark.parametrize("text", ["", "one", "1/0", "1/", "0x10", "1/2/3", "１２３ km"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(LabInputError, match="a_number"):
        lab.parse(text)
