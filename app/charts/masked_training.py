"""Pictures of an encoder learning to fill gaps, and of rules compared.

N steps, M looks, G gaps of the probe, C rules, R seeds, E shares of the held-out tokens that are hidden.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from app.charts import bars, maps
from app.charts.curves import Series, curve
from app.charts.masked import TONES, cell, words_table
from app.figures import Figure
from app.i18n import Words
from labcore.pretraining.masked_study import BASE, Study
from labcore.pretraining.masked_train import MaskedResult, Progress
from labcore.text.masking import HIDDEN

Text = Callable[..., str]
EXAMS = {"gap": "validation", "plain": "kept", "swapped": "gradient"}
RATE_COLOURS = ("neutral", "train", "kept", "guess", "gradient", "validation")


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """A run so far, in arrays: the same for a live run and for a finished one."""

    loss_nats: np.ndarray  # (N,)
    look_steps: np.ndarray  # (M,)
    marks: dict[str, np.ndarray]  # (M,) each: gap, plain, swapped
    guesses: list[list[str]]  # (M, G)
    probs: np.ndarray  # (M, G)
    floor_nats: float | None


def course_of_result(result: MaskedResult) -> Course:
    marks = {name: getattr(result, f"{name}_nats") for name in EXAMS}
    return Course(
        result.loss_nats, result.look_steps, marks, result.guesses, result.probs, result.floor_nats
    )


def course_of_events(events: Sequence[Progress]) -> Course:
    looks = [event.look for event in events if event.look is not None]
    marks = {
        name: np.array([getattr(look.marks, f"{name}_nats") for look in looks]) for name in EXAMS
    }
    return Course(
        np.array([event.loss_nats for event in events]),
        np.array([look.step for look in looks]),
        marks,
        [look.guesses for look in looks],
        np.array([look.probs for look in looks]),
        events[0].floor_nats,
    )


def losses(
    course: Course, total: int, constant_nats: float | None, text: Words,
    guess: tuple[float, float] | None = None,
) -> Figure:  # fmt: skip
    """The loss on the run's own questions, on held-out gaps, and the two levels that say what it is worth."""
    steps = np.arange(1, len(course.loss_nats) + 1)
    series = [
        Series(text("series.train"), steps, course.loss_nats, "train"),
        Series(text("series.gap"), course.look_steps, course.marks["gap"], "validation", points=True),
    ]  # fmt: skip
    if constant_nats is not None:
        level = [constant_nats, constant_nats]
        series.append(Series(text("series.constant"), [1, total], level, "expected", dashed=True))
    if guess is not None:
        series.append(Series(text("series.guess"), [guess[0]], [guess[1]], "guess", points=True))
    last = course.marks["gap"][-1] if len(course.look_steps) else np.nan
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.nats"), x_range=(0, total),
        y_range=(0, None), floor=_floor(course.floor_nats, text),
        alt=text("alt.losses", steps=len(steps), last=f"{last:.2f}"),
    )  # fmt: skip


def exams(course: Course, total: int, text: Words) -> Figure:
    """The same held-out tokens hidden, in plain sight, and with another token in their place."""
    return curve(
        [
            Series(text(f"exam.{name}"), course.look_steps, course.marks[name], role, points=True)
            for name, role in EXAMS.items()
        ],
        x_title=text("axis.step"), y_title=text("axis.nats"), x_range=(0, total),
        y_range=(0, None), height=300,
        alt=text(
            "alt.exams",
            **{
                name: f"{values[-1] if len(values) else np.nan:.2f}"
                for name, values in course.marks.items()
            },
        ),
    )  # fmt: skip


def gaps(course: Course, gaps: Sequence[str], text: Words) -> Figure:
    """The first choice for each gap of the probe, look by look; the shade is what the truth is given."""
    cells = [
        [
            cell(guess, float(prob), TONES[HIDDEN], text("gap.note", truth=truth, prob=f"{prob:.3f}"))
            for guess, prob, truth in zip(row, shares, gaps, strict=True)
        ]
        for row, shares in zip(course.guesses, course.probs, strict=True)
    ]  # fmt: skip
    return words_table(
        [text("gap.step", step=step) for step in course.look_steps.tolist()],
        list(gaps), cells,
        text("alt.gaps", gaps=len(gaps), looks=len(cells)), text("hint.gaps"),
        [(text("legend.truth"), TONES[HIDDEN])],
    )  # fmt: skip


def _floor(nats: float | None, text: Words) -> tuple[float, str] | None:
    return None if nats is None else (nats, text("series.floor", nats=f"{nats:.2f}"))


# Rules compared.


