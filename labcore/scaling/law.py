"""The law L(N, D) = E + A/N^α + B/D^β: fitted to measured points, how sure it is, what follows from it.

The fit is Chinchilla's third (Hoffmann et al., arXiv:2203.15556, section 3.3): the difference of log losses
under a Huber loss, which forgives a few bad points, minimised by L-BFGS from several starts. With e = ln E,
a = ln A, b = ln B the log of the law is a log-sum-exp, so no start can make E, A or B negative.

A departure: N and D are measured from their means while the minimum is sought. A/N^α with N in the thousands
ties A to α; centred, they come loose, and the same minimum is found from nearly everywhere. `landings` does
it without, as in the paper, to show what one start would have been worth.

Axes: P points, R resamplings, S starts, θ = (e, a, α, b, β).
"""

from dataclasses import astuple, dataclass
from itertools import product

import numpy as np
from scipy.optimize import minimize

from labcore.configs import lab_config
from labcore.errors import LabInputError

FORMS = ("free", "known", "none")  # E is fitted, is the known floor, or is left out
DELTA = (
    1e-3  # of the Huber loss, on log losses: beyond it an error counts by its size, not its square
)
PASSES = 6  # FLOPs per parameter and token
LOW, HIGH = 5, 95  # percentiles of an interval
FEWEST_POINTS = 5
# θ may not run away to where a term has vanished; E may not exceed the lowest loss (set per fit).
SMALLEST_LOG, LARGEST_LOG, SMALLEST_POWER, LARGEST_POWER = -12.0, 12.0, 0.01, 4.0


@dataclass(frozen=True, slots=True)
class Law:
    E: float  # nats: what no size and no amount of text removes
    A: float
    alpha: float
    B: float
    beta: float

    def loss(self, n, d):
        return self.E + self.A / n**self.alpha + self.B / d**self.beta

    @property
    def size_exponent(self) -> float:
        """N* grows like C to this power: β / (α + β)."""
        return self.beta / (self.alpha + self.beta)

    def optimal(self, flops):
        """The N and D that make the loss lowest under 6·N·D = C.  -> N*, D*

        There, one per cent more N gains as much as one per cent less D loses: αA/N^α = βB/D^β.
        """
        scale = (self.alpha * self.A / (self.beta * self.B)) ** (1 / (self.alpha + self.beta))
        n = scale * (flops / PASSES) ** self.size_exponent
        return n, flops / PASSES / n


# As published, with the digits of its source files (Besiroglu et al., arXiv:2404.10102).
CHINCHILLA = Law(E=1.6934, A=406.4, alpha=0.3392, B=410.7, beta=0.2849)


@lab_config
class FitConfig:
    """Points as tuples, so that equal questions share an answer."""

    parameters: tuple[float, ...]  # P
    tokens: tuple[float, ...]  # P
    nats: tuple[float, ...]  # P
    runs: tuple[int, ...]  # P, which run each comes from: points of one run err together
    form: str = "free"
    floor_nats: float = 0.0  # E, where it is known
    resamplings: int = 100
    seed: int = 0  # of the resampling

    def __post_init__(self):
        if self.form not in FORMS:
            raise LabInputError("form", self.form, "known_choice", allowed=FORMS)
        if len(self.nats) < FEWEST_POINTS:
            raise LabInputError("nats", len(self.nats), "enough_points", limit=FEWEST_POINTS)
        for name in ("parameters", "tokens", "nats"):
            if not min(getattr(self, name), default=0) > 0:
                raise LabInputError(name, getattr(self, name), "positive")
        for name in ("parameters", "tokens", "runs"):
            if len(getattr(self, name)) != len(self.nats):
                raise LabInputError(name, len(getattr(self, name)), "same_shape")
        if self.form == "known" and not 0 < self.floor_nats < min(self.nats):
            raise LabInputError("floor_nats", self.floor_nats, "below_losses")


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    law: Law
    residuals: np.ndarray  # (P,) ln of measured over fitted
    draws: np.ndarray  # (R, 5) laws fitted to runs drawn with replacement: E, A, α, B, β

    @property
    def error(self) -> float:
        """Root mean square of the residuals: a relative error."""
        return float(np.sqrt((self.residuals**2).mean()))

    def interval(self, name: str) -> tuple[float, float]:
        """The middle nine tenths of a constant over the resamplings."""
        values = [getattr(Law(*row), name) for row in self.draws]
        return tuple(np.percentile(values, [LOW, HIGH])) if values else (np.nan, np.nan)

    def predicted(self, n: float, d: float) -> tuple[float, float, float]:
        """The law's loss at (n, d), and the middle nine tenths over the resamplings."""
        losses = [Law(*row).loss(n, d) for row in self.draws]
        low, high = np.percentile(losses, [LOW, HIGH]) if losses else (np.nan, np.nan)
        return float(self.law.loss(n, d)), float(low), float(high)


def fit(config: FitConfig) -> Fit:
    """The best law of all starts; then once more for every resampling, from where the first one ended."""
    points, target = log_points(config)
    theta, _ = best(points, target, np.ones(len(target)), starts(config), config)
    rng = np.random.default_rng(config.seed)
    draws = [
        best(points, target, weights, [theta], config)[0]
        for weights in resampled(config.runs, config.resamplings, rng)
    ]
    residuals = target - log_loss(theta, points)[0]
    laws = [astuple(to_law(one, config)) for one in draws]
    return Fit(to_law(theta, config), residuals, np.array(laws).reshape(-1, 5))


# The idea.


