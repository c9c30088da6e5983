"""The Game of 24 and the map: against brute force, against an independent library, and at the ends."""

from fractions import Fraction
from itertools import permutations, product
from operator import add, mul, sub, truediv

import networkx as nx
import numpy as np
import pytest
import torch

from app import results
from labcore.errors import LabInputError
from labcore.reasoning import game24, grid, search24, value24
from labcore.reasoning.game24 import all_games, moves, read_numbers, solvable
from labcore.reasoning.grid import MAPS, PathConfig, read_map
from labcore.reasoning.search24 import METHODS, SearchConfig
from labcore.reasoning.search24_study import BUDGETS, Search24Study, needed, numbers_of
from labcore.reasoning.value24 import VALUES, held_out_games, pair_rows, values_of, worth
from labcore.recipes.value24 import labels, make, states_below, told_apart, training_states

SIGNS = {"+": add, "−": sub, "×": mul, "÷": truediv}


def reached(numbers: tuple) -> bool:
    """Brute force of another kind: every order, every three signs, all five ways to set brackets."""

    def apply(sign: str, a, b):
        if a is None or b is None or (sign == "/" and b == 0):
            return None
        return {"+": a + b, "-": a - b, "*": a * b}[sign] if sign != "/" else a / b

    for a, b, c, d in set(permutations(numbers)):
        for p, q, r in product("+-*/", repeat=3):
            ways = (
                apply(r, apply(q, apply(p, a, b), c), d), apply(q, apply(p, a, b), apply(r, c, d)),
                apply(r, apply(p, a, apply(q, b, c)), d), apply(p, a, apply(r, apply(q, b, c), d)),
                apply(p, a, apply(q, b, apply(r, c, d))),
            )  # fmt: skip
            if 24 in ways:
                return True
    return False


def test_1362_of_1820_games_can_be_solved():
    """The number that is known for the game with cards from 1 to 13."""
    games = all_games()
    assert len(games) == 1820
    assert sum(map(solvable, games)) == 1362


def test_the_solver_agrees_with_every_bracketing():
    """Every 91st game, solvable or not: twenty of them."""
    for game in all_games()[::91]:
        assert solvable(game) == reached(game), game


@pytest.mark.parametrize(
    ("numbers", "answer"), [("3 3 8 8", True), ("1 5 5 5", True), ("1 1 1 1", False)]
)
def test_games_known_for_their_fractions(numbers, answer):
    """8 / (3 − 8/3) = 24 and 5 · (5 − 1/5) = 24: floats would miss them."""
    assert solvable(read_numbers(numbers)) == answer


def test_moves_by_hand():
    """Of 2 and 6: 8, 4, −4, 12, 3, 1/3. Of two equal numbers fewer; none divides by zero."""
    two, six, zero = Fraction(2), Fraction(6), Fraction(0)
    assert {move.result for move in moves((two, six))} == {8, 4, -4, 12, 3, Fraction(1, 3)}
    assert {move.result for move in moves((zero, zero))} == {0}
    assert {str(move) for move in moves((-two, six))} >= {"(−2) + 6 = 4", "(−2) × 6 = −12"}


@pytest.mark.parametrize(
    "text",
    ["", "1 2 3", "1 2 3 4 5", "0 1 2 3", "14 1 2 3", "a b c d", "1.5 2 3 4", "-1 2 3 4", "① 2 3 4",
     "1 2 3 9999999"],
)  # fmt: skip
def test_only_four_cards_are_a_game(text):
    with pytest.raises(LabInputError):
        read_numbers(text)


def test_numbers_may_stand_apart_by_commas_of_both_kinds():
    assert read_numbers("13，4, 9 1") == (1, 4, 9, 13)


@pytest.mark.parametrize(
    "wrong", [{"method": "x"}, {"value": "x"}, {"budget": 0}, {"width": 0}, {"numbers": "1"}]
)
def test_searches_out_of_range_are_refused(wrong):
    with pytest.raises(LabInputError):
        SearchConfig(**wrong)


# Values.


def test_the_learned_worth_is_a_soft_maximum_by_hand():
    """Of 3 and 8 alone: the table's own entry, beside seventeen times nothing at −100."""
    table = torch.full((value24.NOTHING + 1,), -100.0)
    row = pair_rows([(Fraction(3), Fraction(8))])
    table[row[0, 0]] = 2.0
    assert worth(table, row).item() == pytest.approx(2.0)
    # 1, 3 and 8 come to (3, 8) by 1 × 3, by 3 ÷ 1, by 8 × 1 and so on: states are listed once.
    assert worth(table, pair_rows([read_three("1 3 8")])).item() == pytest.approx(2.0)


