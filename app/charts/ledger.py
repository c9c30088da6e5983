"""What an architecture costs: its parts as shares of the whole, and the price of a longer text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.charts import bars
from app.charts.curves import Series, curve
from app.figures import Figure
from app.i18n import Words
from labcore.architecture.context_cost import ContextCost
from labcore.architecture.ledger import Ledger

TERA, GIBI = 1e12, 2**30

# Rows of the bill that are one thing to a reader, and the meaning that colours them.
GROUPS = {
    "embed": ("embed", "encoder.embed"),
    "attn": ("attn", "cross", "encoder.attn"),
    "mlp": ("mlp", "encoder.mlp"),
    "head": ("head", "norm", "encoder.norm"),
}
ROLES = {"embed": "optimizer", "attn": "parameters", "mlp": "activations", "head": "gradients"}


def shares(bill: Ledger, text: Words) -> Figure:
    """Of the parameters and of the operations: how much lies in which kind of block, in per cent."""
    wholes = (max(1, bill.parameters), max(1, bill.flops))
    parts = []
    for group, blocks in GROUPS.items():
        rows = [row for row in bill.rows if row.block in blocks]
        sums = (
            sum(row.repeat * row.parameters for row in rows),
            sum(row.repeat * row.flops for row in rows),
        )
        values = [100 * part / whole for part, whole in zip(sums, wholes, strict=True)]
        parts.append((text(f"group.{group}"), values, ROLES[group]))
    figure = bars.stacked(
        parts,
        [text("metric.parameters"), text("metric.flops")],
        text,
        alt=text("alt.shares"),
        value_title="%",
    )
    axis = figure.spec["xAxis"] | {"max": 100}  # sums of floats may end a hair above it
    return replace(figure, spec=figure.spec | {"xAxis": axis})


def context_curve(cost: ContextCost, tokens: int, text: Words) -> Figure:
    """FLOPs of one pass over the length of the text, on log axes; both lines meet at the crossing."""
    weights, attention = cost.weight_flops / TERA, cost.attention_flops / TERA
    return over_length(
        [
            Series(text("cost.weights"), cost.lengths, weights, "parameters"),
            Series(text("cost.attention"), cost.lengths, attention, "communication"),
        ],
        "TFLOPs",
        text("alt.context", crossing=f"{cost.crossing:,.0f}"),
        text,
        marks(cost, tokens, text),
    )


def marks(cost: ContextCost, tokens: int, text: Words) -> Sequence[tuple[float, str]]:
    low, high = cost.lengths[0], cost.lengths[-1]
    both = [(cost.crossing, text("cost.crossing", tokens=f"{cost.crossing:,.0f}"))]
    return [(x, label) for x, label in [*both, (float(tokens), "T")] if low <= x <= high]


def cache_curve(cost: ContextCost, weight_bytes: float, text: Words) -> Figure:
    """The KV cache of one sequence beside the weights, on log axes."""
    weights = np.full(len(cost.lengths), weight_bytes / GIBI)
    return over_length(
        [
            Series(text("cost.cache"), cost.lengths, cost.cache_bytes / GIBI, "cache"),
            Series(text("metric.weights"), cost.lengths, weights, "parameters", dashed=True),
        ],
        "GiB",
        text("alt.cache"),
        text,
    )


def over_length(
    lines: Sequence[Series],
    y_title: str,
    alt: str,
    text: Words,
    marks: Sequence[tuple[float, str]] = (),
) -> Figure:
    """Lines over the length of the text, on log axes that end at powers of ten."""
    values = np.concatenate([line.y for line in lines])
    ends = (10 ** math.floor(math.log10(values.min())), 10 ** math.ceil(math.log10(values.max())))
    lengths = lines[0].x
    figure = curve(
        lines,
        x_title=text("axis.tokens"),
        y_title=y_title,
        alt=alt,
        log_x=True,
        log_y=True,
        x_range=(float(lengths[0]), float(lengths[-1])),
        y_range=ends,
        marks=marks,
    )
    grid = figure.spec["grid"] | {"right": 44}  # room for half of "1,000,000"
    return replace(figure, spec=figure.spec | {"grid": grid})
