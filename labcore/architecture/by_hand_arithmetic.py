"""How each number of `by_hand` came about, written out with the learner's own numbers.

    told(walk, "products", 2, 1)  ->  "R₃₂ = 2·2 + 0·0 + 0·1 + 1·0 = 4"

Formulas only, no sentences; rows and columns count from 1, as in mathematics. `SOURCES` names the cells
that a cell is made of, so that a picture can light them up.
"""

from typing import NamedTuple

import numpy as np

from labcore.architecture.by_hand import NUDGE, STARTS, Walk

SYMBOLS = {
    "x": "X", "w_q": "Wq", "w_k": "Wk", "w_v": "Wv", "q": "Q", "k": "K", "v": "V",
    "products": "R", "scores": "S", "masked": "M", "shares": "P", "weights": "A", "outputs": "O",
    "upstream": "G", "d_v": "dV", "d_weights": "dA", "d_scores": "dS", "d_products": "dR",
    "d_q": "dQ", "d_k": "dK", "d_x": "dX", "d_w_q": "dWq", "d_w_k": "dWk", "d_w_v": "dWv",
}  # fmt: skip
_LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


class Line(NamedTuple):
    """A row or a column of a matrix, or one cell: which one is the cell's own row "i" or column "j"."""

    name: str
    axis: str  # "row", "column" or "cell"
    index: str  # "i", "j" or "ij"


# A cell (i, j) of these is the product of two lines.
DOTS: dict[str, tuple[Line, Line]] = {
    "q": (Line("x", "row", "i"), Line("w_q", "column", "j")),
    "k": (Line("x", "row", "i"), Line("w_k", "column", "j")),
    "v": (Line("x", "row", "i"), Line("w_v", "column", "j")),
    "products": (Line("q", "row", "i"), Line("k", "row", "j")),
    "outputs": (Line("weights", "row", "i"), Line("v", "column", "j")),
    "d_v": (Line("weights", "column", "i"), Line("upstream", "column", "j")),
    "d_weights": (Line("upstream", "row", "i"), Line("v", "row", "j")),
    "d_q": (Line("d_products", "row", "i"), Line("k", "column", "j")),
    "d_k": (Line("d_products", "column", "i"), Line("q", "column", "j")),
    "d_w_q": (Line("x", "column", "i"), Line("d_q", "column", "j")),
    "d_w_k": (Line("x", "column", "i"), Line("d_k", "column", "j")),
    "d_w_v": (Line("x", "column", "i"), Line("d_v", "column", "j")),
}
HIDES = ("masked", "weights")  # where the mask shows: key j after query i
_X_BACK = [
    (Line(f"d_{part}", "row", "i"), Line(f"w_{part}", "row", "j")) for part in ("q", "k", "v")
]


def sources(walk: Walk, name: str) -> tuple[Line, ...]:
    """The cells that cell (i, j) of the matrix is made of; () for what is given."""
    given = {given for given, _ in walk.config.given}
    if name in given:
        return ()
    if name in DOTS:
        return DOTS[name]
    if name == "d_x":
        return tuple(line for pair in _X_BACK for line in pair)
    own = softmax_of(walk)
    return {
        "scores": (Line("products", "cell", "ij"),),
        "masked": (Line("scores", "cell", "ij"),),
        "shares": (Line("scores", "row", "i"),),
        "weights": (
            (Line("shares", "cell", "ij"),)
            if walk.config.mask == "after"
            else (Line("masked" if "masked" in walk.matrices else "scores", "row", "i"),)
        ),
        "d_scores": (Line(own, "row", "i"), Line("d_weights", "row", "i")),
        "d_products": (Line("d_scores", "cell", "ij"),),
    }[name]


def softmax_of(walk: Walk) -> str:
    """The matrix that came out of the softmax."""
    return "shares" if walk.config.mask == "after" else "weights"


def told(walk: Walk, name: str, i: int, j: int) -> str:
    """The arithmetic of one cell."""
    value, lines = walk.matrices[name][i, j], sources(walk, name)
    start = place(name, i, j)
    if not lines:
        return f"{start} = {shown(value)}"
    if name in HIDES and not walk.seen[i, j]:
        return f"{start} = {shown(value)}  ({j + 1} > {i + 1})"
    if name in DOTS:
        formula = dot(walk, *lines, i, j)
    elif name == "d_x":
        formula = " + ".join(f"({dot(walk, *pair, i, j)})" for pair in _X_BACK)
    else:
        formula = _STEPS[name](walk, i, j)
    end = f"{start} = {formula}" + (f" = {shown(value)}" if formula != shown(value) else "")
    return (
        f"{end}\n{checked(walk, name[2:], i, j)}" if name[2:] in STARTS[walk.config.start] else end
    )


