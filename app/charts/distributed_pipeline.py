"""Pictures of a real pipeline: how long a step takes and how idle its stages are, by how finely it is cut.

M numbers of micro-batches, R repeats.
"""

from collections.abc import Callable, Sequence

import numpy as np

from app.charts.curves import Series, curve
from app.figures import Figure
from labcore.distributed.real_pipeline import CUTS, RealPipelineResult, Timed

Text = Callable[..., str]


def step_time(result: RealPipelineResult, text: Text) -> Figure:
    """The fastest repeat of each cut, the median behind it, and what the formula promises."""
    measured = Series(
        text("series.measured"), result.micro_batches, result.best_ms, "measured", points=True,
        spread=(result.best_ms, np.median(result.total_ms, axis=1)),
    )  # fmt: skip
    return _over_cuts(
        [measured, _formula(result, result.expected_ms, text)], text("axis.milliseconds"),
        text("alt.step_time", first=f"{result.best_ms[0]:.0f}", last=f"{result.best_ms[-1]:.0f}"),
        text,
    )  # fmt: skip


def idle(result: RealPipelineResult, text: Text) -> Figure:
    """Idle share of the fastest repeats, in per cent, and the formula."""
    measured = Series(
        text("series.measured"), result.micro_batches, 100 * result.best_idle, "measured",
        points=True,
    )  # fmt: skip
    first, last = (f"{100 * result.best_idle[at]:.0f}" for at in (0, -1))
    return _over_cuts(
        [measured, _formula(result, 100 * result.formula, text)], text("axis.idle"),
        text("alt.idle", first=first, last=last), text,
    )  # fmt: skip


def so_far(told: Sequence[Timed], text: Text) -> Figure:
    """A run under way: the fastest step of each cut until now."""
    cuts = sorted({one.micro_batches for one in told})
    best = [min(one.total_ms for one in told if one.micro_batches == cut) for cut in cuts]
    return _over_cuts(
        [Series(text("series.measured"), cuts, best, "measured", points=True)],
        text("axis.milliseconds"),
        text("alt.step_time", first=f"{best[0]:.0f}", last=f"{best[-1]:.0f}"), text,
    )  # fmt: skip


def _formula(result: RealPipelineResult, values: np.ndarray, text: Text) -> Series:
    return Series(text("series.formula"), result.micro_batches, values, "formula", dashed=True)


def _over_cuts(series: Sequence[Series], y_title: str, alt: str, text: Text) -> Figure:
    return curve(
        series, x_title=text("axis.micro_batches"), y_title=y_title, y_range=(0, None), log_x=True,
        x_range=(CUTS[0], CUTS[-1]),
        alt=alt, height=300,
    )  # fmt: skip
