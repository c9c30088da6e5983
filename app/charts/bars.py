"""Bars: the likeliest next tokens, and what a whole is made of.

>>> figure = probabilities(["the", " a"], [0.7, 0.2], text, alt="…")   # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from app import theme
from app.charts.words import figure_words
from app.figures import Figure
from app.i18n import Words

Part = tuple[str, Sequence[float], str]  # name, one value per bar, role in theme.MEANING
BAR_PIXELS = 26
OPAQUE, FADED = 1.0, 0.35


def probabilities(
    labels: Sequence[str],
    probs: Sequence[float] | np.ndarray,
    text: Words,
    *,
    alt: str,
    kept: Sequence[bool] | None = None,
    before: Sequence[float] | np.ndarray | None = None,
    top: int = 20,
    rest: int = 0,
) -> Figure:
    """The likeliest tokens, likeliest on top.

    `kept` marks what a sampler left in (the others are drawn pale).  `before` adds the same tokens' former
    probabilities as grey bars.  `rest` is how many tokens the vocabulary has beyond `labels`: with it the
    remaining probability is drawn as one more bar, so that the picture sums to 1.
    """
    words = figure_words(text)
    probs = np.asarray(probs, np.float64)
    order = np.argsort(-probs, kind="stable")[:top]
    names = [labels[index] for index in order]
    values = probs[order].tolist()
    marks = [True] * len(order) if kept is None else [bool(kept[index]) for index in order]
    others = len(probs) - len(order) + rest
    if rest:
        names.append(words("others", count=others))
        values.append(max(0.0, 1.0 - sum(values)))
        marks.append(True)
    title = words("probability")
    series = [_bar(title, values, theme.MEANING["changed"], marks)]
    table = pd.DataFrame({words("token"): names, title: values})
    if before is not None:
        former = np.asarray(before, np.float64)[order].tolist()
        former += [max(0.0, 1.0 - sum(former))] if rest else []
        series.append(_bar(words("before"), former, theme.MEANING["baseline"], None))
        table[words("before")] = former
    option = _horizontal(names, series, title)
    return Figure("echarts", option, alt, table, 84 + BAR_PIXELS * len(names) * len(series))


def stacked(
    parts: Sequence[Part],
    bars: Sequence[str],
    text: Words,
    *,
    alt: str,
    value_title: str,
    height: int | None = None,
) -> Figure:
    """What each of `bars` is made of, part upon part."""
    return _parted(parts, bars, text, alt, value_title, height, {"stack": "whole"})


def grouped(
    parts: Sequence[Part],
    bars: Sequence[str],
    text: Words,
    *,
    alt: str,
    value_title: str,
    height: int | None = None,
) -> Figure:
    """The parts of each of `bars` side by side, to be compared."""
    height = height or 110 + 18 * len(bars) * len(parts) + 12 * len(bars)
    return _parted(parts, bars, text, alt, value_title, height, {})


def _parted(
    parts: Sequence[Part],
    bars: Sequence[str],
    text: Words,
    alt: str,
    value_title: str,
    height: int | None,
    more: dict[str, Any],
) -> Figure:
    series = [
        _bar(name, [float(value) for value in values], theme.colour(role, index), None) | more
        for index, (name, values, role) in enumerate(parts)
    ]
    option = _horizontal(bars, series, value_title)
    table = pd.DataFrame({name: list(values) for name, values, _ in parts}, index=list(bars))
    table.index.name = figure_words(text)("part")
    return Figure("echarts", option, alt, table.reset_index(), height or 110 + 44 * len(bars))


def _bar(
    name: str, values: Sequence[float], colour: str, marks: Sequence[bool] | None
) -> dict[str, Any]:
    data: list[Any] = list(values)
    if marks is not None and not all(marks):
        data = [
            {"value": value, "itemStyle": {"opacity": OPAQUE if mark else FADED}}
            for value, mark in zip(values, marks, strict=True)
        ]
    return {"type": "bar", "name": name, "data": data, "itemStyle": {"color": colour}}


def _horizontal(
    names: Sequence[str], series: list[dict[str, Any]], value_title: str
) -> dict[str, Any]:
    return {
        "animation": False,
        "grid": {
            "left": 8,
            "right": 24,
            "top": 36 if len(series) > 1 else 8,
            "bottom": 28,
            "containLabel": True,
        },
        "legend": {"top": 0, "show": len(series) > 1, "type": "scroll"},
        "tooltip": {
            "trigger": "axis",
            "axisPointer": {"type": "shadow"},
            "valueFormatter": "%.4g",
            "confine": True,
        },
        "xAxis": {"type": "value", "name": value_title, "nameLocation": "middle", "nameGap": 26},
        # subtle: categories repeat (two tokens may look alike), so each carries its own place in the list
        "yAxis": {
            "type": "category",
            "data": list(names),
            "inverse": True,
            "axisLabel": {"interval": 0},
        },
        "series": series,
    }
