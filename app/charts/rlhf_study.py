"""Reinforcement learning, many runs beside each other: prices of leaving, best of n, pass@k.

Axes: C cases, S seeds, M looks, K values of n or k.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.charts.rlhf import mean_and_spread
from app.figures import Figure
from app.i18n import Words
from labcore.tuning.best_of_n import BestOfN
from labcore.tuning.gradient_noise import GradientNoise
from labcore.tuning.rlhf_exam import DRAWS, Look
from labcore.tuning.rlhf_study import AbilityStudy, Case

SHARES = ("sampled_right", "greedy_right", "dead", "foretold")


def courses(
    cases: Mapping[str, Case], names: Sequence[str], measure: str, text: Words, height: int = 280
) -> Figure:
    """A measure over steps: means over seeds, with bands from the lowest to the highest."""
    series = []
    for name in names:
        mean, spread = mean_and_spread(cases[name].measures[measure])
        series.append(Series(text(f"case.{name}"), cases[name].steps, mean, spread=spread))
    return curve(
        series, x_title=text("axis.step"), y_title=text(f"measure.{measure}"),
        y_range=(0, 1) if measure in ("sampled_right", "greedy_right") else (None, None),
        height=height, alt=text("alt.courses", measure=text(f"measure.{measure}")),
    )  # fmt: skip


def frontier(
    cases: Mapping[str, Case], names: Sequence[str], best: BestOfN, measure: str, text: Words
) -> Figure:
    """What was reached, over how far one had to go: a path per case, and best of n as a line.

    The distance is drawn as its square root, as Gao et al. do: near the start there is much to see.
    """
    own = best.right if measure == "sampled_right" else best.proxy
    traces = [best_line(best, own, text)]
    for index, name in enumerate(names):
        case, colour = cases[name], theme.colour("", index)
        path, gone = case.measures[measure].mean(axis=0), case.measures["divergence_nats"]
        traces.append(
            go.Scatter(
                x=np.sqrt(gone.mean(axis=0)), y=path, mode="lines", showlegend=False,
                line={"color": colour, "width": 1.5}, opacity=0.6, hoverinfo="skip",
            )
        )  # fmt: skip
        traces.append(
            go.Scatter(
                x=np.sqrt(gone[:, -1]), y=case.last(measure), mode="markers",
                name=text(f"case.{name}"), marker={"size": 10, "color": colour},
                hovertemplate="√KL %{x:.2f}: %{y:.3f}<extra></extra>",
            )
        )  # fmt: skip
    title = text(f"measure.{measure}")
    figure = plotly_figure(*traces, x_title=text("axis.root_kl"), y_title=title)
    alt = text("alt.frontier", measure=title)
    return Figure("plotly", figure, alt, _frontier_table(cases, names, best, own, title, text), 400)


def best_line(best: BestOfN, values: np.ndarray, text: Words) -> go.Scatter:
    return go.Scatter(
        x=np.sqrt(best.divergence_nats), y=values, mode="lines+markers+text",
        name=text("series.best"), text=[f"{count}" for count in best.counts],
        textposition="top center", line={"color": theme.MEANING["baseline"], "dash": "dash"},
        hovertemplate="n = %{text}: %{y:.3f}<extra></extra>",
    )  # fmt: skip


def own_frontier(looks: Sequence[Look], best: BestOfN, text: Words) -> Figure:
    """One run's way, look by look, over the distance gone; and best of n under the same reward."""
    gone = [look.divergence_nats for look in looks]
    right = [look.sampled_right for look in looks]
    way = go.Scatter(
        x=np.sqrt(np.maximum(gone, 0)), y=right, mode="lines+markers", name=text("series.way"),
        text=[str(look.step) for look in looks],
        line={"color": theme.MEANING["changed"]},
        hovertemplate="%{text}: √KL %{x:.2f}, %{y:.3f}<extra></extra>",
    )  # fmt: skip
    title = text("measure.sampled_right")
    figure = plotly_figure(
        best_line(best, best.right, text), way, x_title=text("axis.root_kl"), y_title=title
    )
    figure.update_yaxes(range=[-0.03, 1.03])
    names = [f"{text('series.way')}, {text('axis.step')} {look.step}" for look in looks]
    names += [f"{text('series.best')}, n = {count}" for count in best.counts]
    table = pd.DataFrame(
        {
            text("column.case"): names,
            text("axis.kl"): np.round([*gone, *best.divergence_nats], 3),
            title: np.round([*right, *best.right], 3),
        }
    )
    return Figure("plotly", figure, text("alt.frontier", measure=title), table, 340)


