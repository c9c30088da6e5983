"""One row of scores, taken in tile by tile: what is carried along, and what three softmaxes make of it."""

import math

import numpy as np
import pandas as pd

from app import theme
from app.charts.curves import Series, curve
from app.figures import Figure
from app.i18n import Words
from labcore.serving.online_softmax import OnlineResult

WAYS = ("naive", "safe", "online")
PALE = 0.3


def row(result: OnlineResult, tile: int, text: Words) -> Figure:
    """Every key's score: taken in before, in this tile, still unseen; above them the running maximum."""
    before = int(result.seen[tile - 1]) if tile else 0
    seen, scores = int(result.seen[tile]), result.scores.tolist()
    # Tokens repeat, and ECharts tells categories by their names.
    labels = [f"{number} {key}".strip() for number, key in enumerate(result.keys)]
    kinds = {"taken": range(before), "now": range(before, seen), "unseen": range(seen, len(scores))}
    colours = {"taken": theme.MEANING["key"], "now": theme.MEANING["query"], "unseen": theme.GRAY}
    bars = [
        {
            "type": "bar", "name": text(f"series.{kind}"), "stack": "scores", "barWidth": "70%",
            "data": [scores[key] if key in keys else None for key in range(len(scores))],
            "itemStyle": {"color": colours[kind], "opacity": PALE if kind == "unseen" else 1},
        }
        for kind, keys in kinds.items()
    ]  # fmt: skip
    so_far = np.repeat(result.largest, np.diff(result.seen, prepend=0))[:seen]
    line = {
        "type": "line", "name": text("series.largest"), "step": "middle", "showSymbol": False,
        "data": so_far.tolist() + [None] * (len(scores) - seen),
        "lineStyle": {"color": theme.MEANING["dropped"], "width": 2},
        "itemStyle": {"color": theme.MEANING["dropped"]},
    }  # fmt: skip
    option = {
        "animation": False,
        "grid": {"left": 8, "right": 16, "top": 52, "bottom": 8, "containLabel": True},
        "legend": {"top": 0, "type": "scroll"},
        "tooltip": {"trigger": "axis", "valueFormatter": "%.4g", "confine": True},
        "xAxis": {"type": "category", "data": labels, "axisLabel": {"rotate": 60}},
        "yAxis": {
            "type": "value", "name": text("axis.score"), "nameTextStyle": {"align": "left"},
            **_window(result.scores),
        },
        "series": [*bars, line],
    }  # fmt: skip
    table = pd.DataFrame(
        {
            text("column.key"): labels,
            text("axis.score"): scores,
            text("column.weight"): result.weights,
            text("series.largest"): [*so_far, *[np.nan] * (len(scores) - seen)],
        }
    )
    alt = text("alt.row", keys=len(scores), seen=seen, largest=f"{result.largest[tile]:.2f}")
    return Figure("echarts", option, alt, table, 340)


def _window(scores: np.ndarray) -> dict[str, int]:
    """Ends of the axis where all scores lie far from zero: from there, bars would look all alike."""
    low, high = float(scores.min()), float(scores.max())
    if min(abs(low), abs(high)) <= 2 * (high - low):
        return {}
    return {"min": math.floor(low) - 1, "max": math.ceil(high) + 1}


def carried(result: OnlineResult, tile: int, text: Words) -> Figure:
    """The running sum, and how far the output so far is from the final one."""
    stops = result.seen.tolist()
    return curve(
        [
            Series(text("series.total"), stops, result.total, "key", points=True),
            Series(
                text("series.distance"), stops, result.distance, "divergence", points=True,
                right=True,
            ),
        ],
        x_title=text("axis.seen"), y_title=text("axis.total"), right_title=text("axis.distance"),
        marks=[(stops[tile], text("mark.here"))], height=300,
        alt=text("alt.carried", total=f"{result.total[-1]:.3g}"),
    )  # fmt: skip


def three(result: OnlineResult, text: Words) -> pd.DataFrame:
    """What each softmax divides by, and how wrong its output is."""
    return pd.DataFrame(
        {
            text("column.way"): [text(f"way.{way}") for way in WAYS],
            text("column.sum"): [f"{result.sums[way]:.6g}" for way in WAYS],
            text("column.error"): [_error(result.errors[way], text) for way in WAYS],
        }
    )


def _error(error: float, text: Words) -> str:
    return f"{error:.1e}" if np.isfinite(error) else text("no_number")
