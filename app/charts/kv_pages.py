"""A server's memory: who lies where, step after step, and what becomes of the requests.

Axes: T steps, C slots, S seeds, M sizes of a block.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.serving.page_server import (
    EMPTY,
    FREE,
    MAP_EVERY,
    SHARED,
    SLOTS,
    WAYS,
    WRITTEN,
    ServerResult,
)
from labcore.serving.page_study import PageStudy

ROLES = {"reserved": "baseline", "exact": "key", "paged": "changed", "shared": "kept"}
STATES = {
    FREE: "rgba(128,128,128,0.10)",
    WRITTEN: theme.MEANING["changed"],
    EMPTY: theme.MEANING["dropped"],
    SHARED: theme.MEANING["kept"],
}
WORD_OF = {FREE: "free", WRITTEN: "written", EMPTY: "empty", SHARED: "shared"}


def memory_map(result: ServerResult, way: str, text: Words) -> Figure:
    """Every address over time, coloured by what lies there."""
    cells = result.ways[way].map  # (T / MAP_EVERY, C)
    last = len(STATES) - 1
    edges = [
        [position, colour]
        for state, colour in STATES.items()
        for position in (state / len(STATES), (state + 1) / len(STATES))
    ]
    heat = go.Heatmap(
        z=cells.T, x0=0, dx=MAP_EVERY, zmin=-0.5, zmax=last + 0.5, colorscale=edges,
        showscale=False, hovertemplate="%{x} · %{y}<extra></extra>",
    )  # fmt: skip
    legend = [
        go.Scatter(
            x=[None], y=[None], mode="markers", name=text(f"state.{WORD_OF[state]}"),
            marker={"symbol": "square", "size": 11, "color": colour},
        )
        for state, colour in STATES.items()
    ]  # fmt: skip
    figure = plotly_figure(
        heat, *legend, x_title=text("axis.step"), y_title=text("axis.slot"), showlegend=True
    )
    figure.update_layout(legend={"font": {"size": 11}, "itemwidth": 30})
    served = result.ways[way]
    alt = text("alt.map", way=text(f"way.{way}"), wasted=f"{served.wasted_share:.0%}")
    return Figure("plotly", figure, alt, lambda: _map_table(cells, text), 340)


def _map_table(cells: np.ndarray, text: Words) -> pd.DataFrame:
    """Slots of each kind, step by step."""
    table = {text("axis.step"): np.arange(len(cells)) * MAP_EVERY}
    for state, word in WORD_OF.items():
        table[text(f"state.{word}")] = (cells == state).sum(axis=1)
    return pd.DataFrame(table)


def fates(result: ServerResult, text: Words) -> pd.DataFrame:
    """What became of the requests, way by way."""
    ways = [result.ways[way] for way in WAYS]
    return pd.DataFrame(
        {
            text("column.way"): [text(f"way.{way}") for way in WAYS],
            text("column.finished"): [one.finished for one in ways],
            text("column.refused"): [one.refused for one in ways],
            text("column.running"): [f"{one.running.mean():.1f}" for one in ways],
            text("column.wasted"): [f"{one.wasted_share:.0%}" for one in ways],
            text("column.preempted"): [one.preempted for one in ways],
        }
    )


def running(result: ServerResult, text: Words) -> Figure:
    """How many requests are being served at once."""
    series = [
        Series(text(f"way.{way}"), np.arange(len(one.running)), one.running, ROLES[way])
        for way, one in result.ways.items()
    ]
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.running"), y_range=(0, None),
        height=280, alt=text("alt.running"),
    )  # fmt: skip


def fragments(result: ServerResult, way: str, text: Words) -> Figure:
    """Free memory, and the longest piece of it: what lies between is free and of no use to a long request."""
    one = result.ways[way]
    steps, free = np.arange(len(one.held)), SLOTS - one.held
    return curve(
        [
            Series(text("series.free"), steps, free, "baseline"),
            Series(text("series.hole"), steps, one.largest_hole, "changed"),
        ],
        x_title=text("axis.step"), y_title=text("axis.slots"), y_range=(0, None), height=260,
        alt=text("alt.fragments"),
    )  # fmt: skip


def blocks(study: PageStudy, measure: str, text: Words) -> Figure:
    """A measure over the size of a block: mean over seeds, with the band between lowest and highest."""
    series = []
    for way in WAYS:
        rows = study.measures[way][measure]
        band = (rows.min(axis=0), rows.max(axis=0))
        name = text(f"way.{way}")
        series.append(
            Series(
                name, study.blocks, rows.mean(axis=0), ROLES[way], points=way in ("paged", "shared"),
                spread=band, dashed=way in ("reserved", "exact"),
            )
        )  # fmt: skip
    return curve(
        series, x_title=text("axis.block"), y_title=text(f"axis.{measure}"), log_x=True,
        x_range=(1, int(study.blocks[-1])),
        y_range=(0, None), height=300, alt=text(f"alt.blocks.{measure}"),
    )  # fmt: skip
