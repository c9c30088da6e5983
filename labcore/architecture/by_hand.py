"""Self-attention by hand: a few tokens, every number kept, forward and backward.

    R = Q Kᵀ   S = R · factor   A = softmax(S, masked)   O = A V   L = Σ G ⊙ O

The backward pass starts from G = ∂L/∂O, whatever the layers above ask for, and ends at the gradients of
Q, K and V, or of the token vectors X and the three weight matrices that made them.

Axes: n tokens, d width of a head, D width of a token vector. Source: Vaswani et al., arXiv:1706.03762.
"""

from dataclasses import dataclass

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError

Rows = tuple[tuple[float, ...], ...]  # a small matrix that can be a cache's key

SCALES = ("sqrt_d", "none", "d")
MASKS = ("causal", "none", "after")  # "after": a common slip, weights set to 0 after the softmax
MOST_TOKENS, MOST_WIDTH = 6, 6
LARGEST = 99  # of a number that a learner types
DIGITS = 6  # significant, of a number in a link
NUDGE = 1e-4

# The lesson's first picture: "itself" and "licks" look for a noun, and "cat" is one. Rows beyond the
# fourth and columns beyond the fourth wait for a longer text and a wider head.
FIRST: dict[str, Rows] = {
    "q": ((0, 1, 0, 1, 0, 1), (1, 1, 0, 0, 1, 0), (2, 0, 0, 1, 0, 0),
          (2, 0, 0, -1, 0, 1), (0, 1, 1, 0, 1, 0), (1, 0, 2, 0, 0, -1)),
    "k": ((0, 1, 0, 0, 1, 0), (2, 0, 1, 0, 0, 1), (0, 1, 2, 0, 0, 0),
          (1, 0, 0, 1, 1, 0), (0, 2, 0, 1, 0, 1), (1, 1, 0, 0, 0, 2)),
    "v": ((1, 0, 0, 0, 1, 0), (0, 2, 0, 1, 0, 0), (0, 0, 1, 0, 0, 1),
          (0, 0, 0, -1, 1, 0), (1, 1, 0, 0, 0, 0), (0, 0, 2, 0, 0, 1)),
    "x": ((1, 0, 0, 1, 0, 0), (0, 2, 0, 0, 1, 0), (0, 0, 1, 0, 0, 1),
          (0, 1, 1, 0, 0, 0), (1, 1, 0, 0, 1, 0), (0, 0, 2, 1, 0, 0)),
    "w_q": ((0, 1, 0, 1, 0, 0), (1, 0, 0, 0, 1, 0), (1, 0, 0, -1, 0, 1),
            (0, 0, 1, 0, 0, 0), (0, 1, 0, 0, 0, 1), (1, 0, 0, 0, 0, 0)),
    "w_k": ((0, 1, 0, 0, 0, 1), (1, 0, 1, 0, 0, 0), (0, 1, 0, 1, 1, 0),
            (1, 0, 0, 0, 0, 0), (0, 0, 1, 0, 1, 0), (0, 1, 0, 0, 0, 1)),
    "w_v": ((1, 0, 0, 0, 0, 0), (0, 1, 0, 0, 1, 0), (0, 0, 1, -1, 0, 0),
            (0, 0, 0, 1, 0, 1), (1, 0, 0, 0, 0, 0), (0, 1, 0, 0, 0, 1)),
    "upstream": ((0, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 0), (0, 0, -1, 0, 0, 1),
                 (0, 1, 0, 0, 1, 0), (0, 0, 0, 1, 0, 0), (1, 0, 0, 0, 0, 0)),
}  # fmt: skip
STARTS = {"qkv": ("q", "k", "v"), "x": ("x", "w_q", "w_k", "w_v")}  # what a learner may edit


