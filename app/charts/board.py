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

FORM_ROLE = {
    "fp32": "baseline", "bf16": "value", "torch-8": "query", "torch-4": "rejected", "csr": "guess",
}  # fmt: skip
SYMBOL = {
    "whole": "circle", "zeros": "x", "cut": "square", "repaired": "diamond", "student": "triangle-up",
}  # fmt: skip
LOGARITHMIC = board.TIMED
TICKS = [digit * 10.0**power for power in range(-4, 6) for digit in (1, 2, 5)]
NEAREST = 1e-4  # nats: a point this near to the floor, or below it by luck, is drawn here


def kind(config: PointConfig) -> str:
    """Which symbol a point has."""
    if config.student:
        return "student"
    if config.zeros:
        return "zeros"
    if config.cut == 0:
        return "whole"
    return "cut" if config.repair == "none" else "repaired"


def named(config: PointConfig, text: Words) -> str:
    """A point in words."""
    parts = [text("kind.student") if config.student else text("kind.whole")]
    if config.cut:
        parts = [text("kind.cut", percent=config.cut)]
    if config.repair != "none":
        parts.append(text(f"kind.{config.repair}"))
    if config.zeros:
        parts.append(text("kind.zeros", percent=config.zeros))
    return text(
        "point.name", model=text("list.gap").join(parts), form=text(f"form.{config.form}"),
        cache=text(f"form.{config.cache}"), batch=config.batch,
    )  # fmt: skip


class Axis:
    """One quantity as it is drawn: the loss, if asked, as what it lies above its floor."""

    def __init__(self, quantity: str, floor: float, above: bool, text: Words):
        self.quantity = quantity
        self.shift = floor if above and quantity == "loss_nats" else 0.0
        self.log = quantity in LOGARITHMIC or self.shift > 0
        self.title = text(f"quantity.{quantity}")
        if self.shift:
            self.title = text("quantity.above_floor", floor=f"{floor:.4f}")

    def at(self, number: float) -> float:
        return max(number - self.shift, NEAREST) if self.shift else number

    def of(self, point: Point) -> float:
        return self.at(board.value(point, self.quantity))

    def spread(self, points: Sequence[Point]) -> dict | None:
        """Fastest and slowest round as a bar, where there are rounds."""
        if self.quantity not in board.TIMED:
            return None
        ends = np.array([board.span(point, self.quantity) for point in points]).reshape(-1, 2)
        middle = np.array([board.value(point, self.quantity) for point in points])
        return {
            "type": "data", "symmetric": False, "array": ends[:, 1] - middle,
            "arrayminus": middle - ends[:, 0], "thickness": 1, "width": 0,
        }  # fmt: skip


