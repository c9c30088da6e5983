"""A sentence on its way through a model: tokens, matrices, next tokens, draws, lens and credit.

Axes: T tokens, R stages of the lens, P positions, L layers, H heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from app.charts import bars, maps
from app.figures import Figure
from app.i18n import Words
from labcore.architecture.dataflow import Candidates, Matrix, Walk
from labcore.architecture.lens import Attribution, Lens
from labcore.architecture.prompt import Prompt

SHOWN_TOKENS = 8  # bars of a distribution
SMALL_CELL = 4  # CSS pixels, in matrices of many channels
MANY_CHANNELS = 48
PALEST_SHARE = (
    99.0  # percentile at which a colour map ends: one huge channel must not bleach the rest
)


def token_chips(walk: Walk, lens: Lens | None, position: int, text: Words) -> Figure:
    """The tokens as chips, shaded by their bytes, with what the model expects after each.

    Selects {"token"}.
    """
    tokens = walk.tokens
    sizes = np.array([len(piece) for piece in tokens.pieces], np.float32)
    details: list[list[tuple[str, float]]] = [[] for _ in tokens.ids]
    if lens is not None:
        for column, place in enumerate(lens.positions):
            names, values = lens.labels[-1][column], lens.probabilities[-1][column]
            details[place] = list(zip(names, map(float, values), strict=True))
    figure = maps.token_row(
        tokens.labels, sizes, text,
        alt=text("alt.tokens", tokens=len(tokens.ids)),
        value_title=text("column.bytes"),
        signed=False,
        bounds=(0.0, max(12.0, float(sizes.max()))),
        details=details,
        selected=position,
    )  # fmt: skip
    return replace(figure, table=lambda: token_table(tokens, text))


def source_chips(source: Prompt, text: Words) -> Figure:
    """An encoder's input as chips, shaded by their bytes."""
    sizes = np.array([len(piece) for piece in source.pieces], np.float32)
    figure = maps.token_row(
        source.labels,
        sizes,
        text,
        alt=text("alt.tokens", tokens=len(source.ids)),
        value_title=text("column.bytes"),
        signed=False,
        bounds=(0.0, max(12.0, float(sizes.max()))),
    )
    return replace(figure, table=lambda: token_table(source, text))


def token_table(tokens: Prompt, text: Words) -> pd.DataFrame:
    """Every token with its id and the bytes behind it."""
    return pd.DataFrame(
        {
            text("column.position"): range(len(tokens.ids)),
            text("column.token"): list(tokens.labels),
            text("column.id"): list(tokens.ids),
            text("column.bytes"): [len(piece) for piece in tokens.pieces],
            text("column.hex"): [piece.hex(" ").upper() or "–" for piece in tokens.pieces],
        }
    )


def matrix(values: Matrix, name: str, text: Words, first_column: int = 0, mask=None) -> Figure:
    """One intermediate or weight.  Columns without names are channels, counted from `first_column`."""
    numbers = np.asarray(values.values, np.float32)
    columns = values.columns or [str(first_column + i) for i in range(numbers.shape[1])]
    figure = maps.matrix(
        numbers,
        numbered(values.rows) if values.columns else values.rows,
        numbered(columns) if values.columns else columns,
        text,
        alt=text("alt.matrix", name=name, rows=numbers.shape[0], columns=numbers.shape[1]),
        row_title=text("axis.row"),
        column_title=text("axis.token" if values.columns else "axis.channel"),
        value_title=text("axis.value"),
        bounds=ends(numbers),
        mask=mask,
        height=520,
    )
    if len(columns) <= MANY_CHANNELS:
        return figure
    header = figure.spec.header | {"smallest_cell": SMALL_CELL}
    return replace(figure, spec=replace(figure.spec, header=header))


def ends(values: np.ndarray) -> tuple[float, float]:
    """Ends of the colour map.  Shares keep 0 to 1; of signed values all but the largest fit."""
    finite = values[np.isfinite(values)]
    if not finite.size or (finite.min() >= 0 and finite.max() <= 1):
        return 0.0, 1.0
    most = float(np.percentile(np.abs(finite), PALEST_SHARE)) or float(np.abs(finite).max()) or 1.0
    return (-most, most) if finite.min() < 0 else (0.0, most)


def logits(walk: Walk, candidates: Candidates) -> Matrix:
    """Every position's logits for the tokens that are likeliest at one of them.  (T, N)"""
    return Matrix(
        "logits", walk.arrays["logits"][:, candidates.ids], walk.tokens.labels, candidates.labels
    )


def next_tokens(candidates: Candidates, vocabulary: int, text: Words) -> Figure:
    """The likeliest tokens, as the model says and as the knobs leave them."""
    best = int(np.argmax(candidates.after))
    return bars.probabilities(
        candidates.labels[:SHOWN_TOKENS],
        candidates.after[:SHOWN_TOKENS],
        text,
        alt=text(
            "alt.next", token=candidates.labels[best], share=f"{candidates.after[best]:.1%}"
        ),
        before=candidates.before[:SHOWN_TOKENS],
        rest=vocabulary - min(SHOWN_TOKENS, len(candidates.labels)),
    )  # fmt: skip