def courses(
    study: Study, names: Sequence[str], against: str, text: Words,
    live: Course | None = None, live_questions: float = 0.0,
) -> Figure:  # fmt: skip
    """Held-out loss of several rules, mean and spread over seeds, against steps or questions answered."""
    series = []
    for name, role in zip(names, _roles(names), strict=True):
        at = study.rules.index(name)
        x = study.look_steps * (study.questions[at] if against == "questions" else 1.0)
        series.append(_over_seeds(text(f"rule.{name}"), x, study.gap_nats[at], role))
    if live is not None and len(live.look_steps):
        x = live.look_steps * (live_questions if against == "questions" else 1.0)
        series.append(
            Series(text("series.live"), x, live.marks["gap"], "live", dashed=True, points=True)
        )
    ends = text("list.comma").join(
        f"{text(f'rule.{name}')} {study.gap_nats[study.rules.index(name), :, -1].mean():.2f}"
        for name in names
    )
    return curve(
        series, x_title=text(f"axis.{against}"), y_title=text("axis.nats"), height=400,
        y_range=(0, None), x_range=(0, None), floor=_floor(study.floor_nats, text),
        alt=text("alt.courses", ends=ends, seeds=len(study.seeds)),
    )  # fmt: skip


def _roles(names: Sequence[str]) -> Sequence[str]:
    return (
        RATE_COLOURS
        if len(names) == len(RATE_COLOURS)
        else ("train", "validation", "kept", "guess")
    )


def _over_seeds(name: str, x: np.ndarray, values: np.ndarray, role: str) -> Series:
    """(R, M) -> the mean, with the lowest and the highest around it."""
    spread = (values.min(axis=0), values.max(axis=0))
    return Series(name, x, values.mean(axis=0), role, points=True, spread=spread)


def ends(
    study: Study, names: Sequence[str], rates: Sequence[float], text: Words,
    live: tuple[float, float] | None = None,
) -> Figure:  # fmt: skip
    """Where the runs end, against the share that is hidden."""
    rows = [study.gap_nats[study.rules.index(name), :, -1] for name in names]
    values = np.array(rows).T  # (R, C)
    percent = 100 * np.array(rates)
    series = [_over_seeds(text("series.end", steps=study.steps), percent, values, "validation")]
    if live is not None:
        series.append(Series(text("series.live"), *np.array([live]).T, "live", points=True))
    best = names[int(values.mean(axis=0).argmin())]
    return curve(
        series, x_title=text("axis.rate"), y_title=text("axis.nats"), x_range=(0, 100),
        y_range=(0, None), floor=_floor(study.floor_nats, text),
        alt=text("alt.ends", best=text(f"rule.{best}"), nats=f"{values.mean(axis=0).min():.2f}"),
    )  # fmt: skip


def excess(study: Study, names: Sequence[str], text: Words) -> Figure:
    """Nats above the floor, trained with one share hidden, examined with another.  (C, E)"""
    at = [study.rules.index(name) for name in names]
    values = study.exam_nats[at].mean(axis=1) - study.exam_floors
    best = [names[row] for row in values.argmin(axis=0)]
    return maps.matrix(
        values, [text(f"rule.{name}") for name in names],
        [text("exam.share", percent=round(100 * share)) for share in study.exam_shares], text,
        row_title=text("axis.trained"), column_title=text("axis.examined"),
        value_title=text("axis.excess"), signed=False, height=340,
        alt=text(
            "alt.excess",
            best=text("list.comma").join(text(f"rule.{name}") for name in best),
        ),
    )  # fmt: skip


def recipes(study: Study, names: Sequence[str], text: Words) -> Figure:
    """What each disguise teaches: loss behind [MASK], in plain sight, and with a mistake in the place."""
    at = [study.rules.index(name) for name in names]
    finals = {name: getattr(study, f"{name}_nats")[at, :, -1] for name in EXAMS}  # (C, R)
    labels = [text("rule.100-0-0" if name == BASE else f"rule.{name}") for name in names]
    figure = bars.grouped(
        [(text(f"exam.{name}"), values.mean(axis=1), EXAMS[name]) for name, values in finals.items()],
        labels, text, value_title=text("axis.nats"),
        alt=text(
            "alt.recipes",
            ends=text("list.comma").join(
                f"{label} {value:.2f}"
                for label, value in zip(labels, finals["plain"].mean(axis=1), strict=True)
            ),
        ),
    )  # fmt: skip
    table = pd.DataFrame({text("column.rule"): labels})
    for name, values in finals.items():
        for what, column in (
            ("mean", values.mean(1)),
            ("min", values.min(1)),
            ("max", values.max(1)),
        ):
            table[f"{text(f'exam.{name}')} ({what})"] = column
    table[text("column.spotted")] = study.spotted[at, :, -1].mean(axis=1)
    return Figure(figure.kind, figure.spec, figure.alt, table, figure.height)
