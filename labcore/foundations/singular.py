"""Singular values by rotations alone, and eigenvalues by multiplying again and again.

Every matrix A (m, n) is a turn, a stretch along the axes and another turn: A = U·diag(σ)·Vᵀ. One-sided
Jacobi finds them with plane rotations of *columns*: rotate two columns until they stand at right angles,
and go round all pairs until none needs it. What is left are columns of lengths σ: A·V = U·diag(σ).

Sources: Hestenes 1958; Golub & Van Loan, *Matrix Computations*, section 8.6; the order of pairs is that of
a tournament (Brent & Luk 1985): n/2 pairs that share no column are turned at once.
Axes: m outputs, n inputs, R = min(m, n) singular values, K steps.
"""

from collections.abc import Iterator

import numpy as np

ROUNDING = 1e-15  # a cosine below this is a rounding error
NEARLY = 1e-8  # convergence is quadratic: a round that begins with such cosines ends with none
MOST_ROUNDS = 30


def jacobi_svd(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """U (m, R), σ (R,) from large to small, V (n, R) with matrix = U·diag(σ)·Vᵀ."""
    m, n = matrix.shape
    if m < n:  # the columns of the transpose are fewer
        right, values, left = jacobi_svd(matrix.T)
        return left, values, right
    # A column is a row here, as memory has it, with V's column behind it: (n, m + n).
    rows = np.concatenate([matrix.T.astype(np.float64), np.eye(n)], axis=1)
    for _ in range(MOST_ROUNDS):
        met = [rotate(rows, one, other, m) for one, other in tournament(n)]
        if max(met, default=0.0) < NEARLY:
            break
    values = np.sqrt((rows[:, :m] ** 2).sum(axis=1))
    order = np.argsort(-values, kind="stable")
    values, rows = values[order], rows[order]
    return rows[:, :m].T / np.maximum(values, np.finfo(float).tiny), values, rows[:, m:].T


def rotate(rows: np.ndarray, one: np.ndarray, other: np.ndarray, m: int) -> float:
    """Turn each pair of columns in its own plane until they are orthogonal; the largest cosine before.

    For columns x, y with a = |x|², b = |y|², c = x·y the angle is the one with
    t = tan θ,  t² + 2ζt − 1 = 0,  ζ = (b − a) / 2c; of its two roots the smaller.
    """
    x, y = rows[one], rows[other]  # (pairs, m + n)
    a, b, c = (np.einsum("pm,pm->p", p[:, :m], q[:, :m]) for p, q in ((x, x), (y, y), (x, y)))
    # subtle: below this c is a rounding error, as between a column and one that has become 0.
    real = np.abs(c) > ROUNDING * np.maximum(np.sqrt(a * b), ROUNDING * max(a.max(), b.max()))
    zeta = (b - a) / np.where(real, 2 * c, 1.0)
    t = np.where(zeta >= 0, 1.0, -1.0) / (np.abs(zeta) + np.sqrt(1 + zeta**2))
    t = np.where(real, t, 0.0)
    cosine = (1 / np.sqrt(1 + t**2))[:, None]
    sine = t[:, None] * cosine
    rows[one], rows[other] = cosine * x - sine * y, sine * x + cosine * y
    return float(np.where(real, np.abs(c) / np.sqrt(np.where(real, a * b, 1.0)), 0.0).max())


def tournament(players: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rounds in which everybody meets somebody, until each has met all others: the first sits still.

    >>> [list(zip(one.tolist(), other.tolist())) for one, other in tournament(4)]
    [[(0, 3), (1, 2)], [(0, 2), (3, 1)], [(0, 1), (2, 3)]]
    """
    seats = np.arange(players + players % 2)
    for _ in range(len(seats) - 1):
        one, other = seats[: len(seats) // 2], seats[::-1][: len(seats) // 2]
        real = (one < players) & (other < players)  # with an odd number one player has a rest
        yield one[real], other[real]
        seats = np.concatenate([seats[:1], seats[-1:], seats[1:-1]])


def cut_to_rank(left: np.ndarray, values: np.ndarray, right: np.ndarray, rank: int) -> np.ndarray:
    """The best matrix of that rank: the first `rank` terms of Σ σᵢ·uᵢ·vᵢᵀ (Eckart & Young 1936)."""
    return (left[:, :rank] * values[:rank]) @ right[:, :rank].T


def errors_by_rank(values: np.ndarray) -> np.ndarray:
    """‖A − A_r‖ / ‖A‖ for r = 0 … R: what is cut off are the singular values left over.  (R,) -> (R + 1,)

    >>> errors_by_rank(np.array([4.0, 3.0])).tolist()  # 5/5, 3/5, 0
    [1.0, 0.6, 0.0]
    """
    squares = np.append(np.cumsum(values[::-1] ** 2)[::-1], 0.0)
    return np.sqrt(squares / squares[0])


def power_iteration(matrix: np.ndarray, start: np.ndarray, steps: int) -> np.ndarray:
    """Multiply and shrink to length 1, again and again.  (n, n), (n,) -> (K + 1, n)

    Each step multiplies the part along an eigenvector by its eigenvalue, so the largest one wins, if there
    is a largest.
    """
    rows = [start / np.linalg.norm(start)]
    for _ in range(steps):
        after = matrix @ rows[-1]
        length = np.linalg.norm(after)
        if length < 1e-300:  # everything has gone to the null space
            break
        rows.append(after / length)
    return np.stack(rows)
