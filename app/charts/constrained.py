"""Writing under a pattern: what was allowed, how much of the model that was, and what it does to chances.

Axes: P places, S seeds.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.bars import grouped
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.charts.masked import cell, words_table
from app.figures import Figure
from app.i18n import Words
from labcore.serving.constrained import BothWays, Constrained
from labcore.serving.constrained_study import ConstrainedStudy

ALLOWED, RULED_OUT, WRITTEN = (theme.MEANING[name] for name in ("kept", "dropped", "changed"))
FULL = 0.6


def places(result: Constrained, text: Words) -> Figure:
    """What was written at each place, and below it what the model had rather said."""
    notes = [text("note.allowed", count=one.allowed) for one in result.places]
    alt = text("alt.allowed", count=len(result.places))
    return written_and_likeliest(result.places, notes, alt, text("hint.allowed"), text)


def written_and_likeliest(
    places: Sequence[Any], notes: Sequence[str], alt: str, hint: str, text: Words
) -> Figure:
    """A column for each place, anything with a `token` and its `likeliest`: (label, share, may it come)."""
    depth = max(len(one.likeliest) for one in places)
    rows = [
        [cell(one.token, FULL, WRITTEN, note) for one, note in zip(places, notes, strict=True)],
        *(
            [
                _candidate(*one.likeliest[rank], note)
                for one, note in zip(places, notes, strict=True)
            ]
            for rank in range(depth)
        ),
    ]
    names = [text("row.written"), *(str(rank + 1) for rank in range(depth))]
    columns = [str(number + 1) for number in range(len(places))]
    legend = [
        (text("row.written"), WRITTEN), (text("fate.allowed"), ALLOWED),
        (text("fate.ruled_out"), RULED_OUT),
    ]  # fmt: skip
    return words_table(names, columns, rows, alt, hint, legend)


def _candidate(label: str, share: float, may_come: bool, note: str) -> dict:
    return cell(
        label, FULL * share**0.5, ALLOWED if may_come else RULED_OUT, note, [(label, share)]
    )


def mass(result: Constrained, text: Words) -> Figure:
    """The model's own probability of all that may come, place by place."""
    numbers = range(1, len(result.places) + 1)
    line = Series(
        text("series.mass"), list(numbers), [one.mass for one in result.places], "measured",
        points=True,
    )  # fmt: skip
    lowest = min(one.mass for one in result.places)
    return curve(
        [line], x_title=text("axis.token"), y_title=text("axis.mass"), log_y=True, height=260,
        alt=text("alt.mass", lowest=f"{lowest:.2g}"),
    )  # fmt: skip


def both_ways(result: BothWays, text: Words) -> Figure:
    """Each text's chance: token by token, and among the model's own that match."""
    parts = [
        (text("series.masked"), result.masked, "dropped"),
        (text("series.conditioned"), result.conditioned, "kept"),
    ]
    alt = text("alt.both_ways", distance=f"{result.distance:.2f}")
    names = [_short(one) for one in result.texts]
    return grouped(parts, names, text, alt=alt, value_title=text("axis.probability"), height=220)


def _short(label: str) -> str:
    """Beginning and end: the middle is the same in all."""
    words = label.split()
    return f"{words[0]} … {' '.join(words[-2:])}"


def matches(study: ConstrainedStudy, text: Words) -> Figure:
    """Share of texts that match, one dot per seed, free and with the pattern imposed."""
    names = list(study.free)
    labels = [text(f"option.grammar.{name}") for name in names]
    groups = {"free": (study.free, "baseline"), "imposed": (study.imposed, "kept")}
    traces = [
        go.Scatter(
            x=np.concatenate([shares[name] for name in names]),
            y=np.repeat(labels, len(study.seeds)), mode="markers", name=text(f"series.{group}"),
            marker={"size": 11, "color": theme.MEANING[role]}, opacity=0.8,
        )
        for group, (shares, role) in groups.items()
    ]  # fmt: skip
    figure = plotly_figure(*traces, x_title=text("axis.matches"))
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(range=[-0.03, 1.03])
    table = pd.DataFrame(
        {
            text("knob.grammar"): labels,
            text("series.free"): [_seeds(study.free[name]) for name in names],
            text("series.imposed"): [_seeds(study.imposed[name]) for name in names],
        }
    )
    return Figure("plotly", figure, text("alt.matches"), table, 120 + 36 * len(names))


def _seeds(shares: np.ndarray) -> str:
    return ", ".join(f"{share:.2f}" for share in shares)
