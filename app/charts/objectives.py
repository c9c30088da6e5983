"""Pictures of training objectives in the world of measure words, and of what each shows and asks.

R seeds, E objectives, M looks, T tokens; 24 nouns, 6 measure words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.charts import bars, maps
from app.charts.curves import Series, curve
from app.figures import Figure
from app.i18n import Words
from labcore.pretraining.objective_kinds import Objective
from labcore.pretraining.objective_views import ViewsResult
from labcore.pretraining.objective_world import PREFIX, Progress, WorldResult
from labcore.text import measure_words

LEFT_CEILING = 6 / 24  # measure words that the best guess from the left gets right
FEW = 0.15  # hidden share from which a line of masking is drawn solid; a higher one is dashed


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """One objective's run so far: the median over seeds, and the lowest and highest of them."""

    objective: Objective
    steps: np.ndarray  # (M,)
    values: dict[str, np.ndarray]  # a field of `Look` -> (3, M): lowest, median, highest


def recorded(result: WorldResult) -> list[Course]:
    tables = {"own_nats": result.own_nats, "right": result.right, "rescored": result.rescored}
    return [
        Course(one, result.looks, {name: spread(t[:, number]) for name, t in tables.items()})
        for number, one in enumerate(result.objectives)
    ]


def running(objectives: Sequence[Objective], events: Sequence[Progress]) -> list[Course]:
    """The same of a run that is not over."""
    courses = []
    for number, objective in enumerate(objectives):
        mine = [event for event in events if event.objective == number]
        if mine:
            values = {
                name: spread(np.array([[getattr(event.look, name) for event in mine]]))
                for name in ("own_nats", "right", "rescored")
            }
            courses.append(Course(objective, np.array([event.step for event in mine]), values))
    return courses


def spread(values: np.ndarray) -> np.ndarray:
    """(R, M) -> (3, M)"""
    return np.stack([values.min(axis=0), np.median(values, axis=0), values.max(axis=0)])


def name_of(objective: Objective, text: Words) -> str:
    """As it stands in legends: with what is particular to it."""
    percent, length = f"{100 * objective.share:g}", f"{objective.mean_length:g}"
    return text(f"objective.{objective.kind}", percent=percent, length=length)


def right(courses: Sequence[Course], steps: int, text: Words) -> Figure:
    """The share of measure words that each gets right, against the most that the left side allows."""
    series = [
        line(name_of(course.objective, text), course, "right", course.objective)
        for course in courses
    ]
    series += [
        line(text("series.rescored"), course, "rescored", course.objective, dashed=True)
        for course in courses
        if np.isfinite(course.values["rescored"]).any()
    ]
    ends = text("list.comma").join(f"{one.name} {one.y[-1]:.2f}" for one in series)
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.right"), x_range=(0, steps),
        y_range=(0, 1), floor=(LEFT_CEILING, text("series.ceiling")), height=360,
        alt=text("alt.right", ends=ends),
    )  # fmt: skip


def above_floor(
    courses: Sequence[Course], floors: Sequence[float], steps: int, text: Words
) -> Figure:
    """How far each is above the lowest loss that its own question allows."""
    series = []
    for course, floor in zip(courses, floors, strict=True):
        low, middle, high = course.values["own_nats"] - floor
        objective = course.objective
        series.append(
            Series(name_of(objective, text), course.steps, middle, **look(objective),
                   spread=(low, high))
        )  # fmt: skip
    ends = text("list.comma").join(f"{one.name} {one.y[-1]:.3f}" for one in series)
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.above"), x_range=(0, steps),
        y_range=(0.0, 1.0), floor=(0.0, text("series.floor")), height=320,
        alt=text("alt.above", ends=ends),
    )  # fmt: skip


def line(
    name: str, course: Course, field: str, objective: Objective, dashed: bool | None = None
) -> Series:
    low, middle, high = course.values[field]
    style = look(objective) | ({} if dashed is None else {"dashed": dashed})
    return Series(name, course.steps, middle, **style, spread=(low, high))


def look(objective: Objective) -> dict:
    return {"role": objective.kind, "dashed": objective.kind == "masked" and objective.share > FEW}


def beliefs(result: WorldResult, noun: int, language: str, text: Words) -> Figure:
    """What each says in the gap before one noun: mean over the seeds."""
    parts = [
        (name_of(one, text), result.beliefs[:, number, noun].mean(axis=0), one.kind)
        for number, one in enumerate(result.objectives)
        if one != PREFIX
        and not look(one)["dashed"]  # the same as causal, as less hidden, to the eye
    ]
    parts += [
        (text("series.rescored"), result.rescored_beliefs[:, number, noun].mean(axis=0), "neutral")
        for number, one in enumerate(result.objectives)
        if one.kind == "causal"
    ]
    measures = list(measure_words.NOUNS[language])
    true = measures[measure_words.CLASS_OF[noun]]
    shares = text("list.comma").join(
        f"{name} {values[measure_words.CLASS_OF[noun]]:.2f}" for name, values, _ in parts
    )
    return bars.grouped(
        parts, measures, text, value_title=text("axis.probability"),
        alt=text("alt.beliefs", measure=true, shares=shares),
        height=90 + 15 * len(measures) * len(parts),
    )  # fmt: skip


# What is shown and asked.


def looks(result: ViewsResult, text: Words) -> Figure:
    """Who may look at whom; a row also says what must be answered there.  Selects {"row", "column"}."""
    rows = [
        f"{read} → {asked}" if asked else read
        for read, asked in zip(result.read, result.asked, strict=True)
    ]
    return maps.matrix(
        result.allowed.astype(np.float32), rows, result.read, text, mask=result.allowed,
        row_title=text("axis.reads"), column_title=text("axis.looked_at"),
        value_title=text("axis.allowed"), bounds=(0.0, 1.0), height=620,
        alt=text("alt.looks", allowed=int(result.allowed.sum()), targets=result.targets),
    )  # fmt: skip


def signals(results: dict[str, ViewsResult], text: Words) -> Figure:
    """Tokens read and questions answered, for the same sentence under each objective."""
    parts = [
        (text("part.read"), [len(one.read) for one in results.values()], "neutral"),
        (text("part.asked"), [one.targets for one in results.values()], "kept"),
    ]
    return bars.grouped(
        parts, [text(f"option.objective.{kind}") for kind in results], text,
        value_title=text("axis.tokens"),
        alt=text(
            "alt.signals",
            counts=text("list.comma").join(
                f"{text(f'option.objective.{kind}')} {one.targets}"
                for kind, one in results.items()
            ),
        ),
    )  # fmt: skip
