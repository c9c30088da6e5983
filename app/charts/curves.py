"""Live curves: a handful of ECharts lines that are updated while one looks.

At most 400 points a line leave the server: a screen shows no more, and thirty learners poll.

>>> figure = curve(
...     [Series("training", [0, 1, 2], [3.0, 2.1, 1.8], "train")],
...     x_title="step", y_title="loss (nats)", alt="Loss falls towards the entropy of the data.",
...     floor=(1.73, "entropy of the data"),
... )
>>> [line["name"] for line in figure.spec["series"]]
['training']
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from app import theme
from app.figures import Figure

MOST_POINTS = 400
# A vertical axis' title stands over its axis; centred there, it would run out of the picture.
_ALIGNED = {side: {"nameTextStyle": {"align": side}} for side in ("left", "right")}


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One line. `role` is a meaning of `theme.MEANING` and gives the colour; others are coloured in turn."""

    name: str
    x: Sequence[float] | np.ndarray
    y: Sequence[float] | np.ndarray
    role: str = ""
    dashed: bool = False
    points: bool = False  # marks at the points: for few, measured values
    right: bool = False  # read on the right-hand axis
    # The lowest and the highest y over several seeds, drawn as a pale band behind the line.
    spread: tuple[Sequence[float] | np.ndarray, Sequence[float] | np.ndarray] | None = None


def curve(
    series: Sequence[Series],
    *,
    x_title: str,
    y_title: str,
    alt: str,
    floor: tuple[float, str] | None = None,
    log_x: bool = False,
    log_y: bool = False,
    right_title: str = "",
    x_range: tuple[float | None, float | None] = (None, None),
    y_range: tuple[float | None, float | None] = (None, None),
    marks: Sequence[tuple[float, str]] = (),
    height: int = 320,
) -> Figure:
    """Lines over a common x.

    `floor` is a dashed level with its label, such as the entropy below which no honest loss can go.
    `marks` are vertical lines with labels (the step at which something happened).  On a log axis, values
    that have no logarithm are left out of the picture and of the table.
    """
    lines = [_thinned(one, log_x, log_y) for one in series]
    option: dict[str, Any] = {
        "animation": False,
        "grid": {"left": 8, "right": 16, "top": 52, "bottom": 28, "containLabel": True},
        "legend": {"top": 0, "type": "scroll", "data": [one.name for one in series]},
        "tooltip": {"trigger": "axis", "valueFormatter": "%.4g", "confine": True},
        "xAxis": _axis(x_title, log_x, x_range) | {"nameLocation": "middle", "nameGap": 26},
        "yAxis": [_axis(y_title, log_y, y_range) | _ALIGNED["left"]],
        "series": [
            *(_line(one, xy, n) for n, (one, xy) in enumerate(zip(series, lines, strict=True))),
            *(
                half
                for index, (one, xy) in enumerate(zip(series, lines, strict=True))
                if one.spread is not None
                for half in _band(one, xy, index)
            ),
        ],
    }
    if any(one.right for one in series):
        option["yAxis"].append(
            _axis(right_title, False, (None, None))
            | _ALIGNED["right"]
            | {"splitLine": {"show": False}}
        )
    _add_lines(option, floor, marks)
    return Figure("echarts", option, alt, _table(series, lines, x_title, floor), height)


def strided(count: int, most: int = MOST_POINTS) -> np.ndarray:
    """Indices of at most `most` points: every n-th, and always the last.

    >>> strided(7, 4).tolist()
    [0, 2, 4, 6]
    """
    if count <= most:
        return np.arange(count)
    stride = math.ceil((count - 1) / (most - 1))
    return np.append(np.arange(0, count - 1, stride), count - 1)


def _thinned(one: Series, log_x: bool, log_y: bool) -> np.ndarray:
    """(N, 2), or (N, 4) with a spread: finite, drawable on the axes, at most 400."""
    columns = [one.x, one.y, *(one.spread or ())]
    xy = np.column_stack([np.asarray(column, np.float64) for column in columns])
    drawable = np.isfinite(xy).all(axis=1)
    if log_x:
        drawable &= xy[:, 0] > 0
    if log_y and not one.right:
        drawable &= (xy[:, 1:] > 0).all(axis=1)
    xy = xy[drawable]
    return xy[strided(len(xy))]


