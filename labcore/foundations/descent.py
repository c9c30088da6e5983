"""Downhill on two parameters: three rules, their paths, and the learning rate at which each one breaks.

The rules are those that train the lab's models (`labcore.training.rules`), fed with a gradient of two
numbers instead of a million. On a quadratic, gradient descent multiplies the part of the error along an
eigenvector of the Hessian by 1 − η·λ at every step, so it converges for η < 2/λmax and for no other rate;
with momentum μ the limit is 2(1 + μ)/λmax (Polyak 1964). AdamW has no such limit, but does not settle either.

Axes: K steps, G grid points a side, E learning rates of the sweep; the last axis of points is (x, y).
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.foundations.surfaces import LOWEST, WINDOWS, Surface
from labcore.training.rules import adamw, sgd

RULES = ("plain", "momentum", "adamw")
GRID = 81
FAR = 1e6  # a coordinate beyond this has diverged
MOST_STEPS = 400


@lab_config
class DescentConfig:
    surface: Surface = field(default_factory=Surface)
    rates: tuple[float, float, float] = (0.15, 0.05, 0.2)  # of RULES
    momentum: float = 0.9
    noise: float = (
        0.0  # standard deviation added to each number of a gradient, as a small batch does
    )
    steps: int = 100
    seed: int = 0

    def __post_init__(self):
        for rate in self.rates:
            if not rate > 0:
                raise LabInputError("rates", rate, "positive")
        check_limits(
            self, {"momentum": (0.0, 0.999), "noise": (0.0, 10.0), "steps": (1, MOST_STEPS)}
        )


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    points: np.ndarray  # (K + 1, 2), ends early if it diverges
    heights: np.ndarray  # (K + 1,) above the lowest point of the surface
    diverged: bool


@dataclass(frozen=True, slots=True, eq=False)
class DescentResult:
    xs: np.ndarray  # (G,)
    ys: np.ndarray  # (G,)
    heights: np.ndarray  # (G, G) rows are y
    walks: dict[str, Walk]  # by rule
    curvatures: np.ndarray  # (2,) eigenvalues of the Hessian at the start, ascending
    limits: dict[str, float]  # "plain", "momentum": rates beyond which a quadratic of λmax diverges


@lab_config
class SweepConfig:
    surface: Surface = field(default_factory=Surface)
    momentum: float = 0.9
    steps: int = 100

    def __post_init__(self):
        check_limits(self, {"momentum": (0.0, 0.999), "steps": (1, MOST_STEPS)})


@dataclass(frozen=True, slots=True, eq=False)
class SweepResult:
    rates: np.ndarray  # (E,)
    heights: dict[str, np.ndarray]  # (E,) by rule, after all steps; inf if diverged
    limits: dict[str, float]


def direction(rule: str, gradient: Tensor, state: dict[str, Tensor], momentum: float) -> Tensor:
    """What a rule makes of a gradient.  (N, 2) -> (N, 2)"""
    if rule == "adamw":
        return adamw(gradient, state)
    return sgd(gradient, state, momentum if rule == "momentum" else 0.0).clone()


def descend(
    surface: Surface,
    rule: str,
    rates: Tensor,
    momentum: float,
    steps: int,
    noise: Tensor | None = None,
) -> Tensor:
    """One walk for each rate, all at once: x ← x − η · direction.  (E,) -> (K + 1, E, 2)"""
    points = surface.start().repeat(len(rates), 1)
    state: dict[str, Tensor] = {}
    path = [points]
    for step in range(steps):
        gradient = surface.gradient(points)
        if noise is not None:
            gradient = gradient + noise[step]
        points = points - rates[:, None] * direction(rule, gradient, state, momentum)
        points = points.clamp(-10 * FAR, 10 * FAR)  # numbers stay numbers
        path.append(points)
    return torch.stack(path)


def curvatures_at_start(surface: Surface) -> np.ndarray:
    """Eigenvalues of the Hessian where a walk begins, ascending.  -> (2,)"""
    return torch.linalg.eigvalsh(surface.hessian(surface.start())).numpy()


def limits(curvature: float, momentum: float) -> dict[str, float]:
    """The largest rate that a curvature allows.

    >>> limits(10.0, 0.9)
    {'plain': 0.2, 'momentum': 0.38}
    """
    return {"plain": 2 / curvature, "momentum": 2 * (1 + momentum) / curvature}


def run(config: DescentConfig) -> DescentResult:
    surface = config.surface
    left, right, low, high = WINDOWS[surface.kind]
    xs, ys = (
        torch.linspace(*ends, GRID, dtype=torch.float64) for ends in ((left, right), (low, high))
    )
    grid = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), dim=-1)  # (G, G, 2), rows are y
    generator = torch.Generator().manual_seed(config.seed)
    shape = (config.steps, 1, 2)
    noise = config.noise * torch.randn(shape, generator=generator, dtype=torch.float64)
    walks = {}
    for rule, rate in zip(RULES, config.rates, strict=True):
        rates = torch.tensor([rate], dtype=torch.float64)
        walks[rule] = walked(
            surface, descend(surface, rule, rates, config.momentum, config.steps, noise)[:, 0]
        )
    curvatures = curvatures_at_start(surface)
    return DescentResult(
        xs.numpy(), ys.numpy(), above(surface, grid), walks, curvatures,
        limits(float(curvatures[-1]), config.momentum),
    )  # fmt: skip


def above(surface: Surface, points: Tensor) -> np.ndarray:
    return (surface.value(points) - LOWEST[surface.kind]).clamp(min=0).numpy()


def walked(surface: Surface, path: Tensor) -> Walk:
    """The walk up to where it leaves for good.  (K + 1, 2)"""
    gone = (path.abs() > FAR).any(dim=1).nonzero()
    kept = path[: int(gone[0]) + 1] if len(gone) else path
    return Walk(kept.numpy(), above(surface, kept), bool(len(gone)))


def sweep(config: SweepConfig) -> SweepResult:
    """How high each rule still stands after all steps, for sixty learning rates."""
    rates = torch.logspace(-3, 0.7, 90, dtype=torch.float64)
    heights = {}
    for rule in RULES:
        path = descend(config.surface, rule, rates, config.momentum, config.steps)
        gone = (path.abs() > FAR).any(dim=2).any(dim=0).numpy()
        heights[rule] = np.where(gone, np.inf, above(config.surface, path[-1]))
    curvature = float(curvatures_at_start(config.surface)[-1])
    return SweepResult(rates.numpy(), heights, limits(curvature, config.momentum))