@lab_config
class ByHandConfig:
    """`given` holds the matrices of `STARTS[start]` and "upstream", in that order."""

    given: tuple[tuple[str, Rows], ...] = tuple(
        (name, tuple(row[:4] for row in FIRST[name][:4])) for name in ("q", "k", "v", "upstream")
    )
    start: str = "qkv"  # or "x": token vectors and weights
    scale: str = "sqrt_d"
    mask: str = "causal"

    def __post_init__(self):
        for name, allowed in (("start", STARTS), ("scale", SCALES), ("mask", MASKS)):
            if getattr(self, name) not in allowed:
                raise LabInputError(name, getattr(self, name), "known_choice", allowed=allowed)
        names = (*STARTS[self.start], "upstream")
        if tuple(name for name, _ in self.given) != names:
            raise LabInputError("given", [name for name, _ in self.given], "known_fields")
        for name, rows in self.given:
            check(name, rows)
        self._check_shapes(dict(self.given))

    def _check_shapes(self, given: dict[str, Rows]) -> None:
        """Queries meet keys, so all three have one width; every token has its row in each."""
        shape = {name: (len(rows), len(rows[0])) for name, rows in given.items()}
        tokens, width = shape["upstream"]
        inner = shape["x"][1] if self.start == "x" else 0
        for name in STARTS[self.start]:
            wanted = {"x": (tokens, inner)}.get(name, (inner if name[0] == "w" else tokens, width))
            if shape[name] != wanted:
                raise LabInputError(name, shape[name], "same_shape")


def check(name: str, rows: Rows) -> Rows:
    """The matrix, if it is one: 1 to 6 rows of equal length, finite numbers within ±99."""
    if not 1 <= len(rows) <= MOST_TOKENS:
        raise LabInputError(name, len(rows), "between", low=1, high=MOST_TOKENS)
    for row in rows:
        if not 1 <= len(row) <= MOST_WIDTH or len(row) != len(rows[0]):
            raise LabInputError(name, len(row), "between", low=1, high=MOST_WIDTH)
        for number in row:
            if not abs(number) <= LARGEST:  # a NaN is not within bounds either
                raise LabInputError(name, number, "between", low=-LARGEST, high=LARGEST)
    return rows


def parse(text: str) -> Rows:
    """The matrix that a link carries: numbers between commas, rows between semicolons.

    >>> parse("1,0;0.5,-2")
    ((1.0, 0.0), (0.5, -2.0))
    """
    return check("matrix", tuple(tuple(map(float, row.split(","))) for row in text.split(";")))


def written(rows: Rows) -> str:
    """Inverse of `parse`.

    >>> written(((1.0, 0.0), (0.5, -2.0)))
    '1,0;0.5,-2'
    """
    return ";".join(",".join(f"{number:.{DIGITS}g}" for number in row) for row in rows)


def fitted(name: str, rows: Rows, height: int, width: int) -> Rows:
    """The matrix at another size: cut, or filled up with the numbers that the lab opens on."""
    first = FIRST[name]
    return tuple(
        tuple(
            float(rows[i][j] if i < len(rows) and j < len(rows[i]) else first[i][j])
            for j in range(width)
        )
        for i in range(height)
    )


@dataclass(frozen=True, slots=True, eq=False)
class Forward:
    factor: float  # on the raw scores
    seen: np.ndarray  # (n, n) bool, True where query i may look at key j
    products: np.ndarray  # (n, n) R: how well query i fits key j
    scores: np.ndarray  # (n, n) S
    masked: np.ndarray  # (n, n) S with -inf where the mask forbids; S itself in mode "after"
    shares: np.ndarray  # (n, n) P: what the softmax gives
    weights: np.ndarray  # (n, n) A: the same, unless zeros were written into it afterwards
    outputs: np.ndarray  # (n, d) O


@dataclass(frozen=True, slots=True, eq=False)
class Backward:
    """Each field is ∂L over what its name says."""

    d_v: np.ndarray  # (n, d)
    d_weights: np.ndarray  # (n, n)
    d_scores: np.ndarray  # (n, n); every row sums to 0, since a softmax cannot grow as a whole
    d_products: np.ndarray  # (n, n)
    d_q: np.ndarray  # (n, d)
    d_k: np.ndarray  # (n, d)


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    config: ByHandConfig
    matrices: dict[str, np.ndarray]  # by name, in the order of the lesson; masked scores are −∞
    seen: np.ndarray  # (n, n) bool
    factor: float
    loss: float  # Σ G ⊙ O
    nudged: dict[str, np.ndarray]  # for every given matrix its gradient, found by nudging
    worst: float  # the largest difference between the two


