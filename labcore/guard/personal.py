"""Personal data in a text: found by form, kept only if its checksum is right, and masked.

A pattern alone takes every long number for a card. Two of the kinds carry a check digit, and nine of ten
random numbers fail it: Luhn's sum for bank cards (ISO/IEC 7812), modulo 11-2 for Chinese identity numbers
(GB 11643, ISO 7064). E-mail addresses and telephone numbers have none; they are found by form alone.
"""

import re
from dataclasses import dataclass
from datetime import date

KINDS = ("id_card", "bank_card", "phone", "email")  # in the order in which a text is searched
ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
ID_CHECKS = "10X98765432"  # by the remainder modulo 11

_ALONE = r"(?<![0-9A-Za-z])(?:{})(?![0-9A-Za-z])"
PATTERNS = {
    "id_card": re.compile(_ALONE.format(r"[1-9][0-9]{16}[0-9Xx]")),
    "bank_card": re.compile(_ALONE.format(r"[0-9](?:[ -]?[0-9]){12,18}")),
    "phone": re.compile(
        r"(?<![0-9A-Za-z+])(?:(?:\+?86[ -]?)?1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}"
        r"|\+[1-9][0-9]{0,2}(?:[ -]?[0-9]{2,4}){2,4})(?![0-9A-Za-z])"
    ),
    "email": re.compile(
        r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9](?:[A-Za-z0-9._%+-]{0,63})@"
        r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])"
    ),
}


@dataclass(frozen=True, slots=True)
class Found:
    kind: str
    start: int
    end: int  # behind the last character
    kept: bool  # False: it has the form, but its checksum or its date is wrong


def luhn(number: str) -> bool:
    """Every second digit from the right doubled, its own digits added; the sum ends in 0.

    Worked by hand, 79927398713, from the right: 3 + 2 + 7 + (1+6) + 9 + 6 + 7 + 4 + 9 + (1+8) + 7 = 70.
    """
    digits = [int(sign) for sign in number if sign in "0123456789"]
    doubled = [2 * digit for digit in digits[-2::-2]]
    total = sum(digits[-1::-2]) + sum(digit // 10 + digit % 10 for digit in doubled)
    return len(digits) > 1 and total % 10 == 0 and any(digits)


def id_check(number: str) -> bool:
    """Eighteen signs, a date of birth among them, and the last one decided by the other seventeen.

    The weights are 2¹⁷, 2¹⁶, … 2¹ modulo 11, so one wrong digit, or two neighbours
    swapped, is always noticed.
    """
    if not re.fullmatch(r"[0-9]{17}[0-9Xx]", number):
        return False
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(int(sign) * weight for sign, weight in zip(number, ID_WEIGHTS, strict=False))
    return ID_CHECKS[total % 11] == number[17].upper()


CHECKS = {"id_card": id_check, "bank_card": luhn}


def find(text: str) -> list[Found]:
    """What looks like personal data, from left to right. A stretch belongs to one kind only; one with a
    wrong checksum blocks nobody else."""
    found: list[Found] = []
    for kind in KINDS:
        for match in PATTERNS[kind].finditer(text):
            start, end = match.span()
            if any(one.kept and start < one.end and one.start < end for one in found):
                continue
            found.append(Found(kind, start, end, CHECKS.get(kind, bool)(match.group())))
    kept = [one for one in found if one.kept]
    other = [
        one for one in found
        if not one.kept and not any(one.start < k.end and k.start < one.end for k in kept)
    ]  # fmt: skip
    return sorted([*kept, *other], key=lambda one: (one.start, one.kind))


def mask(text: str) -> str:
    """The text with every kept find replaced by its kind.

    >>> mask("Write to ann@example.org, card 4111 1111 1111 1111, not 4111 1111 1111 1112.")
    'Write to [email], card [bank_card], not 4111 1111 1111 1112.'
    """
    pieces, at = [], 0
    for one in find(text):
        if one.kept:
            pieces += [text[at : one.start], f"[{one.kind}]"]
            at = one.end
    return "".join([*pieces, text[at:]])
