"""Ways through the tree of the Game of 24, each with the same budget of nodes expanded.

To expand a node is to list all its moves. *Sampling* plays a whole game at random, three nodes, and begins
anew. *Depth first* and *breadth first* look at everything in a fixed order. *Beam* keeps the best few states
of each level, and nothing else. *Best first* always expands the best state seen so far; it never forgets
one, so it finds an answer in the end if there is one. *Guided sampling* plays each move as often as it looks
promising.

Sources: Tree of Thoughts, Yao et al., arXiv:2305.10601; best first, Pearl, "Heuristics" (1984).
"""

import heapq
from dataclasses import dataclass
from itertools import count

import numpy as np

from labcore.configs import lab_config
from labcore.errors import check_choices, check_limits
from labcore.reasoning.game24 import NUMBERS, TARGET, Move, moves, read_numbers, solvable
from labcore.reasoning.value24 import VALUES, values_of

METHODS = ("sample", "guided", "depth", "breadth", "beam", "best")
UNGUIDED = ("sample", "depth", "breadth")  # look at no value
SHARPNESS = 8.0  # guided sampling: e-fold preference per unit of value


@lab_config
class SearchConfig:
    numbers: str = "4 9 10 13"
    method: str = "best"
    value: str = "learned"
    budget: int = 60  # nodes that may be expanded
    width: int = 4  # of the beam
    seed: int = 0

    def __post_init__(self):
        read_numbers(self.numbers)
        check_choices(self, {"method": METHODS, "value": VALUES})
        check_limits(self, {"budget": (1, 2000), "width": (1, 64), "seed": (0, 2**31)})


@dataclass(slots=True, eq=False)
class Node:
    """A state, and how it was reached; a plain record that the search fills in."""

    state: tuple
    parent: int  # its number; -1 for the root
    move: Move | None
    value: float  # 0 to 1; of the root and where nobody asks, 0
    expanded: int = -1  # as the how-manieth, from 0; -1 never

    @property
    def depth(self) -> int:
        return NUMBERS - len(self.state)


class Tree:
    """Nodes in the order in which they were seen, a budget, and the first answer found."""

    def __init__(self, config: SearchConfig):
        self.config = config
        self.nodes = [Node(read_numbers(config.numbers), -1, None, 0.0)]
        self.expanded, self.scored, self.answer = 0, 0, -1

    @property
    def over(self) -> bool:
        return self.answer >= 0 or self.expanded >= self.config.budget

    def expand(self, number: int) -> list[int]:
        """All states one move on, with their values.  -> their numbers"""
        node = self.nodes[number]
        node.expanded, self.expanded = self.expanded, self.expanded + 1
        children = moves(node.state)
        if self.config.method in UNGUIDED:
            values = [float(child.after == (TARGET,)) for child in children]
        else:
            values = values_of(
                [child.after for child in children], self.config.value, self.config.seed
            )
            self.scored += len(children)
        first = len(self.nodes)
        for child, value in zip(children, values, strict=True):
            if child.after == (TARGET,) and self.answer < 0:
                self.answer = len(self.nodes)
            self.nodes.append(Node(child.after, number, child, value))
        return list(range(first, len(self.nodes)))

    def is_open(self, number: int) -> bool:
        return len(self.nodes[number].state) > 1

    def path(self) -> list[Move]:
        """The moves that lead to the answer; none if there is no answer."""
        found, number = [], self.answer
        while number > 0:
            found.append(self.nodes[number].move)
            number = self.nodes[number].parent
        return found[::-1]


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    nodes: list[Node]
    path: list[Move]  # empty: not found
    answer: int  # number of the node, -1 if none
    expanded: int
    scored: int  # states that a value was asked for
    possible: bool  # whether 24 can be made at all


def best_first(tree: Tree) -> None:
    """Expand whatever looks best, wherever it hangs; of equals the one seen first."""
    queue, order = [(0.0, 0, 0)], count(1)
    while queue and not tree.over:
        _, _, number = heapq.heappop(queue)
        for child in tree.expand(number):
            if tree.is_open(child):
                heapq.heappush(queue, (-tree.nodes[child].value, next(order), child))


def beam(tree: Tree) -> None:
    """Level by level, the best `width` states of each; equal states count once."""
    level = [0]
    while level and not tree.over:
        children: dict[tuple, int] = {}
        for number in level:
            if tree.over:
                return
            for child in tree.expand(number):
                if tree.is_open(child):
                    children.setdefault(tree.nodes[child].state, child)
        level = sorted(children.values(), key=lambda child: -tree.nodes[child].value)
        level = level[: tree.config.width]


def uninformed(tree: Tree, depth_first: bool) -> None:
    """Everything, in the order of the moves: the newest state next, or the oldest."""
    waiting = [0]
    while waiting and not tree.over:
        children = tree.expand(waiting.pop() if depth_first else waiting.pop(0))
        waiting += [
            child for child in (children[::-1] if depth_first else children) if tree.is_open(child)
        ]


def sample(tree: Tree, guided: bool) -> None:
    """Whole games at random, one after the other; nothing is learned from those before."""
    rng, known = np.random.default_rng(tree.config.seed), {}
    while not tree.over:
        number = 0
        while tree.is_open(number) and not tree.over:
            if number not in known:
                known[number] = tree.expand(number)
            else:  # a state seen before is drawn anew, and costs what it cost then
                tree.expanded += 1
            children = known[number]
            values = np.array([tree.nodes[child].value for child in children])
            weights = np.exp(SHARPNESS * values * guided)
            number = int(rng.choice(children, p=weights / weights.sum()))


def run(config: SearchConfig) -> Searched:
    tree = Tree(config)
    if config.method == "best":
        best_first(tree)
    elif config.method == "beam":
        beam(tree)
    elif config.method in ("sample", "guided"):
        sample(tree, config.method == "guided")
    else:
        uninformed(tree, config.method == "depth")
    return Searched(
        tree.nodes, tree.path(), tree.answer, tree.expanded, tree.scored,
        solvable(tree.nodes[0].state),
    )  # fmt: skip
