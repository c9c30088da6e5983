"""The Game of 24: make 24 of four numbers with + − × ÷, using each once. Exact, in fractions.

A state is what is left to combine; a move takes two of its numbers and puts back one. Three moves end the
game. The whole tree below four numbers is small enough to be searched to its end, so whether a
state can be solved is known, and a value model can be held against the truth.

As a test of search by language models: Yao et al., Tree of Thoughts, arXiv:2305.10601.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, combinations_with_replacement
from typing import NamedTuple

from labcore.errors import LabInputError

TARGET = 24
NUMBERS, LOWEST, HIGHEST = 4, 1, 13
State = tuple[Fraction, ...]  # in ascending order


class Move(NamedTuple):
    left: Fraction
    sign: str
    right: Fraction
    result: Fraction
    after: State

    def __str__(self) -> str:
        def shown(number: Fraction) -> str:
            # A negative number or a fraction stands in brackets beside a sign.
            plain = number >= 0 and number.denominator == 1
            return str(number) if plain else f"({signed(number)})"

        return f"{shown(self.left)} {self.sign} {shown(self.right)} = {signed(self.result)}"


def signed(number: Fraction) -> str:
    """With the minus sign that moves are written with."""
    return str(number).replace("-", "−")


def read_numbers(text: str) -> State:
    """Four whole numbers from 1 to 13, apart by spaces or commas.

    >>> [int(number) for number in read_numbers("13, 4 9 1")]
    [1, 4, 9, 13]
    """
    words = text.replace(",", " ").replace("，", " ").split()
    if len(words) != NUMBERS:
        raise LabInputError("numbers", text, "numbers_exactly", limit=NUMBERS)
    if not all(word.isascii() and word.isdigit() and len(word) <= 2 for word in words):
        raise LabInputError("numbers", text, "between", low=LOWEST, high=HIGHEST)
    numbers = sorted(int(word) for word in words)
    if not LOWEST <= numbers[0] <= numbers[-1] <= HIGHEST:
        raise LabInputError("numbers", text, "between", low=LOWEST, high=HIGHEST)
    return tuple(map(Fraction, numbers))


@lru_cache(maxsize=5_000)
def moves(state: State) -> tuple[Move, ...]:
    """All moves that lead to different states, at most 36 from four numbers."""
    found: dict[State, Move] = {}
    for i, j in combinations(range(len(state)), 2):
        low, high = state[i], state[j]
        rest = [number for place, number in enumerate(state) if place not in (i, j)]
        tries = [
            (low, "+", high, low + high), (high, "−", low, high - low),
            (low, "−", high, low - high), (low, "×", high, low * high),
        ]  # fmt: skip
        if low != 0:
            tries.append((high, "÷", low, high / low))
        if high != 0:
            tries.append((low, "÷", high, low / high))
        for left, sign, right, result in tries:
            after = tuple(sorted([*rest, result]))
            found.setdefault(after, Move(left, sign, right, result, after))
    return tuple(found.values())


@lru_cache(maxsize=100_000)
def solvable(state: State) -> bool:
    """Whether 24 can be made of what is left."""
    if len(state) == 1:
        return state[0] == TARGET
    return any(solvable(move.after) for move in moves(state))


def all_games() -> list[State]:
    """The 1,820 games of numbers from 1 to 13."""
    numbers = map(Fraction, range(LOWEST, HIGHEST + 1))
    return list(combinations_with_replacement(numbers, NUMBERS))


def written(path: Sequence[Move]) -> str:
    """Moves one after the other, as a player says them."""
    return ", ".join(map(str, path))
