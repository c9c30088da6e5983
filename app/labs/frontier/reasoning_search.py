"""Search: the Game of 24 with a value, and a path on a map with a rule of thumb."""

from collections.abc import Mapping

import numpy as np
import streamlit as st

from app.charts import reasoning_search as charts
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.errors import LabInputError
from labcore.reasoning import game24, grid, search24
from labcore.reasoning.grid import MAPS, MOST_COLUMNS, MOST_ROWS, Path, PathConfig
from labcore.reasoning.search24 import METHODS, UNGUIDED, SearchConfig, Searched
from labcore.reasoning.search24_study import Search24Study
from labcore.reasoning.value24 import VALUES

LOOKS = ("game", "path")
NUMBERS_LIMIT = 40
MAP_LIMIT = MOST_ROWS * (MOST_COLUMNS + 1)
LAYOUTS = (*MAPS, "own")
DEFAULT, PATH_DEFAULT = SearchConfig(), PathConfig()


def experiment(page: LabPage) -> None:
    look = page.choice("look", LOOKS, LOOKS[0])
    if look == "game":
        game(page)
    else:
        path(page)


# The Game of 24.


def game(page: LabPage) -> None:
    guess = page.predict("nodes", options=("fewer", "same", "more"))
    left, right = st.columns(2)
    with left:
        numbers = page.text_area("numbers", DEFAULT.numbers, NUMBERS_LIMIT, lines=1)
        method = page.choice("method", METHODS, DEFAULT.method, style="pills")
    with right:
        value = DEFAULT.value
        if method not in UNGUIDED:
            value = page.choice("value", VALUES, value)
        budget = page.slider("budget", 3, 500, DEFAULT.budget)
        width = page.slider("width", 1, 16, DEFAULT.width) if method == "beam" else DEFAULT.width
        drawn = method in ("sample", "guided") or (method not in UNGUIDED and value == "random")
        seed = page.number("search_seed", 0, 9999, DEFAULT.seed) if drawn else DEFAULT.seed
    try:
        config = SearchConfig(numbers, method, value, budget, width, seed)
    except LabInputError as error:
        page.error(error)
    else:
        draw_game(page, config, page.run(search24.run, config))
        page.offer_notebook(*notebook(config))
    st.divider()
    recorded = page.recording("search24", Search24Study)
    page.reveal(guess, compared(recorded.result))
    page.figure(charts.solved(recorded.result, page.text), recorded.provenance, "solved")


def draw_game(page: LabPage, config: SearchConfig, result: Searched) -> None:
    key = "game.found" if result.path else "game.unfound" if result.possible else "game.impossible"
    st.markdown(
        page.text(
            key, expanded=result.expanded, seen=len(result.nodes), scored=result.scored,
        )
    )  # fmt: skip
    if result.path:
        st.text(game24.written(result.path))
    page.part(draw_tree, page, result)


def draw_tree(page: LabPage, result: Searched) -> None:
    """The search as far as the learner lets it run."""
    expansions = 1 + max(node.expanded for node in result.nodes)
    shown = so_far(page.slider("shown", 0, 100, 100, 5), expansions)
    page.figure(charts.tree(result, shown, page.text), COMPUTED, "tree")


def so_far(percent: int, expansions: int) -> int:
    """How many expansions are shown; at least the first."""
    return max(1, round(percent / 100 * expansions))


def compared(study: Search24Study) -> str:
    """Games solved with nine nodes, best first with the learned value, against sampling with 480."""
    few = study.solved["best-learned"][:, list(study.budgets).index(9)].mean()
    many = study.solved["sample-exact"][:, -1].mean()
    return "same" if abs(few - many) < 0.05 else "more" if few > many else "fewer"


def notebook(config: SearchConfig) -> tuple[str, ...]:
    return (
        "from labcore.reasoning import game24, search24 as lab\n\n"
        f"result = lab.run(lab.{config!r})\n"
        "print(result.expanded, 'nodes expanded:', game24.written(result.path))",
        "for node in result.nodes:\n"
        "    if node.expanded >= 0:\n"
        "        print(node.expanded, node.move, [str(n) for n in node.state], node.value)",
    )


# The map.


def path(page: LabPage) -> None:
    layout, own = map_knobs(page, drawn=False)
    if chosen := page.clicked("plan"):
        turned = with_wall(own if layout == "own" else MAPS[layout].strip(), chosen)
        if turned and not any(map(page.controls.fixed, ("layout", "map"))):
            page.controls.set("layout", "own")
            page.controls.set("map", turned)
    left, right = st.columns(2)
    with left:
        layout, own = map_knobs(page, drawn=True)
    with right:
        method = page.choice("path_method", grid.METHODS, PATH_DEFAULT.method)
        width = PATH_DEFAULT.width
        if method == "beam":
            width = page.slider("path_width", 1, 16, width)
    try:
        config = PathConfig(own if layout == "own" else MAPS[layout].strip(), method, width)
    except LabInputError as error:
        page.error(error)
        return
    result = page.run(grid.run, config)
    draw_path(page, result)
    rows = {name: page.run(grid.run, PathConfig(config.map, name, width)) for name in grid.METHODS}
    st.dataframe(charts.compared(rows, page.text), hide_index=True)
    page.caption("path.about")
    page.offer_notebook(
        "from labcore.reasoning import grid as lab\n\n"
        f"result = lab.run(lab.{config!r})\n"
        "print(result.expanded, 'places expanded,', len(result.path) - 1, 'steps')",
        "print(result.order)",
    )


def map_knobs(page: LabPage, drawn: bool) -> tuple[str, str]:
    """Which map, and the learner's own; `drawn` False asks without showing."""
    if not drawn:
        with page.controls.aside():
            return map_knobs(page, drawn=True)
    layout = page.choice("layout", LAYOUTS, LAYOUTS[0], style="pills")
    if layout == "own":
        return layout, page.text_area("map", PATH_DEFAULT.map, MAP_LIMIT, lines=11)
    with page.controls.aside():
        return layout, page.text_area("map", PATH_DEFAULT.map, MAP_LIMIT)


def with_wall(text: str, chosen: Mapping[str, int]) -> str | None:
    """The map with one wall more or less; None if there is no such place, or it is an end."""
    try:
        walls, start, goal = grid.read_map(text)
    except LabInputError:
        return None
    place = (int(chosen["row"]), int(chosen["column"]))
    if place in (start, goal) or not (np.array(place) < walls.shape).all():
        return None
    walls = walls.copy()
    walls[place] = ~walls[place]
    return grid.written_map(walls, start, goal)


def draw_path(page: LabPage, result: Path) -> None:
    key = "path.found" if result.path else "path.unfound" if result.shortest >= 0 else "path.none"
    st.markdown(
        page.text(
            key, expanded=result.expanded, steps=len(result.path) - 1, shortest=result.shortest
        )
    )  # fmt: skip
    shown = so_far(page.slider("path_shown", 0, 100, 100, 5), result.expanded)
    page.figure(charts.plan(result, shown, page.text), COMPUTED, "plan")
