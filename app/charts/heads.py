"""Heads switched off: the board of switches, what it costs each token, and what the model says now.

Axes: P places, H heads, T tokens.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.charts import bars, maps
from app.figures import Figure
from app.i18n import Words
from labcore.architecture.head_ablation import AblationResult, Reading

HEADS_AT_ONCE = 12


def place_name(place: str, text: Words) -> str:
    """`encoder.layers.0.attn` in the learner's words."""
    *stack, _, layer, part = place.split(".")
    return text(f"place.{'encoder' if stack else part}", layer=layer)


def switchboard(result: AblationResult, text: Words) -> Figure:
    """All heads: those that are off hatched, the others shaded by how far their map has moved.

    Selects {"row", "column"}: the place and the head.
    """
    off = int((result.gates == 0).sum())
    figure = maps.matrix(
        result.map_change,
        [place_name(place, text) for place in result.places],
        [text("head.short", head=head) for head in range(result.gates.shape[1])],
        text,
        alt=text("alt.board", off=off, heads=result.gates.size),
        row_title=text("axis.place"),
        column_title=text("axis.head"),
        value_title=text("axis.moved"),
        signed=False,
        bounds=(0.0, 1.0),
        mask=result.gates > 0,
        height=460,
    )
    words = figure.spec.header["words"] | {"hidden": text("head.is_off"), "hint.grid": text("hint")}
    spec = replace(figure.spec, header=figure.spec.header | {"words": words})
    return replace(figure, spec=spec)


def token_costs(result: AblationResult, asked: int, text: Words) -> Figure:
    """The text, each token shaded by how much its loss has risen.  Selects {"token"}."""
    before, after = result.before.token_nats, result.after.token_nats
    rise = np.nan_to_num(after - before)
    details = [
        [(text("series.before"), float(one)), (text("series.after"), float(other))]
        if np.isfinite(one + other)
        else []
        for one, other in zip(before, after, strict=True)
    ]
    most = max(1.0, float(np.abs(rise).max()))
    return maps.token_row(
        result.queries.labels, rise, text,
        alt=text("alt.tokens", most=f"{rise.max():.2f}", token=result.queries.labels[rise.argmax()]),
        value_title=text("axis.rise"), signed=True, bounds=(-most, most), details=details,
        selected=min(asked, len(rise) - 1),
    )  # fmt: skip


def token_shifts(result: AblationResult, text: Words) -> Figure:
    """The text, each token shaded by how far its last vector has turned; for models without words."""
    return maps.token_row(
        result.queries.labels, result.shift, text, alt=text("alt.shifts"),
        value_title=text("axis.shift"), signed=False,
        bounds=(0.0, max(0.1, float(result.shift.max()))),
    )  # fmt: skip


def guesses(result: AblationResult, row: int, text: Words) -> Figure:
    """The likeliest tokens at one position, with all heads and without those that are off."""
    before, after = result.candidates_before[row], result.candidates_after[row]
    order = np.argsort(-np.maximum(before, after), kind="stable")
    labels = [result.candidate_labels[row][number] for number in order]
    return bars.grouped(
        [
            (text("series.before"), before[order], "baseline"),
            (text("series.after"), after[order], "changed"),
        ],
        labels, text, value_title=text("axis.probability"),
        alt=text("alt.guesses", token=labels[0], after=f"{after[order[0]]:.2f}",
                 before=f"{before[order[0]]:.2f}"),
    )  # fmt: skip


def row_maps(
    result: AblationResult, reading: Reading, place: int, head: int, text: Words
) -> tuple[Figure, int]:
    """The maps of one row of heads, and the number of the first head shown."""
    weights = reading.maps[place]
    first = head // HEADS_AT_ONCE * HEADS_AT_ONCE
    shown = range(first, min(first + HEADS_AT_ONCE, len(weights)))
    encoder = result.places[place].startswith("encoder.")
    queries = result.keys if encoder else result.queries
    keys = result.keys if encoder or result.places[place].endswith(".cross") else result.queries
    figure = maps.attention_grid(
        weights[shown.start : shown.stop], queries.labels, keys.labels, text,
        alt=text("alt.maps", place=place_name(result.places[place], text)),
        head_labels=[text("head.short", head=number) for number in shown],
        patterns=[_mark(result, place, number, text) for number in shown],
        mask=weights.max(axis=0) > 0 if _looks_back(weights) else None,
        selected=head - first, height=440,
    )  # fmt: skip
    return figure, first


def _mark(result: AblationResult, place: int, head: int, text: Words) -> str | None:
    if result.gates[place, head] == 0:
        return text("head.is_off")
    moved = result.map_change[place, head]
    return text("head.moved", share=f"{100 * moved:.0f}") if moved >= 0.01 else None


def _looks_back(weights: np.ndarray) -> bool:
    """A causal map has nothing above its diagonal."""
    return weights.shape[1] == weights.shape[2] and not np.triu(weights[0], 1).any()


def numbered(labels: Sequence[str]) -> list[str]:
    """Tokens repeat, so each carries its place: "3 · Mary"."""
    return [f"{place} · {label}" for place, label in enumerate(labels)]
