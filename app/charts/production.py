"""The roof with its operators, tokens over the batch, this machine's roof; a plan's latency and cost.

Axes: O operators, M batch sizes, R rounds, L loads.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.serving.capacity import CapacityConfig, CapacityResult
from labcore.serving.capacity_check import CheckResult
from labcore.serving.machine_roof import STEPS, MachineResult
from labcore.serving.step_roof import RoofResult

TERA, GIGA, MS = 1e12, 1e9, 1e3
BOUND_ROLE = {"arithmetic": "optimizer", "traffic": "query"}


# One step.


def roof(result: RoofResult, text: Words) -> Figure:
    """Operators under the roof: their own place sideways, the device's limit upwards."""
    intensity = result.flops / result.bytes
    low = min(float(intensity.min()), 1.0) / 3
    high = max(float(intensity.max()), result.ridge) * 4
    corner = [low, result.ridge, high]
    traces = [
        go.Scatter(
            x=corner, y=[min(x * result.bandwidth, result.peak_flops) / TERA for x in corner],
            mode="lines", name=text("series.roof"),
            line={"color": theme.MEANING["floor"], "width": 3}, hoverinfo="skip",
        )
    ]  # fmt: skip
    # Products stand close together: the one with the most time is named, and attention, which is apart.
    apart = result.names.index("attention")
    others = [number for number in range(len(result.names)) if number != apart]
    named = {apart: "bottom right", max(others, key=lambda n: result.seconds[n]): "top left"}
    for bound, role in BOUND_ROLE.items():
        at = [number for number, one in enumerate(result.bound) if one == bound]
        if at:
            share = result.seconds[at] / result.total_seconds
            traces.append(
                go.Scatter(
                    x=intensity[at], y=result.flops[at] / result.seconds[at] / TERA, mode="markers+text",
                    text=[
                        text(f"operator.{result.names[n]}") if n in named else "" for n in at
                    ],
                    textposition=[named.get(n, "bottom right") for n in at],
                    name=text(f"bound.{bound}"),
                    marker={
                        "color": theme.MEANING[role], "size": 10 + 34 * np.sqrt(share), "opacity": 0.7,
                    },
                    customdata=[
                        [text(f"operator.{result.names[n]}"), f"{1e6 * result.seconds[n]:,.1f}"]
                        for n in at
                    ],
                    hovertemplate="%{customdata[0]}<br>%{customdata[1]} µs · %{x:.3g} FLOP/B · "
                    "%{y:.3g} TFLOP/s<extra></extra>",
                )
            )  # fmt: skip
    spec = plotly_figure(
        *traces, x_title=text("axis.intensity"), y_title=text("axis.tflops"), log=("x", "y")
    )
    spec.update_xaxes(dtick=1)
    spec.update_yaxes(dtick=1)
    busiest = text(f"operator.{result.names[int(result.seconds.argmax())]}")
    alt = text("alt.roof", ridge=f"{result.ridge:.0f}", name=busiest)
    return Figure("plotly", spec, alt, operator_table(result, text), 400)


def operator_table(result: RoofResult, text: Words) -> pd.DataFrame:
    return pd.DataFrame(
        {
            text("column.operator"): [text(f"operator.{name}") for name in result.names],
            text("column.gflop"): [_figure(n / GIGA) for n in result.flops],
            text("column.mb"): [_figure(n / 1e6) for n in result.bytes],
            text("column.intensity"): [_figure(n) for n in result.flops / result.bytes],
            text("column.us"): [_figure(1e6 * n) for n in result.seconds],
            text("column.share"): [f"{n:.0%}" for n in result.seconds / result.total_seconds],
            text("column.bound"): [text(f"bound.{bound}") for bound in result.bound],
        }
    )


def _figure(value: float) -> str:
    """
    >>> _figure(17218.4), _figure(3.987)
    ('17,218', '3.99')
    """
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def rate(result: RoofResult, tokens_per_text: int, batch: int, text: Words) -> Figure:
    """Tokens per second, and how long a step takes, over the batch."""
    made = result.batches * tokens_per_text / result.step_seconds
    marks = [(batch, text("series.chosen"))] if batch > 1 else []
    if result.products_cross:
        marks.append((result.products_cross, text("series.crossing")))
    return curve(
        [
            Series(text("series.rate"), result.batches, made, "changed", points=True),
            Series(
                text("series.step"), result.batches, result.step_seconds * MS, "baseline", True, True,
                right=True,
            ),
        ],
        x_title=text("axis.batch"), y_title=text("axis.rate"), right_title=text("axis.step_ms"),
        log_x=True, log_y=True, marks=marks, height=340,
        x_range=(1, int(result.batches[-1])),
        alt=text("alt.rate", one=f"{made[0]:,.0f}", many=f"{made[-1]:,.0f}"),
    )  # fmt: skip


