"""What a state of the Game of 24 is worth: a learned table, a rule of thumb, and two controls.

Of three numbers one puts two together, and has two left. The learned value holds one number for every two
whole numbers that may be left, how promising they look, and takes the best pair that one move can reach:
a log of a sum of exponentials, so that it can be learned from nothing but whether a state could be solved.
None of the states it was trained on can be reached from a held-out game.

`python -m labcore.recipes.value24` makes `assets/reasoning/value24.safetensors` again.
Axes: B states, P pairs that a state may come to.
"""

import zlib
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from labcore import shipped
from labcore.errors import LabInputError
from labcore.reasoning.game24 import TARGET, State, all_games, moves, solvable
from labcore.reasoning.writers import ASSETS

ASSET = ASSETS / "value24.safetensors"
VALUES = ("learned", "near", "random", "exact")
LOWEST_NAMED, HIGHEST_NAMED = -24, 100  # whole numbers that the table has a row for
WIDTH = HIGHEST_NAMED - LOWEST_NAMED + 1
NOTHING = WIDTH * WIDTH  # a pair that does not stand in the table
MOST_PAIRS = 18  # three ways to choose two numbers, six results
HELD_OUT_EVERY = 30  # every thirtieth game is kept for the exam


def held_out_games() -> list[State]:
    """Games that 24 can be made of, and none of whose states was trained on."""
    return [game for game in all_games()[::HELD_OUT_EVERY] if solvable(game)]


def pair_rows(states: Sequence[State]) -> Tensor:
    """Where in the table the pairs stand that each state of two or three numbers may come to.  -> (B, P)"""
    rows = torch.full((len(states), MOST_PAIRS), NOTHING)
    for row, state in zip(rows, states, strict=True):
        if not 2 <= len(state) <= 3:
            raise LabInputError("state", len(state), "between", low=2, high=3)
        pairs = [state] if len(state) == 2 else [move.after for move in moves(state)]
        for place, (low, high) in enumerate(pairs):
            named = all(
                one.denominator == 1 and LOWEST_NAMED <= one <= HIGHEST_NAMED for one in (low, high)
            )
            if named:
                row[place] = (int(low) - LOWEST_NAMED) * WIDTH + int(high) - LOWEST_NAMED
    return rows


def worth(table: Tensor, rows: Tensor) -> Tensor:
    """The best pair in reach, softly: ln Σ exp.  (NOTHING + 1,), (B, P) -> (B,) logits

    The last row of the table is what stands for "nothing known", and is learned like the others.
    """
    return table[rows].logsumexp(dim=1)


@lru_cache(maxsize=1)
def load_table() -> Tensor:
    return shipped.tensors(ASSET)["table"].float()


@torch.no_grad()
def learned(states: Sequence[State]) -> list[float]:
    """How likely each state of two or three numbers can still make 24, says the table."""
    return worth(load_table(), pair_rows(states)).sigmoid().tolist() if states else []


def near(state: State) -> float:
    """A rule of thumb: how near 24 two of the numbers, or one, can come at once.  1 is there, 0 far off.

    >>> near((Fraction(3), Fraction(8)))
    1.0
    """
    reached = [*state, *(move.result for move in moves(state))]
    return float(1 / (1 + min(abs(number - TARGET) for number in reached)))


def by_chance(state: State, seed: int) -> float:
    """The control: a number that has nothing to do with 24, and is the same each time."""
    return zlib.crc32(f"{seed} {state}".encode()) / 2**32


def values_of(states: Sequence[State], value: str, seed: int = 0) -> list[float]:
    """How good each state looks, between 0 and 1; one number left is 24 or nothing."""
    if value not in VALUES:
        raise LabInputError("value", value, "known_choice", allowed=VALUES)
    open_states = [state for state in states if len(state) > 1]
    if value == "learned":
        judged = learned(open_states)
    elif value == "exact":
        judged = [float(solvable(state)) for state in open_states]
    elif value == "near":
        judged = [near(state) for state in open_states]
    else:
        judged = [by_chance(state, seed) for state in open_states]
    known = dict(zip(open_states, judged, strict=True))
    return [known[state] if len(state) > 1 else float(state[0] == TARGET) for state in states]
