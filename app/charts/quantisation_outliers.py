"""Outlier channels: what they do to rounding, what cures it, and SmolLM2's own.

Axes: C cases, S seeds, L layers, D channels.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.bars import grouped
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.compression.input_sizes import EDGES
from labcore.compression.outliers import OutliersResult
from labcore.compression.quantise_smollm import PLACES, SmolResult
from labcore.compression.quantise_study import OutlierCase

PLACE_ROLES = dict(zip(PLACES, ("query", "value", "key", "rejected"), strict=True))
SMALLEST_RISE = 1e-4
SMALLEST_SHARE = 0.01  # %; what is less, or nothing, is drawn there


def cases(result: OutliersResult, text: Words) -> Figure:
    """What each way of rounding costs with and without planted channels."""
    clean = (result.clean_losses - result.full_loss).tolist()
    planted = (result.losses - result.full_loss).tolist()
    return grouped(
        [(text("series.clean"), clean, "baseline"), (text("series.planted"), planted, "changed")],
        [text(f"case.{case}") for case in result.cases], text,
        alt=text("alt.cases", worst=text(f"case.{result.cases[int(result.losses.argmax())]}"),
                 rise=f"{max(planted):.4f}"),
        value_title=text("axis.rise"),
    )  # fmt: skip


def channels(result: OutliersResult, norm: int, side: str, text: Words) -> Figure:
    """The largest value of each channel of one norm's output, or of the weights that read it."""
    # The planted ones first: elsewhere they are as before, and the line before covers them.
    kinds = ("planted", "clean", "smooth") if side == "inputs" else ("planted", "smooth")
    roles = {"clean": "baseline", "planted": "rejected", "smooth": "changed"}
    rows = {kind: getattr(result, f"{side}_{kind}")[norm] for kind in kinds}
    x = np.arange(len(rows["planted"]))
    figure = curve(
        [Series(text(f"series.{side}.{kind}"), x, row, roles[kind]) for kind, row in rows.items()],
        x_title=text("axis.channel"), y_title=text(f"axis.{side}"), log_y=True, height=280,
        x_range=(0, len(x) - 1),
        alt=text(f"alt.{side}", planted=f"{rows['planted'].max():.1f}",
                 smooth=f"{rows['smooth'].max():.2f}"),
    )  # fmt: skip
    return figure


def sizes(result: OutliersResult, norm: int, text: Words) -> Figure:
    """How many inputs of each size one norm hands on, before and after planting and smoothing."""
    roles = {"planted": "rejected", "clean": "baseline", "smooth": "changed"}
    middles = np.sqrt(EDGES[:-1] * EDGES[1:])
    shares = {}
    for kind in roles:
        counts = result.sizes[kind].counts[norm]
        shares[kind] = np.maximum(100 * counts / counts.sum(), SMALLEST_SHARE)
    seen = np.flatnonzero(np.max(list(shares.values()), axis=0) > SMALLEST_SHARE)
    low, high = max(seen[0] - 1, 0), min(seen[-1] + 2, len(middles))
    return curve(
        [Series(text(f"series.inputs.{kind}"), middles[low:high], share[low:high], roles[kind])
         for kind, share in shares.items()],
        x_title=text("axis.size"), y_title=text("axis.inputs_share"), log_x=True, log_y=True, height=280,
        alt=text("alt.sizes_of_inputs",
                 **{kind: f"{result.sizes[kind].vanished[norm]:.0%}" for kind in roles}),
    )  # fmt: skip


def seeds(case: OutlierCase, full_loss: float, text: Words) -> Figure:
    """Every seed of one setting: other channels, other calibration stories."""
    labels = [text(f"case.{name}") for name in case.names]
    traces, tables = [], []
    for kind, role, losses in (
        ("clean", "baseline", case.clean_losses),
        ("planted", "changed", case.losses),
    ):
        rises = np.maximum(losses - full_loss, SMALLEST_RISE)  # (S, C)
        traces.append(
            go.Scatter(
                x=rises.T.ravel(), y=np.repeat(labels, len(rises)), mode="markers", opacity=0.75,
                name=text(f"series.{kind}"), marker={"size": 11, "color": theme.MEANING[role]},
                hovertemplate="%{x:.4f}<extra></extra>",
            )
        )  # fmt: skip
        tables.append(
            pd.DataFrame({
                text("column.case"): labels,
                text("column.model"): text(f"series.{kind}"),
                text("column.mean"): losses.mean(axis=0).round(4),
                text("column.low"): losses.min(axis=0).round(4),
                text("column.high"): losses.max(axis=0).round(4),
            })
        )  # fmt: skip
    figure = plotly_figure(*traces, x_title=text("axis.rise"), log=("x",))
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(tickvals=[10.0**power for power in range(-4, 2)], tickformat="~r")
    return Figure("plotly", figure, text("alt.seeds"), pd.concat(tables), 110 + 42 * len(labels))


def ratios(result: SmolResult, text: Words) -> Figure:
    """How far the largest channel stands out, layer by layer, at four places of SmolLM2."""
    layers = np.arange(result.ratios.shape[1])
    series = [
        Series(text(f"place.{place}"), layers, row, PLACE_ROLES[place], points=True)
        for place, row in zip(PLACES, result.ratios, strict=True)
    ]
    return curve(
        series, x_title=text("axis.layer"), y_title=text("axis.ratio"), log_y=True, height=320,
        alt=text("alt.ratios", most=f"{result.ratios.max():.0f}"),
    )  # fmt: skip


def profile(result: SmolResult, place: str, text: Words) -> Figure:
    """All channels of the layer in which one stands out most, the largest first."""
    row = np.sort(result.worst[place])[::-1]
    ranks = np.unique(np.geomspace(1, len(row), 100).astype(int))  # evenly on the axis
    return curve(
        [Series(text(f"place.{place}"), ranks, row[ranks - 1], PLACE_ROLES[place], points=True)],
        x_title=text("axis.rank"), y_title=text("axis.inputs"), log_x=True, log_y=True, height=280,
        alt=text("alt.profile", first=f"{row[0]:.1f}", middle=f"{np.median(row):.2f}"),
    )  # fmt: skip


def smol_table(result: SmolResult, text: Words) -> pd.DataFrame:
    """SmolLM2's loss in every case, its rise over full precision, and the bits stored."""
    rows = [
        {
            text("column.case"): text(f"smol.{name}"),
            text("column.rise"): round(float(losses.mean()) - result.full_loss, 3),
            text("column.stored"): round(result.bits[name], 2),
            text("column.loss"): round(float(losses.mean()), 3),
            text("column.spread"): f"{losses.min():.3f}–{losses.max():.3f}"
            if len(losses) > 1
            else "–",
        }
        for name, losses in result.losses.items()
    ]
    return pd.DataFrame(rows)
