"""Distillation: three students' courses, where many cases end, and opinions of one token.

Axes: M looks, C cases, S seeds, K tokens.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.bars import grouped
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.compression.dark_knowledge import Dark
from labcore.compression.distil_run import STUDENTS, DistilConfig, DistilResult, Look
from labcore.compression.distil_study import PASSAGES, Course, DistilStudy

ROLES = {
    "distilled": "changed", "alone": "dropped", "compute": "key", "teacher": "kept", "world": "baseline",
}  # fmt: skip
ROW_PIXELS = 44


# One run.


def courses(
    looks: Sequence[Look], over: str, levels: tuple[float, float] | None, text: Words
) -> Figure:
    """Held-out loss over steps, or over arithmetic. `levels`: the teacher's loss and the floor."""
    names = [name for name in STUDENTS if over == "gflop" or name != "compute"]
    series = []
    for name in names:
        seen = [look for look in looks if look.student == name]
        if seen:
            x = [getattr(look, over) for look in seen]
            y = [look.nats for look in seen]
            series.append(Series(text(f"student.{name}"), x, y, ROLES[name], points=True))
    if levels and series:
        ends = [0.0, max(max(one.x) for one in series)]
        series.append(Series(text("student.teacher"), ends, [levels[0]] * 2, "kept", dashed=True))
    said = "; ".join(f"{one.name} {one.y[-1]:.2f}" for one in series)
    return curve(
        series, x_title=text(f"axis.{over}"), y_title=text("axis.nats"), y_range=(0, None), height=320,
        floor=(levels[1], text("series.floor")) if levels else None,
        alt=text(f"alt.{over}", said=said),
    )  # fmt: skip


def ends(result: DistilResult, config: DistilConfig, text: Words) -> pd.DataFrame:
    """One row a student: what was spent, and what came of it."""
    rows = []
    for name in STUDENTS:
        looks = result.of(name)
        last = looks[-1]
        rows.append(
            {
                text("column.student"): text(f"student.{name}"),
                text("column.steps"): last.step,
                text("column.gflop"): round(last.gflop, 1),
                text("column.nats"): round(last.nats, 3),
                text("column.best"): round(min(look.nats for look in looks), 3),
                text("column.own"): round(last.own_nats, 3),
                text("column.agreement"): f"{last.agreement:.0%}",
            }
        )
    return pd.DataFrame(rows)


# Several seeds.


def amounts(study: DistilStudy, what: str, text: Words) -> Figure:
    """Held-out loss of the three students over the passages that they read; `what`: "last" or "best"."""
    series = []
    for name in STUDENTS:
        found = [study.courses[f"passages-{n} {name}"] for n in PASSAGES]
        values = np.stack([one.last() if what == "last" else one.best() for one in found])  # (C, S)
        series.append(
            Series(
                text(f"student.{name}"), PASSAGES, values.mean(axis=1), ROLES[name], points=True,
                spread=(values.min(axis=1), values.max(axis=1)),
            )
        )  # fmt: skip
    return curve(
        series, x_title=text("axis.passages"), y_title=text("axis.nats"), log_x=True,
        floor=(study.teacher_nats, text("student.teacher")), x_range=(80, 2500),
        alt=text(f"alt.amounts.{what}"), y_range=(0, None),
    )  # fmt: skip


def cases(courses: Mapping[str, Course], names: Sequence[str], measure: str, text: Words) -> Figure:
    """Where every case ends, one dot per seed, above them the student without a teacher."""
    keys = ["passages-500 alone", *(f"{name} distilled" for name in names)]
    labels = [text("case.alone"), *(text(f"case.{name}") for name in names)]
    values = np.stack([courses[key].last(measure) for key in keys])  # (C, S)
    roles = [ROLES["alone"], *(ROLES["distilled"] for _ in names)]
    colours = [theme.MEANING[role] for role in roles for _ in range(values.shape[1])]
    dots = go.Scatter(
        x=values.ravel(), y=np.repeat(labels, values.shape[1]), mode="markers", opacity=0.8,
        marker={"size": 11, "color": colours}, hovertemplate="%{x:.3f}<extra></extra>",
    )  # fmt: skip
    figure = plotly_figure(dots, x_title=text(f"axis.{measure}"), showlegend=False)
    figure.update_yaxes(autorange="reversed")
    alone = float(values[0].mean())
    figure.add_vline(alone, line={"color": theme.MEANING["floor"], "dash": "dash", "width": 1.5})
    table = pd.DataFrame(
        {
            text("column.case"): labels,
            text("column.mean"): values.mean(axis=1).round(3),
            text("column.low"): values.min(axis=1).round(3),
            text("column.high"): values.max(axis=1).round(3),
        }
    )
    alt = text(f"alt.cases.{measure}")
    return Figure("plotly", figure, alt, table, 110 + ROW_PIXELS * len(labels))


# One token.


def opinions(dark: Dark, text: Words) -> Figure:
    """Probabilities of the same tokens by everybody, and what is left for all others."""
    parts = [
        (text(f"opinion.{name}"), [*share, max(0.0, 1 - share.sum())], ROLES[name])
        for name, share in dark.shares.items()
    ]
    marked = [
        f"{token} ◂" if row == dark.came_row else token for row, token in enumerate(dark.tokens)
    ]
    return grouped(
        parts, [*marked, text("opinion.others")], text, alt=text("alt.opinions", came=dark.came),
        value_title=text("axis.probability"),
    )  # fmt: skip


def knowing(dark: Dark, text: Words) -> pd.DataFrame:
    """How spread everybody's distribution is, and how far it lies from the truth."""
    return pd.DataFrame(
        {
            text("column.opinion"): [text(f"opinion.{name}") for name in dark.shares],
            text("column.entropy"): [f"{dark.entropy_nats[name]:.2f}" for name in dark.shares],
            text("column.divergence"): [
                f"{dark.divergence_nats.get(name, 0.0):.2f}" for name in dark.shares
            ],
        }
    )
