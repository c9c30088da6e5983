"""Pictures of "why √d": a measure against the width, and the weights of one query."""

from collections.abc import Callable

import numpy as np

from app.charts.curves import Series, curve
from app.figures import Figure
from labcore.architecture.score_scale import SCALES, WIDTHS, ScoreScaleResult

Text = Callable[..., str]
ROLES = {"none": "rejected", "sqrt_d": "chosen", "sqrt_width": "query", "d": "key"}
LOG = ("std", "reach")  # measures that run over orders of magnitude


def against_width(result: ScoreScaleResult, measure: str, keys: int, text: Text) -> Figure:
    """One measure under all four factors, with its spread over the draws, and what theory says."""
    found = result.measures[measure]
    series = [
        Series(
            text(f"scale.{scale}"), WIDTHS, found[scale].mean(axis=0), ROLES[scale], points=True,
            spread=(found[scale].min(axis=0), found[scale].max(axis=0)),
        )
        for scale in SCALES
    ]  # fmt: skip
    if measure == "std":
        root = np.sqrt(WIDTHS)
        series.append(Series(text("series.root"), WIDTHS, root, "expected", dashed=True))
    even = {"largest": 1 / keys, "entropy": float(np.log(keys))}.get(measure)
    floor = None if even is None else (even, text("series.even", value=f"{even:.3g}"))
    return curve(
        series, x_title=text("axis.width"), y_title=text(f"axis.{measure}"), log_x=True,
        x_range=(10, 2000),
        log_y=measure in LOG, floor=floor, height=380,
        alt=text(
            f"alt.{measure}", low=f"{found['none'][:, 0].mean():.3g}",
            high=f"{found['none'][:, -1].mean():.3g}", right=f"{found['sqrt_d'].mean():.3g}",
        ),
    )  # fmt: skip


def one_query(result: ScoreScaleResult, width: int, text: Text) -> Figure:
    """The weights of one query at one width, largest first, under all four factors."""
    at = WIDTHS.index(width)
    keys = len(result.weights["none"][at])
    series = [
        Series(
            text(f"scale.{scale}"), np.arange(1, keys + 1), result.weights[scale][at], ROLES[scale],
            points=keys <= 32,
        )
        for scale in SCALES
    ]  # fmt: skip
    tops = {scale: f"{result.weights[scale][at][0]:.2f}" for scale in ("none", "sqrt_d")}
    return curve(
        series, x_title=text("axis.rank"), y_title=text("axis.weight"), x_range=(1, keys),
        y_range=(0, None), alt=text("alt.one", width=width, **tops), height=280,
    )  # fmt: skip
