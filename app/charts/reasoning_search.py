"""Pictures of search: the tree of the Game of 24, how many games are solved, and a map with its path."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.charts.masked import cell, words_table
from app.figures import Figure
from app.i18n import Words
from labcore.reasoning.game24 import signed
from labcore.reasoning.grid import Path
from labcore.reasoning.search24 import Node, Searched
from labcore.reasoning.search24_study import Search24Study

TONES = {
    "path": theme.MEANING["kept"],
    "expanded": theme.MEANING["changed"],
    "seen": theme.MEANING["neutral"],
}
ROLES = {
    "sample-exact": "baseline", "depth-exact": "guess", "breadth-exact": "divergence",
    "best-random": "dropped", "best-near": "uniform", "best-learned": "kept",
    "guided-learned": "changed",
}  # fmt: skip
BEAM_ROLE = {"near": "uniform", "learned": "kept"}


# The tree.


def tree(result: Searched, shown: int, text: Words) -> Figure:
    """Nodes after `shown` expansions: what was expanded, what was only seen, and the way to 24."""
    nodes = result.nodes
    alive = [
        n
        for n, node in enumerate(nodes)
        if node.parent < 0 or 0 <= nodes[node.parent].expanded < shown
    ]
    found = result.answer >= 0 and result.answer in alive
    on_path = _line_of(nodes, result.answer) if found else set()
    across = _places(nodes, alive)
    kinds = {n: _kind(n, nodes[n], shown, on_path) for n in alive}
    traces = [_edges(nodes, alive, across, on_path, drawn) for drawn in (False, True)]
    for kind, size in (("seen", 5), ("expanded", 9), ("path", 12)):
        some = [n for n in alive if kinds[n] == kind]
        traces.append(
            go.Scatter(
                x=[across[n] for n in some], y=[nodes[n].depth for n in some], mode="markers",
                name=text(f"fate.{kind}"), marker={"size": size, "color": TONES[kind]},
                customdata=[[_told(nodes[n], text), f"{nodes[n].value:.2f}"] for n in some],
                hovertemplate=text("hover.node") + "<extra></extra>",
            )
        )  # fmt: skip
    figure = plotly_figure(*traces, y_title=text("axis.moves"))
    figure.update_xaxes(visible=False)
    figure.update_yaxes(range=[3.3, -0.3], tickvals=[0, 1, 2, 3], showgrid=False, zeroline=False)
    table = pd.DataFrame(
        {
            text("column.state"): [_state(nodes[n]) for n in alive],
            text("column.move"): [str(nodes[n].move or "") for n in alive],
            text("column.value"): [round(nodes[n].value, 3) for n in alive],
            text("column.expanded"): [nodes[n].expanded + 1 or "" for n in alive],
        }
    ).astype(str)
    expanded = sum(1 for n in alive if 0 <= nodes[n].expanded < shown)
    key = "alt.tree.found" if found else "alt.tree"
    alt = text(key, seen=len(alive), expanded=expanded)
    return Figure("plotly", figure, alt, table, 420)


def _kind(number: int, node: Node, shown: int, on_path: set[int]) -> str:
    if number in on_path:
        return "path"
    return "expanded" if 0 <= node.expanded < shown else "seen"


def _line_of(nodes: list[Node], number: int) -> set[int]:
    line = set()
    while number >= 0:
        line.add(number)
        number = nodes[number].parent
    return line


def _places(nodes: list[Node], alive: list[int]) -> dict[int, float]:
    """Leaves side by side, every parent above the middle of its children."""
    children: dict[int, list[int]] = {n: [] for n in alive}
    for n in alive:
        if nodes[n].parent >= 0:
            children[nodes[n].parent].append(n)
    across: dict[int, float] = {}
    leaf = 0
    waiting = [(0, False)]
    while waiting:
        number, done = waiting.pop()
        if not children[number]:
            across[number], leaf = float(leaf), leaf + 1
        elif done:
            across[number] = float(np.mean([across[child] for child in children[number]]))
        else:
            waiting += [(number, True), *((child, False) for child in children[number][::-1])]
    return across


def _edges(nodes, alive, across, on_path, drawn: bool) -> go.Scatter:
    """All lines as one trace; `drawn`: those of the way to 24."""
    x, y = [], []
    for n in alive:
        parent = nodes[n].parent
        if parent >= 0 and (n in on_path) == drawn:
            x += [across[parent], across[n], None]
            y += [nodes[parent].depth, nodes[n].depth, None]
    colour, width = (TONES["path"], 3) if drawn else (TONES["seen"], 0.6)
    return go.Scatter(
        x=x, y=y, mode="lines", hoverinfo="skip", showlegend=False,
        line={"color": colour, "width": width}, opacity=1.0 if drawn else 0.5,
    )  # fmt: skip


def _state(node: Node) -> str:
    return "  ".join(map(signed, node.state))


def _told(node: Node, text: Words) -> str:
    left = text("hover.left", numbers=_state(node))
    return f"{node.move}<br>{left}" if node.move else left


def solved(study: Search24Study, text: Words) -> Figure:
    """Games solved over nodes expanded."""
    series = [
        Series(
            text(f"search.{way}"), study.budgets, shares.mean(axis=0), ROLES[way], points=True,
            spread=(shares.min(axis=0), shares.max(axis=0)),
        )
        for way, shares in study.solved.items()
    ]  # fmt: skip
    series += [
        Series(
            text(f"search.beam-{value}"), study.beam_nodes[value], shares, BEAM_ROLE[value],
            dashed=True, points=True,
        )
        for value, shares in study.beam_solved.items()
    ]  # fmt: skip
    at_nine = list(study.budgets).index(9)
    return curve(
        series, x_title=text("axis.nodes"), y_title=text("axis.solved"), y_range=(0, 1),
        log_x=True, x_range=(3, 500), height=420,
        alt=text(
            "alt.solved", games=study.games,
            sample=f"{study.solved['sample-exact'][:, at_nine].mean():.0%}",
            learned=f"{study.solved['best-learned'][:, at_nine].mean():.0%}",
        ),
    )  # fmt: skip


# The map.


def plan(result: Path, shown: int, text: Words) -> Figure:
    """Walls, the places expanded so far in their order, and the path.  Selects {"row", "column"}."""
    on_path = set(result.path) if shown >= result.expanded else set()
    height, width = result.walls.shape
    cells = [
        [_place(result, (row, column), shown, on_path, text) for column in range(width)]
        for row in range(height)
    ]
    return words_table(
        [str(row + 1) for row in range(height)], [str(column + 1) for column in range(width)],
        cells, text("alt.plan", expanded=min(shown, result.expanded), steps=len(on_path)),
        text("hint.plan"), [(text(f"fate.{name}"), TONES[name]) for name in ("path", "expanded")],
        selects=True,
    )  # fmt: skip


def _place(result: Path, place: tuple[int, int], shown: int, on_path: set, text: Words) -> dict:
    if result.walls[place]:
        return cell("█", 0.0, None, text("fate.wall"))
    order = int(result.order[place])
    expanded = 0 <= order < shown
    word = "S" if place == result.start else "G" if place == result.goal else "·"
    if word == "·" and expanded:
        word = str(order + 1)
    if place in on_path:
        return cell(word, 0.7, TONES["path"], text("fate.path"))
    if expanded:
        return cell(word, 0.35, TONES["expanded"], text("fate.expanded"))
    return cell(word, 0.0, None, text("fate.unseen"))


def compared(results: dict[str, Path], text: Words) -> pd.DataFrame:
    """All methods on one map: places expanded and steps walked."""
    return pd.DataFrame(
        [
            {
                text("column.method"): text(f"option.path_method.{name}"),
                text("column.places"): result.expanded,
                text("column.steps"): str(len(result.path) - 1) if result.path else "✗",
            }
            for name, result in results.items()
        ]
    )
