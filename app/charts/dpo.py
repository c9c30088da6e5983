"""Preference optimisation: what the loss says, what becomes of either answer, what is really solved.

Axes: M looks, C cases, S seeds, X log-ratios.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.tuning.dpo import DPOConfig, Look
from labcore.tuning.dpo_study import Case, Study
from labcore.tuning.loss_shapes import Shapes

NO_MARGIN_NATS = float(np.log(2))
SHAPE_ROLES = {"dpo": "query", "ipo": "key", "kto": "value"}
ROW_PIXELS = 40


# One run.


def loss(looks: Sequence[Look], config: DPOConfig, text: Words) -> Figure:
    """The loss; for DPO with the level at which nothing is told apart."""
    steps, values = _line(looks, "loss")
    level = (NO_MARGIN_NATS, text("series.ln2")) if config.method == "dpo" else None
    return curve(
        [Series(text("series.loss"), steps, values, "train")],
        x_title=text("axis.step"), y_title=text("axis.loss"), x_range=(0, config.steps),
        floor=level, height=260, alt=text("alt.loss", loss=_number(values)),
    )  # fmt: skip


def changes(looks: Sequence[Look], config: DPOConfig, text: Words) -> Figure:
    """ln π of right and wrong answers, against where the policy began."""
    chosen, rejected = _line(looks, "chosen_change"), _line(looks, "rejected_change")
    return curve(
        [
            Series(text("series.chosen"), *chosen, "chosen", points=True),
            Series(text("series.rejected"), *rejected, "rejected", points=True),
        ],
        x_title=text("axis.step"), y_title=text("axis.change"), x_range=(0, config.steps),
        floor=(0.0, text("series.start")), height=300,
        alt=text("alt.changes", chosen=_number(chosen[1]), rejected=_number(rejected[1])),
    )  # fmt: skip


def solved(looks: Sequence[Look], config: DPOConfig, text: Words) -> Figure:
    """What the loss is meant to stand for: sums solved; beside it how far the policy has gone."""
    greedy = _line(looks, "greedy_right")
    return curve(
        [
            Series(text("series.greedy"), *greedy, "changed", points=True),
            Series(text("series.sampled"), *_line(looks, "sampled_right"), "changed", True),
            Series(text("series.apart"), *_line(looks, "told_apart"), "expected"),
            Series(text("series.kl"), *_line(looks, "divergence_nats"), "divergence", right=True),
        ],
        x_title=text("axis.step"), y_title=text("axis.share"), right_title=text("axis.kl"),
        x_range=(0, config.steps), y_range=(0, 1), height=300,
        alt=text("alt.solved", start=f"{greedy[1][0]:.0%}", end=f"{greedy[1][-1]:.0%}"),
    )  # fmt: skip


def _line(looks: Sequence[Look], name: str) -> tuple[list[int], list[float]]:
    return [look.step for look in looks], [getattr(look, name) for look in looks]


def _number(values: Sequence[float]) -> str:
    return f"{values[-1]:.2f}"


def answers(
    prompts: Sequence[str], before: Sequence[str], after: Sequence[str], text: Words
) -> pd.DataFrame:
    """Sums with the likeliest answer before and after."""
    return pd.DataFrame(
        {text("column.sum"): prompts, text("column.before"): before, text("column.after"): after}
    )


# Several seeds.


def ends(study: Study, names: Sequence[str], measure: str, text: Words) -> Figure:
    """Where every case ends, one dot per seed, beside where all of them began."""
    cases = [study.cases[name] for name in names]
    labels = [text(f"case.{name}") for name in names]
    pairs = (
        [("chosen_change", "chosen"), ("rejected_change", "rejected")]
        if measure == "change"
        else [(measure, "changed")]
    )
    start = 0.0 if measure == "change" else float(cases[0].measures[measure][:, 0].mean())
    traces = [_dots(cases, labels, name, role, text) for name, role in pairs]
    title = text("axis.change") if measure == "change" else text("axis.greedy")
    figure = plotly_figure(*traces, x_title=title, showlegend=len(pairs) > 1)
    figure.update_yaxes(autorange="reversed")
    figure.add_vline(start, line={"color": theme.MEANING["floor"], "dash": "dash", "width": 1.5})
    height = 110 + ROW_PIXELS * len(names)
    table = pd.concat([_table(cases, labels, name, text) for name, _ in pairs])
    return Figure("plotly", figure, text(f"alt.ends.{measure}"), table, height)


def _dots(
    cases: Sequence[Case], labels: Sequence[str], measure: str, role: str, text: Words
) -> go.Scatter:
    values = [case.last(measure) for case in cases]
    return go.Scatter(
        x=np.concatenate(values), y=np.repeat(labels, [len(one) for one in values]),
        mode="markers", name=text(f"measure.{measure}"), opacity=0.8,
        marker={"size": 11, "color": theme.MEANING[role]},
        hovertemplate="%{x:.3f}<extra></extra>",
    )  # fmt: skip


def _table(cases: Sequence[Case], labels: Sequence[str], measure: str, text: Words) -> pd.DataFrame:
    values = np.stack([case.last(measure) for case in cases])  # (C, S)
    return pd.DataFrame(
        {
            text("column.case"): labels,
            text("column.measure"): text(f"measure.{measure}"),
            text("column.mean"): values.mean(axis=1).round(3),
            text("column.low"): values.min(axis=1).round(3),
            text("column.high"): values.max(axis=1).round(3),
        }
    )


def courses(study: Study, names: Sequence[str], text: Words) -> Figure:
    """Sums solved in the course of the runs: means over seeds with bands."""
    series = []
    for name in names:
        case = study.cases[name]
        runs = case.measures["greedy_right"]  # (S, M)
        spread = (runs.min(axis=0), runs.max(axis=0))
        series.append(Series(text(f"case.{name}"), case.steps, runs.mean(axis=0), spread=spread))
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.greedy"), y_range=(0, 1),
        alt=text("alt.courses"), height=300,
    )  # fmt: skip


# The losses themselves.


def shapes(result: Shapes, what: str, text: Words) -> Figure:
    """Losses, or pulls, over the log-ratio."""
    curves = result.losses if what == "losses" else result.pulls
    series = [
        Series(text(f"option.method.{name}"), result.log_ratio, values, SHAPE_ROLES[name])
        for name, values in curves.items()
    ]
    # IPO's square runs out of any picture: what matters is where the others live.
    top = 2.5 if what == "losses" else None
    return curve(
        series, x_title=text("axis.log_ratio"), y_title=text(f"axis.{what}"),
        y_range=(0, top) if what == "losses" else (None, None),
        floor=(NO_MARGIN_NATS, text("series.ln2")) if what == "losses" else (0.0, ""),
        alt=text(f"alt.{what}"), height=280,
    )  # fmt: skip
