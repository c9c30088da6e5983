"""How large a model for how much compute: what was published, as formulas one can ask.

A budget C buys N parameters and D tokens with C = 6·N·D. Hoffmann et al. (Chinchilla, arXiv:2203.15556)
answered three times how to share it out, Besiroglu et al. (arXiv:2404.10102) once more from the same runs,
Kaplan et al. (arXiv:2001.08361) before all of them. Two kinds of answer: a law of the loss, whose minimum is
sought, and a power of C that was read off measured minima.

Parameters are counted as each source counted them: all of them, but Kaplan left out the embeddings.
"""

from dataclasses import dataclass

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError

Numbers = float | np.ndarray
PASSES = 6  # FLOPs per parameter and token: 2 forward, 4 backward
PETAFLOP_DAY = 1e15 * 86400  # FLOPs, Kaplan's unit
LEAST_FLOPS, MOST_FLOPS = 1e15, 1e30


@dataclass(frozen=True, slots=True)
class LossLaw:
    """L(N, D) = E + A/N^α + B/D^β, in nats per token."""

    E: float
    A: float
    B: float
    alpha: float
    beta: float

    def loss(self, n: Numbers, d: Numbers) -> Numbers:
        return self.E + self.A / n**self.alpha + self.B / d**self.beta

    @property
    def exponent(self) -> float:
        """The best N grows like C to this power."""
        return self.beta / (self.alpha + self.beta)

    def size(self, flops: Numbers) -> Numbers:
        """The N of the lowest loss under 6·N·D = C.

        There, one per cent more parameters gains what one per cent fewer tokens costs:
        α·A/N^α = β·B/D^β. With D = C/6N that is one equation for N.
        """
        balance = self.alpha * self.A / (self.beta * self.B)
        return balance ** (1 / (self.alpha + self.beta)) * (flops / PASSES) ** self.exponent


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """The best N as a power of C, with no law of the loss behind it."""

    coefficient: float
    exponent: float

    def size(self, flops: Numbers) -> Numbers:
        return self.coefficient * flops**self.exponent


def fit_power(flops: Numbers, sizes: Numbers) -> PowerLaw:
    """The straight line through log N over log C, by least squares."""
    slope, start = np.polyfit(np.log(flops), np.log(sizes), 1)
    return PowerLaw(float(np.exp(start)), float(slope))


# What Hoffmann et al. print, size by size: the budget for which that size is best. Approach 1 is their
# table 3, approaches 2 and 3 are table A3, whose 1.26e24 at 175B, approach 3, is a slip for 1.26e25:
# 6 · 175e9 · 12.0e12 tokens.
TABLE_SIZES = np.array([0.4e9, 1e9, 10e9, 67e9, 175e9, 280e9, 520e9, 1e12, 10e12])
TABLE_FLOPS = {
    "approach1": np.array(
        [1.92e19, 1.21e20, 1.23e22, 5.76e23, 3.85e24, 9.90e24, 3.43e25, 1.27e26, 1.30e28]
    ),
    "approach2": np.array(
        [1.84e19, 1.20e20, 1.32e22, 6.88e23, 4.54e24, 1.18e25, 4.19e25, 1.59e26, 1.75e28]
    ),
    "approach3": np.array(
        [2.21e19, 1.62e20, 2.46e22, 1.71e24, 1.26e25, 3.52e25, 1.36e26, 5.65e26, 8.55e28]
    ),
}

KAPLAN = PowerLaw(
    # N = 1.3e9 · (C_min in petaflop days)^0.73. C_min is the least compute with very small batches; a run at
    # the critical batch size takes twice that, hence C / 2 (so did Hoffmann et al. for their comparison).
    coefficient=1.3e9 / (2 * PETAFLOP_DAY) ** 0.73,
    exponent=0.73,
)

LAWS: dict[str, LossLaw | PowerLaw] = {
    # The lowest loss of all training curves at each budget, and the lowest points of curves of equal budget.
    "approach1": fit_power(TABLE_FLOPS["approach1"], TABLE_SIZES),
    "approach2": fit_power(TABLE_FLOPS["approach2"], TABLE_SIZES),
    # The same law twice: with the digits of the paper's source files (printed in arXiv:2404.10102), and
    # rounded as the paper prints it.
    "approach3": LossLaw(E=1.6934, A=406.4, B=410.7, alpha=0.3392, beta=0.2849),
    "printed": LossLaw(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28),
    "epoch": LossLaw(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658),
    "kaplan": KAPLAN,
}
LOSS_LAWS = tuple(name for name, law in LAWS.items() if isinstance(law, LossLaw))

# Hoffmann's table 2: the exponents of C that each approach gave for N and for D.
PUBLISHED_EXPONENTS = {
    "approach1": (0.50, 0.50),
    "approach2": (0.49, 0.51),
    "approach3": (0.46, 0.54),
    "kaplan": (0.73, 0.27),
}


def law_named(name: str) -> LossLaw | PowerLaw:
    if name not in LAWS:
        raise LabInputError("law", name, "known_choice", allowed=tuple(LAWS))
    return LAWS[name]