def softmax(scores: np.ndarray) -> np.ndarray:
    """Rows of weights that sum to 1.  (n, n) -> (n, n); -inf gets weight 0"""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))  # the shift cancels out
    return powers / powers.sum(axis=-1, keepdims=True)


def forward(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, scale: str = "sqrt_d", mask: str = "causal"
) -> Forward:
    """Attention, every step kept.  q, k, v (n, d)"""
    n, d = q.shape
    factor = {"sqrt_d": d**-0.5, "none": 1.0, "d": 1 / d}[scale]
    seen = np.ones((n, n), bool) if mask == "none" else np.tril(np.ones((n, n), bool))
    products = q @ k.T
    scores = products * factor
    masked = scores if mask == "after" else np.where(seen, scores, -np.inf)
    shares = softmax(masked)
    weights = np.where(seen, shares, 0.0)
    return Forward(factor, seen, products, scores, masked, shares, weights, weights @ v)


def backward(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, upstream: np.ndarray, made: Forward
) -> Backward:
    """The chain rule, one step of `forward` after the other, from the last to the first."""
    d_v = made.weights.T @ upstream
    d_weights = upstream @ v.T
    reaching = np.where(made.seen, d_weights, 0.0)  # a forbidden weight was 0 whatever the scores
    mean = (made.shares * reaching).sum(axis=-1, keepdims=True)  # (n, 1)
    d_scores = made.shares * (reaching - mean)
    d_products = d_scores * made.factor
    return Backward(d_v, d_weights, d_scores, d_products, d_products @ k, d_products.T @ q)


def run(config: ByHandConfig) -> Walk:
    """All matrices from what is given to its gradients, and the check by nudging."""
    given = {name: np.array(rows, float) for name, rows in config.given}
    matrices = dict(given)
    upstream = matrices.pop("upstream")
    q, k, v = queries_keys_values(given)
    made = forward(q, k, v, config.scale, config.mask)
    back = backward(q, k, v, upstream, made)
    matrices |= {"q": q, "k": k, "v": v, "products": made.products, "scores": made.scores}
    if config.mask == "causal":
        matrices["masked"] = made.masked
    if config.mask == "after":
        matrices["shares"] = made.shares
    matrices |= {"weights": made.weights, "outputs": made.outputs, "upstream": upstream}
    matrices |= {name: getattr(back, name) for name in Backward.__slots__}
    if config.start == "x":
        matrices |= projections_backward(given, back)
    nudged = {name: nudge(config, given, name) for name in given}
    worst = max(
        float(np.abs(nudged[name] - matrices[f"d_{name}"]).max()) for name in STARTS[config.start]
    )
    loss = float((upstream * made.outputs).sum())
    return Walk(config, matrices, made.seen, made.factor, loss, nudged, worst)


def queries_keys_values(given: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Q, K and V as given, or X times its three weight matrices."""
    if "x" in given:
        return given["x"] @ given["w_q"], given["x"] @ given["w_k"], given["x"] @ given["w_v"]
    return given["q"], given["k"], given["v"]


def projections_backward(given: dict[str, np.ndarray], back: Backward) -> dict[str, np.ndarray]:
    """The last step back: through Q = X W_q and its two sisters.  X is blamed three times."""
    x = given["x"]  # (n, D)
    return {
        "d_w_q": x.T @ back.d_q,
        "d_w_k": x.T @ back.d_k,
        "d_w_v": x.T @ back.d_v,
        "d_x": back.d_q @ given["w_q"].T + back.d_k @ given["w_k"].T + back.d_v @ given["w_v"].T,
    }


def nudge(config: ByHandConfig, given: dict[str, np.ndarray], name: str) -> np.ndarray:
    """∂L over each number of one matrix without any rule: make it a little larger, a little smaller."""

    def loss(changed: np.ndarray) -> float:
        at = given | {name: changed}
        made = forward(*queries_keys_values(at), config.scale, config.mask)
        return float((at["upstream"] * made.outputs).sum())

    slopes = np.zeros_like(given[name])
    for place in np.ndindex(slopes.shape):
        step = np.zeros_like(slopes)
        step[place] = NUDGE
        slopes[place] = (loss(given[name] + step) - loss(given[name] - step)) / (2 * NUDGE)
    return slopes
