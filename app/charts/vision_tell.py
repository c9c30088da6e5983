"""What the reader of pictures writes and where it looked, and how well it was taught.

Axes: T tokens written, L layers, H heads, N patches, R looks of a training.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from app.charts.bars import grouped
from app.charts.curves import Series, curve
from app.charts.pictures import looked, places, tiles
from app.figures import Figure
from app.i18n import Words
from labcore.vision.reader_study import ReaderStudy
from labcore.vision.reader_training import CONTROLS, ReaderLook, ReaderTrained
from labcore.vision.tellable import TASKS
from labcore.vision.telling import Telling

CONTROL_ROLES = {"picture": "changed", "blank": "baseline", "other": "rejected"}
TASK_ROLES = {"caption": "changed", "colour": "chosen", "shape": "learning_rate"}


def word_looks(telling: Telling, layer: int, head: int | None, text: Words) -> Figure:
    """Each written token with the picture, tinted where it looked when it was chosen."""
    weights = telling.weights[:, layer]  # (T, H, N)
    weights = weights.mean(axis=1) if head is None else weights[:, head]
    labels = [
        text("label.share", token=token, percent=f"{100 * one.sum():.0f}")
        for token, one in zip(telling.tokens, weights, strict=True)
    ]
    table = pd.DataFrame({text("column.patch"): places(weights[0])})
    for at, one in enumerate(weights):
        table[f"{at + 1} {telling.tokens[at]}"] = one
    return tiles(
        [looked(telling.picture, one) for one in weights], labels, 6,
        alt=text("alt.word_looks", count=len(labels)), table=table, scale=4, tile_height=110,
    )  # fmt: skip


def candidates(telling: Telling, text: Words) -> pd.DataFrame:
    """What could have come at each place."""
    depth = max((len(one) for one in telling.candidates), default=0)
    rows = []
    for token, one in zip(telling.tokens, telling.candidates, strict=True):
        row = {text("column.written"): token}
        for at in range(depth):
            row[text("column.candidate", rank=at + 1)] = f"{one[at][0]}  {100 * one[at][1]:.0f} %"
        rows.append(row)
    return pd.DataFrame(rows)


def course(steps: Sequence[int], right: np.ndarray, text: Words) -> Figure:
    """Right answers about combinations seen and others, while the reader is taught.  (R, 2, 3)"""
    series = [
        Series(text(f"reader.{part}.{task}"), steps, 100 * right[:, at, column], TASK_ROLES[task],
               dashed=bool(at), points=True)
        for column, task in enumerate(TASKS) for at, part in enumerate(("seen", "held_out"))
    ]  # fmt: skip
    last = 100 * right[-1, :, 0]
    return curve(
        series, x_title=text("axis.updates"), y_title=text("axis.right"), y_range=(0, 100),
        alt=text("alt.reader", seen=f"{last[0]:.0f}", other=f"{last[1]:.0f}"),
    )  # fmt: skip


def so_far(looks: Sequence[ReaderLook], text: Words) -> Figure:
    return course([one.step for one in looks], np.stack([one.right for one in looks]), text)


def controls(result: ReaderTrained, text: Words) -> Figure:
    """The last exam, with a blank sheet and with another picture in the picture's place."""
    right = result.controls
    names = [
        text("label.exam", task=text(f"task.{task}"), part=text(f"part.{part}"))
        for task in TASKS for part in ("seen", "held_out")
    ]  # fmt: skip
    bars = [
        (text(f"control.{control}"),
         [100 * float(right[at, row, column]) for column in range(len(TASKS)) for at in (0, 1)],
         CONTROL_ROLES[control])
        for row, control in enumerate(CONTROLS)
    ]  # fmt: skip
    return grouped(
        bars, names, text, value_title=text("axis.right"),
        alt=text("alt.controls", picture=f"{bars[0][1][0]:.0f}", blank=f"{bars[1][1][0]:.0f}"),
    )  # fmt: skip


def modes(study: ReaderStudy, text: Words) -> Figure:
    """What of the language model was trained, and what came of it."""
    names = [
        text("label.exam", task=text(f"mode.{mode}"), part=text(f"part.{part}"))
        for mode in study.modes for part in ("seen", "held_out")
    ]  # fmt: skip
    bars = [
        (text(f"task.{task}"),
         [100 * float(study.right[row, at, 0, column]) for row in range(len(study.modes)) for at in (0, 1)],
         TASK_ROLES[task])
        for column, task in enumerate(TASKS)
    ]  # fmt: skip
    return grouped(
        bars, names, text, value_title=text("axis.right"),
        alt=text("alt.modes", first=f"{bars[0][1][0]:.0f}", last=f"{bars[0][1][-2]:.0f}"),
    )  # fmt: skip
