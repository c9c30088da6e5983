"""A reward model in training, and what it has learnt.

Axes: M looks, C causes of worth, K levels of confidence.
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
from labcore.tuning.preferences import CAUSES
from labcore.tuning.reward import Look, RewardResult
from labcore.tuning.reward_exam import Calibration, Exam
from labcore.tuning.sums import MOST_MARKS

KIND_ROLES = {"shallow": "key", "informed": "changed"}
RIGHT_ROLES = ("chosen", "rejected")  # right answers, wrong answers


def loss(looks: Sequence[Look], exam: Exam | None, text: Words) -> Figure:
    """The loss on the pairs trained on and on held-out ones; once known, the least possible."""
    steps = [look.step for look in looks]
    held_out = [look.held_out_loss for look in looks]
    level = (exam.least_loss_nats, text("series.least")) if exam else None
    return curve(
        [
            Series(text("series.train"), steps, [look.loss for look in looks], "train", points=True),
            Series(text("series.held_out"), steps, held_out, "validation", points=True),
        ],
        x_title=text("axis.step"), y_title=text("axis.loss"), floor=level, height=280,
        alt=text("alt.loss", loss=f"{held_out[-1]:.3f}"),
    )  # fmt: skip


def accuracy(looks: Sequence[Look], exam: Exam | None, text: Words) -> Figure:
    """How often the rater's choice is named, against the best that anybody could do."""
    steps, values = [look.step for look in looks], [look.accuracy for look in looks]
    level = (exam.best_accuracy, text("series.best")) if exam else None
    return curve(
        [Series(text("series.accuracy"), steps, values, "changed", points=True)],
        x_title=text("axis.step"), y_title=text("axis.accuracy"), floor=level, height=260,
        alt=text("alt.accuracy", accuracy=f"{values[-1]:.0%}"),
    )  # fmt: skip


def worths(result: RewardResult, text: Words) -> Figure:
    """Planted, contained in the pairs, found."""
    parts = [
        (text("series.planted"), result.planted, "baseline"),
        (text("series.fitted"), result.fitted, "key"),
        (text("series.found"), result.exam.found, "changed"),
    ]
    names = [text(f"cause.{cause}") for cause in CAUSES]
    found = ", ".join(
        f"{name} {value:.2f}" for name, value in zip(names, result.exam.found, strict=True)
    )
    return bars.grouped(
        parts, names, text, alt=text("alt.worths", found=found), value_title=text("axis.worth")
    )


def dependence(exam: Exam, text: Words) -> Figure:
    """Reward of the same sums, right and ten off, with 0 to 4 marks."""
    marks = np.arange(exam.dependence.shape[1])
    series = [
        Series(
            text(f"answers.{name}"), marks, mean, role, points=True,
            spread=(mean - deviation, mean + deviation),
        )
        for name, role, mean, deviation in zip(
            ("right", "wrong"), RIGHT_ROLES, exam.dependence, exam.dependence_spread, strict=True
        )
    ]  # fmt: skip
    return curve(
        series, x_title=text("axis.marks"), y_title=text("axis.reward"),
        marks=[(MOST_MARKS, text("mark.seen"))], height=300, alt=text("alt.dependence"),
    )  # fmt: skip


def kinds(exam: Exam, text: Words) -> Figure:
    """What the policy's own answers get: boxes from the 5 % to the 95 % quantile."""
    columns = [text("marks", count=count) for count in range(MOST_MARKS + 1)]
    traces, tables = [], []
    for name, role, quantiles, answers in zip(
        ("right", "wrong"), RIGHT_ROLES, exam.kinds, exam.answers, strict=True
    ):
        low, lower, middle, upper, high = quantiles.T
        traces.append(
            go.Box(
                x=columns, lowerfence=low, q1=lower, median=middle, q3=upper, upperfence=high,
                name=text(f"answers.{name}"), marker_color=theme.MEANING[role],
            )
        )  # fmt: skip
        tables.append(
            pd.DataFrame(
                {
                    text("column.answers"): text(f"answers.{name}"),
                    text("column.marks"): columns,
                    text("column.count"): answers,
                    "5 %": low.round(2), "25 %": lower.round(2), "50 %": middle.round(2),
                    "75 %": upper.round(2), "95 %": high.round(2),
                }
            )
        )  # fmt: skip
    figure = plotly_figure(*traces, y_title=text("axis.reward"), boxmode="group")
    return Figure("plotly", figure, text("alt.kinds"), pd.concat(tables), 300)


def calibration(result: Calibration, text: Words) -> Figure:
    """What the model said of its favourite, and how often the rater took it; below, how many pairs."""
    share = result.pairs / result.pairs.sum()
    middle = 0.5 + (np.arange(len(share)) + 0.5) / (2 * len(share))
    dots = go.Scatter(
        x=result.confidence, y=result.preferred, mode="lines+markers", name=text("series.preferred"),
        marker={"size": 9, "color": theme.MEANING["changed"]}, customdata=result.pairs,
        hovertemplate="%{x:.2f} → %{y:.2f} (%{customdata})<extra></extra>",
    )  # fmt: skip
    pairs = go.Bar(
        x=middle, y=share, width=0.8 / (2 * len(share)), name=text("series.pairs"), opacity=0.35,
        marker_color=theme.MEANING["changed"], customdata=result.pairs,
        hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip
    honest = go.Scatter(
        x=[0.5, 1], y=[0.5, 1], mode="lines", name=text("series.honest"), hoverinfo="skip",
        line={"color": theme.MEANING["floor"], "dash": "dash", "width": 1.5},
    )  # fmt: skip
    figure = plotly_figure(
        pairs, honest, dots, x_title=text("axis.confidence"), y_title=text("axis.share")
    )
    figure.update_yaxes(range=[0, 1.03])
    table = pd.DataFrame(
        {
            text("axis.confidence"): result.confidence.round(3),
            text("series.preferred"): result.preferred.round(3),
            text("column.count"): result.pairs,
        }
    )
    return Figure(
        "plotly", figure, text("alt.calibration", error=f"{result.error:.3f}"), table, 320
    )