def read_three(text: str) -> tuple[Fraction, ...]:
    return tuple(sorted(map(Fraction, text.split())))


def test_a_pair_beyond_the_table_is_nothing_known():
    far = pair_rows([(Fraction(1, 3), Fraction(8)), (Fraction(1), Fraction(500))])
    assert (far == value24.NOTHING).all()


def test_the_table_values_two_or_three_numbers_and_no_others():
    for count in (1, 4):
        with pytest.raises(LabInputError):
            pair_rows([(Fraction(1),) * count])


def test_values_where_they_are_certain():
    """One number is 24 or not, for every kind of value; 3 and 8 are at 24 at once; exact is the truth."""
    for value in VALUES:
        assert values_of([(Fraction(24),), (Fraction(23),)], value) == [1.0, 0.0]
        assert values_of([], value) == []
    pairs = [(Fraction(3), Fraction(8)), (Fraction(1), Fraction(1))]
    assert values_of(pairs, "near")[0] == 1.0
    assert values_of(pairs, "exact") == [1.0, 0.0]
    learned = values_of(pairs, "learned")
    assert learned[0] > 0.9 > 0.1 > learned[1]
    assert (
        values_of(pairs, "random", 0)
        == values_of(pairs, "random", 0)
        != values_of(pairs, "random", 1)
    )
    with pytest.raises(LabInputError):
        values_of([], "x")


def test_the_bundled_table_tells_held_out_states_apart():
    """The recipe prints 0.959 for states of three numbers; none of them was learned from."""
    exam = states_below(held_out_games()[::3])[0]
    assert told_apart(value24.load_table(), exam) > 0.93
    flat = torch.zeros(value24.NOTHING + 1)
    assert told_apart(flat, exam) < 0.7  # the control: knows at most how many moves there are


def test_a_table_learns_the_states_it_is_shown(monkeypatch):
    """Learned by heart, as every sixtieth state may be; a table of zeros is the control."""
    monkeypatch.setattr("labcore.recipes.value24.EPOCHS", 40)
    some = training_states()[::60]
    table = make(some)
    assert told_apart(table, some) > 0.97
    assert told_apart(torch.zeros_like(table), some) < 0.7
    assert 0 < labels(some).mean() < 0.5


# Search.


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", VALUES)
def test_what_is_found_is_right(method, value):
    """The moves, replayed in fractions, use each number once and end in 24."""
    result = search24.run(SearchConfig("2 3 5 12", method, value, budget=600))
    assert result.path or method in ("beam", "sample", "guided")  # these three may miss it
    left = list(read_numbers("2 3 5 12"))
    for move in result.path:
        left.remove(move.left)
        left.remove(move.right)
        assert SIGNS[move.sign](move.left, move.right) == move.result
        left.append(move.result)
    assert left == [24] or not result.path


@pytest.mark.parametrize("method", METHODS)
def test_budgets_are_kept_and_the_impossible_is_not_found(method):
    for budget in (1, 7, 2000):
        result = search24.run(SearchConfig("1 1 1 1", method, "near", budget))
        assert result.expanded <= budget
        assert not result.path
        assert result.answer == -1
        assert not result.possible


@pytest.mark.parametrize("value", ["near", "learned", "random", "exact"])
def test_best_first_finds_whatever_there_is(value):
    """It forgets nothing: every third held-out game, with a budget beyond the whole tree."""
    for game in held_out_games()[::3]:
        assert search24.run(SearchConfig(numbers_of(game), "best", value, 2000)).path


def test_with_the_exact_value_three_states_are_enough():
    """Greedy on the truth: each level holds a state that can be solved, and it comes first."""
    for game in held_out_games()[::5]:
        result = search24.run(SearchConfig(numbers_of(game), "beam", "exact", 60, width=1))
        assert result.path
        assert result.expanded <= 3


def depths(method: str, budget: int) -> list[int]:
    """Of the expanded states, in the order of their expansion."""
    nodes = search24.run(SearchConfig("4 9 10 13", method, budget=budget)).nodes
    expanded = [node for node in nodes if node.expanded >= 0]
    return [node.depth for node in sorted(expanded, key=lambda node: node.expanded)]