def log_loss(theta: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ln L = ln(e^e + e^(a − αx) + e^(b − βy)).  (5,), (2, P) -> (P,), each term's share of L (3, P)"""
    e, a, alpha, b, beta = theta
    x, y = points
    terms = np.stack([np.full_like(x, e), a - alpha * x, b - beta * y])
    top = terms.max(axis=0)  # so that the largest exponential is 1
    terms = np.exp(terms - top)
    whole = terms.sum(axis=0)
    return top + np.log(whole), terms / whole


def objective(
    theta: np.ndarray, points: np.ndarray, target: np.ndarray, weights: np.ndarray
) -> tuple[float, np.ndarray]:
    """Σ w · Huber(ln L̂ − ln L) in units of δ², and its gradient.  -> scalar, (5,)"""
    x, y = points
    predicted, shares = log_loss(theta, points)
    error = (predicted - target) / DELTA
    size = np.abs(error)
    huber = np.where(size <= 1, error**2 / 2, size - 1 / 2)
    pull = weights * np.clip(error, -1, 1) / DELTA  # the derivative by ln L̂
    floor, by_size, by_text = pull * shares
    gradient = np.array(
        [floor.sum(), by_size.sum(), -(by_size * x).sum(), by_text.sum(), -(by_text * y).sum()]
    )
    return float(weights @ huber), gradient


def resampled(runs: tuple[int, ...], times: int, rng: np.random.Generator):
    """Bootstrap weights: as many whole runs as there are, drawn with replacement.  yields (P,)

    Whole runs, since the points of one run share its weights' luck and its text: drawn one by one they
    would pass for more evidence than they are.
    """
    names, which = np.unique(runs, return_inverse=True)
    for _ in range(times):
        drawn = rng.integers(len(names), size=len(names))
        yield np.bincount(drawn, minlength=len(names)).astype(float)[which]


# Seeking the minimum.


def log_points(config: FitConfig) -> tuple[np.ndarray, np.ndarray]:
    """ln N and ln D, each from its mean (2, P), and ln L (P,)."""
    points = np.log([config.parameters, config.tokens])
    return points - points.mean(axis=1, keepdims=True), np.log(config.nats)


def starts(config: FitConfig) -> list[np.ndarray]:
    """Different shares of the loss for E, different powers; what is above E goes to both terms alike."""
    lowest, middle = min(config.nats), float(np.median(config.nats))
    return [
        np.array([np.log(share * lowest), half, alpha, half, beta])
        for share, alpha, beta in product((0.5, 0.9), (0.2, 0.7), (0.2, 0.7))
        for half in [np.log((middle - share * lowest) / 2)]
    ]


def best(
    points: np.ndarray, target: np.ndarray, weights: np.ndarray, begin: list, config: FitConfig
) -> tuple[np.ndarray, float]:
    """The lowest of the minima reached from these starts.  -> θ, objective"""
    e = {"none": -np.inf, "known": np.log(config.floor_nats or 1.0), "free": None}[config.form]
    bounds = [
        (SMALLEST_LOG, float(target.min())), (SMALLEST_LOG, LARGEST_LOG),
        (SMALLEST_POWER, LARGEST_POWER), (SMALLEST_LOG, LARGEST_LOG),
        (SMALLEST_POWER, LARGEST_POWER),
    ]  # fmt: skip
    found = [descend(start, points, target, weights, e, bounds) for start in begin]
    return min(found, key=lambda one: one[1])


def descend(
    start: np.ndarray, points: np.ndarray, target: np.ndarray, weights: np.ndarray,
    e: float | None = None, bounds: list | None = None,
) -> tuple[np.ndarray, float]:  # fmt: skip
    """L-BFGS from one start; `e` is held where it is given.  -> θ, objective"""
    free = slice(0 if e is None else 1, 5)

    def of(part: np.ndarray) -> tuple[float, np.ndarray]:
        theta = part if e is None else np.concatenate([[e], part])
        value, gradient = objective(theta, points, target, weights)
        return value, gradient[free]

    found = minimize(
        of, np.asarray(start)[free], jac=True, method="L-BFGS-B",
        bounds=bounds and bounds[free], options={"maxiter": 500},
    )  # fmt: skip
    theta = found.x if e is None else np.concatenate([[e], found.x])
    return theta, float(found.fun)


def to_law(theta: np.ndarray, config: FitConfig) -> Law:
    """Back from centred logs: A/N^α = e^(a − α(ln N − mean)), so A = e^(a + α·mean)."""
    e, a, alpha, b, beta = theta
    x, y = np.log([config.parameters, config.tokens]).mean(axis=1)
    constants = np.exp(e), np.exp(a + alpha * x), alpha, np.exp(b + beta * y), beta
    return Law(*map(float, constants))


# One start is not enough.


@dataclass(frozen=True, slots=True, eq=False)
class Landings:
    """Where each of many starts comes to rest, not centred and not bounded, as in the paper."""

    starts: np.ndarray  # (S, 5) θ
    E: np.ndarray  # (S,) where it came to rest
    objective: np.ndarray  # (S,)

    @property
    def reached(self) -> np.ndarray:
        """Which starts found the lowest minimum, to a hundredth.  (S,)"""
        return self.objective <= 1.01 * self.objective.min()


def landings(config: FitConfig) -> Landings:
    """Forty-eight starts from the range that Chinchilla's authors searched."""
    points, target = np.log([config.parameters, config.tokens]), np.log(config.nats)
    grid = np.array(
        [
            (e, a, alpha, b, beta)
            for e, a, alpha, b, beta in product(
                (-1.0, 0.0, 1.0), (0.0, 15.0), (0.2, 1.0), (0.0, 15.0), (0.2, 1.0)
            )
        ]
    )
    ends = [descend(start, points, target, np.ones(len(target))) for start in grid]
    return Landings(
        grid, np.exp([theta[0] for theta, _ in ends]), np.array([value for _, value in ends])
    )
