"""The worksheet of "Self-attention by hand": every matrix of a walk, its formula, its arithmetic."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from app.figures import Figure
from labcore.architecture import by_hand_arithmetic as arithmetic
from labcore.architecture.by_hand import LARGEST, STARTS, Walk

Text = Callable[..., str]

FORMULAS = {
    "products": "R = Q Kᵀ", "outputs": "O = A V", "upstream": "G = ∂L/∂O", "d_v": "dV = Aᵀ G",
    "d_weights": "dA = G Vᵀ", "d_q": "dQ = dR K", "d_k": "dK = dRᵀ Q", "d_w_q": "dWq = Xᵀ dQ",
    "d_w_k": "dWk = Xᵀ dK", "d_w_v": "dWv = Xᵀ dV", "d_x": "dX = dQ Wqᵀ + dK Wkᵀ + dV Wvᵀ",
    "masked": "M = S, −∞ (j > i)", "shares": "P = softmax(S)",
}  # fmt: skip
SCALED = {"sqrt_d": "{0} / √d", "none": "{0}", "d": "{0} / d"}
STAGES = {
    "forward": ("products", "scores", "masked", "shares", "weights", "outputs"),
    "backward": ("upstream", "d_v", "d_weights", "d_scores", "d_products", "d_q", "d_k"),
    "weights": ("d_w_q", "d_w_k", "d_w_v", "d_x"),
}
BY_TOKENS = ("products", "scores", "masked", "shares", "weights", "d_weights", "d_scores",
             "d_products")  # fmt: skip
SUMMED = ("shares", "weights", "d_scores")  # rows whose sum tells something
MASKED = ("masked", "weights", "d_scores", "d_products")  # where a forbidden cell is hatched


def worksheet(walk: Walk, tokens: Sequence[str], fixed: Collection[str], text: Text) -> Figure:
    """All matrices in the order of the lesson; those in `fixed` cannot be edited."""
    starts = STARTS[walk.config.start]
    stages = {"given": starts, "projected": () if "q" in starts else ("q", "k", "v"), **STAGES}
    spec = {
        "alt": text("alt.walk", tokens=len(tokens), loss=f"{walk.loss:.3g}"),
        "largest": LARGEST,
        "words": {"bad": text("sheet.bad", largest=f"{LARGEST:g}")},
        "stages": [
            {
                "title": text(f"stage.{stage}"),
                "hint": text(f"stage.{stage}.hint"),
                "matrices": [
                    matrix(walk, name, tokens, name in fixed, text)
                    for name in names
                    if name in walk.matrices
                ],
            }
            for stage, names in stages.items()
            if any(name in walk.matrices for name in names)
        ],
    }
    return Figure("sheet", spec, spec["alt"], lambda: numbers(walk, tokens, text), selects=True)


def matrix(walk: Walk, name: str, tokens: Sequence[str], fixed: bool, text: Text) -> dict[str, Any]:
    """One matrix, as the browser needs it."""
    values = walk.matrices[name]
    height, width = values.shape
    edit = name in (*STARTS[walk.config.start], "upstream")
    hidden = ~walk.seen if name in MASKED else np.zeros_like(values, bool)
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0)) or 1.0
    sums = [f"{arithmetic.shown(total)}" for total in values.sum(axis=1)]
    return {
        "id": name,
        "symbol": arithmetic.SYMBOLS[name],
        "formula": formula(walk, name),
        "meaning": text(f"matrix.{name}"),
        "rows": row_labels(name, height, tokens),
        "columns": list(tokens) if name in BY_TOKENS else counted(width),
        "raw": values.tolist() if edit else [],
        "shown": [[short(value) for value in row] for row in values],
        "shares": np.where(np.isfinite(values), values / largest, 0.0).round(3).tolist(),
        "hidden": hidden.tolist(),
        "told": [[arithmetic.told(walk, name, i, j) for j in range(width)] for i in range(height)],
        "sources": [list(line) for line in arithmetic.sources(walk, name)],
        "sums": sums if name in SUMMED else None,
        "edit": edit,
        "fixed": fixed,
    }


def formula(walk: Walk, name: str) -> str:
    scaled = SCALED[walk.config.scale].format
    softmax = arithmetic.softmax_of(walk)
    symbol = arithmetic.SYMBOLS[softmax]
    return {
        **FORMULAS,
        "scores": f"S = {scaled('R')}",
        "weights": "A = P, 0 (j > i)" if softmax == "shares"
        else f"A = softmax({'M' if 'masked' in walk.matrices else 'S'})",
        "d_scores": f"dS = {symbol} ⊙ (dA − Σ {symbol} ⊙ dA)",
        "d_products": f"dR = {scaled('dS')}",
        **({part: f"{part.upper()} = X W{part}" for part in "qkv"} if "x" in walk.matrices else {}),
    }.get(name, arithmetic.SYMBOLS[name])  # fmt: skip


def row_labels(name: str, height: int, tokens: Sequence[str]) -> list[str]:
    """Tokens, but the rows of a weight matrix are the numbers of a token vector."""
    return counted(height) if "w_" in name else list(tokens)


def counted(count: int) -> list[str]:
    return [str(number + 1) for number in range(count)]


def short(value: float) -> str:
    """A number as a narrow cell shows it: three decimals below 1, unless only smaller ones count.

    >>> short(0.0056712), short(1.2345), short(0.00012)
    ('0.006', '1.23', '0.0001')
    """
    if 0.001 <= abs(value) < 1:
        return f"{value:.3f}".rstrip("0").replace("-", "−").rstrip(".")
    if 1e-9 <= abs(value) < 0.001:
        return f"{value:.1g}".replace("-", "−")
    return arithmetic.shown(value)


def numbers(walk: Walk, tokens: Sequence[str], text: Text) -> pd.DataFrame:
    """Every number of the sheet, one per row."""
    return pd.DataFrame(
        [
            (arithmetic.SYMBOLS[name], i + 1, j + 1, values[i, j], arithmetic.told(walk, name, i, j))
            for name, values in walk.matrices.items()
            for i, j in np.ndindex(values.shape)
        ],
        columns=[text(f"column.{name}") for name in ("matrix", "row", "column", "value", "told")],
    )  # fmt: skip
