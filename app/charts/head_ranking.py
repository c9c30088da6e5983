"""What each head is worth, how well a slope guesses it, and how many heads can go.

Axes: S samples, P places, H heads, M points of a curve.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts import maps
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.charts.heads import place_name
from app.figures import Figure
from app.i18n import Words
from labcore.architecture.head_ranking import RankingResult, rank_correlation

BEST = 24  # bars
ROLES = {
    "measured": "changed",
    "slope": "guess",
    "greedy": "chosen",
    "random": "baseline",
}


def importance_map(result: RankingResult, text: Words) -> Figure:
    """The mean importance of every head, layers down, heads across."""
    mean = result.importance.mean(axis=0)
    return maps.matrix(
        mean,
        [place_name(place, text) for place in result.places],
        [text("head.short", head=head) for head in range(mean.shape[1])],
        text,
        alt=text("alt.importance", heads=mean.size, most=f"{mean.max():.2f}"),
        row_title=text("axis.place"),
        column_title=text("axis.head"),
        value_title=text("axis.importance"),
        signed=False,
        bounds=(0.0, float(mean.max()) or 1.0),
        height=460,
    )


def importance_bars(result: RankingResult, text: Words) -> Figure:
    """The most important heads first, each with its lowest and highest value over the samples."""
    samples = result.importance.reshape(len(result.importance), -1)  # (S, N)
    mean = samples.mean(axis=0)
    order = np.argsort(-mean, kind="stable")[:BEST][::-1]
    names = [head_name(result, number, text) for number in order]
    spec = plotly_figure(
        go.Bar(
            x=mean[order], y=names, orientation="h", marker_color=theme.MEANING["changed"],
            error_x=_error(samples[:, order]), hovertemplate="%{y}: %{x:.4f}<extra></extra>",
        ),
        x_title=text("axis.importance"), bargap=0.35,
    )  # fmt: skip
    spec.update_yaxes(type="category")
    return Figure(
        "plotly", spec,
        text("alt.bars", head=names[-1], most=f"{mean.max():.2f}"),
        lambda: _table(result, text), height=90 + 22 * len(order),
    )  # fmt: skip


def slope_against_measure(result: RankingResult, text: Words) -> Figure:
    """Each head a point: its slope across, its measured importance up."""
    samples = result.importance.reshape(len(result.importance), -1)
    slope = result.slope.reshape(len(result.slope), -1).mean(axis=0)
    names = [head_name(result, number, text) for number in range(samples.shape[1])]
    spec = plotly_figure(
        go.Scatter(
            x=slope, y=samples.mean(axis=0), mode="markers", text=names,
            marker={"color": theme.MEANING["changed"], "size": 9},
            error_y=_error(samples, theme.MEANING["baseline"]),
            hovertemplate="%{text}<br>%{x:.4f}, %{y:.4f}<extra></extra>",
        ),
        x_title=text("axis.slope"), y_title=text("axis.importance"),
    )  # fmt: skip
    rho = rank_correlation(samples.mean(axis=0), slope)
    return Figure(
        "plotly", spec, text("alt.slopes", rho=f"{rho:.2f}"), lambda: _table(result, text)
    )


def removal(result: RankingResult, text: Words) -> Figure:
    """The loss as heads go, in every order, with what it would be if importance added up."""
    lines = [
        Series(
            text(f"series.{name}"), result.counts, losses.mean(axis=0), ROLES[name], points=True,
            spread=(losses.min(axis=0), losses.max(axis=0)),
        )
        for name, losses in result.removed.items()
    ]  # fmt: skip
    lines.append(
        Series(text("series.added_up"), result.counts, result.added_up, "divergence", dashed=True)
    )
    return curve(
        lines, x_title=text("axis.off"), y_title=text("axis.nats"), height=380,
        x_range=(0, int(result.counts[-1])),
        alt=text("alt.removal", heads=int(result.counts[-1]), whole=f"{result.added_up[0]:.2f}"),
    )  # fmt: skip


def head_name(result: RankingResult, number: int, text: Words) -> str:
    place, head = divmod(int(number), result.importance.shape[2])
    return f"{place_name(result.places[place], text)} · {text('head.short', head=head)}"


def _error(samples: np.ndarray, colour: str | None = None) -> dict:
    """Bars from the lowest to the highest of the samples.  (S, N)"""
    mean = samples.mean(axis=0)
    return {
        "type": "data", "symmetric": False, "array": samples.max(axis=0) - mean,
        "arrayminus": mean - samples.min(axis=0), "color": colour or theme.MEANING["baseline"],
        "thickness": 1.2, "width": 3,
    }  # fmt: skip


def _table(result: RankingResult, text: Words) -> pd.DataFrame:
    samples = result.importance.reshape(len(result.importance), -1)
    order = np.argsort(-samples.mean(axis=0), kind="stable")
    return pd.DataFrame(
        {
            text("axis.head"): [head_name(result, number, text) for number in order],
            text("axis.importance"): samples.mean(axis=0)[order],
            text("column.lowest"): samples.min(axis=0)[order],
            text("column.highest"): samples.max(axis=0)[order],
            text("axis.slope"): result.slope.reshape(len(result.slope), -1).mean(axis=0)[order],
        }
    )
