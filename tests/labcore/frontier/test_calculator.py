"""The calculator: sums come out as fractions say, and nothing else is even looked at."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labcore.errors import LabInputError
from labcore.frontier.calculator import calculate

whole = st.integers(0, 999)


@st.composite
def sums(draw, depth=3):
    """A sum as text, and what it comes to."""
    if depth == 0 or draw(st.booleans()):
        number = draw(whole)
        return str(number), Fraction(number)
    (left, a), (right, b) = draw(sums(depth - 1)), draw(sums(depth - 1))
    sign = draw(st.sampled_from("+-*/"))
    if sign == "/" and b == 0:
        sign = "+"
    value = {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else None}[sign]
    return f"({left}) {sign} ({right})", value


@given(sums())
@settings(max_examples=150, deadline=None)
def test_any_sum_comes_out_exactly(case):
    text, expected = case
    assert calculate(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3 × (4 − 1) ÷ 2", Fraction(9, 2)), ("0.1 + 0.2", Fraction(3, 10)), ("2^10", 1024),
        ("-2**2", -4), ("7 // 2 + 7 % 2", 4), ("2**-2", Fraction(1, 4)), ("0**0", 1), ("0**2", 0),
        ("(-1)**999999999999", -1), ("1**999999999999", 1), ("（1+2）×3", 9), ("1e3", 1000),
        ("2**150", 2**150),
    ],
)  # fmt: skip
def test_worked_examples(text, expected):
    assert calculate(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "hello", "__import__('os').system('true')", "open('x')", "(1).real", "[1][0]", "'a'*3",
        "1 if 1 else 2", "x := 3", "lambda: 1", "True + 1", "1j", "2 ** 0.5", "1 + ", "1; 2", "1 < 2",
        "f'{1}'", "1\n2", "(" * 90 + "1" + ")" * 89, "\x00", "max(1, 2)", "1 @ 2", "~1", "1 | 2",
    ],
)  # fmt: skip
def test_what_is_no_sum_is_refused(text):
    with pytest.raises(LabInputError, match="is_a_sum"):
        calculate(text)


@pytest.mark.parametrize("text", ["1/0", "1 // (2 - 2)", "5 % 0", "0**-1"])
def test_division_by_zero_is_a_sentence(text):
    with pytest.raises(LabInputError, match="division_by_zero"):
        calculate(text)


@pytest.mark.parametrize("text", ["9**9**9", "10**61", "1e999", "9" * 61, "(1/3)**400"])
def test_what_nobody_could_read_is_not_computed(text):
    with pytest.raises(LabInputError, match="within_digits"):
        calculate(text)


def test_a_long_text_is_not_parsed():
    with pytest.raises(LabInputError, match="at_most_characters"):
        calculate("1+" * 200 + "1")
