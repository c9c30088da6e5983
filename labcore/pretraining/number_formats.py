"""How a computer writes a number: a sign, a power of two, and a few digits of what stands before it.

    value = (−1)^sign · 2^(exponent field − bias) · (1 + mantissa field / 2^m)

With e exponent bits and m mantissa bits the bias is 2^(e−1) − 1. An exponent field of 0 marks the subnormal
numbers, without the leading 1: the grid goes on evenly down to 0. Between two powers of two the numbers that
exist are 2^(exponent − m) apart, and rounding is nothing but going to one of the two next to a value.

Sources: IEEE 754-2019 (fp32, fp16); Micikevicius et al., arXiv:2209.05433 (the two fp8 formats); stochastic
rounding after Gupta et al., arXiv:1502.02551. All arithmetic here is in float64, in which each of these
numbers, and each quotient by a power of two, is exact.
"""

import math
from dataclasses import dataclass

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError

LIMIT_CHARACTERS = 40  # of a number that a learner types


@dataclass(frozen=True, slots=True)
class Format:
    name: str
    exponent_bits: int  # e
    mantissa_bits: int  # m
    infinity: bool = (
        True  # False: what is too large becomes the largest number, as in PyTorch's e4m3
    )

    @property
    def bits(self) -> int:
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def bias(self) -> int:
        return 2 ** (self.exponent_bits - 1) - 1

    @property
    def lowest_exponent(self) -> int:
        """Of the normal numbers, and of the subnormal ones below them."""
        return 1 - self.bias

    @property
    def largest(self) -> float:
        """e4m3 has no infinity: of the top exponent field it loses a single pattern, to NaN."""
        if self.infinity:
            return math.ldexp(2 - 2.0**-self.mantissa_bits, self.bias)
        return math.ldexp(2 - 2.0 ** (1 - self.mantissa_bits), self.bias + 1)

    @property
    def smallest_normal(self) -> float:
        return math.ldexp(1, self.lowest_exponent)

    @property
    def smallest(self) -> float:
        """The smallest number above 0."""
        return math.ldexp(1, self.lowest_exponent - self.mantissa_bits)

    @property
    def epsilon(self) -> float:
        """From 1 to the next larger number."""
        return 2.0**-self.mantissa_bits


FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        Format("fp32", 8, 23),
        Format("fp16", 5, 10),
        Format("bf16", 8, 7),
        Format("e4m3", 4, 3, infinity=False),
        Format("e5m2", 5, 2),
    )
}


@dataclass(frozen=True, slots=True)
class Parts:
    """A value as one format holds it; a learner may ask for NaN or infinity, or for more than it can hold."""

    format: str
    bits: str  # as many characters 0 and 1 as the format has bits
    kind: str  # "zero", "subnormal", "normal", "infinite", "nan"
    value: float  # what is stored
    error: float  # stored minus wanted
    below: float  # the next smaller number of the format
    above: float  # the next larger one

    @property
    def sign(self) -> str:
        return self.bits[0]

    @property
    def exponent(self) -> str:
        return self.bits[1 : 1 + FORMATS[self.format].exponent_bits]

    @property
    def mantissa(self) -> str:
        return self.bits[1 + FORMATS[self.format].exponent_bits :]


@lab_config
class NumberConfig:
    text: str = "0.1"  # as a learner types it


@dataclass(frozen=True, slots=True, eq=False)
class NumberResult:
    wanted: float  # NaN and infinity too
    parts: list[Parts]  # one per format


def run(config: NumberConfig) -> NumberResult:
    """The learner's number in every format."""
    wanted = parse(config.text)
    return NumberResult(wanted, [take_apart(wanted, format) for format in FORMATS.values()])


def ladder(format: Format) -> tuple[np.ndarray, np.ndarray]:
    """Every power of two that the format holds, and how far apart its numbers are there, as a share of it."""
    top = math.frexp(format.largest)[1]
    powers = np.ldexp(1.0, np.arange(format.lowest_exponent - format.mantissa_bits, top))
    return powers, spacing(powers, format) / powers