# This machine.


def machine(result: MachineResult, text: Words) -> Figure:
    """Each step: what was measured, and what either roof would allow."""
    names = [text(f"step.{model}.{phase}", texts=texts) for model, phase, texts in STEPS]
    middle = np.median(result.measured, axis=0) * MS
    low, high = result.measured.min(axis=0) * MS, result.measured.max(axis=0) * MS
    rows = {"near": result.roof_near * MS, "far": result.roof_far * MS, "measured": middle}
    roles = {"near": "uniform", "far": "floor", "measured": "measured"}
    traces = [
        go.Bar(
            y=names, x=values, orientation="h", name=text(f"series.{row}"),
            marker={"color": theme.MEANING[roles[row]]},
            error_x={"type": "data", "symmetric": False, "color": theme.MEANING["rank_0"],
                     "array": high - middle,
                     "arrayminus": middle - low} if row == "measured" else None,
            hovertemplate="%{y}<br>%{x:.3g} ms<extra></extra>",
        )
        for row, values in rows.items()
    ]  # fmt: skip
    spec = plotly_figure(*traces, x_title=text("axis.ms"), log=("x",))
    spec.update_yaxes(autorange="reversed")
    spec.update_xaxes(dtick=1)
    table = pd.DataFrame(
        {text("column.step"): names}
        | {text(f"series.{row}"): np.round(values, 3) for row, values in rows.items()}
        | {text("column.low"): np.round(low, 3), text("column.high"): np.round(high, 3)}
    )
    alt = text("alt.machine", times=f"{middle[0] / rows['far'][0]:.0f}")
    return Figure("plotly", spec, alt, table, 460)


# A plan.


def waiting(result: CapacityResult, config: CapacityConfig, text: Words) -> Figure:
    """Both latencies of a full copy over its batch, as shares of what is allowed."""
    series = [
        Series(text("series.next"), result.batches, result.next_seconds * MS / config.next_ms, "changed"),
        Series(
            text("series.first"), result.batches, result.first_seconds * MS / config.first_ms, "value"
        ),
    ]  # fmt: skip
    return curve(
        series, x_title=text("axis.batch"), y_title=text("axis.of_target"), log_x=True, log_y=True,
        floor=(1.0, text("series.target")), marks=_chosen(result, text), height=320,
        x_range=(1, _last(result)), alt=text("alt.waiting", batch=result.batch),
    )  # fmt: skip


def cost(result: CapacityResult, text: Words) -> Figure:
    """Cost of a million tokens and what a copy writes, over its batch."""
    return curve(
        [
            Series(text("series.cost"), result.batches, result.cost, "changed"),
            Series(
                text("series.requests"), result.batches, result.per_second, "baseline", True, right=True
            ),
        ],
        x_title=text("axis.batch"), y_title=text("axis.cost"), right_title=text("axis.requests"),
        log_x=True, log_y=True, marks=_chosen(result, text), height=320, x_range=(1, _last(result)),
        alt=text("alt.cost", one=f"{result.cost[0]:.3g}", last=f"{result.cost[-1]:.3g}"),
    )  # fmt: skip


def _chosen(result: CapacityResult, text: Words) -> list[tuple[float, str]]:
    return [(result.batch, text("series.chosen"))] if result.batch else []


def _last(result: CapacityResult) -> int:
    return max(2, len(result.batches))


def check_each(result: CheckResult, text: Words) -> Figure:
    """Time between two tokens over the load: formula, and simulation with the spread of its seeds."""
    return curve(
        [
            Series(
                text("series.simulated"), result.loads, result.each.mean(axis=1) * MS, "measured",
                points=True, spread=(result.each.min(axis=1) * MS, result.each.max(axis=1) * MS),
            ),
            Series(text("series.formula"), result.loads, result.by_formula * MS, "formula", True, True),
        ],
        x_title=text("axis.load"), y_title=text("axis.next_ms"), y_range=(0, None), height=300,
        floor=(result.full_each * MS, text("series.full")), alt=text("alt.check_each"),
    )  # fmt: skip


def check_first(result: CheckResult, text: Words) -> Figure:
    """Time to the first token over the load: the mean and the unlucky twentieth."""
    series = [
        Series(
            text(f"series.{name}"), result.loads, rows.mean(axis=1) * MS, role, points=True,
            spread=(rows.min(axis=1) * MS, rows.max(axis=1) * MS),
        )
        for name, rows, role in (("mean", result.first, "measured"), ("late", result.late, "dropped"))
    ]  # fmt: skip
    return curve(
        series, x_title=text("axis.load"), y_title=text("axis.first_ms"), log_y=True, height=300,
        floor=(result.full_first * MS, text("series.full")), alt=text("alt.check_first"),
    )  # fmt: skip
