"""The scaling lab's first part: losses with their law, what the answer owes to choices, where starts land.

Points are means over seeds with their lowest and highest; the line through them is the fitted law.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words as Text
from labcore.scaling.answers import Answers
from labcore.scaling.law import Landings, Law
from labcore.scaling.sweep import PASSES, Progress, SweepResult

ROW_PIXELS = 44
GRID = "rgba(128,128,128,0.25)"
FORM_ROLES = {"free": "law_free", "known": "law_known", "none": "law_none"}
LINE_POINTS = 60
BEYOND = 2.0  # how far a law's line runs past a size's own points, as a factor


def size_name(parameters: float) -> str:
    """
    >>> size_name(3576), size_name(75824), size_name(445264)
    ('3.6k', '76k', '445k')
    """
    thousands = parameters / 1000
    return f"{thousands:.1f}k" if thousands < 10 else f"{thousands:.0f}k"


def losses(
    result: SweepResult, law: Law, axis: str, height: str, count: str, reading: str, text: Text
) -> Figure:
    """Every size's losses with the law through them, over tokens or compute; the floor where it is.

    `height`: "loss" as it is; above the "known" floor or above the "fitted" one, on a logarithmic axis.
    """
    under = {"loss": 0.0, "known": result.floor_nats, "fitted": law.E}[height]
    table, traces = _means(result, count, reading), []
    for number, (size, points) in enumerate(table.groupby("n")):
        name, colour = size_name(size), theme.CATEGORICAL[number % len(theme.CATEGORICAL)]
        x = _across(points["d"], size, axis)
        traces += [
            go.Scatter(
                x=x, y=points["mean"] - under, mode="markers", name=name, legendgroup=name,
                marker={"size": 8, "color": colour}, hovertemplate="%{x:.3s}: %{y:.3f}",
                error_y=error(points, colour),
            ),
            _line(law, size, points["d"], axis, under, name, colour),
        ]  # fmt: skip
    log = "x" if height == "loss" else "xy"
    spec = plotly_figure(
        *traces, x_title=text(f"axis.{axis}"), y_title=text(f"axis.{height}"), log=log,
        legend_title_text=text("legend.sizes"),
    )  # fmt: skip
    spec.update_xaxes(gridcolor=GRID, exponentformat="SI", dtick="D2")
    spec.update_yaxes(gridcolor=GRID)
    if height == "loss":
        level(spec, result.floor_nats, text("level.floor", nats=f"{result.floor_nats:.2f}"))
        if law.E > 0:
            level(spec, law.E, text("level.fitted", nats=f"{law.E:.2f}"), theme.MEANING["law_free"])
    lowest = table["mean"].min()
    alt = text(
        "alt.losses",
        sizes=table["n"].nunique(),
        lowest=f"{lowest:.2f}",
        floor=f"{result.floor_nats:.2f}",
    )
    return Figure("plotly", spec, alt, lambda: _named(table, law, text), height=440)


def _means(result: SweepResult, count: str, reading: str) -> pd.DataFrame:
    """One row per size and amount: n, d, and the mean, lowest and highest over seeds."""
    frame = pd.DataFrame(
        {"n": result.parameters(count), "d": result.tokens, "nats": getattr(result, f"{reading}_nats")}
    )[~result.cosine]  # fmt: skip
    grouped = frame.groupby(["n", "d"])["nats"]
    return grouped.agg(mean="mean", low="min", high="max").reset_index()


def _across(tokens: pd.Series, size: float, axis: str) -> pd.Series:
    return tokens if axis == "tokens" else PASSES * size * tokens


def _line(
    law: Law, size: float, tokens: pd.Series, axis: str, under: float, name: str, colour: str
) -> go.Scatter:
    d = np.geomspace(tokens.min() / BEYOND, tokens.max() * BEYOND, LINE_POINTS)
    return go.Scatter(
        x=_across(d, size, axis), y=law.loss(size, d) - under, mode="lines", name=name,
        legendgroup=name, showlegend=False, line={"color": colour, "width": 1.5, "dash": "dash"},
        hoverinfo="skip",
    )  # fmt: skip


def error(points: pd.DataFrame, colour: str) -> dict:
    """Bars from the lowest to the highest seed."""
    return {
        "type": "data", "symmetric": False, "array": points["high"] - points["mean"],
        "arrayminus": points["mean"] - points["low"], "color": colour, "thickness": 1.5, "width": 3,
    }  # fmt: skip


def level(
    spec: go.Figure,
    value: float,
    label: str,
    colour: str = theme.MEANING["floor"],
    log: bool = False,
) -> None:
    """A labelled horizontal line; `log`: of a figure whose vertical axis is logarithmic."""
    spec.add_hline(y=value, line={"color": colour, "width": 1.5, "dash": "dot"})
    spec.add_annotation(
        x=1, xref="paper", xanchor="right", y=np.log10(value) if log else value, yanchor="top",
        text=label, showarrow=False, font={"color": colour},
    )  # fmt: skip


def _named(table: pd.DataFrame, law: Law, text: Text) -> pd.DataFrame:
    fitted = law.loss(table["n"], table["d"])
    return pd.DataFrame(
        {text("column.parameters"): table["n"], text("column.tokens"): table["d"],
         text("column.mean"): table["mean"], text("column.low"): table["low"],
         text("column.high"): table["high"], text("column.fitted"): fitted}
    )  # fmt: skip


def so_far(events: Sequence[Progress], floor_nats: float, text: Text) -> Figure:
    """The learner's sweep as it grows, one line per size."""
    points = [event.point for event in events if not event.cosine]
    lines = [
        Series(
            size_name(blocks), [p.tokens for p in points if p.blocks == blocks],
            [p.annealed_nats for p in points if p.blocks == blocks], points=True,
        )
        for blocks in sorted({p.blocks for p in points})
    ]  # fmt: skip
    return curve(
        lines, x_title=text("axis.tokens"), y_title=text("axis.loss"), log_x=True,
        floor=(floor_nats, text("level.floor", nats=f"{floor_nats:.2f}")),
        alt=text("alt.so_far", points=len(points)), height=340,
    )  # fmt: skip


