"""Attention maps and what heads earn: a layer's heads, one head, scores over all heads, rollout.

Axes: L layers, H heads, T query positions, S key positions.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from app.charts import bars, maps
from app.figures import Figure
from app.i18n import Words
from labcore.architecture.attention_maps import Difference, Heads
from labcore.architecture.head_patterns import THRESHOLDS, HeadLabel

HEADS_AT_ONCE = 12  # of 64 tokens: with the one on show in float32, just below 70 KB
STRONGEST = 8  # bars


def layer_heads(heads: Heads, layer: int, head: int, text: Words) -> Figure:
    """The layer's heads small, `head` large; of more than 12 heads those around it.

    Selects {"head", "row", "column"}, where head counts from `first_head(heads, head)`.
    """
    first = first_head(heads, head)
    shown = range(first, min(first + HEADS_AT_ONCE, heads.weights.shape[1]))
    patterns = {(label.layer, label.head): label.pattern for label in heads.labels}
    figure = maps.attention_grid(
        heads.weights[layer, shown.start : shown.stop],
        heads.queries.labels,
        heads.keys.labels,
        text,
        alt=text("alt.heads", layer=layer, head=head, tokens=len(heads.queries.ids)),
        head_labels=[text("figure.head", number=number) for number in shown],
        patterns=[
            text(f"pattern.{patterns[layer, number]}") if (layer, number) in patterns else None
            for number in shown
        ],
        mask=heads.allowed,
        selected=head - first,
    )
    return replace(figure, spec=_exact(figure.spec, heads.weights[layer, head], head - first))


def first_head(heads: Heads, head: int) -> int:
    """The first head of the group that is drawn together with `head`.

    Groups are as even as can be: 16 heads are drawn 8 and 8.
    """
    count = heads.weights.shape[1]
    groups = -(-count // HEADS_AT_ONCE)
    size = -(-count // groups)
    return head // size * size


def _exact(canvas, weights: np.ndarray, place: int):
    """The picture with one head in float32, whichever the learner clicked before."""
    return replace(
        canvas,
        header=canvas.header | {"exact_head": place},
        arrays=canvas.arrays | {"exact": weights},
        exact=None,
    )


def one_head(heads: Heads, layer: int, head: int, text: Words, height: int = 460) -> Figure:
    """One head's map with its exact weights."""
    return maps.matrix(
        heads.weights[layer, head],
        heads.queries.labels,
        heads.keys.labels,
        text,
        alt=text("alt.head", layer=layer, head=head, tokens=len(heads.queries.ids)),
        row_title=text("axis.query"),
        column_title=text("axis.key"),
        value_title=text("axis.weight"),
        bounds=(0.0, 1.0),
        mask=heads.allowed,
        height=height,
    )


def over_text(heads: Heads, layer: int, head: int, query: int, text: Words) -> Figure:
    """The sentence itself: pointing at a token colours those that it looks at.  Selects {"token"}."""
    return maps.token_row(
        heads.keys.labels,
        heads.weights[layer, head],
        text,
        alt=text("alt.over_text", layer=layer, head=head),
        value_title=text("axis.weight"),
        bounds=(0.0, 1.0),
        selected=query,
    )


def strongest(weights: np.ndarray, labels: Sequence[str], text: Words) -> Figure:
    """The tokens that one query looks at most, each with its position.  weights (S,)"""
    order = np.argsort(-weights, kind="stable")[:STRONGEST]
    names = numbered(labels)
    return bars.stacked(
        [(text("axis.weight"), weights[order].tolist(), "key")],
        [names[place] for place in order],
        text,
        alt=text("alt.strongest", position=order[0], weight=f"{weights[order[0]]:.2f}"),
        value_title=text("axis.weight"),
        height=90 + bars.BAR_PIXELS * len(order),
    )


def score_map(scores: np.ndarray, title: str, text: Words) -> Figure:
    """One number for every head, layers down, heads across.  (L, H); selects {"row", "column"}"""
    layers, heads = scores.shape
    return maps.matrix(
        np.nan_to_num(scores),
        [text("layer", number=number) for number in range(layers)],
        [text("figure.head", number=number) for number in range(heads)],
        text,
        alt=text("alt.scores", title=title, layers=layers, heads=heads),
        row_title=text("knob.layer"),
        column_title=text("knob.head"),
        value_title=title,
        signed=False,
        bounds=(0.0, 1.0),
        height=420,
    )


def labelled(heads: Heads, text: Words) -> pd.DataFrame:
    """The heads that earned a label, best first, with the bar that they cleared."""
    ordered = by_score(heads.labels)
    return pd.DataFrame(
        {
            text("knob.layer"): [label.layer for label in ordered],
            text("knob.head"): [label.head for label in ordered],
            text("column.pattern"): [text(f"pattern.{label.pattern}") for label in ordered],
            text("column.score"): [label.score for label in ordered],
            text("column.bar"): [THRESHOLDS[label.pattern] for label in ordered],
        }
    )


def by_score(labels: Sequence[HeadLabel]) -> list[HeadLabel]:
    """Best first."""
    return sorted(labels, key=lambda label: -label.score)


def rollout_map(shares: np.ndarray, labels: Sequence[str], layer: int, text: Words) -> Figure:
    """How much of each input token stands in each position after a layer.  (T, T)"""
    return maps.matrix(
        shares,
        labels,
        labels,
        text,
        alt=text("alt.rollout", layer=layer, tokens=len(labels)),
        row_title=text("axis.position"),
        column_title=text("axis.input"),
        value_title=text("axis.share"),
        bounds=(0.0, 1.0),
    )


def difference_map(difference: Difference, left: Heads, text: Words) -> Figure:
    """One head's map minus another's."""
    return maps.matrix(
        difference.values,
        left.queries.labels,
        left.keys.labels,
        text,
        alt=text("alt.difference", most=f"{np.abs(difference.values).max():.2f}"),
        row_title=text("axis.query"),
        column_title=text("axis.key"),
        value_title=text("axis.difference"),
        signed=True,
        bounds=(-1.0, 1.0),
        mask=left.allowed,
    )


def numbered(labels: Sequence[str]) -> list[str]:
    """Tokens repeat, so each carries its place: "3 · Mary"."""
    return [f"{place} · {label}" for place, label in enumerate(labels)]
