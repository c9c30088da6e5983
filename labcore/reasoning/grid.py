"""Planning a path on a map with walls: the same searches, where the state is a place.

A place is expanded when its neighbours are looked at. Breadth first follows the distance walked so far, g;
greedy best first the distance that seems left, h; A* their sum, which makes its path a shortest one as long
as h never overestimates. A beam keeps the few places of each level that seem nearest, and may lose the way.
h is the number of steps if there were no walls: a stated rule, nothing learned.

Sources: A*, Hart, Nilsson & Raphael (1968); as planning by language models, Valmeekam et al.,
arXiv:2206.10498.
Axes: H rows, W columns.
"""

import heapq
from dataclasses import dataclass
from itertools import count

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_choices, check_limits

START, GOAL, WALL, FREE = "SG#."
METHODS = ("breadth", "greedy", "astar", "beam")
MOST_ROWS = MOST_COLUMNS = 24
MAPS = {  # nine columns: as many as a phone shows
    "pocket": """
.........
.........
.######..
......#..
......#..
S.....#.G
......#..
.######..
.........
.........""",
    "gate": """
S...#....
....#....
....#....
....#....
....#....
....#....
....#....
.........
....#....
....#...G""",
    "open": """
.........
.........
.S.......
.........
.........
.........
.........
.......G.
.........
.........""",
    "shut": """
.........
..#####..
..#...#..
..#.G.#..
..#...#..
..#####..
.........
.........
S........
.........""",
}
Place = tuple[int, int]  # row, column


@lab_config
class PathConfig:
    map: str = MAPS["pocket"].strip()
    method: str = "astar"
    width: int = 4  # of the beam

    def __post_init__(self):
        read_map(self.map)
        check_choices(self, {"method": METHODS})
        check_limits(self, {"width": (1, 64)})


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    walls: np.ndarray  # (H, W) bool
    start: Place
    goal: Place
    order: np.ndarray  # (H, W) when each place was expanded, from 0; −1 never
    seen: np.ndarray  # (H, W) bool: expanded, or a neighbour of such a place
    path: list[Place]  # from start to goal, both included; empty if not found
    shortest: int  # steps of a shortest path; −1 if there is none

    @property
    def expanded(self) -> int:
        return int((self.order >= 0).sum())


def read_map(text: str) -> tuple[np.ndarray, Place, Place]:
    """Rows of `.` and `#` with one S and one G.  -> walls (H, W), start, goal"""
    rows = [line.strip() for line in text.strip().splitlines()]
    if not rows or not rows[0]:
        raise LabInputError("map", text, "not_empty")
    if len(rows) > MOST_ROWS or max(map(len, rows)) > MOST_COLUMNS:
        raise LabInputError("map", text, "map_size", rows=MOST_ROWS, columns=MOST_COLUMNS)
    if len({len(row) for row in rows}) > 1:
        raise LabInputError("map", text, "map_rows_alike")
    if set("".join(rows)) - {START, GOAL, WALL, FREE}:
        raise LabInputError("map", text, "map_signs")
    table = np.array([list(row) for row in rows])
    ends = [np.argwhere(table == sign).tolist() for sign in (START, GOAL)]
    if any(len(places) != 1 for places in ends):
        raise LabInputError("map", text, "map_ends")
    start, goal = (tuple(places[0]) for places in ends)
    return table == WALL, start, goal


def written_map(walls: np.ndarray, start: Place, goal: Place) -> str:
    """The inverse of `read_map`."""
    table = np.where(walls, WALL, FREE)
    table[start], table[goal] = START, GOAL
    return "\n".join("".join(row) for row in table)


def neighbours(walls: np.ndarray, place: Place) -> list[Place]:
    """Free places one step up, right, down, left."""
    row, column = place
    around = [(row - 1, column), (row, column + 1), (row + 1, column), (row, column - 1)]
    height, width = walls.shape
    return [(r, c) for r, c in around if 0 <= r < height and 0 <= c < width and not walls[r, c]]


def steps_left(place: Place, goal: Place) -> int:
    """h: rows and columns still to go, as if there were no wall. Never more than the truth."""
    return abs(place[0] - goal[0]) + abs(place[1] - goal[1])


def priority(method: str, walked: int, left: int) -> int:
    """What is expanded next has the least of this: g, h or g + h."""
    return {"breadth": walked, "greedy": left, "astar": walked + left}[method]


def best_first(
    walls: np.ndarray, start: Place, goal: Place, method: str
) -> tuple[list[Place], dict[Place, Place | None]]:
    """Always expand the open place of least priority; of equals the one seen last.

    -> places in the order of their expansion, and from where each place seen was reached
    """
    parents: dict[Place, Place | None] = {start: None}
    walked, order, age = {start: 0}, [], count(0, -1)
    queue = [(priority(method, 0, steps_left(start, goal)), next(age), start)]
    done = set()
    while queue:
        _, _, place = heapq.heappop(queue)
        if place in done:
            continue
        done.add(place)
        order.append(place)
        if place == goal:
            break
        for other in neighbours(walls, place):
            if walked[place] + 1 < walked.get(other, np.inf):
                walked[other], parents[other] = walked[place] + 1, place
                rank = priority(method, walked[other], steps_left(other, goal))
                heapq.heappush(queue, (rank, next(age), other))
    return order, parents


def beam(
    walls: np.ndarray, start: Place, goal: Place, width: int
) -> tuple[list[Place], dict[Place, Place | None]]:
    """Level by level, the `width` places that seem nearest; what is dropped is never seen again."""
    parents, order, level = {start: None}, [], [start]
    while level:
        ahead = []
        for place in level:
            order.append(place)
            if place == goal:
                return order, parents
            for other in neighbours(walls, place):
                if other not in parents:
                    parents[other] = place
                    ahead.append(other)
        level = sorted(ahead, key=lambda place: steps_left(place, goal))[:width]
    return order, parents


def way_back(parents: dict[Place, Place | None], goal: Place) -> list[Place]:
    """From the goal to the start, turned round; nothing if the goal was never reached."""
    path, place = [], goal if goal in parents else None
    while place is not None:
        path.append(place)
        place = parents[place]
    return path[::-1]


def run(config: PathConfig) -> Path:
    walls, start, goal = read_map(config.map)
    if config.method == "beam":
        order, parents = beam(walls, start, goal, config.width)
    else:
        order, parents = best_first(walls, start, goal, config.method)
    when, seen = np.full(walls.shape, -1), np.zeros(walls.shape, bool)
    for number, place in enumerate(order):
        when[place] = number
    for place in parents:
        seen[place] = True
    found = goal in order
    _, all_parents = best_first(walls, start, goal, "breadth")
    return Path(
        walls, start, goal, when, seen, way_back(parents, goal) if found else [],
        len(way_back(all_parents, goal)) - 1,
    )  # fmt: skip
