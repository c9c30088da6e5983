"""The square of queries and keys in tiles: what has been visited, and what has been moved by then."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.serving.on_chip import Bill
from labcore.serving.tile_walk import Walk

MOST_NUMBERED = 200  # more tiles than these are too small for a number in each


def square(walk: Walk, step: int, text: Words) -> Figure:
    """Tiles in the order in which they were visited; those to come pale, those skipped empty."""
    rows, columns = (np.unique(walk.places[:, pair]) for pair in ((0, 1), (2, 3)))
    order = np.full((len(rows) - 1, len(columns) - 1), np.nan)
    at = np.searchsorted(rows, walk.places[:, 0]), np.searchsorted(columns, walk.places[:, 2])
    order[at] = np.arange(1, len(walk.places) + 1)
    visited = np.where(order <= step, order, np.nan)
    to_come = np.where(order > step, 1.0, np.nan)
    numbered = len(walk.places) <= MOST_NUMBERED
    shared = {"x": columns, "y": rows, "xgap": 1, "ygap": 1}
    figure = plotly_figure(
        go.Heatmap(
            **shared, z=to_come, showscale=False, hoverinfo="skip", opacity=0.25,
            colorscale=[[0, theme.GRAY], [1, theme.GRAY]],
        ),
        go.Heatmap(
            **shared, z=visited, coloraxis="coloraxis",
            texttemplate="%{z:.0f}" if numbered else None,
            hovertemplate=text("axis.order") + " %{z:.0f}<extra></extra>",
        ),
        x_title=text("axis.keys"), y_title=text("axis.queries"), colours="sequential",
    )  # fmt: skip
    figure.update_layout(
        coloraxis={
            "cmin": -0.4 * len(walk.places),
            "cmax": 1.4 * len(walk.places),
            "showscale": False,
        }
    )
    figure.update_yaxes(autorange="reversed", showgrid=False, scaleanchor="x", constrain="domain")
    figure.update_xaxes(showgrid=False, constrain="domain", side="top")
    top, bottom, left, right = (int(edge) for edge in walk.places[step - 1])
    figure.add_shape(
        type="rect", x0=left, x1=right, y0=top, y1=bottom,
        line={"color": theme.MEANING["dropped"], "width": 3},
    )  # fmt: skip
    names = ("query_from", "query_to", "key_from", "key_to")
    table = pd.DataFrame(walk.places, columns=[text(f"column.{name}") for name in names])
    table[text("axis.moved")] = walk.moved
    alt = text("alt.square", step=step, tiles=len(walk.places), all=order.size)
    return Figure("plotly", figure, alt, table, 460)


def moved(walk: Walk, step: int, text: Words) -> Figure:
    """Numbers moved after every tile, towards what the formula says."""
    tiles = np.arange(1, len(walk.places) + 1)
    return curve(
        [
            Series(text("series.moved"), tiles, walk.moved, "measured"),
            Series(text("series.read"), tiles, walk.read, "key"),
            Series(text("series.written"), tiles, walk.written, "value"),
            Series(
                text("series.plain_moved"), tiles[[0, -1]], [walk.plain_moved] * 2, "baseline",
                dashed=True,
            ),
        ],
        x_title=text("axis.tiles"), y_title=text("axis.moved"), y_range=(0, None),
        floor=(walk.formula, text("series.formula")), marks=[(step, text("mark.here"))],
        height=300, alt=text("alt.moved", moved=f"{walk.moved[-1]:,}", plain=f"{walk.plain_moved:,}"),
    )  # fmt: skip


def by_size(walk: Walk, query_tile: int, text: Words) -> Figure:
    """The formula over the size of the queries' tile; the plain way has no tile."""
    return curve(
        [
            Series(text("series.formula"), walk.sizes, walk.by_size, "changed", points=True),
            Series(
                text("series.plain_moved"), walk.sizes[[0, -1]], [walk.plain_formula] * 2,
                "baseline", dashed=True,
            ),
            Series(text("series.counted"), [query_tile], walk.moved[-1:], "dropped", points=True),
        ],
        x_title=text("axis.query_tile"), y_title=text("axis.moved"), log_x=True, log_y=True,
        x_range=(int(walk.sizes[0]), max(int(walk.sizes[-1]), query_tile)), height=280,
        alt=text("alt.by_size"),
    )  # fmt: skip


def bill(result: Bill, text: Words) -> pd.DataFrame:
    """Two ways on one device: moved, kept, and the time that moving and computing take."""
    rows = {
        "plain": (result.plain_bytes, result.score_bytes, result.plain_seconds),
        "tiled": (result.tiled_bytes, result.tile_bytes, result.tiled_seconds),
    }
    return pd.DataFrame(
        {
            text("column.way"): [text(f"way.{way}") for way in rows],
            text("column.moved"): [size(moved) for moved, _, _ in rows.values()],
            text("column.kept"): [size(kept) for _, kept, _ in rows.values()],
            text("column.moving"): [microseconds(moving) for _, _, moving in rows.values()],
            text("column.computing"): [
                microseconds(seconds) for seconds in (result.square_seconds, result.flops_seconds)
            ],
        }
    )


def size(value: float) -> str:
    if value < 1e6:
        return f"{value / 1e3:,.3g} kB"
    return f"{value / 1e6:,.3g} MB" if value < 1e9 else f"{value / 1e9:,.4g} GB"


def microseconds(value: float) -> str:
    return f"{value * 1e6:,.3g} µs" if value < 1e-3 else f"{value * 1e3:,.4g} ms"