def test_uninformed_orders_by_hand():
    """Depth first goes down after the root; breadth first ends one level before it begins the next."""
    assert depths("depth", 3) == [0, 1, 2]
    assert depths("breadth", 30) == [0] + [1] * 29
    assert search24.run(SearchConfig(method="depth", budget=3)).scored == 0


def test_samples_hang_on_their_seed():
    runs = [search24.run(SearchConfig(method="sample", budget=30, seed=seed)) for seed in (0, 0, 1)]
    states = [[node.state for node in one.nodes] for one in runs]
    assert states[0] == states[1] != states[2]


def test_the_recording_says_what_the_page_says_and_begins_as_today():
    study = results.load(
        results.RECORDINGS / "reasoning-search24.safetensors", Search24Study
    ).result
    nine, last = BUDGETS.index(9), -1
    learned, sampled = study.solved["best-learned"], study.solved["sample-exact"]
    assert (learned[:, nine] > sampled[:, last]).all()
    assert study.solved["best-random"][:, nine].max() < study.solved["best-near"][:, nine].min()
    games = held_out_games()
    assert study.games == len(games)
    today = np.mean([needed(numbers_of(game), "best", "near", 0) <= 30 for game in games])
    assert today == pytest.approx(study.solved["best-near"][0, BUDGETS.index(30)])


# The map.


def shortest(text: str) -> int:
    """By networkx, an independent library; −1 if there is no way."""
    walls, start, goal = read_map(text)
    graph = nx.grid_2d_graph(*walls.shape)
    graph.remove_nodes_from([tuple(place) for place in np.argwhere(walls).tolist()])
    return nx.shortest_path_length(graph, start, goal) if nx.has_path(graph, start, goal) else -1


def random_map(seed: int) -> str:
    rng = np.random.default_rng(seed)
    table = np.where(rng.random((rng.integers(2, 12), rng.integers(2, 12))) < 0.3, "#", ".")
    ends = rng.choice(table.size, 2, replace=False)
    table.flat[ends[0]], table.flat[ends[1]] = "S", "G"
    return "\n".join("".join(row) for row in table)


@pytest.mark.parametrize("text", [*MAPS.values(), *map(random_map, range(40))])
def test_breadth_first_and_a_star_find_a_shortest_path(text):
    truth = shortest(text)
    for method in grid.METHODS:
        result = grid.run(PathConfig(text, method))
        assert result.shortest == truth
        steps = len(result.path) - 1
        if method in ("breadth", "astar"):
            assert steps == (truth if truth >= 0 else -1)
        if result.path:  # from start to goal, step by step, through no wall
            assert (result.path[0], result.path[-1]) == (result.start, result.goal)
            assert all(
                grid.steps_left(*pair) == 1
                for pair in zip(result.path, result.path[1:], strict=False)
            )
            assert not any(result.walls[place] for place in result.path)
        assert result.expanded == len(set(result.order[result.order >= 0].tolist()))


def test_what_the_page_says_of_its_maps():
    expanded = {
        (name, method): grid.run(PathConfig(MAPS[name], method))
        for name in MAPS
        for method in grid.METHODS
    }
    assert not expanded["pocket", "beam"].path
    assert [len(expanded["gate", method].path) - 1 for method in ("greedy", "astar")] == [21, 17]
    assert [expanded["gate", method].expanded for method in ("greedy", "astar")] == [22, 26]
    assert [expanded["open", method].expanded for method in ("breadth", "astar")] == [83, 12]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "not_empty"), ("S.\n.", "map_rows_alike"), ("S.x\n..G", "map_signs"), ("SS\n.G", "map_ends"),
        ("S.\n..", "map_ends"), ("<b>", "map_signs"), ("SG" + "." * 30, "map_size"), ("S\n" * 30, "map_size"),
    ],
)  # fmt: skip
def test_a_map_that_is_none_is_refused(text, rule):
    with pytest.raises(LabInputError, match=rule):
        PathConfig(text)


def test_start_beside_goal_and_written_maps():
    result = grid.run(PathConfig("SG"))
    assert result.path == [(0, 0), (0, 1)]
    walls, start, goal = read_map(MAPS["gate"])
    assert grid.written_map(walls, start, goal) == MAPS["gate"].strip()


def test_moves_are_told_one_after_the_other():
    path = search24.run(SearchConfig()).path
    assert game24.written(path).endswith("= 24")
