"""Pictures of causal against masked on natural text, and of one text's loss in several units.

R seeds, M looks, S vocabularies, T tokens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.charts import bars, maps
from app.charts.curves import Series, curve
from app.charts.objectives import spread
from app.figures import Figure
from app.i18n import Words
from labcore.pretraining import objective_units as units
from labcore.pretraining.objective_natural import KINDS, NaturalResult, Progress
from labcore.pretraining.objective_own import WAYS, OwnText
from labcore.pretraining.objective_units import Loss, Scored, UnitsResult

WAY_ROLE = {"left": "causal", "rescored": "neutral", "both": "masked"}
MOST_NATS = 8.0  # darkest on a row of tokens


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """One line of a run: (3, M) lowest, median and highest over seeds."""

    name: str  # a kind of model, or a vocabulary's size
    x: dict[str, np.ndarray]  # (M,) "steps", and "answers" or "read"
    values: dict[str, np.ndarray]


# Causal against masked.


def natural_recorded(result: NaturalResult) -> list[Course]:
    return [
        Course(
            kind,
            {"steps": result.looks, "answers": result.looks * result.targets[number]},
            {"own": spread(result.own_nats[:, number]), "right": spread(result.right[:, number])},
        )
        for number, kind in enumerate(KINDS)
    ]


def natural_running(events: Sequence[Progress]) -> list[Course]:
    courses = []
    for kind in KINDS:
        mine = {event.step: event for event in events if event.kind == kind}
        if mine:
            steps = np.array(list(mine))
            answers = steps * np.array([event.targets for event in mine.values()])
            courses.append(
                Course(
                    kind,
                    {"steps": steps, "answers": answers},
                    {
                        "own": spread(np.array([[event.own_nats for event in mine.values()]])),
                        "right": spread(np.array([[event.right for event in mine.values()]])),
                    },
                )
            )
    return courses


def gaps(courses: Sequence[Course], axis: str, text: Words) -> Figure:
    """The share of gaps filled with the true token, against steps or against questions answered."""
    series = [_line(text(f"way.{course.name}"), course, axis, "right") for course in courses]
    return curve(
        series, x_title=text(f"axis.{axis}"), y_title=text("axis.filled"), y_range=(0, None),
        log_x=axis == "answers", height=340,
        alt=text("alt.gaps", ends=_ends(series, text)),
    )  # fmt: skip


def own_losses(courses: Sequence[Course], text: Words) -> Figure:
    """Each model's loss on its own question."""
    series = [
        _line(text(f"option.objective.{course.name}"), course, "steps", "own") for course in courses
    ]
    return curve(
        series, x_title=text("axis.steps"), y_title=text("axis.nats"), height=280,
        alt=text("alt.own", ends=_ends(series, text)),
    )  # fmt: skip


def outcome(result: NaturalResult, task: str, text: Words) -> Figure:
    """One task at the end, each way of doing it: the mean over seeds, the range beside the name."""
    tables = [getattr(one, task) for one in result.outcomes]
    rows = {name: [table[name] for table in tables] for name in tables[0]}
    if task == "filled":
        rows["commonest"] = [one.commonest for one in result.outcomes]
    if task == "preferred":
        rows["coin"] = [0.5]
    names = [f"{text(f'{task}.{name}')}{_range(values)}" for name, values in rows.items()]
    means = [float(np.mean(values)) for values in rows.values()]
    told = text("list.comma").join(
        f"{text(f'{task}.{name}')} {mean:.2f}" for name, mean in zip(rows, means, strict=True)
    )
    return bars.grouped(
        [(text(f"axis.{task}"), means, "changed")], names, text, value_title=text(f"axis.{task}"),
        alt=text("alt.outcome", shares=told), height=80 + 34 * len(rows),
    )  # fmt: skip


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f" ({low:.2f} – {high:.2f})" if high > low else ""


def own_tokens(own: OwnText, kind: str, text: Words) -> Figure:
    """The learner's text, each token coloured by what it costs one of the models.  Selects {"token"}."""
    nats = own.causal_nats if kind == "causal" else own.masked_nats
    return maps.token_row(
        own.labels, nats, text, value_title=text("axis.nats"), bounds=(0.0, MOST_NATS),
        signed=False, selected=own.place,
        alt=text("alt.own_tokens", kind=text(f"option.objective.{kind}"), nats=f"{nats.sum():.1f}"),
    )  # fmt: skip