def loss_law(name: str) -> LossLaw:
    if name not in LOSS_LAWS:
        raise LabInputError("law", name, "known_choice", allowed=LOSS_LAWS)
    return LAWS[name]


# One budget.


@lab_config
class OptimalConfig:
    flops: float = 5.76e23  # Gopher's
    law: str = "approach1"

    def __post_init__(self):
        law_named(self.law)
        if not LEAST_FLOPS <= self.flops <= MOST_FLOPS:
            raise LabInputError("flops", self.flops, "between", low=LEAST_FLOPS, high=MOST_FLOPS)


@dataclass(frozen=True, slots=True)
class Share:
    """How one law shares out a budget."""

    law: str
    parameters: float
    tokens: float
    loss_nats: float | None  # None where the source gives no law of the loss

    @property
    def tokens_per_parameter(self) -> float:
        return self.tokens / self.parameters


@dataclass(frozen=True, slots=True, eq=False)
class OptimalResult:
    """Q budgets, P sizes."""

    chosen: Share
    shares: tuple[Share, ...]  # one per law, in the order of LAWS
    budgets: np.ndarray  # (Q,) FLOPs
    sizes: dict[str, np.ndarray]  # (Q,) the best N under each law
    valley_sizes: np.ndarray  # (P,) around the best
    valleys: dict[str, np.ndarray]  # (P,) nats at this budget, for each law of the loss


BUDGETS = np.logspace(17, 29, 61)


def run(config: OptimalConfig) -> OptimalResult:
    """Every law's answer for one budget, and its line over all budgets."""
    shares = tuple(share_out(name, config.flops) for name in LAWS)
    middle = share_out("epoch", config.flops).parameters
    sizes = middle * np.logspace(-1.3, 1.3, 81)
    return OptimalResult(
        chosen=next(share for share in shares if share.law == config.law),
        shares=shares,
        budgets=BUDGETS,
        sizes={name: law.size(BUDGETS) for name, law in LAWS.items()},
        valley_sizes=sizes,
        valleys={name: LAWS[name].loss(sizes, config.flops / PASSES / sizes) for name in LOSS_LAWS},
    )


def share_out(name: str, flops: float) -> Share:
    """The best size under a law, and the tokens that are left for it."""
    law = law_named(name)
    n = float(law.size(flops))
    d = flops / PASSES / n
    return Share(name, n, d, float(law.loss(n, d)) if isinstance(law, LossLaw) else None)


def budget_for(name: str, parameters: float) -> float:
    """The budget for which this size is the best."""
    law = law_named(name)
    one = law.size(1.0)  # every law here is a power of C
    return (parameters / one) ** (1 / law.exponent)


# The same law, counted in two ways (Pearce and Song, arXiv:2406.12907).

# Embeddings of Chinchilla's models beside the rest: 32,000 rows as wide as the model, whose width grows
# like the cube root of what stands between them. Their fit.
EMBEDDING_FACTOR = 47491.0
KAPLAN_SIZES = (768.0, 1.5e9)  # without embeddings, the models that Kaplan et al. trained


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """The best sizes over budgets, both counted with embeddings or both without.  P sizes"""

    inner: np.ndarray  # (P,) parameters without embeddings
    inner_flops: np.ndarray  # (P,) 6 · inner · D
    total: np.ndarray  # (P,)
    total_flops: np.ndarray  # (P,) 6 · total · D
    inner_exponent: float  # slope of log inner over log inner_flops, budgets evenly spread
    total_exponent: float


def with_embeddings(inner: Numbers) -> Numbers:
    return inner + EMBEDDING_FACTOR * np.cbrt(inner)


def counted_both_ways(law: LossLaw, smallest=KAPLAN_SIZES[0], largest=KAPLAN_SIZES[1]) -> Counted:
    """One law of the loss in *all* parameters; the best model for each budget in either count.

    With C = 6·n·D, n without embeddings and N(n) with them, the loss E + A/N^α + B/D^β is lowest where
    α·A/N^α · n·N'(n)/N = β·B/D^β. For each n that gives D, and with D the budget.
    """
    n = np.geomspace(smallest, largest, 200)
    total = with_embeddings(n)
    slope = 1 + EMBEDDING_FACTOR / 3 * n ** (-2 / 3)  # N'(n)
    pull = law.alpha * law.A / total**law.alpha * n * slope / total
    flops = PASSES * n * (law.beta * law.B / pull) ** (1 / law.beta)
    even = np.geomspace(flops[0], flops[-1], 100)
    inner = np.exp(np.interp(np.log(even), np.log(flops), np.log(n)))
    budgets = (
        PASSES
        * total
        * (law.beta * law.B * total**law.alpha / (law.alpha * law.A)) ** (1 / law.beta)
    )
    return Counted(
        n,
        flops,
        total,
        budgets,
        fit_power(even, inner).exponent,
        fit_power(budgets, total).exponent,
    )
