"""A queue in pictures: who had which place when, and how waiting grows with the load.

Axes: R requests, L loads, S seeds.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.serving.batching import POLICIES
from labcore.serving.queueing import LoadStudy, QueueResult
from labcore.serving.step_costs import StepCosts

ROLES = {"static": "rejected", "continuous": "chosen"}


def places(result: QueueResult, policy: str, text: Words) -> Figure:
    """One bar per request on the place that it had; grey where the place is held for nothing."""
    one = result.policies[policy]
    row, start = one.place + 1, 1e3 * one.started
    writing, held = 1e3 * (one.finished - one.started), 1e3 * (one.freed - one.finished)
    shades = np.where(np.arange(len(row)) % 2, theme.BLUE, theme.SKY)
    bars = [
        go.Bar(
            y=row, x=writing, base=start, orientation="h", name=text("series.writing"),
            marker={"color": shades, "line": {"width": 0}}, customdata=result.answer_tokens,
            hovertemplate=text("hover.request") + "<extra></extra>",
        ),
        go.Bar(
            y=row, x=held, base=start + writing, orientation="h", name=text("series.held"),
            marker={"color": theme.MEANING["idle"], "pattern": {"shape": "/"}}, opacity=0.5,
            hoverinfo="skip",
        ),
    ]  # fmt: skip
    figure = plotly_figure(
        *bars, x_title=text("axis.milliseconds"), y_title=text("axis.place"), barmode="overlay",
        showlegend=False,
    )  # fmt: skip
    # Both policies over the same time, so that they can be compared by eye.
    last = 1e3 * max(other.freed.max() for other in result.policies.values())
    figure.update_xaxes(range=[0, last])
    rows = 1 + max(int(other.place.max()) for other in result.policies.values())
    figure.update_yaxes(dtick=1, range=[rows + 0.6, 0.4])
    table = pd.DataFrame(
        {
            text("column.arrives"): (1e3 * result.arrives).round(2),
            text("column.place"): row,
            text("column.started"): start.round(2),
            text("column.finished"): (1e3 * one.finished).round(2),
            text("column.tokens"): result.answer_tokens,
            text("column.wait"): (1e3 * one.waits).round(2),
        }
    )
    alt = text(f"alt.places.{policy}", idle=f"{one.idle_share:.0%}")
    return Figure("plotly", figure, alt, table, 110 + 26 * rows)


def summary(result: QueueResult, text: Words) -> pd.DataFrame:
    """Both policies on the same requests."""
    rows = {
        text("column.policy"): [text(f"policy.{policy}") for policy in POLICIES],
        text("column.median_wait"): [_ms(result.policies[p].wait(0.5)) for p in POLICIES],
        text("column.long_wait"): [_ms(result.policies[p].wait(0.95)) for p in POLICIES],
        text("column.rate"): [round(result.policies[p].tokens_per_second) for p in POLICIES],
        text("column.idle"): [f"{result.policies[p].idle_share:.0%}" for p in POLICIES],
    }
    return pd.DataFrame(rows)


def _ms(seconds: float) -> float:
    return round(1e3 * seconds, 1)


def waiting(study: LoadStudy, text: Words) -> Figure:
    """95 % wait less than this; the band reaches over the seeds."""
    series = []
    for policy in POLICIES:
        waits = 1e3 * study.long_wait[policy]  # (L, S)
        spread = waits.min(axis=1), waits.max(axis=1)
        series.append(
            Series(text(f"policy.{policy}"), 100 * study.loads, waits.mean(axis=1), ROLES[policy],
                   points=True, spread=spread)
        )  # fmt: skip
    return curve(
        series, x_title=text("axis.load"), y_title=text("axis.wait"), log_y=True, height=300,
        alt=text("alt.waiting"),
    )  # fmt: skip


def rates(study: LoadStudy, text: Words) -> Figure:
    """Tokens per second that were written."""
    series = []
    for policy in POLICIES:
        rate = study.tokens_per_second[policy]
        spread = rate.min(axis=1), rate.max(axis=1)
        series.append(
            Series(text(f"policy.{policy}"), 100 * study.loads, rate.mean(axis=1), ROLES[policy],
                   points=True, spread=spread)
        )  # fmt: skip
    return curve(
        series, x_title=text("axis.load"), y_title=text("axis.rate"), y_range=(0, None),
        height=280, alt=text("alt.rates"),
    )  # fmt: skip


def step_costs(costs: StepCosts, text: Words) -> Figure:
    """A step's time over the size of the batch, and the line that the simulation uses."""
    middle = np.median(costs.step_ms, axis=1)
    spread = np.quantile(costs.step_ms, 0.1, axis=1), np.quantile(costs.step_ms, 0.9, axis=1)
    line = 1e3 * (costs.cost.step + costs.cost.per_request * costs.batches)
    return curve(
        [
            Series(text("series.measured"), costs.batches, middle, "measured", points=True, spread=spread),
            Series(text("series.line"), costs.batches, line, "formula", dashed=True),
        ],
        x_title=text("axis.batch"), y_title=text("axis.step_ms"), y_range=(0, None), height=260,
        alt=text("alt.step_costs", one=f"{middle[0]:.2f}", many=f"{middle[-1]:.2f}"),
    )  # fmt: skip