def drawn(candidates: Candidates, tokens: np.ndarray, text: Words) -> Figure:
    """How often each likely token was drawn, beside how often it should be."""
    share = [float((tokens == token).mean()) for token in candidates.ids[:SHOWN_TOKENS]]
    expected = candidates.after[:SHOWN_TOKENS].astype(float).tolist()
    names = [*candidates.labels[:SHOWN_TOKENS], text("draw.others")]
    return bars.grouped(
        [
            (text("draw.expected"), [*expected, max(0.0, 1 - sum(expected))], "changed"),
            (text("draw.seen"), [*share, max(0.0, 1 - sum(share))], "chosen"),
        ],
        names,
        text,
        alt=text("alt.drawn", count=len(tokens)),
        value_title=text("axis.share"),
    )


def lens_table(lens: Lens, walk: Walk, measure: str, text: Words) -> Figure:
    """Stages down, positions across; each cell is the stage's first choice.

    `measure` gives the shade: "first" (that choice's probability), "answer" (that of the model's final
    answer) or "divergence" (nats, as a share of the largest).  Selects {"row", "column"}.
    """
    values = {
        "first": lens.probabilities[..., 0],
        "answer": lens.answer_probability,
        "divergence": lens.divergence_nats,
    }[measure]
    high = float(values.max()) or 1.0 if measure == "divergence" else 1.0
    rows = stage_names(lens, text)
    columns = [f"{place} {walk.tokens.labels[place]}" for place in lens.positions]
    spec = {
        "alt": text("alt.lens", stages=len(rows), positions=len(columns)),
        "corner": text("lens.corner"),
        "rows": rows,
        "columns": columns,
        "cells": [
            [lens_cell(lens, row, column, float(values[row, column]) / high, text)
             for column in range(len(columns))]
            for row in range(len(rows))
        ],
        "value_title": text(f"option.measure.{measure}"),
        "high": f"{high:.3g}",
        "hint": text("lens.hint"),
    }  # fmt: skip
    return Figure("cells", spec, spec["alt"], lambda: lens_frame(lens, columns, text), selects=True)


def lens_cell(lens: Lens, row: int, column: int, share: float, text: Words) -> dict:
    names, values = lens.labels[row][column], lens.probabilities[row, column]
    return {
        "word": names[0],
        "share": round(share, 3),
        "answer": bool(lens.answer_rank[row, column] == 1),
        "candidates": [[name, f"{value:.3f}"] for name, value in zip(names, values, strict=True)],
        "note": text(
            "lens.note",
            answer=lens.answer_labels[column],
            rank=f"{lens.answer_rank[row, column]:,}",
            divergence=f"{lens.divergence_nats[row, column]:.2f}",
        ),
    }


def lens_frame(lens: Lens, columns: Sequence[str], text: Words) -> pd.DataFrame:
    """One row per stage and position."""
    stages, places = np.indices(lens.answer_rank.shape)
    return pd.DataFrame(
        {
            text("lens.corner"): np.array(stage_names(lens, text), object)[stages.ravel()],
            text("column.position"): np.array(columns, object)[places.ravel()],
            text("column.first"): [cell[0] for row in lens.labels for cell in row],
            text("option.measure.first"): lens.probabilities[..., 0].ravel(),
            text("option.measure.answer"): lens.answer_probability.ravel(),
            text("column.rank"): lens.answer_rank.ravel(),
            text("option.measure.divergence"): lens.divergence_nats.ravel(),
        }
    )


def stage_names(lens: Lens, text: Words) -> list[str]:
    return [
        text("lens.before"),
        *(text("lens.after", layer=layer) for layer in range(len(lens.stages) - 1)),
    ]


def credit(parts: Attribution, token: str, layers: int, text: Words) -> Figure:
    """What the embedding and every block added to one token's logit, layer by layer."""
    share = dict(zip(parts.parts, parts.contributions.tolist(), strict=True))
    names = [text("credit.embed"), *(text("lens.after", layer=i) for i in range(layers))]
    series = [(text("credit.once"), [share["embed"], *[0.0] * layers, share["bias"]], "neutral")]
    for part, role in (("attn", "query"), ("cross", "key"), ("mlp", "value")):
        values = [share.get(f"layers.{i}.{part}", 0.0) for i in range(layers)]
        if f"layers.0.{part}" in share:
            series.append((text(f"block.{part}"), [0.0, *values, 0.0], role))
    return bars.stacked(
        series,
        [*names, text("credit.bias")],
        text,
        alt=text("alt.credit", token=token, total=f"{parts.total:.2f}"),
        value_title=text("axis.logit"),
        height=110 + bars.BAR_PIXELS * (layers + 2),
    )


def credit_heads(parts: Attribution, text: Words) -> Figure:
    """What each attention head added.  (L, H)"""
    layers, heads = parts.heads.shape
    return maps.matrix(
        parts.heads,
        [text("layer", number=number) for number in range(layers)],
        [text("figure.head", number=number) for number in range(heads)],
        text,
        alt=text("alt.credit_heads", layers=layers, heads=heads),
        row_title=text("knob.layer"),
        column_title=text("knob.head"),
        value_title=text("axis.logit"),
        signed=True,
        height=420,
    )


def numbered(labels: Sequence[str]) -> list[str]:
    """Tokens repeat, so each carries its place."""
    return [f"{place} {label}" for place, label in enumerate(labels)]