def schedules(result: SweepResult, text: Text) -> Figure:
    """How far two readings in passing lie above the finished run of one size, seed by seed."""
    width = result.width[result.cosine][0]
    finished = _by_seed(result, (result.width == width) & result.fitted, "annealed")
    lines = []
    for name, role in (("passing", "divergence"), ("cosine", "rejected")):
        which = result.cosine if name == "cosine" else result.fitted
        gaps = _by_seed(result, (result.width == width) & which, "passing") - finished
        spread = (gaps.min(axis=1), gaps.max(axis=1))
        mean = gaps.mean(axis=1)
        lines.append(
            Series(text(f"series.{name}"), gaps.index, mean, role, points=True, spread=spread)
        )
    most = max(float(np.max(line.y)) for line in lines)
    return curve(
        lines, x_title=text("axis.tokens"), y_title=text("axis.gap"), log_x=True, height=340,
        x_range=(40_000, 900_000), y_range=(-0.01, None),
        floor=(0.0, text("series.annealed")), alt=text("alt.schedules", most=f"{most:.2f}"),
    )  # fmt: skip


def _by_seed(result: SweepResult, keep: np.ndarray, reading: str) -> pd.DataFrame:
    """One row per amount of text, one column per seed."""
    nats = getattr(result, f"{reading}_nats")
    frame = pd.DataFrame({"d": result.tokens, "seed": result.seed, "nats": nats})[keep]
    return frame.pivot(index="d", columns="seed", values="nats")


def answers(found: Answers, which: str, text: Text) -> Figure:
    """One constant as seven ways of asking give it: `which` is "E" or "size_exponent"."""
    column = {"E": 0, "size_exponent": 3}[which]
    values = np.array([getattr(found.law(way), which) for way in found.ways])
    shown = [
        n for n, way in enumerate(found.ways) if not (which == "E" and way in ("none", "known"))
    ]
    names = [text(f"way.{found.ways[n]}") for n in shown]
    low, high = found.low[shown, column], found.high[shown, column]
    spec = plotly_figure(
        go.Scatter(
            x=values[shown], y=names, mode="markers", showlegend=False,
            marker={"size": 10, "color": theme.MEANING["law_free"]},
            error_x={"type": "data", "symmetric": False, "array": high - values[shown],
                     "arrayminus": values[shown] - low, "thickness": 1.5},
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        ),
        x_title=text(f"axis.{which}"),
    )  # fmt: skip
    if which == "E":
        spec.add_vline(
            x=found.floor_nats, line={"color": theme.MEANING["floor"], "dash": "dot", "width": 1.5},
            annotation_text=text("level.floor", nats=f"{found.floor_nats:.2f}"),
            annotation_font_color=theme.MEANING["floor"], annotation_position="top right",
        )  # fmt: skip
    # From the top down, with room above the first row for the label of the line.
    spec.update_yaxes(type="category", range=[len(shown) - 0.5, -1.1], ticklabelstandoff=4)
    spec.update_xaxes(gridcolor=GRID)
    table = pd.DataFrame(
        {text("column.way"): names, text(f"axis.{which}"): values[shown],
         text("column.low_draws"): low, text("column.high_draws"): high,
         text("column.error"): found.error[shown]}
    )  # fmt: skip
    alt = text(
        f"alt.answers_{which}", low=f"{values[shown].min():.2f}", high=f"{values[shown].max():.2f}"
    )
    return Figure("plotly", spec, alt, table, height=110 + ROW_PIXELS * len(shown))


def landings(found: Landings, floor_nats: float, text: Text) -> Figure:
    """Where each start comes to rest, the best first."""
    order = np.argsort(found.objective, kind="stable")
    reached = found.reached[order]
    place = np.arange(1, len(order) + 1)
    traces = [
        go.Scatter(
            x=place[mask], y=found.E[order][mask], mode="markers", name=text(f"landing.{name}"),
            marker={"size": 8, "color": theme.MEANING[role], "symbol": symbol},
            customdata=found.objective[order][mask],
            hovertemplate="E = %{y:.2f}, %{customdata:.0f}<extra></extra>",
        )
        for name, mask, role, symbol in (
            ("reached", reached, "chosen", "circle"), ("elsewhere", ~reached, "rejected", "x"),
        )
    ]  # fmt: skip
    spec = plotly_figure(*traces, x_title=text("axis.start"), y_title=text("axis.E"))
    level(spec, floor_nats, text("level.floor", nats=f"{floor_nats:.2f}"))
    spec.update_yaxes(gridcolor=GRID)
    names = ("e", "a", "alpha", "b", "beta")
    table = pd.DataFrame(
        found.starts[order], columns=[text(f"column.start_{name}") for name in names]
    )
    table = table.assign(
        **{text("axis.E"): found.E[order], text("column.objective"): found.objective[order]}
    )
    alt = text("alt.landings", reached=int(reached.sum()), starts=len(reached))
    return Figure("plotly", spec, alt, table, height=340)
