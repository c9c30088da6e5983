"""Three estimates of a divergence: their values, their spread, and the gradients they give.

Axes: V symbols, X distances, T estimates.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.tuning.kl_estimators import Estimates
from labcore.tuning.policy_losses import ESTIMATORS

ROLES = {"k1": "query", "k2": "key", "k3": "value"}


def policies(result: Estimates, text: Words) -> Figure:
    """The two distributions."""
    symbols = [chr(ord("a") + index) for index in range(len(result.policy))]
    bars = [
        go.Bar(x=symbols, y=values, name=text(f"series.{name}"), marker_color=theme.MEANING[role])
        for name, values, role in (
            ("reference", result.reference, "baseline"),
            ("policy", result.policy, "changed"),
        )
    ]
    figure = plotly_figure(
        *bars, x_title=text("axis.symbol"), y_title=text("axis.probability"), barmode="group"
    )
    table = pd.DataFrame(
        {
            text("axis.symbol"): symbols,
            text("series.reference"): result.reference.round(4),
            text("series.policy"): result.policy.round(4),
        }
    )
    return Figure("plotly", figure, text("alt.policies"), table, 240)


def estimates(result: Estimates, text: Words) -> Figure:
    """How two thousand estimates of each kind fall around the exact value."""
    traces = [
        go.Violin(
            x=result.sampled[name], y=[name] * len(result.sampled[name]), name=name,
            orientation="h", side="negative", width=1.6, points=False, meanline_visible=True,
            line_color=theme.MEANING[ROLES[name]], spanmode="hard",
        )
        for name in ESTIMATORS
    ]  # fmt: skip
    figure = plotly_figure(*traces, x_title=text("axis.estimate"), showlegend=False)
    figure.update_yaxes(autorange="reversed")
    # A few of k3 may lie very far out, and would squeeze all others; the table has their spread.
    ends = np.percentile(np.stack(list(result.sampled.values())), (0.2, 99.8))
    figure.update_xaxes(range=[ends[0] - 0.05 * np.ptp(ends), ends[1] + 0.05 * np.ptp(ends)])
    figure.add_vline(
        result.exact_nats, line={"color": theme.MEANING["floor"], "dash": "dash", "width": 1.5},
        annotation_text=text("series.exact"), annotation_position="top",
    )  # fmt: skip
    table = pd.DataFrame(
        [
            (
                name, round(result.means[name], 4), round(result.means[name] - result.exact_nats, 4),
                round(result.spreads[name], 4), round(float((result.sampled[name] < 0).mean()), 3),
            )
            for name in ESTIMATORS
        ],
        columns=[
            text(f"column.{name}") for name in ("estimator", "mean", "bias", "spread", "negative")
        ],
    )  # fmt: skip
    alt = text("alt.estimates", exact=f"{result.exact_nats:.3f}")
    return Figure("plotly", figure, alt, table, 300)


def over_distance(result: Estimates, what: str, text: Words) -> Figure:
    """Expected values, or the spread of one token's estimate, the farther the policy has gone."""
    curves = result.mean_curves if what == "means" else result.spread_curves
    series = [
        Series(name, result.distances, curves[name], ROLES[name], dashed=name == "k3")
        for name in ESTIMATORS
    ]
    if what == "means":
        exact = result.exact_curve
        series.insert(0, Series(text("series.exact"), result.distances, exact, "floor"))
    return curve(
        series, x_title=text("axis.distance"), y_title=text(f"axis.{what}"), height=260,
        alt=text(f"alt.over_{what}"),
    )  # fmt: skip


def slopes(result: Estimates, text: Words) -> Figure:
    """Where the expected gradient of each estimate points, in the reward and in the loss."""
    keys = list(result.along)
    labels = [text(f"use.{key}") for key in keys]
    bars = [
        go.Bar(
            y=labels, x=[values[key] for key in keys], orientation="h",
            name=text(f"series.{name}"), marker_color=theme.MEANING[role],
            hovertemplate="%{x:.2f}<extra></extra>",
        )
        for name, values, role in (
            ("along", result.along, "divergence"),
            ("along_forward", result.along_forward, "uniform"),
        )
    ]  # fmt: skip
    figure = plotly_figure(*bars, x_title=text("axis.cosine"), barmode="group")
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(range=[-1.05, 1.05])
    table = pd.DataFrame(
        {
            text("column.use"): labels,
            text("series.along"): np.round([result.along[key] for key in keys], 3),
            text("series.along_forward"): np.round([result.along_forward[key] for key in keys], 3),
            text("column.size"): np.round([result.size[key] for key in keys], 3),
            text("column.noise"): np.round([result.noise[key] for key in keys], 3),
        }
    )
    return Figure("plotly", figure, text("alt.slopes"), table, 380)
