"""Wishes as one would type them, "under 4 MB, under 2 ms": read, checked, and held against points.

Each wish is a number with a unit and a direction; the quantity is named or follows from the unit. Chinese
and English may be mixed. What is not understood is given back, never guessed.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from labcore.compression.board import BETTER_LOW, QUANTITIES, Point, value
from labcore.compression.wish_words import (
    AMOUNT,
    DIRECTIONS,
    NAMED_UNIT,
    NAMES,
    TURNED,
    number_of,
    unit_of,
)
from labcore.errors import LabInputError

MOST_CHARACTERS, MOST_WISHES = 300, 8
FULL_WIDTH = {  # ＜２ＭＢ as <2MB; the comma ， stays, for it never stands inside a number
    code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F) if code != ord("，")
} | {0x3000: 0x20}
# What parts wishes. "Between 1 and 2 MB" is two limits in one, and "weights and cache" one quantity.
_PARTS = re.compile(
    r"(?P<stays>\bbetween\b[^;,，。；]*?\band\b)|"
    r"[;；、，。\n]|(?<!\d),|,(?!\d)|\.(?=\s|$)|\b(?:and|but)\b(?!\s+(?:the )?cache)|"
    r"并且|而且|以及|且|(?<!权重)[和与]",
    re.IGNORECASE,
)
_RANGE = re.compile(r"\bbetween\b|介于|之间|\bfrom\b", re.IGNORECASE)
_KIN = ({"size_mb", "memory_mb"}, {"token_ms", "first_ms"}, {"loss_nats"}, {"tokens_per_second"})


@dataclass(frozen=True, slots=True)
class Wish:
    quantity: str
    direction: str  # "below" or "above"
    limit: float  # in the quantity's own unit
    inclusive: bool  # whether the limit itself will do

    def holds(self, number: float) -> bool:
        if number == self.limit:
            return self.inclusive
        return (number < self.limit) == (self.direction == "below")

    def excess(self, number: float) -> float:
        """By how much it is missed, as a share of the limit; 0 if it holds."""
        if self.holds(number):
            return 0.0
        return abs(number - self.limit) / max(abs(self.limit), 1e-12) + 1e-12


def parse(text: str) -> tuple[list[Wish], list[str]]:
    """The wishes in a text, and the parts of it that say nothing that is understood.

    >>> parse("under 4 MB, at least 2,000 tokens/s, pretty")
    ([Wish(quantity='size_mb', direction='below', limit=4.0, inclusive=False), \
Wish(quantity='tokens_per_second', direction='above', limit=2000.0, inclusive=True)], ['pretty'])
    >>> parse("小于4MB，首个词元不超过30毫秒")[0][1]
    Wish(quantity='first_ms', direction='below', limit=30.0, inclusive=True)
    """
    if len(text) > MOST_CHARACTERS:
        raise LabInputError("wishes", len(text), "at_most", limit=MOST_CHARACTERS)
    wishes, unread = [], []
    for part in parted(text.translate(FULL_WIDTH)):
        wish = read(part)
        if wish is None:
            unread.append(part)
        else:
            wishes.append(wish)
    if len(wishes) > MOST_WISHES:
        raise LabInputError("wishes", len(wishes), "at_most", limit=MOST_WISHES)
    return wishes, unread


def parted(text: str) -> list[str]:
    pieces, start = [], 0
    for gap in _PARTS.finditer(text):
        if not gap["stays"]:
            pieces.append(text[start : gap.start()])
            start = gap.end()
    return [piece.strip() for piece in [*pieces, text[start:]] if piece.strip()]


def read(part: str) -> Wish | None:
    """One wish, or None: exactly one number, a quantity that name and unit agree on, a direction."""
    amounts = list(AMOUNT.finditer(part))
    if len(amounts) != 1 or _RANGE.search(part):
        return None
    amount = amounts[0]
    before, after = part[: amount.start()], part[amount.end() :]
    rest = f"{before} {after}".lower()
    unit = NAMED_UNIT.search(rest) if amount[2] is None else None
    by_unit, size = unit_of(unit[1] if unit else amount[2])
    number = number_of(amount[1]) * size
    quantity = fitting(named_in(rest), by_unit)
    if not quantity or not math.isfinite(number):
        return None
    good = "below" if quantity in BETTER_LOW else "above"
    turned = TURNED.match(after)
    for words, direction, inclusive in DIRECTIONS:
        if re.search(words, turned[1] if turned else rest):
            below = direction == "below" or direction == ("good" if good == "below" else "bad")
            return Wish(quantity, "below" if below != bool(turned) else "above", number, inclusive)
    return Wish(quantity, good, number, True)


def named_in(words: str) -> str | None:
    """The quantity that is named; None if none is, "" for one that is not measured."""
    return next((quantity for name, quantity in NAMES if re.search(name, words)), None)


def fitting(named: str | None, by_unit: str) -> str:
    """The quantity that name and unit agree on; "" if they do not.

    A bare number speaks only of what is often written without a unit: a loss, tokens per second.
    """
    if named is None:
        return by_unit
    if not by_unit:
        return named if named in ("loss_nats", "tokens_per_second") else ""
    return named if any({named, by_unit} <= family for family in _KIN) else ""


@dataclass(frozen=True, slots=True)
class Found:
    """The best point, or the nearest miss."""

    at: int  # index among the points
    feasible: int  # points that keep all wishes
    alone: tuple[int, ...]  # points that keep each wish taken alone
    missed: tuple[int, ...]  # wishes that the point at `at` does not keep


def best(points: Sequence[Point], wishes: Sequence[Wish], goal: str) -> Found:
    """Of the points that keep every wish the best by `goal`; without one, the nearest miss.

    Nearest is the point whose worst miss, as a share of its limit, is least. Equals are told apart by all
    other quantities in their order, so that what is found is never beaten by a point that would do as well.
    """
    if goal not in QUANTITIES:
        raise LabInputError("goal", goal, "known_choice", allowed=QUANTITIES)
    if not points:
        raise LabInputError("points", 0, "not_empty")
    keeps = [[wish.holds(value(point, wish.quantity)) for wish in wishes] for point in points]
    feasible = [at for at, row in enumerate(keeps) if all(row)]

    def by_goal(at: int) -> tuple[float, ...]:
        order = (goal, *(name for name in QUANTITIES if name != goal))
        return tuple((1 if name in BETTER_LOW else -1) * value(points[at], name) for name in order)

    def by_miss(at: int) -> tuple[float, ...]:
        worst = max(wish.excess(value(points[at], wish.quantity)) for wish in wishes)
        return (worst, *by_goal(at))

    at = min(feasible or range(len(points)), key=by_goal if feasible else by_miss)
    alone = tuple(sum(row[n] for row in keeps) for n in range(len(wishes)))
    missed = tuple(n for n, kept in enumerate(keeps[at]) if not kept)
    return Found(at, len(feasible), alone, missed)
