"""Architectures side by side: what they weigh, compute, remember, and how fast they write."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.amounts import short
from app.charts.bars import stacked
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from labcore.scaling.decoding import BATCHES, Decoding
from labcore.scaling.evolution import Row

Text = Callable[..., str]
GB = 1e9
# What is compared: a field of Row, the colour's meaning, the shape of its mark.
MEASURES = {
    "parameters": ("parameters", "parameters", "circle"),
    "active": ("active", "gradients", "diamond"),
    "operations": ("writing_flops", "optimizer", "square"),
    "cache": ("cache_bytes", "communication", "triangle-up"),
}


def name_of(row: Row | Decoding, text: Text) -> str:
    """A published model's title, or a step's name in the learner's language."""
    return text(f"step.{row.name}") if row.title == row.name else row.title


def compared(rows: Sequence[Row], reference: str, text: Text) -> Figure:
    """Four quantities of every design as multiples of the reference's, on one logarithmic axis."""
    base = next(row for row in rows if row.name == reference)
    names = [name_of(row, text) for row in rows]
    traces = []
    for measure, (field, role, symbol) in MEASURES.items():
        values = np.array([getattr(row, field) for row in rows], float)
        told = [text(f"told.{measure}", value=told_of(measure, value)) for value in values]
        traces.append(
            go.Scatter(
                x=values / getattr(base, field), y=names, mode="markers",
                name=text(f"measure.{measure}"), customdata=told,
                marker={"color": theme.MEANING[role], "symbol": symbol, "size": 11},
                hovertemplate="<b>%{y}</b><br>%{customdata}<br>%{x:.3g} ×<extra></extra>",
            )
        )  # fmt: skip
    spec = plotly_figure(
        *traces, x_title=text("axis.multiple", reference=name_of(base, text)), log=("x",)
    )
    spec.add_vline(x=1, line={"color": theme.MEANING["baseline"], "width": 1, "dash": "dash"})
    spec.update_xaxes(
        tickvals=10.0 ** np.arange(-3, 4), ticktext=[f"{10.0**k:g}" for k in range(-3, 4)]
    )
    spec.update_yaxes(autorange="reversed", showgrid=True, automargin=True)
    spec.update_layout(legend={"font": {"size": 11}})
    largest = max(rows, key=lambda row: row.parameters)
    alt = text(
        "alt.compared", designs=len(rows), reference=name_of(base, text), largest=name_of(largest, text),
        parameters=f"{largest.parameters / base.parameters:.3g}",
        cache=f"{largest.cache_bytes / base.cache_bytes:.3g}",
    )  # fmt: skip
    return Figure("plotly", spec, alt, lambda: table(rows, text), 150 + 36 * len(rows))


def told_of(measure: str, value: float) -> str:
    """A value with its unit's prefix: 46.7B, 27.6 GFLOP, 1.2 GB."""
    if measure in ("parameters", "active"):
        return short(value)
    return f"{value / 1e9:.3g}"


def table(rows: Sequence[Row], text: Text) -> pd.DataFrame:
    """All numbers, in the units of people."""
    return pd.DataFrame(
        [
            {
                text("column.model"): name_of(row, text),
                text("column.attention"): row.attention.upper(),
                text("column.experts"): row.experts or "–",
                text("column.billions"): round(row.parameters / 1e9, 2),
                text("column.active_billions"): round(row.active / 1e9, 2),
                text("column.training_gflops"): round(3 * row.reading_flops / 1e9, 1),
                text("column.writing_gflops"): round(row.writing_flops / 1e9, 2),
                text("column.cache_token"): round(row.cache_token_bytes / 1e3, 2),
                text("column.cache_all"): round(row.cache_bytes / GB, 2),
                text("column.weights"): round(row.weight_bytes / GB, 1),
            }
            for row in rows
        ]
    )


def memory(rows: Sequence[Row], device_bytes: float, text: Text) -> Figure:
    """What serving holds: the weights once, a cache for each sequence."""
    names = [name_of(row, text) for row in rows]
    parts = [
        (text("part.weights"), [row.weight_bytes / GB for row in rows], "parameters"),
        (text("part.cache"), [row.cache_bytes / GB for row in rows], "communication"),
    ]
    most = max(rows, key=lambda row: row.weight_bytes + row.cache_bytes)
    figure = stacked(
        parts, names, text, value_title=text("axis.gigabytes"), height=110 + 30 * len(rows),
        alt=text("alt.memory", most=name_of(most, text),
                 size=f"{(most.weight_bytes + most.cache_bytes) / GB:,.0f}"),
    )  # fmt: skip
    figure.spec["series"][0]["markLine"] = {
        "silent": True, "symbol": "none", "animation": False, "label": {"show": False},
        "lineStyle": {"color": theme.MEANING["dropped"], "type": "dashed"},
        "data": [{"xAxis": device_bytes / GB}],
    }  # fmt: skip
    return figure


LOOKS = (
    "dense",
    "moe",
    "wide",
    "epoch",
    "gradients",
    "optimizer",
)  # roles, in the order of the lines


def decoding(rows: Sequence[Decoding], batch: int, text: Text) -> Figure:
    """Device milliseconds per written token over the sequences served at once."""
    lines = [
        Series(name_of(row, text), BATCHES, 1e3 * row.seconds, role, points=True)
        for row, role in zip(rows, LOOKS, strict=False)
    ]
    at = int(np.argmin(np.abs(BATCHES - batch)))
    times = text("list.comma").join(
        f"{name_of(row, text)} {1e3 * row.seconds[at]:.3g}" for row in rows
    )
    return curve(
        lines, x_title=text("axis.batch"), y_title=text("axis.milliseconds"), log_x=True, log_y=True,
        marks=[(batch, text("mark.batch", batch=batch))], height=380, x_range=(1, int(BATCHES[-1])),
        alt=text("alt.decoding", batch=int(BATCHES[at]), times=times),
    )  # fmt: skip
