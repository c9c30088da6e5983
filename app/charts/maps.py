"""Pictures of matrices and token rows for the canvas: attention heads, any matrix, coloured tokens.

Axes: F frames, H heads, T query positions, S key positions.

>>> figure = attention_grid(weights, tokens, tokens, text, alt=alt, causal=True)  # doctest: +SKIP
>>> page.figure(figure, computed, key="maps")  # doctest: +SKIP
{"head": 3, "row": 2, "column": 0}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from app import theme
from app.charts.payload import EXACT_CELLS, Canvas, quantise
from app.charts.words import figure_words
from app.figures import Figure
from app.i18n import Words

SMALLEST_CELL = 16  # CSS pixels: a label beside each row; a figure that gets too wide scrolls
SMALLEST_MATRIX_CELL = 8  # a matrix of channels has too many rows to label each


def attention_grid(
    weights: np.ndarray,
    queries: Sequence[str],
    keys: Sequence[str],
    text: Words,
    *,
    alt: str,
    head_labels: Sequence[str] | None = None,
    patterns: Sequence[str | None] | None = None,
    mask: np.ndarray | None = None,
    causal: bool = False,
    selected: int = 0,
    frame_labels: Sequence[str] | None = None,
    high: float = 1.0,
    height: int = 560,
) -> Figure:
    """All heads of one layer small, one head large with its tokens.

    `weights` (H, T, S), or (F, H, T, S) with one entry of `frame_labels` per frame, which a slider in the
    browser walks through.  `mask` (T, S) bool is True where looking is allowed; `causal` is short for the
    lower triangle.  `patterns` labels heads ("previous token").  Weights of `high` and more are darkest.
    The head on show carries float32, the others 255 steps, and the readout says which.
    Selects {"head", "row", "column"}.
    """
    words = figure_words(text)
    weights = np.asarray(weights, np.float32)
    frames = weights if weights.ndim == 4 else weights[None]
    _, heads, rows, columns = frames.shape
    if causal:
        mask = np.tril(np.ones((rows, columns), bool), columns - rows)
    labels = list(head_labels or [words("head", number=head) for head in range(heads)])
    header = _grid_header(queries, keys, words, alt, "sequential", height) | {
        "heads": labels,
        "patterns": list(patterns or [None] * heads),
        "frames": list(frame_labels or [""]),
        "selected": selected,
        "range": [0.0, float(high)],
        "row_title": words("query"),
        "column_title": words("key"),
        "value_title": words("weight"),
    }
    header["code_range"] = _covering(frames, 0.0, high)
    arrays = {"codes": quantise(frames, *header["code_range"])} | _packed(mask)
    exact = frames[0] if len(frames) == 1 else None
    return Figure(
        "canvas",
        Canvas(header, arrays, exact),
        alt,
        lambda: _attention_table(frames, queries, keys, labels, frame_labels, mask, words),
        height,
        selects=True,
    )


def matrix(
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    text: Words,
    *,
    alt: str,
    row_title: str,
    column_title: str,
    value_title: str,
    signed: bool | None = None,
    bounds: tuple[float, float] | None = None,
    mask: np.ndarray | None = None,
    height: int = 560,
) -> Figure:
    """Any matrix (T, S) with its true values under the pointer.

    `signed` (by default: whether there is a value below 0) picks the map that is centred on zero. `bounds`
    fixes the ends of the colour map, so that two matrices can be compared by eye.
    Selects {"head": 0, "row", "column"}.
    """
    values = np.asarray(values, np.float32)
    signed = bool((values < 0).any()) if signed is None else signed
    low, high = bounds or _bounds(values, signed)
    header = _grid_header(
        rows, columns, figure_words(text), alt, "diverging" if signed else "sequential", height
    )
    header |= {
        "smallest_cell": SMALLEST_MATRIX_CELL,
        "heads": [""],
        "patterns": [None],
        "frames": [""],
        "selected": 0,
        "range": [low, high],
        "row_title": row_title,
        "column_title": column_title,
        "value_title": value_title,
    }
    header["code_range"] = _covering(values, low, high)
    arrays = {"codes": quantise(values[None, None], *header["code_range"])} | _packed(mask)
    if values.size > EXACT_CELLS:
        arrays["fine"] = quantise(values, *header["code_range"], np.uint16)
    exact = values[None] if values.size <= EXACT_CELLS else None
    table = pd.DataFrame(values, index=_numbered(rows), columns=_numbered(columns))
    table.index.name = f"{row_title} \\ {column_title}"
    return Figure(
        "canvas", Canvas(header, arrays, exact), alt, table.reset_index, height, selects=True
    )


def token_row(
    tokens: Sequence[str],
    values: np.ndarray,
    text: Words,
    *,
    alt: str,
    value_title: str,
    signed: bool | None = None,
    bounds: tuple[float, float] | None = None,
    details: Sequence[Sequence[tuple[str, float]]] | None = None,
    selected: int | None = None,
    height: int = 240,
) -> Figure:
    """Tokens as chips, each coloured by a number; pointing at one shows it, clicking selects it.

    `values` (T,) gives each token its own number; (T, T) gives, for every token pointed at, a number to all
    (attention from that token).  `details[i]` is a small list shown with token i: its likeliest successors,
    say.  Selects {"token"}.
    """
    words = figure_words(text)
    values = np.asarray(values, np.float32)
    signed = bool((values < 0).any()) if signed is None else signed
    header = {
        "view": "tokens",
        "alt": alt,
        "maps": _maps("diverging" if signed else "sequential"),
        "tokens": list(tokens),
        "details": [[list(pair) for pair in entry] for entry in details or []],
        "selected": selected,
        "range": list(bounds or _bounds(values, signed)),
        "value_title": value_title,
        "words": {"hint": words("hint.tokens")},
    }
    return Figure(
        "canvas",
        Canvas(header, {"values": values}),
        alt,
        _token_table(tokens, values, value_title, words),
        height,
        selects=True,
    )


def token_kinds(
    tokens: Sequence[str],
    kinds: np.ndarray,
    names: Sequence[tuple[str, str]],
    text: Words,
    *,
    alt: str,
    kind_title: str,
    notes: Sequence[str] | None = None,
    height: int = 240,
) -> Figure:
    """Tokens as chips in the colour of their kind: `kinds` (T,) are places in `names`, (label, colour) each.

    `notes[i]` is said when token i is pointed at.  Selects {"token"}.
    """
    words = figure_words(text)
    kinds = np.asarray(kinds)
    header = {
        "view": "tokens",
        "alt": alt,
        "kinds": [list(pair) for pair in names],
        "tokens": list(tokens),
        "details": [],
        "notes": list(notes) if notes else None,
        "selected": None,
        "words": {"hint": words("hint.tokens")},
    }
    columns = {words("token"): _numbered(tokens), kind_title: [names[k][0] for k in kinds]}
    canvas = Canvas(header, {"values": kinds.astype(np.float32)})
    return Figure("canvas", canvas, alt, pd.DataFrame(columns), height, selects=True)


def _grid_header(
    rows: Sequence[str], columns: Sequence[str], words: Words, alt: str, name: str, height: int
) -> dict[str, Any]:
    return {
        "view": "grid",
        "alt": alt,
        "maps": _maps(name),
        "rows": list(rows),
        "columns": list(columns),
        "height": height,
        "smallest_cell": SMALLEST_CELL,
        "words": {name: words(name) for name in ("heads", "hidden", "frame", "hint.grid")},
    }


def _maps(name: str) -> dict[str, tuple[str, ...]]:
    return {"light": theme.colour_map(name, False), "dark": theme.colour_map(name, True)}


def _packed(mask: np.ndarray | None) -> dict[str, np.ndarray]:
    return {} if mask is None else {"mask": np.packbits(np.asarray(mask, bool))}


def _bounds(values: np.ndarray, signed: bool) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return (0.0, 1.0)
    if signed:
        most = float(np.abs(finite).max()) or 1.0
        return (-most, most)
    return (min(0.0, float(finite.min())), float(finite.max()) or 1.0)


def _covering(values: np.ndarray, low: float, high: float) -> list[float]:
    """Codes reach every value, also those beyond the ends of the colour map: a readout must not clip."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return [low, high]
    return [min(low, float(finite.min())), max(high, float(finite.max()))]