def _axis(title: str, log: bool, limits: tuple[float | None, float | None]) -> dict[str, Any]:
    axis = {"type": "log" if log else "value", "name": title, "scale": True}
    bounds = {"min": limits[0], "max": limits[1]}
    return axis | {name: value for name, value in bounds.items() if value is not None}


def _line(one: Series, xy: np.ndarray, index: int) -> dict[str, Any]:
    colour = theme.colour(one.role, index)
    return {
        "type": "line",
        "name": one.name,
        "data": xy[:, :2].tolist(),
        "yAxisIndex": int(one.right),
        "showSymbol": one.points or len(xy) == 1,
        "symbolSize": 7,
        "lineStyle": {"color": colour, "width": 2, "type": "dashed" if one.dashed else "solid"},
        "itemStyle": {"color": colour},
    }


def _band(one: Series, xy: np.ndarray, index: int) -> list[dict[str, Any]]:
    """Two unseen lines, one upon the other: the lowest values, and the way up to the highest."""
    shared = {
        "type": "line",
        "stack": f"spread {index}",
        "stackStrategy": "all",  # a way up from below zero, too
        "yAxisIndex": int(one.right),
        "silent": True,
        "showSymbol": False,
        "lineStyle": {"opacity": 0},
        "itemStyle": {"opacity": 0},
        "tooltip": {"show": False},
        "z": 1,
    }
    area = {"color": theme.colour(one.role, index), "opacity": 0.18}
    low, way = xy[:, [0, 2]], np.column_stack([xy[:, 0], xy[:, 3] - xy[:, 2]])
    return [shared | {"data": low.tolist()}, shared | {"data": way.tolist(), "areaStyle": area}]


def _add_lines(
    option: dict[str, Any], floor: tuple[float, str] | None, marks: Sequence[tuple[float, str]]
) -> None:
    """Levels and marks hang on the first series, as ECharts has it."""
    data = []
    if floor is not None:
        data.append({"yAxis": floor[0], "label": _label(floor[1], "insideEndBottom")})
    data += [{"xAxis": x, "label": _label(label, "end")} for x, label in marks]
    if not (data and option["series"]):
        return
    option["series"][0]["markLine"] = {
        "silent": True,
        "animation": False,
        "symbol": "none",
        "lineStyle": {"color": theme.MEANING["floor"], "type": "dashed", "width": 1.5},
        "data": data,
    }
    if floor is not None and "min" not in option["yAxis"][0]:
        _make_room(option, floor[0])


def _label(text: str, position: str) -> dict[str, Any]:
    # {b} would be expanded by ECharts: braces in a label are the learner's own characters.
    return {
        "formatter": text.replace("{", "｛").replace("}", "｝"),
        "position": position,
        "color": theme.MEANING["floor"],
    }


def _make_room(option: dict[str, Any], level: float) -> None:
    """A scaled axis knows its series only: without this the floor may lie outside the picture."""
    lines = [line for line in option["series"] if "stack" not in line and not line["yAxisIndex"]]
    drawn = [y for line in lines for _, y in line["data"]]
    axis = option["yAxis"][0]
    if axis["type"] == "value" and drawn and level < min(drawn):
        axis["min"] = _rounded(level - 0.08 * (max(drawn) - level))
    elif axis["type"] == "log" and drawn and level < min(drawn):
        axis["min"] = _rounded(level / 1.1)
    if drawn and level > max(drawn) and "max" not in axis:
        axis["max"] = _rounded(level + 0.08 * (level - min(drawn)))


def _rounded(value: float) -> float:
    return float(f"{value:.2g}")


def _table(
    series: Sequence[Series],
    lines: Sequence[np.ndarray],
    x_title: str,
    floor: tuple[float, str] | None,
) -> pd.DataFrame:
    """The points drawn: one column per line, one row per x."""
    columns = [
        pd.Series(values, index=xy[:, 0], name=name).groupby(level=0, sort=False).last()
        for one, xy in zip(series, lines, strict=True)
        for name, values in zip(
            (one.name, f"{one.name} (min)", f"{one.name} (max)"), xy.T[1:], strict=False
        )
    ]
    table = pd.concat(columns, axis=1).sort_index() if columns else pd.DataFrame()
    table.index.name = x_title
    table = table.reset_index()
    return table if floor is None else table.assign(**{floor[1]: floor[0]})
