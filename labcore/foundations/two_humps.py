"""One bell fitted to two: the two directions of KL want different things.

p is a mixture of two bells on a line, q a single bell with mean m and width s.
KL(p ‖ q) = ∫ p·ln(p/q) makes q pay wherever p is and q is not: q must cover everything. It is least where q
has p's own mean and variance. KL(q ‖ p) makes q pay wherever q is and p is not: q settles in one hump.
The first is what maximum likelihood and distillation minimise, the second is the leash of RLHF.

Axes: X points of the line, M means, S widths.
Source: Minka 2005 (divergence measures); Murphy, *Probabilistic Machine Learning: Advanced Topics*, 5.1.
"""

from dataclasses import dataclass

import numpy as np

from labcore.configs import lab_config
from labcore.errors import check_limits

LINE = np.linspace(-8.0, 8.0, 641)  # (X,)
MEANS = np.linspace(-4.0, 4.0, 65)  # (M,)
WIDTHS = np.geomspace(0.3, 4.0, 44)  # (S,)
LIMITS = {"apart": (0.0, 6.0), "share": (0.05, 0.95), "width": (0.3, 1.5)}


@lab_config
class HumpsConfig:
    apart: float = 4.0  # between the two humps
    share: float = 0.6  # of the left one
    width: float = 0.6  # of each

    def __post_init__(self):
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True, eq=False)
class HumpsResult:
    line: np.ndarray  # (X,)
    p: np.ndarray  # (X,) density
    means: np.ndarray  # (M,)
    widths: np.ndarray  # (S,)
    forward: np.ndarray  # (S, M) KL(p ‖ q), nats
    reverse: np.ndarray  # (S, M) KL(q ‖ p)
    best: dict[str, tuple[float, float]]  # mean and width by direction
    fitted: dict[str, np.ndarray]  # (X,) by direction
    lowest: dict[str, float]  # nats
    crossed: dict[str, float]  # what each fit costs by the other measure
    valleys: int  # local minima of KL(q ‖ p) on the grid
    moments: tuple[
        float, float
    ]  # mean and standard deviation of p: the closed form of the first fit


def log_bell(line: np.ndarray, mean: np.ndarray, width: np.ndarray) -> np.ndarray:
    return -0.5 * ((line - mean) / width) ** 2 - np.log(width) - 0.5 * np.log(2 * np.pi)


def log_humps(line: np.ndarray, config: HumpsConfig) -> np.ndarray:
    """ln of the mixture, computed as a sum of exponentials with the larger taken out.  (X,)"""
    left = np.log(config.share) + log_bell(line, -config.apart / 2, config.width)
    right = np.log1p(-config.share) + log_bell(line, config.apart / 2, config.width)
    return np.logaddexp(left, right)


def run(config: HumpsConfig) -> HumpsResult:
    step = LINE[1] - LINE[0]
    log_p = log_humps(LINE, config)  # (X,)
    p = np.exp(log_p)
    grid = log_bell(LINE, MEANS[None, :, None], WIDTHS[:, None, None])  # (S, M, X) ln q
    forward = ((p * log_p).sum() - grid @ p) * step
    q = np.exp(grid)
    reverse = ((q * grid).sum(axis=-1) - q @ log_p) * step
    tables = {"forward": forward, "reverse": reverse}
    places = {
        name: np.unravel_index(np.argmin(table), table.shape) for name, table in tables.items()
    }
    other = {"forward": reverse, "reverse": forward}
    mean = float((p * LINE).sum() * step)
    return HumpsResult(
        LINE, p, MEANS, WIDTHS, forward, reverse,
        {name: (float(MEANS[m]), float(WIDTHS[s])) for name, (s, m) in places.items()},
        {name: q[at] for name, at in places.items()},
        {name: float(tables[name][at]) for name, at in places.items()},
        {name: float(other[name][at]) for name, at in places.items()},
        count_valleys(reverse), (mean, float(((p * (LINE - mean) ** 2).sum() * step) ** 0.5)),
    )  # fmt: skip


def count_valleys(table: np.ndarray) -> int:
    """Places lower than all eight around them.  (S, M) -> count

    >>> count_valleys(np.array([[3, 3, 3, 3, 3], [3, 1, 3, 2, 3], [3, 3, 3, 3, 3]]))
    2
    """
    rows, columns = table.shape
    padded = np.pad(table.astype(float), 1, constant_values=np.inf)
    around = [
        padded[1 + down : 1 + down + rows, 1 + right : 1 + right + columns]
        for down in (-1, 0, 1) for right in (-1, 0, 1) if (down, right) != (0, 0)
    ]  # fmt: skip
    return int((table < np.stack(around)).all(axis=0).sum())
