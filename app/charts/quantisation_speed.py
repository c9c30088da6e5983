"""Time and bytes of stored forms; which matrices can do with few bits.

Axes: F forms, R rounds, M matrices, S seeds.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.bars import grouped
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.charts.quantisation import MATRIX_ROLES
from app.figures import Figure
from app.i18n import Words
from labcore.compression.judged import short
from labcore.compression.quantise_sensitivity import WIDTHS, SensitivityResult, SensitivityStudy
from labcore.compression.quantise_speed import SpeedResult

ROW_PIXELS = 34
ROUND_NUMBERS = [n * 10**power for power in range(-1, 6) for n in (1, 2, 5)]  # ticks of a log axis


def times(result: SpeedResult, text: Words) -> Figure:
    """Median of the rounds with the fastest and the slowest, one form a row; dashed: fp32."""
    scale, unit = _unit(result.seconds)
    seconds = result.seconds * scale
    middle = np.median(seconds, axis=1)
    labels = [text(f"form.{form}") for form in result.forms]
    colours = ["baseline", *("kept" if one < middle[0] else "dropped" for one in middle[1:])]
    dots = go.Scatter(
        x=middle, y=labels, mode="markers",
        marker={"size": 11, "color": [theme.MEANING[colour] for colour in colours]},
        error_x={"type": "data", "symmetric": False, "array": seconds.max(axis=1) - middle,
                 "arrayminus": middle - seconds.min(axis=1), "color": theme.MEANING["baseline"]},
        hovertemplate="%{x:.4g}<extra></extra>",
    )  # fmt: skip
    figure = plotly_figure(dots, x_title=text(f"axis.{unit}"), log=("x",), showlegend=False)
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(tickvals=ROUND_NUMBERS, tickformat=",~r")
    figure.add_vline(
        float(middle[0]), line={"color": theme.MEANING["floor"], "dash": "dash", "width": 1.5}
    )
    table = pd.DataFrame(
        {
            text("column.form"): labels,
            text(f"axis.{unit}"): middle.round(2),
            text("column.low"): seconds.min(axis=1).round(2),
            text("column.high"): seconds.max(axis=1).round(2),
            text("column.faster"): (middle[0] / middle).round(2),
            text("column.kilobytes"): (result.stored_bytes / 1e3).round(1),
            text("column.error"): [f"{error:.2e}" for error in result.errors],
        }
    )
    quickest = labels[int(middle.argmin())]
    return Figure(
        "plotly", figure, text("alt.times", quickest=quickest), table, 90 + ROW_PIXELS * len(labels)
    )


def _unit(seconds: np.ndarray) -> tuple[float, str]:
    return (1e3, "milliseconds") if np.median(seconds) > 0.002 else (1e6, "microseconds")


def weights(result: SpeedResult, text: Words) -> Figure:
    """Bytes that each form holds, scales included."""
    labels = [text(f"form.{form}") for form in result.forms]
    megabytes = result.stored_bytes / 1e6
    return grouped(
        [(text("axis.megabytes"), megabytes.tolist(), "parameters")], labels, text,
        alt=text("alt.weights_bytes", most=f"{megabytes.max():.2f}", least=f"{megabytes.min():.2f}"),
        value_title=text("axis.megabytes"), height=60 + 26 * len(labels),
    )  # fmt: skip


def rises(result: SensitivityResult, text: Words) -> Figure:
    """What two bits in one matrix alone cost."""
    places = [short(name).split(".") for name in result.names]
    kinds = list(dict.fromkeys(kind for _, kind in places))
    layers = sorted({int(layer) for layer, _ in places})
    by_place = {short(n): float(r) for n, r in zip(result.names, result.rises[:, 0], strict=True)}
    parts = [
        (kind, [by_place[f"{layer}.{kind}"] for layer in layers], MATRIX_ROLES[kind])
        for kind in kinds
    ]
    worst = result.names[int(result.rises[:, 0].argmax())]
    return grouped(
        parts, [text("layer", n=layer) for layer in layers], text,
        alt=text("alt.rises", matrix=short(worst), rise=f"{result.rises[:, 0].max():.3f}"),
        value_title=text("axis.rise"), height=420,
    )  # fmt: skip


def chosen(result: SensitivityResult, text: Words) -> pd.DataFrame:
    """The bits that each matrix got: layers by kinds."""
    places = [short(name).split(".") for name in result.names]
    table = pd.DataFrame(
        {
            text("axis.layer"): [int(p[0]) for p in places],
            "kind": [p[1] for p in places],
            "bits": result.bits,
        }
    )
    wide = table.pivot(index=text("axis.layer"), columns="kind", values="bits")
    return wide[list(dict.fromkeys(p[1] for p in places))].reset_index()


def shared(study: SensitivityStudy, text: Words) -> Figure:
    """Loss over bits: all alike, shared out by sensitivity, and the other way round."""
    bits = study.spent.mean(axis=0)
    floor = 1e-4
    series = [
        Series(text("series.uniform"), WIDTHS, np.maximum(study.uniform - study.full_loss, floor),
               "baseline", points=True),
    ]  # fmt: skip
    for name, role in (("mixed", "kept"), ("worst", "dropped")):
        rise = np.maximum(getattr(study, name) - study.full_loss, floor)  # (S, K)
        series.append(
            Series(text(f"series.{name}"), bits, rise.mean(axis=0), role, points=True,
                   spread=(rise.min(axis=0), rise.max(axis=0)))
        )  # fmt: skip
    return curve(
        series, x_title=text("axis.code_bits"), y_title=text("axis.rise"), log_y=True, height=340,
        alt=text("alt.shared"),
    )  # fmt: skip
