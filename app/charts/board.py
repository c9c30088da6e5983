"""The trade-off board: every measured point in two of its quantities, and the front that nothing beats.

Axes: P points.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.compression import board
from labcore.compression.board import Point, PointConfig
from labcore.compression.constraints import Wish

FORM_ROLE = {"fp32": "baseline", "bf16": "value", "torch-8": "query", "torch-4": "rejected"}
SYMBOL = {"whole": "circle", "cut": "square", "repaired": "diamond", "student": "triangle-up"}
LOGARITHMIC = ("first_ms", "token_ms", "tokens_per_second")


def kind(config: PointConfig) -> str:
    """Which symbol a point has."""
    if config.student:
        return "student"
    if config.cut == 0:
        return "whole"
    return "cut" if config.repair == "none" else "repaired"


def named(config: PointConfig, text: Words) -> str:
    """A point in words."""
    cut = f" {config.cut} %" if config.cut else ""
    repair = f", {text(f'option.repair.{config.repair}')}" if config.repair != "none" else ""
    return text(
        "point.name", model=text(f"kind.{kind(config)}") + cut + repair, form=text(f"form.{config.form}"),
        cache=text(f"form.{config.cache}"), batch=config.batch,
    )  # fmt: skip


def scatter(
    points: Sequence[Point], own: Sequence[Point], x: str, y: str, wishes: Sequence[Wish],
    chosen: Point | None, text: Words,
) -> Figure:  # fmt: skip
    """Recorded points small, one's own as stars; the front as a line; wishes as dashed limits."""
    everything = [*points, *own]
    front = board.pareto(board.costs(everything, (x, y)))
    at = {name: np.array([board.value(p, name) for p in everything]) for name in (x, y)}
    order = np.flatnonzero(front)[np.argsort(at[x][front], kind="stable")]
    traces = [
        go.Scatter(
            x=at[x][order], y=at[y][order], mode="lines", name=text("series.front"),
            line={"color": theme.MEANING["floor"], "width": 2, "shape": "linear"}, hoverinfo="skip",
        )
    ]  # fmt: skip
    for form, role in FORM_ROLE.items():
        here = [n for n, point in enumerate(points) if point.config.form == form]
        traces.append(
            go.Scatter(
                x=at[x][here], y=at[y][here], mode="markers", name=text(f"form.{form}"),
                marker={
                    "color": theme.MEANING[role], "opacity": 0.85,
                    "size": [11 if front[n] else 7 for n in here],
                    "symbol": [SYMBOL[kind(points[n].config)] for n in here],
                },
                customdata=[named(points[n].config, text) for n in here],
                hovertemplate="%{customdata}<br>%{x:.4g} · %{y:.4g}<extra></extra>",
            )
        )  # fmt: skip
    if own:
        traces.append(
            go.Scatter(
                x=at[x][len(points):], y=at[y][len(points):], mode="markers", name=text("series.own"),
                marker={"color": theme.MEANING["changed"], "size": 15, "symbol": "star"},
                customdata=[named(point.config, text) for point in own],
                hovertemplate="%{customdata}<br>%{x:.4g} · %{y:.4g}<extra></extra>",
            )
        )  # fmt: skip
    if chosen is not None:
        traces.append(
            go.Scatter(
                x=[board.value(chosen, x)], y=[board.value(chosen, y)], mode="markers",
                name=text("series.best"), hoverinfo="skip",
                marker={"color": "rgba(0,0,0,0)", "size": 22, "symbol": "circle",
                        "line": {"color": theme.MEANING["rejected"], "width": 3}},
            )
        )  # fmt: skip
    log = tuple(side for side, name in (("x", x), ("y", y)) if name in LOGARITHMIC)
    figure = plotly_figure(
        *traces, x_title=text(f"quantity.{x}"), y_title=text(f"quantity.{y}"), log=log
    )
    for wish in wishes:
        if wish.quantity == x:
            figure.add_vline(x=wish.limit, line_dash="dash", line_color=theme.MEANING["rejected"])
        if wish.quantity == y:
            figure.add_hline(y=wish.limit, line_dash="dash", line_color=theme.MEANING["rejected"])
    best_y = at[y][order][0] if len(order) else float("nan")
    alt = text("alt.scatter", points=len(everything), front=int(front.sum()),
               x=text(f"quantity.{x}"), y=text(f"quantity.{y}"), first=f"{best_y:.3g}")  # fmt: skip
    return Figure("plotly", figure, alt, lambda: table(points, own, text), 480)


def table(points: Sequence[Point], own: Sequence[Point], text: Words) -> pd.DataFrame:
    """All of the board: choices, numbers, spreads, and whether nothing beats a point in all quantities."""
    rows = board.rows([*points, *own])
    sources = ["recorded"] * len(points) + ["measured"] * len(own)
    for row, source in zip(rows, sources, strict=True):
        row["source"] = text(f"provenance.{source}")
    return pd.DataFrame(rows)


def best_table(point: Point, text: Words) -> pd.DataFrame:
    """One point, quantity by quantity, times with their lowest and highest round."""
    rows = []
    for name in board.QUANTITIES:
        found = getattr(point, name)
        spread = f"{found[1]:.3g}–{found[2]:.3g}" if isinstance(found, tuple) else "–"
        rows.append(
            {
                text("column.quantity"): text(f"quantity.{name}"),
                text("column.value"): f"{board.value(point, name):,.4g}",
                text("column.spread"): spread,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)
