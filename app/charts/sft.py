"""Instruction tuning: a conversation's tokens, rows of conversations, what is learnt and what is forgotten.

Axes: T tokens, M looks, Q tasks, C cases, S seeds.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts import bars, maps
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.text.stories import LANGUAGES
from labcore.tuning.chat import ANSWER, END, ROLES, TEMPLATE, USER
from labcore.tuning.sft import Look, SFTConfig, Shown
from labcore.tuning.sft_packing import ASKED, PADDING, READ, PackingResult
from labcore.tuning.sft_smollm2 import Answered, RealLook
from labcore.tuning.sft_study import Case, Study
from labcore.tuning.sft_template import TemplateResult
from labcore.tuning.world_instructions import TASKS

# What a token of a conversation is to the loss; read tokens are pale beside those asked for.
KINDS = ("template", "user", "prompt_asked", "answer", "end", "end_left_out")
# The green is lighter than the theme's, so that dark ink can be read on it.
KIND_COLOURS = ("#c9ced8", "#e6e3da", theme.AMBER, "#35b590", theme.BLUE, theme.VERMILION)
SHADES = {PADDING: 0.0, READ: 0.35, ASKED: 1.0}  # of positions, in the colour map
CASE_ROLES = ("changed", "dropped", "kept", "guess")  # the case as it should be is blue
ROW_PIXELS = 40


# One conversation.


def kinds(result: TemplateResult) -> np.ndarray:
    """Which of KINDS each token is.  (T,)"""
    told = []
    for role, asked in zip(result.roles.tolist(), result.asked.tolist(), strict=True):
        name = ROLES[role]
        if name == END:
            told.append("end" if asked else "end_left_out")
        elif name == ANSWER:
            told.append("answer")
        else:
            told.append("prompt_asked" if asked else {TEMPLATE: "template", USER: "user"}[name])
    return np.array([KINDS.index(name) for name in told])


def conversation(result: TemplateResult, text: Words) -> Figure:
    """Every token in the colour of what the loss does with it."""
    after = [*result.tokens[1:], ""]
    asked = [*result.asked[1:].tolist(), False]
    notes = [
        text("note.asks", token=token) if it else text("note.asks_nothing")
        for token, it in zip(after, asked, strict=True)
    ]
    names = [
        (text(f"kind.{name}"), colour) for name, colour in zip(KINDS, KIND_COLOURS, strict=True)
    ]
    return maps.token_kinds(
        result.tokens, kinds(result), names, text, kind_title=text("column.kind"), notes=notes,
        alt=text("alt.conversation", tokens=len(result.tokens), asked=int(result.asked.sum())),
    )  # fmt: skip


# Several conversations.


def rows(table: np.ndarray, waste: float, text: Words) -> Figure:
    """Rows of positions: padding, read, asked for."""
    shade = np.vectorize(SHADES.get)(table).astype(np.float32)
    return maps.matrix(
        shade, [str(n + 1) for n in range(len(table))], [str(n) for n in range(table.shape[1])],
        text, row_title=text("axis.row"), column_title=text("axis.position"),
        value_title=text("axis.position_kind"), bounds=(0, 1), height=60 + 14 * len(table),
        alt=text("alt.rows", rows=len(table), waste=f"{waste:.0%}"),
    )  # fmt: skip


def mask(result: PackingResult, text: Words) -> Figure:
    """Who may look at whom in the fullest row: a triangle for each conversation."""
    names = [str(n) for n in range(len(result.mask))]
    return maps.matrix(
        result.mask.astype(np.float32), names, names, text, row_title=text("axis.query"),
        column_title=text("axis.key"), value_title=text("axis.allowed"), bounds=(0, 1), height=420,
        alt=text("alt.mask", size=len(names)),
    )  # fmt: skip


# One run.


def learnt(looks: Sequence[Look], config: SFTConfig, text: Words) -> Figure:
    """Right answers, and answers that end; by language where one alone was taught."""
    right, stopped = _line(looks, "right"), _line(looks, "stopped")
    if config.taught == "both":
        answered = [Series(text("series.right"), *right, "changed", points=True)]
    else:
        answered = [
            Series(
                text(f"series.right.{name}"), right[0],
                [look.language_right[at] for look in looks], name, points=True,
            )
            for at, name in enumerate(LANGUAGES)
        ]  # fmt: skip
    return curve(
        [*answered, Series(text("series.stopped"), *stopped, "kept", points=True)],
        x_title=text("axis.step"), y_title=text("axis.share"), x_range=(0, config.steps),
        y_range=(0, 1), height=300, alt=text("alt.learnt", right=f"{right[1][-1]:.0%}",
                                             stopped=f"{stopped[1][-1]:.0%}"),
    )  # fmt: skip


def forgotten(looks: Sequence[Look], floor: float, config: SFTConfig, text: Words) -> Figure:
    """Loss on held-out stories above the lowest possible."""
    story = _line(looks, "story_nats")
    return curve(
        [Series(text("series.story"), *story, "validation", points=True)],
        x_title=text("axis.step"), y_title=text("axis.story"), x_range=(0, config.steps),
        floor=(floor, text("series.floor")), height=280,
        alt=text("alt.forgotten", start=f"{story[1][0]:.2f}", end=f"{story[1][-1]:.2f}"),
    )  # fmt: skip


def loss(looks: Sequence[Look], config: SFTConfig, text: Words) -> Figure:
    """What is minimised."""
    steps, values = _line(looks, "loss")
    return curve(
        [Series(text("series.loss"), steps, values, "train", points=True)],
        x_title=text("axis.step"), y_title=text("axis.loss"), x_range=(0, config.steps),
        y_range=(0, None), height=240, alt=text("alt.loss", loss=f"{values[-1]:.2f}"),
    )  # fmt: skip


def tasks(looks: Sequence[Look], text: Words) -> Figure:
    """Right answers by task, at the end."""
    last = looks[-1].task_right
    return bars.stacked(
        [(text("series.right"), last.tolist(), "changed")], [text(f"task.{name}") for name in TASKS],
        text, value_title=text("axis.share"), height=90 + 30 * len(TASKS),
        alt=text("alt.tasks", best=text(f"task.{list(TASKS)[int(last.argmax())]}"),
                 worst=text(f"task.{list(TASKS)[int(last.argmin())]}")),
    )  # fmt: skip


def _line(looks: Sequence, name: str) -> tuple[list[int], list[float]]:
    return [look.step for look in looks], [getattr(look, name) for look in looks]


def answers(shown: Sequence[Shown], text: Words) -> pd.DataFrame:
    """Held-out instructions with the answers before and after."""
    return pd.DataFrame(
        {
            text("column.user"): [one.user for one in shown],
            text("column.before"): [one.before for one in shown],
            text("column.after"): [one.after for one in shown],
            text("column.wanted"): [one.wanted for one in shown],
        }
    )


# Several seeds.


def ends(study: Study, names: Sequence[str], measure: str, text: Words) -> Figure:
    """Where every case ends, one dot per seed."""
    cases = [study.cases[name] for name in names]
    labels = [text(f"case.{name}") for name in names]
    values = [case.last(measure) for case in cases]
    dots = go.Scatter(
        x=np.concatenate(values), y=np.repeat(labels, [len(one) for one in values]),
        mode="markers", marker={"size": 11, "color": theme.MEANING[_role(measure)]}, opacity=0.8,
        hovertemplate="%{x:.3f}<extra></extra>",
    )  # fmt: skip
    figure = plotly_figure(dots, x_title=text(f"axis.{measure}"), showlegend=False)
    figure.update_yaxes(autorange="reversed")
    if measure == "story_nats":
        line = {"color": theme.MEANING["floor"], "dash": "dash", "width": 1.5}
        figure.add_vline(study.floor_nats, line=line)
    else:
        figure.update_xaxes(range=(-0.03, 1.03))
    alt = text(f"alt.ends.{measure}")
    return Figure(
        "plotly", figure, alt, _table(labels, values, text), 110 + ROW_PIXELS * len(names)
    )


def _role(measure: str) -> str:
    return {"right": "changed", "stopped": "kept", "story_nats": "validation"}[measure]


def _table(labels: Sequence[str], values: Sequence[np.ndarray], text: Words) -> pd.DataFrame:
    stacked = np.stack(values)  # (C, S)
    return pd.DataFrame(
        {
            text("column.case"): labels,
            text("column.mean"): stacked.mean(axis=1).round(3),
            text("column.low"): stacked.min(axis=1).round(3),
            text("column.high"): stacked.max(axis=1).round(3),
        }
    )


def by_task(cases: dict[str, Case], text: Words) -> Figure:
    """Right answers of each case by task, mean of the seeds."""
    return bars.grouped(
        [
            (text(f"case.{name}"), case.task_right.mean(axis=0).tolist(), role)
            for (name, case), role in zip(cases.items(), CASE_ROLES, strict=False)
        ],
        [text(f"task.{name}") for name in TASKS], text, value_title=text("axis.right"),
        alt=text("alt.by_task", cases=len(cases)), height=120 + (12 + 12 * len(cases)) * len(TASKS),
    )  # fmt: skip


# The real model.


def real_losses(looks: Sequence[RealLook], text: Words) -> Figure:
    """Loss of each step, and on rows never trained on."""
    steps, held_out = _line(looks, "held_out_nats")
    return curve(
        [
            Series(text("series.loss"), *_line(looks, "loss"), "train"),
            Series(text("series.held_out"), steps, held_out, "validation", points=True),
        ],
        x_title=text("axis.step"), y_title=text("axis.loss"), x_range=(0, looks[0].steps),
        height=300, alt=text("alt.real", start=f"{held_out[0]:.2f}",
                             end=f"{[v for v in held_out if v == v][-1]:.2f}"),
    )  # fmt: skip


def real_answers(answered: Sequence[Answered], text: Words) -> pd.DataFrame:
    return pd.DataFrame(
        {
            text("column.user"): [one.user for one in answered],
            text("column.before"): [one.before for one in answered],
            text("column.after"): [one.after for one in answered],
            text("column.wanted"): [one.wanted for one in answered],
        }
    )
