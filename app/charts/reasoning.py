"""Pictures of thinking in steps: learning with and without, chains cut short or changed, and the length.

Axes: E looks, N digits, L lengths, S seeds.
"""

from collections.abc import Sequence

import numpy as np

from app.charts.curves import Series, curve
from app.figures import Figure
from app.i18n import Words
from labcore.reasoning.chains import WAYS
from labcore.reasoning.think import Look, Thinking
from labcore.reasoning.think_study import LengthStudy

ROLES = {"direct": "dropped", "chain": "changed"}
SHARE = (0, 1)


def learning(looks: Sequence[Look], guess: float, text: Words) -> Figure:
    """Accuracy of both models while they learn."""
    by_way = {way: [look for look in looks if look.way == way] for way in WAYS}
    return _learning(
        {way: [look.step for look in some] for way, some in by_way.items()},
        {way: [look.accuracy for look in some] for way, some in by_way.items()}, guess, text,
    )  # fmt: skip


def learned(result: Thinking, text: Words) -> Figure:
    return _learning(dict.fromkeys(WAYS, result.steps), result.accuracy, result.guess, text)


def _learning(steps: dict, accuracy: dict, guess: float, text: Words) -> Figure:
    ends = {way: f"{accuracy[way][-1]:.0%}" if len(accuracy[way]) else "-" for way in WAYS}
    return curve(
        [
            Series(text(f"way.{way}"), steps[way], accuracy[way], ROLES[way], points=True)
            for way in WAYS
            if len(steps[way])
        ],
        x_title=text("axis.updates"), y_title=text("axis.accuracy"), y_range=SHARE,
        x_range=(0, int(max(max(steps[way], default=1) for way in WAYS))),
        floor=(guess, text("floor.guess")), alt=text("alt.learning", **ends),
    )  # fmt: skip


def allowed(result: Thinking, text: Words) -> Figure:
    """What the model that writes steps answers when it is stopped early."""
    steps = np.arange(len(result.allowed))
    return curve(
        [Series(text("way.chain"), steps, result.allowed, "changed", points=True)],
        x_title=text("axis.allowed"), y_title=text("axis.accuracy"), y_range=SHARE,
        x_range=(0, len(steps) - 1),
        floor=(result.guess, text("floor.guess")), height=280,
        alt=text(
            "alt.allowed", none=f"{result.allowed[0]:.0%}", short=f"{result.allowed[-2]:.0%}",
            all=f"{result.allowed[-1]:.0%}",
        ),
    )  # fmt: skip


def faithful(result: Thinking, text: Words) -> Figure:
    """How often the answer goes with what was changed, by where it was changed."""
    step, digit = result.step_changed["follows"], result.digit_changed["follows"]
    places = np.arange(1, len(step) + 1)
    return curve(
        [
            Series(text("series.step_changed"), places, step, "changed", points=True),
            Series(text("series.digit_changed"), places, digit, "dropped", points=True),
        ],
        x_title=text("axis.place"), y_title=text("axis.follows"), y_range=SHARE,
        x_range=(1, len(places)), height=280,
        alt=text("alt.faithful", step=f"{step.mean():.0%}", digit=f"{digit.mean():.0%}"),
    )  # fmt: skip


def by_length(study: LengthStudy, text: Words) -> Figure:
    """Accuracy after the last update over the length of the question."""
    series = [
        _banded(text(f"way.{way}"), study.lengths, study.accuracy[way], ROLES[way]) for way in WAYS
    ]
    series.append(_banded(text("series.one_short"), study.lengths, study.one_short, "guess", True))
    return curve(
        series, x_title=text("axis.digits"), y_title=text("axis.accuracy"), y_range=SHARE,
        floor=(study.guess, text("floor.guess")), log_x=True, x_range=_ends(study.lengths), height=300,
        alt=text(
            "alt.by_length", short=f"{study.accuracy['direct'][0].mean():.0%}",
            long=f"{study.accuracy['direct'][-1].mean():.0%}",
            chain=f"{study.accuracy['chain'][-1].mean():.0%}",
        ),
    )  # fmt: skip


def faithful_by_length(study: LengthStudy, text: Words) -> Figure:
    return curve(
        [
            _banded(text("series.step_changed"), study.lengths, study.follows_step, "changed"),
            _banded(text("series.digit_changed"), study.lengths, study.follows_digit, "dropped"),
        ],
        x_title=text("axis.digits"), y_title=text("axis.follows"), y_range=SHARE, log_x=True,
        x_range=_ends(study.lengths), height=300,
        alt=text(
            "alt.faithful_by_length", short=f"{study.follows_step[1].mean():.0%}",
            long=f"{study.follows_step[-1].mean():.0%}",
        ),
    )  # fmt: skip


def _banded(
    name: str, x: np.ndarray, values: np.ndarray, role: str, dashed: bool = False
) -> Series:
    """The mean over seeds with a band from the lowest to the highest.  values (L, S)"""
    spread = (values.min(axis=1), values.max(axis=1))
    return Series(name, x, values.mean(axis=1), role, dashed, points=True, spread=spread)


def _ends(x: np.ndarray) -> tuple[float, float]:
    """A logarithmic axis would go on to the next power of ten."""
    return float(x[0]), float(x[-1])
