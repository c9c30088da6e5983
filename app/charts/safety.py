"""Refusal training, its trade-off, and harmless lessons after it.

Axes: G groups of things, M looks, S seeds, N thresholds.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts import bars
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.tuning.cabinet import PHRASINGS
from labcore.tuning.later_tuning import LaterLook, LaterStudy
from labcore.tuning.refusal import GROUPS, Look, RefusalResult
from labcore.tuning.refusal_tradeoff import (
    Curve,
    TradeOffStudy,
    mistakes,
    parts,
    threshold_curve,
)

FOLLOWED = ("forbidden_seen", "forbidden_new", "borderline_new", "harmless_new")
ROLES = {
    "forbidden_seen": "forbidden", "forbidden_new": "forbidden_new",
    "borderline_seen": "borderline", "borderline_new": "borderline",
    "harmless_seen": "harmless", "harmless_new": "harmless",
}  # fmt: skip
ROW_PIXELS = 40
LEAST_REACH = 0.4  # of the axes of mistakes


# One training.


def course(looks: Sequence[Look], steps: int, text: Words) -> Figure:
    """Shares refused, group by group."""
    at = [look.step for look in looks]
    series = [
        Series(
            text(f"group.{name}"), at, [look.refused[GROUPS.index(name)] for look in looks],
            ROLES[name], points=True,
        )
        for name in FOLLOWED
    ]  # fmt: skip
    ends = {name: f"{looks[-1].refused[GROUPS.index(name)]:.0%}" for name in FOLLOWED}
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.refused"), x_range=(0, steps),
        y_range=(0, 1), height=300, alt=text("alt.course", **ends),
    )  # fmt: skip


def ends(refused: np.ndarray, answered: np.ndarray, text: Words) -> Figure:
    """What becomes of each group: refused, answered, or neither.  (G,), (G,)"""
    here = [index for index in range(len(GROUPS)) if np.isfinite(refused[index])]
    shares = (refused[here], answered[here], 1 - refused[here] - answered[here])
    names = ("refused", "answered", "neither")
    roles = ("forbidden", "harmless", "neutral")
    return bars.stacked(
        [
            (text(f"outcome.{name}"), share, role)
            for name, share, role in zip(names, shares, roles, strict=True)
        ],
        [text(f"group.{GROUPS[index]}") for index in here],
        text, alt=text("alt.ends"), value_title=text("axis.share"),
    )  # fmt: skip


def phrasings(result: RefusalResult, text: Words) -> Figure:
    """Shares refused in every phrasing."""
    shown = ("forbidden_seen", "forbidden_new", "borderline_new")
    return bars.grouped(
        [(text(f"group.{n}"), result.refused[:, GROUPS.index(n)], ROLES[n]) for n in shown],
        [text(f"phrasing.{name}") for name in PHRASINGS],
        text, alt=text("alt.phrasings"), value_title=text("axis.refused"),
    )  # fmt: skip


# Too much and too little.


def threshold_curves(
    study: TradeOffStudy, case: str, allowed: str, threshold: float, text: Words
) -> Figure:
    """Over- against under-refusal over all thresholds, one curve a seed, with the points of one."""
    one = study.cases[case]
    pairs = [parts(one, seed, allowed) for seed in range(len(study.seeds))]
    curves = [threshold_curve(*pair) for pair in pairs]
    traces = [_steps(line, text("series.seed", seed=seed), index)
              for index, (line, seed) in enumerate(zip(curves, study.seeds, strict=True))]  # fmt: skip
    points = np.array([mistakes(*pair, threshold) for pair in pairs])
    traces.append(
        go.Scatter(
            x=points[:, 0], y=points[:, 1], mode="markers", name=text("series.threshold"),
            marker={"size": 12, "color": theme.MEANING["guess"], "line": {"width": 1.5, "color": "#fff"}},
            hovertemplate="%{x:.2f}, %{y:.2f}<extra></extra>",
        )
    )  # fmt: skip
    spec = plotly_figure(*traces, x_title=text("axis.over"), y_title=text("axis.under"))
    _from_corner(spec, 1.0)
    rows = [
        pd.DataFrame(
            {text("column.seed"): seed, text("column.threshold"): line.thresholds,
             text("axis.over"): line.over, text("axis.under"): line.under}
        )
        for seed, line in zip(study.seeds, curves, strict=True)
    ]  # fmt: skip
    areas = ", ".join(f"{line.area:.3f}" for line in curves)
    alt = text("alt.threshold_curves", areas=areas)
    return Figure("plotly", spec, alt, pd.concat(rows), 380)


def _steps(line: Curve, name: str, index: int) -> go.Scatter:
    return go.Scatter(
        x=line.over, y=line.under, mode="lines", name=name, line_shape="hv",
        line={"color": theme.CATEGORICAL[index], "width": 2},
        hovertemplate="%{x:.2f}, %{y:.2f}<extra></extra>",
    )  # fmt: skip


def trained_points(
    study: TradeOffStudy, names: Sequence[str], allowed: str, threshold: float, text: Words
) -> Figure:
    """The same two mistakes at one threshold, for differently trained models: a dot is a seed."""
    table = _mistake_table(study, names, allowed, threshold, text)
    case, over, under = text("column.case"), text("axis.over"), text("axis.under")
    means = table.groupby(case, sort=False)[[over, under]].mean()
    traces = [
        go.Scatter(
            x=means[over], y=means[under], mode="lines", showlegend=False,
            line={"color": theme.MEANING["neutral"], "width": 1.5}, hoverinfo="skip",
        )
    ]  # fmt: skip
    for index, (name, rows) in enumerate(table.groupby(case, sort=False)):
        traces.append(
            go.Scatter(
                x=rows[over], y=rows[under], mode="markers", name=name, opacity=0.85,
                marker={"size": 11, "color": theme.CATEGORICAL[index % len(theme.CATEGORICAL)]},
                hovertemplate="%{x:.2f}, %{y:.2f}<extra></extra>",
            )
        )  # fmt: skip
    spec = plotly_figure(*traces, x_title=over, y_title=under)
    _from_corner(spec, max(LEAST_REACH, float(table[[over, under]].to_numpy().max())))
    return Figure("plotly", spec, text("alt.trained_points"), table, 400)


def _mistake_table(
    study: TradeOffStudy, names: Sequence[str], allowed: str, threshold: float, text: Words
) -> pd.DataFrame:
    rows = []
    for name in names:
        for seed in range(len(study.seeds)):
            pair = parts(study.cases[name], seed, allowed)
            over, under = mistakes(*pair, threshold)
            rows.append(
                {
                    text("column.case"): text(f"case.{name}"),
                    text("column.seed"): study.seeds[seed],
                    text("axis.over"): over,
                    text("axis.under"): under,
                    text("column.area"): round(threshold_curve(*pair).area, 4),
                }
            )
    return pd.DataFrame(rows)


def areas(study: TradeOffStudy, names: Sequence[str], allowed: str, text: Words) -> Figure:
    """Area between each curve and the corner without mistakes: a dot is a seed."""
    table = _mistake_table(study, names, allowed, 0.5, text)
    dots = go.Scatter(
        x=table[text("column.area")], y=table[text("column.case")], mode="markers", opacity=0.8,
        marker={"size": 11, "color": theme.MEANING["changed"]},
        hovertemplate="%{x:.3f}<extra></extra>",
    )  # fmt: skip
    spec = plotly_figure(dots, x_title=text("axis.area"), showlegend=False)
    # "10 %" would be read as the number 10.
    spec.update_yaxes(type="category", autorange="reversed")
    spec.update_xaxes(rangemode="tozero")
    return Figure("plotly", spec, text("alt.areas"), table, 110 + ROW_PIXELS * len(names))


def _from_corner(spec: go.Figure, reach: float) -> None:
    """Both axes from zero to `reach`, with room for the dots at either end."""
    spec.update_xaxes(range=[-0.03, reach + 0.03])
    spec.update_yaxes(range=[-0.03, reach + 0.03])


# Harmless lessons afterwards.


def drift(looks: Sequence[LaterLook], steps: int, text: Words) -> Figure:
    """Refusals in the course of a harmless lesson."""
    at = [look.step for look in looks]

    def line(name: str, group: str, role: str, dashed: bool = False) -> Series:
        values = [getattr(look, name)[GROUPS.index(group)] for look in looks]
        label = text(f"series.{name}", group=text(f"group.{group}"))
        return Series(label, at, values, role, dashed=dashed, points=not dashed)

    lines = [
        line("refused", "forbidden_seen", "forbidden"),
        line("refused", "forbidden_new", "forbidden_new"),
        line("answered", "forbidden_new", "forbidden_new", dashed=True),
        line("skill", "harmless_new", "harmless", dashed=True),
    ]
    first, last = (look.refused[GROUPS.index("forbidden_new")] for look in (looks[0], looks[-1]))
    return curve(
        lines, x_title=text("axis.step"), y_title=text("axis.share"), x_range=(0, steps),
        y_range=(0, 1), height=320, alt=text("alt.drift", first=f"{first:.0%}", last=f"{last:.0%}"),
    )  # fmt: skip


LATER_MEASURES = {
    "refused_seen": ("refused", "forbidden_seen"),
    "refused_new": ("refused", "forbidden_new"),
    "told_new": ("told", "forbidden_new"),
    "over": ("refused", "borderline_new"),
    "skill": ("skill", "harmless_new"),
}


def later_courses(study: LaterStudy, measure: str, text: Words) -> Figure:
    """One measure in every case: means over seeds with bands."""
    name, group = LATER_MEASURES[measure]
    series = []
    for case, one in study.cases.items():
        runs = getattr(one, name)[:, :, GROUPS.index(group)]  # (S, M)
        spread = (runs.min(axis=0), runs.max(axis=0))
        series.append(Series(text(f"case.{case}"), one.steps, runs.mean(axis=0), spread=spread))
    return curve(
        series, x_title=text("axis.step"), y_title=text(f"measure.{measure}"), y_range=(0, 1),
        height=340, alt=text("alt.later"),
    )  # fmt: skip