def scatter(
    points: Sequence[Point], own: Sequence[Point], x: str, y: str, wishes: Sequence[Wish],
    chosen: Point | None, floor: float, above: bool, source: str, text: Words,
) -> Figure:  # fmt: skip
    """The field's points small, one's own as stars; the front as a line; wishes as dashed limits."""
    everything = [*points, *own]
    across, up = Axis(x, floor, above, text), Axis(y, floor, above, text)
    front = board.pareto(board.costs(everything, (x, y)))
    order = sorted(np.flatnonzero(front), key=lambda n: (across.of(everything[n]), n))
    traces = [
        go.Scatter(
            x=[across.of(everything[n]) for n in order], y=[up.of(everything[n]) for n in order],
            mode="lines", name=text("series.front"), hoverinfo="skip",
            line={"color": theme.MEANING["expected"], "width": 2},
        )
    ]  # fmt: skip
    for form, role in FORM_ROLE.items():
        here = [n for n, point in enumerate(points) if point.config.form == form]
        sizes = [11 if front[n] else 7 for n in here]
        traces.append(
            marks([points[n] for n in here], across, up, text(f"form.{form}"), text,
                  color=theme.MEANING[role], size=sizes)
        )  # fmt: skip
    if own:
        traces.append(
            marks(own, across, up, text("series.own"), text,
                  color=theme.MEANING["gradient"], size=15, symbol="star")
        )  # fmt: skip
    if chosen is not None:
        kept = all(wish.holds(board.value(chosen, wish.quantity)) for wish in wishes)
        traces.append(
            go.Scatter(
                x=[across.of(chosen)], y=[up.of(chosen)], mode="markers",
                name=text("series.best" if kept else "series.nearest"), hoverinfo="skip",
                marker={"color": "rgba(0,0,0,0)", "size": 22, "symbol": "circle",
                        "line": {"color": theme.MEANING["rejected"], "width": 3}},
            )
        )  # fmt: skip
    figure = plotly_figure(
        *traces, x_title=across.title, y_title=up.title,
        log=tuple(side for side, axis in (("x", across), ("y", up)) if axis.log),
    )  # fmt: skip
    marked = {"tickvals": TICKS, "ticktext": [f"{tick:,g}" for tick in TICKS]}
    figure.update_xaxes(**marked if across.log else {}).update_yaxes(**marked if up.log else {})
    for axis, line in ((across, figure.add_vline), (up, figure.add_hline)):
        for wish in wishes:
            # a limit at or below the floor has no place on a logarithmic axis
            if wish.quantity == axis.quantity and wish.limit - axis.shift > 0:
                line(
                    wish.limit - axis.shift, line_dash="dash", line_color=theme.MEANING["rejected"]
                )
        if axis.quantity == "loss_nats" and not axis.shift:
            line(floor, line_dash="dot", line_color=theme.MEANING["floor"],
                 annotation_text=text("series.floor", floor=f"{floor:.4f}"))  # fmt: skip
    first, last = (board.value(everything[order[end]], y) if order else floor for end in (0, -1))
    alt = text("alt.scatter", points=len(everything), front=len(order), x=text(f"quantity.{x}"),
               y=text(f"quantity.{y}"), first=f"{first:.3g}", last=f"{last:.3g}")  # fmt: skip
    return Figure("plotly", figure, alt, lambda: table(points, own, source, text), 480)


def marks(
    points: Sequence[Point], across: Axis, up: Axis, name: str, text: Words, symbol: str = "", **marker
) -> go.Scatter:  # fmt: skip
    """Points with their spread, named when pointed at."""
    faint = {"color": "rgba(116, 122, 133, 0.35)"}
    bars = [bar and bar | faint for bar in (across.spread(points), up.spread(points))]
    return go.Scatter(
        x=[across.of(point) for point in points], y=[up.of(point) for point in points],
        mode="markers", name=name, error_x=bars[0], error_y=bars[1],
        marker={"opacity": 0.85, "symbol": symbol or [SYMBOL[kind(p.config)] for p in points]} | marker,
        customdata=[
            (named(p.config, text), f"{board.value(p, across.quantity):.4g}",
             f"{board.value(p, up.quantity):.4g}")
            for p in points
        ],
        hovertemplate="%{customdata[0]}<br>%{customdata[1]} · %{customdata[2]}<extra></extra>",
    )  # fmt: skip


def table(
    points: Sequence[Point], own: Sequence[Point], source: str, text: Words
) -> pd.DataFrame:  # fmt: skip
    """All of these points: choices, numbers, spreads, and whether nothing beats a point in all quantities."""
    found = pd.DataFrame(board.rows([*points, *own]))
    sources = [source] * len(points) + ["measured"] * len(own)
    return found.assign(source=[text(f"provenance.{name}") for name in sources])


def best_table(point: Point, text: Words) -> pd.DataFrame:
    """One point, quantity by quantity, times with their lowest and highest round."""
    rows = []
    for name in board.QUANTITIES:
        low, high = board.span(point, name)
        rows.append(
            {
                text("column.quantity"): text(f"quantity.{name}"),
                text("column.value"): f"{board.value(point, name):,.4g}",
                text("column.spread"): f"{low:,.3g}–{high:,.3g}" if name in board.TIMED else "–",
            }
        )
    return pd.DataFrame(rows)
