"""Quantisation: a matrix and its levels, a model in few bits, methods by bits.

Axes: C levels, K bins, M matrices, S seeds.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.bars import grouped, stacked
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.compression.judged import short
from labcore.compression.levels import LevelsResult
from labcore.compression.quantise_model import QuantiseResult
from labcore.compression.quantise_study import MethodStudy

SMALLEST_RISE = 1e-4  # nats; what is less, or a gain, is drawn there
KILO = 1e3
MATRIX_ROLES = {"q": "query", "k": "key", "v": "value", "out": "divergence", "gate": "uniform",
                "up": "rejected", "down": "baseline"}  # fmt: skip


def levels(result: LevelsResult, text: Words) -> Figure:
    """Where the weights are, and where they may be."""
    middles = (result.edges[:-1] + result.edges[1:]) / 2
    width = result.edges[1] - result.edges[0]
    whole = result.counts / result.counts.sum()
    part = result.block_counts / result.block_counts.sum()
    bars = [_bars(middles, whole, width, text("series.matrix"), "baseline")]
    if result.blocks > 1:
        bars.append(_bars(middles, part, width, text("series.block"), "changed"))
    top = 1.05 * max(whole.max(), part.max())
    x = np.repeat(result.levels, 3)
    y = np.tile([0.0, top, np.nan], len(result.levels))
    lines = go.Scatter(
        x=x, y=y, mode="lines", name=text("series.levels"), hoverinfo="x",
        line={"color": theme.MEANING["rejected"], "width": 1 if len(result.levels) > 40 else 2},
    )  # fmt: skip
    figure = plotly_figure(
        *bars, lines, x_title=text("axis.weight"), y_title=text("axis.share"),
        barmode="overlay", bargap=0,
    )  # fmt: skip
    figure.update_yaxes(range=(0, top), tickformat=".0%")
    table = pd.DataFrame(
        {text("axis.weight"): middles.round(5), text("series.matrix"): result.counts,
         text("series.block"): result.block_counts}
    )  # fmt: skip
    alt = text("alt.levels", levels=len(result.levels), low=f"{result.levels[0]:.3f}",
               high=f"{result.levels[-1]:.3f}")  # fmt: skip
    return Figure("plotly", figure, alt, table, 340)


def _bars(x: np.ndarray, y: np.ndarray, width: float, name: str, role: str) -> go.Bar:
    return go.Bar(
        x=x, y=y, width=width, name=name, opacity=0.65,
        marker={"color": theme.MEANING[role], "line": {"width": 0}},
        hovertemplate="%{x:.3f}: %{y:.2%}<extra></extra>",
    )  # fmt: skip


def used(result: LevelsResult, text: Words) -> Figure:
    """How many weights of the block each level has."""
    share = result.used / result.used.sum()
    # Levels of a table lie closer in the middle: bars of even width would hide each other.
    sticks = go.Scatter(
        x=np.repeat(result.levels, 3), y=np.ravel([[0, one, np.nan] for one in share]),
        mode="lines", line={"color": theme.MEANING["changed"], "width": 3}, hoverinfo="skip",
    )  # fmt: skip
    heads = go.Scatter(
        x=result.levels, y=share, mode="markers", customdata=result.used,
        marker={"color": theme.MEANING["changed"], "size": 7},
        hovertemplate="%{x:.4f}: %{customdata} (%{y:.1%})<extra></extra>",
    )  # fmt: skip
    figure = plotly_figure(
        sticks, heads, x_title=text("axis.level"), y_title=text("axis.share"), showlegend=False
    )
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    table = pd.DataFrame({text("axis.level"): result.levels, text("column.weights"): result.used})
    empty = int((result.used == 0).sum())
    return Figure("plotly", figure, text("alt.used", empty=empty), table, 260)


def errors(result: QuantiseResult, text: Words) -> Figure:
    """What each matrix's outputs are off by, layer by layer."""
    places = [short(name).split(".") for name in result.names]
    kinds = list(dict.fromkeys(kind for _, kind in places))
    layers = sorted({int(layer) for layer, _ in places})
    by_place = dict(zip([short(name) for name in result.names], result.errors, strict=True))
    parts = [
        (kind, [100 * float(by_place[f"{layer}.{kind}"]) for layer in layers], MATRIX_ROLES[kind])
        for kind in kinds
    ]
    worst = result.names[int(result.errors.argmax())]
    return grouped(
        parts, [text("layer", n=layer) for layer in layers], text,
        alt=text("alt.errors", matrix=short(worst), error=f"{result.errors.max():.1%}"),
        value_title=text("axis.error"), height=420,
    )  # fmt: skip


def losses(result: QuantiseResult, text: Words) -> Figure:
    """The floor, full precision, and few bits."""
    values = [result.floor, result.full_loss, result.loss]
    names = [text("series.floor"), text("series.full"), text("series.few")]
    return grouped(
        [(text("axis.loss"), values, "changed")], names, text,
        alt=text("alt.losses", full=f"{values[1]:.4f}", few=f"{values[2]:.4f}"),
        value_title=text("axis.loss"), height=170,
    )  # fmt: skip


def sizes(result: QuantiseResult, text: Words) -> Figure:
    """Bytes of the matrices and of all that stays as it is."""
    inside = [result.full_bytes / KILO, result.stored_bytes / KILO]
    rest = [result.rest_bytes / KILO] * 2
    return stacked(
        [(text("series.inside"), inside, "parameters"), (text("series.rest"), rest, "baseline")],
        [text("series.full"), text("series.few")], text,
        alt=text("alt.sizes", full=f"{sum(c[0] for c in (inside, rest)):.0f}",
                 few=f"{sum(c[1] for c in (inside, rest)):.0f}"),
        value_title=text("axis.kilobytes"), height=180,
    )  # fmt: skip


def methods(study: MethodStudy, ways: tuple[str, ...], text: Words) -> Figure:
    """What each way costs in loss, over all the bits that it stores."""
    series = []
    for way in ways:
        cases = study.cases[way].values()
        bits = [case.bits_per_weight for case in cases]
        rises = [np.maximum(case.losses - study.full_loss, SMALLEST_RISE) for case in cases]
        low, high = ([float(f(one)) for one in rises] for f in (np.min, np.max))
        series.append(
            Series(text(f"way.{way}"), bits, [float(np.mean(one)) for one in rises],
                   points=True, spread=(low, high))
        )  # fmt: skip
    return curve(
        series, x_title=text("axis.bits"), y_title=text("axis.rise"), log_y=True,
        alt=text("alt.methods"), height=360,
    )  # fmt: skip


def methods_table(study: MethodStudy, ways: tuple[str, ...], text: Words) -> pd.DataFrame:
    """Every case: bits stored, bytes, loss and its spread."""
    rows = [
        {
            text("column.way"): text(f"way.{way}"),
            text("column.bits"): int(bits),
            text("column.stored"): round(case.bits_per_weight, 2),
            text("column.kilobytes"): round(case.bits_per_weight * study.weights / 8 / KILO),
            text("column.loss"): round(float(case.losses.mean()), 4),
            text("column.spread"): _spread(case.losses),
        }
        for way in ways
        for bits, case in study.cases[way].items()
    ]
    return pd.DataFrame(rows)


def _spread(values: np.ndarray) -> str:
    return f"{values.min():.4f}–{values.max():.4f}" if len(values) > 1 else "–"
