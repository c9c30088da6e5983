"""Pictures of the curve clinic: a patient beside its healthy twin, a signal of both, who was called what.

N steps, L blocks.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from app.charts import bars
from app.charts.curves import Series, curve
from app.figures import Figure
from labcore.training.signals import RunLog

Text = Callable[..., str]
SIGNALS = ("grad_norm", "learning_rate", "update_ratio", "layer_update_ratio", "activation_rms")
BY_BLOCK = ("layer_update_ratio", "activation_rms")
LOGARITHMIC = ("grad_norm", "activation_rms")
MOST_BLOCKS = 8  # lines that can be told apart


def losses(
    log: RunLog, twin: RunLog | None, text: Text, alt: str, marks: Sequence[tuple[float, str]] = ()
) -> Figure:
    """Training and held-out loss; the twin's in green, once it may be seen."""
    # The twin first: where both agree, the patient lies on top.
    series = [] if twin is None else _both(twin, text, "chosen", "chosen", "twin")
    series += _both(log, text, "train", "validation", "patient")
    if log.uniform_nats is not None:
        steps = [int(log.step.min()), int(log.step.max())]
        series.append(
            Series(text("series.uniform"), steps, [log.uniform_nats] * 2, "expected", dashed=True)
        )
    floor = None
    if log.floor_nats is not None:
        floor = (log.floor_nats, text("series.floor", nats=f"{log.floor_nats:.2f}"))
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.nats"), floor=floor, marks=marks,
        y_range=(0, None), alt=alt, height=340,
    )  # fmt: skip


def _both(log: RunLog, text: Text, train: str, held_out: str, whose: str) -> list[Series]:
    looks = np.isfinite(log.validation_nats)
    lines = [Series(text(f"series.{whose}.train"), *_drawable(log.step, log.loss_nats), train)]
    if looks.any():
        lines.append(
            Series(
                text(f"series.{whose}.held_out"), log.step[looks], log.validation_nats[looks], held_out,
                dashed=whose == "twin", points=whose == "patient",
            )
        )  # fmt: skip
    return lines


def _drawable(step: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    there = np.isfinite(values)
    return step[there], values[there]


def available(log: RunLog) -> list[str]:
    """The signals of which the log holds anything."""
    return [name for name in SIGNALS if np.isfinite(getattr(log, name)).any()]


def signal(log: RunLog, twin: RunLog | None, name: str, text: Text) -> Figure:
    """One signal beyond the loss, of both runs."""
    series = [] if twin is None else _lines(twin, name, text, "twin")
    series += _lines(log, name, text, "patient")
    values = getattr(log, name)
    middle = float(np.median(values[np.isfinite(values)])) if np.isfinite(values).any() else np.nan
    return curve(
        series, x_title=text("axis.step"), y_title=text(f"axis.{name}"), log_y=name in LOGARITHMIC,
        y_range=(None, None) if name in LOGARITHMIC else (0, None), height=260,
        alt=text("alt.signal", name=text(f"option.signal.{name}"), middle=f"{middle:.3g}"),
    )  # fmt: skip


def _lines(log: RunLog, name: str, text: Text, whose: str) -> list[Series]:
    values, dashed = getattr(log, name), whose == "twin"
    if name not in BY_BLOCK:
        role = {"grad_norm": "gradient", "learning_rate": "learning_rate"}.get(name, "train")
        role = "chosen" if dashed else role
        return [Series(text(f"series.{whose}"), *_drawable(log.step, values), role, dashed)]
    shown = np.linspace(0, values.shape[1] - 1, min(values.shape[1], MOST_BLOCKS)).round()
    return [
        Series(
            text(f"series.{whose}.block", block=int(block) + 1),
            *_drawable(log.step, values[:, int(block)]), dashed=dashed,
        )
        for block in dict.fromkeys(shown)
    ]  # fmt: skip


def confusion(
    truths: Sequence[str], named: Sequence[str], counts: np.ndarray, right: np.ndarray, text: Text
) -> Figure:
    """Rows: what was done; columns: what the rules called it.  Selects {"row", "column"}.

    `right` (rows, columns) bool marks the cells that count as named rightly.
    """
    rows = [text(f"short.{fault}") for fault in truths]
    columns = [text(f"short.{fault}") for fault in named]
    totals = counts.sum(axis=1)
    spec = {
        "alt": text("alt.confusion", right=int(counts[right].sum()), runs=int(counts.sum())),
        "corner": text("confusion.corner"),
        "rows": rows,
        "columns": columns,
        "cells": [
            [
                {
                    "word": str(count) if (count := int(counts[row, column])) else "",
                    "share": round(count / totals[row], 3),
                    "answer": bool(right[row, column]),
                    "candidates": [],
                    "note": text("confusion.note", count=count, runs=int(totals[row])),
                }
                for column in range(len(columns))
            ]
            for row in range(len(rows))
        ],
        "value_title": text("confusion.value"),
        "high": "1",
        "hint": text("confusion.hint"),
        "from_left": True,
        "narrow": True,
    }
    frame = pd.DataFrame(counts, columns=columns)
    frame.insert(0, text("confusion.corner"), rows)
    return Figure("cells", spec, spec["alt"], frame, selects=True)


def by_level(shares: dict[str, dict[str, float]], text: Text) -> Figure:
    """How many were named rightly with all signals, and with ever fewer.  {group: {level: share}}"""
    roles = {"full": "chosen", "milder": "baseline"}
    levels = list(next(iter(shares.values())))
    parts = [
        (text(f"group.{group}"), [100 * by_level[level] for level in levels], roles[group])
        for group, by_level in shares.items()
    ]
    full = parts[0][1]
    return bars.grouped(
        parts, [text(f"option.level.{level}") for level in levels], text, value_title=text("axis.right"),
        alt=text("alt.by_level", first=f"{full[0]:.0f}", last=f"{full[-1]:.0f}"),
    )  # fmt: skip
