"""Large numbers as the field writes them: 67B parameters, 1.4T tokens."""

import math

SUFFIXES = ((1e15, "Q"), (1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))


def short(number: float, digits: int = 3) -> str:
    """
    >>> short(67.8e9), short(1.4e12), short(134_515_008), short(12), short(999_900_000_000)
    ('67.8B', '1.4T', '135M', '12', '1T')
    """
    if not math.isfinite(number):
        return "∞"
    rounded = float(f"{number:.{digits}g}")
    for size, suffix in SUFFIXES:
        if abs(rounded) >= size:
            return f"{rounded / size:g}{suffix}"
    return f"{rounded:g}"


def power(number: float) -> str:
    """In markdown's mathematics.

    >>> power(5.76e23)
    '$5.76 \\\\times 10^{23}$'
    """
    exponent = math.floor(math.log10(number))
    return rf"${number / 10**exponent:.2f} \times 10^{{{exponent}}}$"
