"""Wishes as one would type them, "under 4 MB, under 2 ms": read, checked, and held against points.

Each wish is a number with a unit and a direction; the quantity is named or follows from the unit. Chinese
and English may be mixed. What is not understood is given back, never guessed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from labcore.compression.board import BETTER_LOW, QUANTITIES, Point, value
from labcore.errors import LabInputError

MOST_CHARACTERS, MOST_WISHES = 300, 8
# Longer words first: "不超过" holds "超过". Each: the words, whether above or below, whether the end counts.
DIRECTIONS: tuple[tuple[str, str, bool], ...] = (
    (r"不超过|不大于|不高于|不多于|至多|最多|以内|以下|≤|<=|=<|"
     r"at most|no more than|up to|within|max(?:imum)?", "below", True),
    (r"不小于|不少于|不低于|至少|最少|以上|≥|>=|=>|at least|no less than|min(?:imum)?", "above", True),
    (r"小于|低于|少于|<|under|below|less than|fewer than|smaller than|faster than", "below", False),
    (r"大于|高于|多于|超过|>|over|above|more than|greater than", "above", False),
)  # fmt: skip
UNITS: dict[str, tuple[str, float]] = {  # unit -> the quantity it speaks of by itself, and its size
    "gb": ("size_mb", 1e3), "mb": ("size_mb", 1.0), "kb": ("size_mb", 1e-3), "b": ("size_mb", 1e-6),
    "gib": ("size_mb", 2**30 / 1e6), "mib": ("size_mb", 2**20 / 1e6), "kib": ("size_mb", 2**10 / 1e6),
    "兆": ("size_mb", 1.0),
    "s": ("token_ms", 1e3), "秒": ("token_ms", 1e3), "ms": ("token_ms", 1.0), "毫秒": ("token_ms", 1.0),
    "us": ("token_ms", 1e-3), "µs": ("token_ms", 1e-3), "μs": ("token_ms", 1e-3), "微秒": ("token_ms", 1e-3),
    "nats": ("loss_nats", 1.0), "nat": ("loss_nats", 1.0), "奈特": ("loss_nats", 1.0),
    "tokens/s": ("tokens_per_second", 1.0), "token/s": ("tokens_per_second", 1.0),
    "tok/s": ("tokens_per_second", 1.0), "tokens per second": ("tokens_per_second", 1.0),
    "词元/秒": ("tokens_per_second", 1.0), "个词元每秒": ("tokens_per_second", 1.0),
    "": ("", 1.0),
}  # fmt: skip
WORDS: tuple[tuple[str, str], ...] = (
    (r"first token|first|ttft|首个词元|首词元|第一个词元|首个", "first_ms"),
    (r"throughput|吞吐量?", "tokens_per_second"),
    (r"memory|ram|内存|显存", "memory_mb"),
    (r"size|disk|weights?|体积|大小|权重", "size_mb"),
    (r"loss|损失", "loss_nats"),
    (r"latency|per token|each token|token|延迟|每个词元|每词元", "token_ms"),
)
_NUMBER = r"(?<![\w.])(\d+(?:[.,]\d+)?(?:e[+-]?\d+)?)"
_UNITS = "|".join(re.escape(unit) for unit in sorted(filter(None, UNITS), key=len, reverse=True))
_AMOUNT = re.compile(rf"{_NUMBER}\s*({_UNITS})?(?![a-z])", re.IGNORECASE)
_BETWEEN = re.compile(r"[;；、，。\n]|,(?!\d)|\band\b|且|和|并且", re.IGNORECASE)


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

    >>> parse("under 4 MB, at least 2000 tokens/s, pretty")[0][0]
    Wish(quantity='size_mb', direction='below', limit=4.0, inclusive=False)
    >>> parse("小于 4 MB，首个词元不超过 30 毫秒")[0][1]
    Wish(quantity='first_ms', direction='below', limit=30.0, inclusive=True)
    """
    if len(text) > MOST_CHARACTERS:
        raise LabInputError("wishes", len(text), "at_most", limit=MOST_CHARACTERS)
    wishes, unread = [], []
    for part in filter(None, (piece.strip() for piece in _BETWEEN.split(text))):
        wish = read(part)
        if wish is None:
            unread.append(part)
        else:
            wishes.append(wish)
    if len(wishes) > MOST_WISHES:
        raise LabInputError("wishes", len(wishes), "at_most", limit=MOST_WISHES)
    return wishes, unread


def read(part: str) -> Wish | None:
    """One wish, or None."""
    amounts = list(_AMOUNT.finditer(part))
    if len(amounts) != 1:
        return None
    amount = amounts[0]
    number = float(amount[1].replace(",", "."))
    by_unit, size = UNITS[(amount[2] or "").lower()]
    rest = part[: amount.start()] + " " + part[amount.end() :]
    named = next((q for words, q in WORDS if re.search(words, rest, re.IGNORECASE)), "")
    quantity = fitting(named, by_unit)
    if not quantity:
        return None
    for words, direction, inclusive in DIRECTIONS:
        if re.search(words, rest, re.IGNORECASE):
            return Wish(quantity, direction, number * size, inclusive)
    return Wish(quantity, "below" if quantity in BETTER_LOW else "above", number * size, True)


def fitting(named: str, by_unit: str) -> str:
    """The quantity that the words and the unit agree on; "" if they do not."""
    kin = ({"size_mb", "memory_mb"}, {"token_ms", "first_ms"}, {"loss_nats"}, {"tokens_per_second"})
    if not named or not by_unit:
        # a bare number speaks only of what has no unit that one would write
        return by_unit or (named if named in ("loss_nats", "tokens_per_second") else "")
    return named if any({named, by_unit} <= family for family in kin) else ""


@dataclass(frozen=True, slots=True)
class Found:
    """The best point, or the nearest miss."""

    at: int  # index among the points
    feasible: int  # points that keep all wishes
    alone: tuple[int, ...]  # points that keep each wish taken alone
    missed: tuple[int, ...]  # wishes that the point at `at` does not keep


def best(points: Sequence[Point], wishes: Sequence[Wish], goal: str) -> Found:
    """Of the points that keep every wish the best by `goal`; without one, the least bad miss."""
    if goal not in QUANTITIES:
        raise LabInputError("goal", goal, "known_choice", allowed=QUANTITIES)
    if not points:
        raise LabInputError("points", 0, "not_empty")
    keeps = [[wish.holds(value(point, wish.quantity)) for wish in wishes] for point in points]
    feasible = [at for at, row in enumerate(keeps) if all(row)]
    sign = 1 if goal in BETTER_LOW else -1
    if feasible:
        at = min(feasible, key=lambda n: sign * value(points[n], goal))
    else:
        at = min(
            range(len(points)),
            key=lambda n: max(wish.excess(value(points[n], wish.quantity)) for wish in wishes),
        )
    alone = tuple(sum(row[n] for row in keeps) for n in range(len(wishes)))
    missed = tuple(n for n, kept in enumerate(keeps[at]) if not kept)
    return Found(at, len(feasible), alone, missed)