def spacing(x: np.ndarray, format: Format) -> np.ndarray:
    """How far apart the format's numbers are where x lies.  (…) -> (…)

    `frexp` gives x = f · 2^k with f between ½ and 1, so the power of two below |x| is k − 1.
    """
    fraction, power = np.frexp(x)
    exponent = np.where(fraction == 0, format.lowest_exponent, power - 1)
    exponent = np.maximum(exponent, format.lowest_exponent)
    return np.ldexp(1.0, exponent - format.mantissa_bits)


def round_to(
    x: np.ndarray | float, format: Format, noise: np.ndarray | float | None = None
) -> np.ndarray:
    """The format's number next to x.  (…) -> (…) float64

    Without `noise` the nearest one, of two equally near ones the even one. With `noise`, uniform on [0, 1),
    the upper neighbour as often as x is near to it: right on average, whatever the format.
    """
    x = np.asarray(x, np.float64)
    step = spacing(x, format)
    with np.errstate(invalid="ignore", over="ignore"):
        rounded = step * (np.rint(x / step) if noise is None else np.floor(x / step + noise))
        too_large = np.abs(rounded) > format.largest
    end = np.inf if format.infinity else format.largest
    return np.where(too_large, np.copysign(end, x), rounded)


def take_apart(wanted: float, format: Format) -> Parts:
    """The bits of the format's number nearest to `wanted`."""
    value = float(round_to(wanted, format))
    field, mantissa, kind = 0, 0, "zero"
    top = 2**format.exponent_bits - 1
    hidden = 2**format.mantissa_bits  # what the leading 1 counts, in units of the last bit
    if math.isnan(value):
        field, mantissa, kind = top, hidden // 2 if format.infinity else hidden - 1, "nan"
    elif math.isinf(value):
        field, kind = top, "infinite"
    elif value:
        units = int(abs(value) / float(spacing(value, format)))  # the mantissa with its leading 1
        kind = "normal" if units >= hidden else "subnormal"
        if kind == "normal":
            field = math.frexp(value)[1] - 1 + format.bias
        mantissa = units % hidden
    sign = int(math.copysign(1, value) < 0)
    bits = f"{sign}{field:0{format.exponent_bits}b}{mantissa:0{format.mantissa_bits}b}"
    return Parts(format.name, bits, kind, value, value - wanted, *neighbours(value, format))


def put_together(bits: str, format: Format) -> float:
    """The value of a pattern of bits: the formula above, with its exceptions."""
    sign = -1.0 if bits[0] == "1" else 1.0
    field = int(bits[1 : 1 + format.exponent_bits], 2)
    share = int(bits[1 + format.exponent_bits :], 2) / 2**format.mantissa_bits
    if field == 0:
        return sign * math.ldexp(share, format.lowest_exponent)
    if field == 2**format.exponent_bits - 1:
        if format.infinity:
            return math.nan if share else sign * math.inf
        if share == 1 - format.epsilon:
            return math.nan
    return sign * math.ldexp(1 + share, field - format.bias)


def neighbours(value: float, format: Format) -> tuple[float, float]:
    """The next smaller and the next larger number of the format."""
    if not math.isfinite(value):
        return (value, value)
    nudge = float(spacing(value, format)) / 4  # below a power of two the grid is twice as fine
    low, high = (
        float(step * rounding(there / step))
        for there, rounding in ((value - nudge, math.floor), (value + nudge, math.ceil))
        for step in (float(spacing(there, format)),)
    )
    ends = (-np.inf, np.inf) if format.infinity else (-format.largest, format.largest)
    return (
        low if low >= -format.largest else ends[0],
        high if high <= format.largest else ends[1],
    )


def parse(text: str) -> float:
    """A number as a learner writes it: 0.1, -3, 6e-8 or 1/3; "inf" and "nan" are numbers to a machine."""
    whole, slash, part = text.strip()[:LIMIT_CHARACTERS].replace("−", "-").partition("/")
    try:
        value = float(whole) / float(part if slash else 1)
    except (ValueError, ZeroDivisionError):
        raise LabInputError("number", text, "a_number") from None
    return value