def _frontier_table(
    cases: Mapping[str, Case], names: Sequence[str], best: BestOfN, own: np.ndarray, title: str,
    text: Words,
) -> pd.DataFrame:  # fmt: skip
    measure = "sampled_right" if own is best.right else "proxy"
    rows = [
        (text("series.best"), f"n = {count}", gone, value)
        for count, gone, value in zip(best.counts, best.divergence_nats, own, strict=True)
    ]
    for name in names:
        case = cases[name]
        ends = zip(case.last("divergence_nats"), case.last(measure), strict=True)
        rows += [
            (text(f"case.{name}"), str(seed), gone, value)
            for seed, (gone, value) in enumerate(ends)
        ]
    table = pd.DataFrame(
        rows, columns=[text("column.case"), text("column.seed"), text("axis.kl"), title]
    )
    return table.round(3)


def ends(cases: Mapping[str, Case], names: Sequence[str], text: Words) -> pd.DataFrame:
    """Where every case ends: mean and, in brackets, lowest and highest over seeds."""

    def told(values: np.ndarray, form: str) -> str:
        low, high = (format(value, form) for value in (values.min(), values.max()))
        return f"{values.mean():{form}} ({low} … {high})"

    columns = (
        ("proxy", ".2f"), ("sampled_right", ".0%"), ("divergence_nats", ".1f"),
        ("marks", ".1f"), ("entropy_nats", ".2f"),
    )  # fmt: skip
    return pd.DataFrame(
        {text("column.case"): [text(f"case.{name}") for name in names]}
        | {
            text(f"measure.{measure}"): [told(cases[name].last(measure), form) for name in names]
            for measure, form in columns
        }
    )


def passes(study: AbilityStudy, names: Sequence[str], text: Words) -> Figure:
    """pass@k of the policy that the runs began with, and of those that they ended with."""
    series = []
    for name in names:
        mean, spread = mean_and_spread(study.cases[name].pass_after)
        series.append(Series(text(f"case.{name}"), DRAWS, mean, points=True, spread=spread))
    # Last, so that a case has the same colour here as in the courses.
    before = study.cases[names[0]].pass_before
    series.append(Series(text("series.before"), DRAWS, before, "baseline", True, points=True))
    return curve(
        series, x_title=text("axis.k"), y_title=text("axis.pass"), log_x=True,
        x_range=(1, DRAWS[-1]), y_range=(0, 1), height=320, alt=text("alt.passes_study"),
    )  # fmt: skip


def noise(result: GradientNoise, text: Words) -> Figure:
    """How far one batch's gradient lies from another's, a dot per seed."""
    labels = [text(f"noise.{case}") for case in result.spreads]
    values = list(result.spreads.values())
    dots = go.Scatter(
        x=np.concatenate(values), y=np.repeat(labels, [len(one) for one in values]),
        mode="markers", opacity=0.8, marker={"size": 11, "color": theme.MEANING["gradient"]},
        hovertemplate="%{x:.2f}<extra></extra>",
    )  # fmt: skip
    figure = plotly_figure(dots, x_title=text("axis.noise"), showlegend=False)
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(rangemode="tozero")
    figure.add_vline(1.0, line={"color": theme.MEANING["floor"], "dash": "dash", "width": 1.5})
    table = pd.DataFrame(
        {
            text("column.case"): labels,
            text("column.mean"): [one.mean().round(2) for one in values],
            text("column.low"): [one.min().round(2) for one in values],
            text("column.high"): [one.max().round(2) for one in values],
        }
    )
    return Figure("plotly", figure, text("alt.noise"), table, 110 + 36 * len(labels))