def _numbered(labels: Sequence[str]) -> list[str]:
    """Tokens repeat; column names of a table may not."""
    return [f"{index} {label}" for index, label in enumerate(labels)]


def _attention_table(
    frames: np.ndarray,
    queries: Sequence[str],
    keys: Sequence[str],
    heads: Sequence[str],
    frame_labels: Sequence[str] | None,
    mask: np.ndarray | None,
    words: Words,
) -> pd.DataFrame:
    """One row per weight that may be other than zero."""
    allowed = np.ones(frames.shape[2:], bool) if mask is None else np.asarray(mask, bool)
    frame, head, row, column = np.nonzero(np.broadcast_to(allowed, frames.shape))
    table = {
        words("heads"): np.asarray(heads, object)[head],
        words("query"): np.asarray(_numbered(queries), object)[row],
        words("key"): np.asarray(_numbered(keys), object)[column],
        words("weight"): frames[frame, head, row, column],
    }
    if frame_labels:
        table = {words("frame"): np.asarray(frame_labels, object)[frame]} | table
    return pd.DataFrame(table)


def _token_table(
    tokens: Sequence[str], values: np.ndarray, value_title: str, words: Words
) -> pd.DataFrame:
    if values.ndim == 1:
        return pd.DataFrame({words("token"): _numbered(tokens), value_title: values})
    table = pd.DataFrame(values, columns=_numbered(tokens))
    table.insert(0, words("token"), _numbered(tokens))
    return table
