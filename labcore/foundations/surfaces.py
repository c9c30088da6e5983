"""Landscapes of two parameters, with their gradients and curvatures written out.

Each gives f, ∇f and the Hessian for any number of points at once.  Axes: N points, the last axis is (x, y).

The quadratic ½(x² + κ·y²), turned by an angle, is every smooth valley seen from close by: its Hessian has
the eigenvalues 1 and κ.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import check_choices, check_limits

SURFACES = ("quadratic", "banana", "saddle")
# Where a walk begins (for the valley: along it and across), and the window drawn: x from, to; y from, to.
STARTS = {"quadratic": (-2.5, 1.2), "banana": (-1.4, 1.6), "saddle": (-1.6, 0.001)}
WINDOWS = {
    "quadratic": (-3.2, 3.2, -3.2, 3.2),
    "banana": (-2.0, 2.0, -1.0, 3.0),
    "saddle": (-2.2, 2.2, -2.2, 2.2),
}


@lab_config
class Surface:
    kind: str = "quadratic"
    condition: float = 10.0  # κ, of the quadratic
    angle: float = 30.0  # degrees by which it is turned

    def __post_init__(self):
        check_choices(self, {"kind": SURFACES})
        check_limits(self, {"condition": (1.0, 1000.0), "angle": (0.0, 90.0)})

    def start(self) -> Tensor:
        """Where every walk begins; it turns with the valley.  -> (2,)"""
        begin = torch.tensor(STARTS[self.kind], dtype=torch.float64)
        return turn(self.angle) @ begin if self.kind == "quadratic" else begin

    def value(self, points: Tensor) -> Tensor:
        """(N, 2) -> (N,)"""
        return _VALUES[self.kind](self, points)

    def gradient(self, points: Tensor) -> Tensor:
        """(N, 2) -> (N, 2)"""
        return _GRADIENTS[self.kind](self, points)

    def hessian(self, point: Tensor) -> Tensor:
        """Second derivatives at one point.  (2,) -> (2, 2)"""
        return _HESSIANS[self.kind](self, point)


def turn(degrees: float) -> Tensor:
    """The turn of the plane by an angle.  -> (2, 2)"""
    cosine, sine = (f(math.radians(degrees)) for f in (math.cos, math.sin))
    return torch.tensor([[cosine, -sine], [sine, cosine]], dtype=torch.float64)


def quadratic_matrix(surface: Surface) -> Tensor:
    """R·diag(1, κ)·Rᵀ: gentle along the first axis, turned by the angle, and κ times as steep across it."""
    steep = torch.diag(torch.tensor([1.0, surface.condition], dtype=torch.float64))
    return turn(surface.angle) @ steep @ turn(surface.angle).T


def _quadratic(surface: Surface, points: Tensor) -> Tensor:
    return 0.5 * (points * (points @ quadratic_matrix(surface))).sum(-1)


def _quadratic_gradient(surface: Surface, points: Tensor) -> Tensor:
    return points @ quadratic_matrix(surface)


def _banana(surface: Surface, points: Tensor) -> Tensor:
    """(1 − x)² + 10·(y − x²)²: Rosenbrock's bent valley, a tenth as steep as his."""
    x, y = points.unbind(-1)
    return (1 - x) ** 2 + 10 * (y - x**2) ** 2


def _banana_gradient(surface: Surface, points: Tensor) -> Tensor:
    x, y = points.unbind(-1)
    return torch.stack([-2 * (1 - x) - 40 * x * (y - x**2), 20 * (y - x**2)], dim=-1)


def _banana_hessian(surface: Surface, point: Tensor) -> Tensor:
    x, y = point
    rows = [torch.stack([2 - 40 * (y - 3 * x**2), -40 * x]), torch.stack([-40 * x, 0 * x + 20])]
    return torch.stack(rows)


def _saddle(surface: Surface, points: Tensor) -> Tensor:
    """½x² − ½y² + ¼y⁴: a pass at (0, 0) between two hollows at (0, ±1), where f = −¼."""
    x, y = points.unbind(-1)
    return 0.5 * x**2 - 0.5 * y**2 + 0.25 * y**4


def _saddle_gradient(surface: Surface, points: Tensor) -> Tensor:
    x, y = points.unbind(-1)
    return torch.stack([x, y**3 - y], dim=-1)


def _saddle_hessian(surface: Surface, point: Tensor) -> Tensor:
    return torch.diag(torch.stack([torch.ones_like(point[0]), 3 * point[1] ** 2 - 1]))


LOWEST = {"quadratic": 0.0, "banana": 0.0, "saddle": -0.25}
_VALUES: dict[str, Callable[[Surface, Tensor], Tensor]] = {
    "quadratic": _quadratic, "banana": _banana, "saddle": _saddle
}  # fmt: skip
_GRADIENTS: dict[str, Callable[[Surface, Tensor], Tensor]] = {
    "quadratic": _quadratic_gradient, "banana": _banana_gradient, "saddle": _saddle_gradient
}  # fmt: skip
_HESSIANS: dict[str, Callable[[Surface, Tensor], Tensor]] = {
    "quadratic": lambda surface, point: quadratic_matrix(surface),
    "banana": _banana_hessian, "saddle": _saddle_hessian,
}  # fmt: skip
