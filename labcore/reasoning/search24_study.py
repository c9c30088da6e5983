"""How many games each way has solved after so many nodes, on games whose states no value was trained on.

Axes: B budgets, G games, S seeds of what is drawn at random.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labcore.reasoning.search24 import SearchConfig, Searched, run
from labcore.reasoning.value24 import held_out_games

BUDGETS = (3, 5, 9, 15, 30, 60, 120, 240, 480)
SEEDS = (0, 1, 2)
# (method, value, width); a beam stops by itself, so its budget is its width.
WAYS = (
    ("sample", "exact"), ("guided", "learned"), ("depth", "exact"), ("breadth", "exact"),
    ("best", "random"), ("best", "near"), ("best", "learned"),
)  # fmt: skip
BEAM_WIDTHS = (1, 2, 4, 8, 16, 32)
BEAM_VALUES = ("near", "learned")


@dataclass(frozen=True, slots=True, eq=False)
class Search24Study:
    budgets: np.ndarray  # (B,)
    solved: dict[str, np.ndarray]  # by "method-value": (S, B) share of the games
    beam_nodes: dict[str, np.ndarray]  # by value: (widths,) nodes expanded, the mean over games
    beam_solved: dict[str, np.ndarray]  # by value: (widths,)
    games: int
    seeds: np.ndarray  # (S,)


def numbers_of(game) -> str:
    return " ".join(map(str, game))


def needed(game: str, method: str, value: str, seed: int) -> float:
    """Nodes expanded when the answer was found; ∞ if it was not."""
    found = run(SearchConfig(game, method, value, max(BUDGETS), seed=seed))
    return found.expanded if found.path else np.inf


def study() -> Search24Study:
    games = [numbers_of(game) for game in held_out_games()]
    solved = {}
    for method, value in WAYS:
        drawn = method in ("sample", "guided") or value == "random"
        nodes = np.array(
            [
                [needed(game, method, value, seed) for game in games]
                for seed in (SEEDS if drawn else SEEDS[:1])
            ]
        )  # (S or 1, G)
        shares = (nodes[:, :, None] <= np.array(BUDGETS)).mean(axis=1)
        solved[f"{method}-{value}"] = np.repeat(shares, len(SEEDS) // len(shares), axis=0)
    beams = {
        value: [
            [run(SearchConfig(game, "beam", value, 2000, width)) for game in games]
            for width in BEAM_WIDTHS
        ]
        for value in BEAM_VALUES
    }
    return Search24Study(
        np.array(BUDGETS), solved,
        _means(beams, lambda one: one.expanded), _means(beams, lambda one: bool(one.path)),
        len(games), np.array(SEEDS),
    )  # fmt: skip


def _means(
    beams: dict[str, list[list[Searched]]], pick: Callable[[Searched], float]
) -> dict[str, np.ndarray]:
    """By value: the mean over games, for each width."""
    return {
        value: np.array([np.mean([pick(one) for one in row]) for row in rows])
        for value, rows in beams.items()
    }