def dot(walk: Walk, left: Line, right: Line, i: int, j: int) -> str:
    """The sum of products of two lines, term by term."""
    pairs = zip(numbers(walk, left, i, j), numbers(walk, right, i, j), strict=True)
    return " + ".join(f"{bracketed(a)}·{bracketed(b)}" for a, b in pairs)


def numbers(walk: Walk, line: Line, i: int, j: int) -> np.ndarray:
    index = i if line.index == "i" else j
    matrix = walk.matrices[line.name]
    return matrix[index] if line.axis == "row" else matrix[:, index]


def scaled(walk: Walk, value: float) -> str:
    """A raw number times the factor, as one writes it."""
    d = walk.matrices["q"].shape[1]
    return {
        "sqrt_d": f"{bracketed(value)} / √{d}",
        "none": f"{bracketed(value)} · 1",
        "d": f"{bracketed(value)} / {d}",
    }[walk.config.scale]


def divided(walk: Walk, i: int, j: int) -> str:
    """One share of a softmax: a power over the sum of its row, the row's largest score taken off."""
    row = walk.matrices.get("masked", walk.matrices["scores"])[i]
    largest, finite = row.max(), np.isfinite(row)
    power = [f"e^({shown(s)} − {bracketed(largest)})" for s in row[finite]]
    mine = power[int(finite[:j].sum())]
    total = np.exp(row[finite] - largest).sum()
    mine_value = np.exp(row[j] - largest)
    return f"{mine} / ({' + '.join(power)}) = {shown(mine_value)} / {shown(total)}"


def softmax_back(walk: Walk, i: int, j: int) -> str:
    """A share times how much better than the row's average its own answer was."""
    shares, blame = walk.matrices[softmax_of(walk)][i], walk.matrices["d_weights"][i]
    reaching = np.where(walk.seen[i], blame, 0.0)
    mean = float((shares * reaching).sum())
    symbol = SYMBOLS[softmax_of(walk)]
    return (
        f"{place(softmax_of(walk), i, j)}·({place('d_weights', i, j)} − "
        f"Σ {symbol}·dA) = {bracketed(shares[j])}·({shown(reaching[j])} − {bracketed(mean)})"
    )


_STEPS = {
    "scores": lambda walk, i, j: scaled(walk, walk.matrices["products"][i, j]),
    "masked": lambda walk, i, j: place("scores", i, j),
    "shares": divided,
    "weights": lambda walk, i, j: (
        place("shares", i, j) if walk.config.mask == "after" else divided(walk, i, j)
    ),
    "d_scores": softmax_back,
    "d_products": lambda walk, i, j: scaled(walk, walk.matrices["d_scores"][i, j]),
}  # fmt: skip


def checked(walk: Walk, name: str, i: int, j: int) -> str:
    """The same gradient without the chain rule: two losses, a little apart."""
    at, slope = place(name, i, j), walk.nudged[name][i, j]
    step = f"{NUDGE:.4f}"
    return f"(L({at} + {step}) − L({at} − {step})) / {2 * NUDGE:.4f} = {shown(slope)}"


def place(name: str, i: int, j: int) -> str:
    """A₂₁, the cell in row 2 and column 1.

    >>> place("weights", 1, 0)
    'A₂₁'
    """
    return f"{SYMBOLS[name]}{str(i + 1).translate(_LOWERED)}{str(j + 1).translate(_LOWERED)}"


def shown(value: float) -> str:
    """Three significant digits, a true minus sign, no −0.

    >>> shown(-0.12345), shown(-0.0), shown(float("-inf"))
    ('−0.123', '0', '−∞')
    """
    if np.isneginf(value):
        return "−∞"
    text = f"{value:.3g}" if abs(value) >= 1e-9 else "0"  # what rounding leaves of a zero
    return text.replace("-", "−")


def bracketed(value: float) -> str:
    """A negative factor stands in brackets."""
    text = shown(value)
    return f"({text})" if text.startswith("−") else text
