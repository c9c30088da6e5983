"""Pictures of an ability that comes overnight, and of the same models scored digit by digit."""

from collections.abc import Callable, Sequence

import numpy as np

from app.charts.curves import Series, curve
from app.figures import Figure
from labcore.pretraining.emergence import Look, Sizes, expected_whole

Text = Callable[..., str]


def scores(looks: Sequence[Look], length: int, steps: int, text: Text) -> Figure:
    """Single digits, whole answers, and the loss, over the same steps."""
    at = [look.step for look in looks]
    told = [look.scores for look in looks]
    series = [
        Series(text("series.right"), at, [one.right[:length].mean() for one in told], "changed"),
        Series(text("series.whole", length=length), at, [one.whole[length - 1] for one in told],
               "rejected"),
        Series(text("series.power", length=length), at,
               [expected_whole(one.right, length) for one in told], "expected", dashed=True),
        Series(text("series.nats"), at, [one.nats[:length].mean() for one in told], "learning_rate",
               right=True),
    ]  # fmt: skip
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.share_right"),
        right_title=text("axis.nats_digit"), x_range=(0, steps), y_range=(0, 1),
        alt=text("alt.scores", right=f"{series[0].y[-1]:.0%}", whole=f"{series[1].y[-1]:.0%}"),
        height=380,
    )  # fmt: skip


def lengths(looks: Sequence[Look], steps: int, text: Text) -> Figure:
    """The same predictions, scored as answers of one digit, of two, of four …"""
    digits = len(looks[0].scores.whole)
    at = [look.step for look in looks]
    shown = [n for n in (1, 2, 4, 8, 16) if n < digits] + [digits]
    series = [
        Series(text("series.length", length=n), at, [look.scores.whole[n - 1] for look in looks])
        for n in shown
    ]
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.share_right"), x_range=(0, steps),
        y_range=(0, 1), alt=text("alt.lengths", longest=digits),
    )  # fmt: skip


def chances(looks: Sequence[Look], length: int, problems: int, steps: int, text: Text) -> Figure:
    """The chance that sampling gives the whole answer, on a logarithmic axis: it has climbed all along."""
    at = [look.step for look in looks]
    chance = [look.scores.chance[length - 1] for look in looks]
    whole = [look.scores.whole[length - 1] or np.nan for look in looks]
    series = [
        Series(text("series.chance_of_answer", length=length), at, chance, "changed"),
        Series(text("series.whole", length=length), at, whole, "rejected", points=True),
        # A line of its own: ECharts draws no level on a logarithmic axis.
        Series(text("series.resolution", problems=problems), (0, steps), (1 / problems,) * 2,
               "expected", dashed=True),
    ]  # fmt: skip
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.share_log"), log_y=True,
        x_range=(0, steps),
        alt=text("alt.chances", first=f"{chance[0]:.1g}", last=f"{chance[-1]:.2f}"),
    )  # fmt: skip


def by_size(sizes: Sizes, length: int, text: Text) -> Figure:
    """After the same number of steps: single digits and whole answers against the number of parameters."""
    right = sizes.right[..., :length].mean(axis=-1)  # (D, W)
    whole = sizes.whole[..., length - 1]
    nats = sizes.nats[..., :length].mean(axis=-1)
    series = [
        _spread(text("series.right"), sizes.parameters, right, "changed"),
        _spread(text("series.whole", length=length), sizes.parameters, whole, "rejected"),
        _spread(text("series.nats"), sizes.parameters, nats, "learning_rate", on_right=True),
    ]
    return curve(
        series, x_title=text("axis.parameters"), y_title=text("axis.share_right"), log_x=True,
        right_title=text("axis.nats_digit"), y_range=(0, 1),
        x_range=(sizes.parameters[0], sizes.parameters[-1]),
        alt=text("alt.by_size", smallest=f"{sizes.parameters[0]:,}", largest=f"{sizes.parameters[-1]:,}"),
        height=380,
    )  # fmt: skip


def _spread(
    name: str, x: Sequence[float], values: np.ndarray, role: str, on_right: bool = False
) -> Series:
    """(D, W)"""
    return Series(
        name, x, np.median(values, axis=1), role, points=True, right=on_right,
        spread=(values.min(axis=1), values.max(axis=1)),
    )  # fmt: skip