def candidates(own: OwnText, text: Words) -> Figure:
    """What each way of filling says of the gap; the true token stands first."""
    parts = [(text(f"filled.{way}"), own.shares[way], WAY_ROLE[way]) for way in WAYS]
    told = text("list.comma").join(f"{name} {values[0]:.3f}" for name, values, _ in parts)
    return bars.grouped(
        parts, own.candidates, text, value_title=text("axis.probability"),
        alt=text("alt.candidates", token=own.candidates[0], shares=told),
    )  # fmt: skip


# Units.


def units_recorded(result: UnitsResult) -> list[Course]:
    courses = []
    for number, size in enumerate(result.sizes):
        nats = result.nats[:, number]  # (R, M)
        courses.append(
            _units_course(size, result.looks, result.looks * result.read[number], nats,
                          int(result.tokens[number]), result.bytes)
        )  # fmt: skip
    return courses


def units_running(sizes: Sequence[int], events: Sequence[units.Progress]) -> list[Course]:
    courses = []
    for size in sizes:
        mine = [event for event in events if event.size == size]
        if mine:
            steps, read = (np.array([getattr(e, name) for e in mine]) for name in ("step", "read"))
            nats, loss = np.array([[event.loss.nats for event in mine]]), mine[0].loss
            courses.append(_units_course(size, steps, read, nats, loss.tokens, loss.bytes))
    return courses


def _units_course(
    size: int, steps: np.ndarray, read: np.ndarray, nats: np.ndarray, tokens: int, size_bytes: int
) -> Course:
    losses = [[Loss(float(one), tokens, size_bytes) for one in row] for row in nats]
    values = {
        unit: spread(np.array([[getattr(loss, unit) for loss in row] for row in losses]))
        for unit in ("perplexity", "bits_per_byte")
    }
    return Course(str(size), {"steps": steps, "read": read / 1000}, values)


def in_units(courses: Sequence[Course], unit: str, axis: str, text: Words) -> Figure:
    """One unit over steps or over the text read, a line for each vocabulary."""
    series = [_line(size_name(int(course.name), text), course, axis, unit) for course in courses]
    return curve(
        series, x_title=text(f"axis.{axis}"), y_title=text(f"axis.{unit}"), height=300,
        log_y=unit == "perplexity", alt=text(f"alt.{unit}", ends=_ends(series, text)),
    )  # fmt: skip


def exact(losses: Mapping[str, Loss], text: Words) -> Figure:
    """A perfect reader's loss in three spellings: per token it differs, per byte it does not."""
    parts = [
        (text(f"axis.{unit}"), [getattr(loss, unit) for loss in losses.values()], role)
        for unit, role in (("nats_per_token", "neutral"), ("bits_per_byte", "kept"))
    ]
    told = text("list.comma").join(
        f"{text(f'spelt.{name}')} {loss.perplexity:.2f}" for name, loss in losses.items()
    )
    names = [
        text("spelt.with", name=text(f"spelt.{name}"), perplexity=f"{loss.perplexity:.2f}")
        for name, loss in losses.items()
    ]
    return bars.grouped(
        parts, names, text, value_title=text("axis.nats_or_bits"),
        alt=text("alt.exact", perplexities=told),
    )  # fmt: skip


def scored(one: Scored, size: int, text: Words) -> Figure:
    """The learner's text in the tokens of one vocabulary, coloured by what each costs."""
    return maps.token_row(
        one.labels, one.nats, text, value_title=text("axis.nats"), bounds=(0.0, MOST_NATS),
        signed=False,
        alt=text("alt.scored", size=size_name(size, text), tokens=len(one.labels)),
    )  # fmt: skip


def size_name(size: int, text: Words) -> str:
    return text("size.bytes") if size == units.BYTES else text("size", size=f"{size:,}")


def _line(name: str, course: Course, axis: str, field: str) -> Series:
    low, middle, high = course.values[field]
    role = course.name if course.name in KINDS else ""
    return Series(name, course.x[axis], middle, role, points=True, spread=(low, high))


def _ends(series: Sequence[Series], text: Words) -> str:
    return text("list.comma").join(f"{one.name} {one.y[-1]:.2f}" for one in series)
