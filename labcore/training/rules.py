"""Four optimisers, each as one readable rule: gradient and memory in, a direction out.

What happens with a direction is the same for all of them (`optimiser.Optimiser`):

    w ← w - rate · decay · w        matrices only
    w ← w - rate · direction

Sources: momentum, Polyak 1964; AdamW, Loshchilov & Hutter, arXiv:1711.05101 (decay apart from the
gradient); Lion, Chen et al., arXiv:2302.06675; Muon, Jordan 2024, with the scale of Liu et al.,
arXiv:2502.16982.
"""

from collections.abc import Callable

import torch
from torch import Tensor

State = dict[str, Tensor]  # what a rule remembers of one weight; the rule fills it
Rule = Callable[..., Tensor]

# Newton–Schulz, five rounds: the coefficients that lift small singular values fastest (Jordan 2024).
QUINTIC = (3.4445, -4.7750, 2.0315)


def sgd(grad: Tensor, state: State, momentum: float = 0.9) -> Tensor:
    """Stochastic gradient descent: a ball that rolls on.  m ← μ·m + g;  direction m"""
    m = state.setdefault("momentum", torch.zeros_like(grad))
    return m.mul_(momentum).add_(grad)


def adamw(
    grad: Tensor, state: State, betas: tuple[float, float] = (0.9, 0.95), eps: float = 1e-8
) -> Tensor:
    """Each number moves by about one rate, however small its gradient is:  m̂ / (√v̂ + ε)

    m and v are running means of g and g². They begin at 0, so the hats divide by 1 - βᵗ.
    """
    beta1, beta2 = betas
    t = float(state.setdefault("steps", torch.zeros(())).add_(1))
    m = state.setdefault("mean", torch.zeros_like(grad)).lerp_(grad, 1 - beta1)
    v = state.setdefault("square", torch.zeros_like(grad)).lerp_(grad.square(), 1 - beta2)
    return (m / (1 - beta1**t)) / ((v / (1 - beta2**t)).sqrt() + eps)


def lion(grad: Tensor, state: State, betas: tuple[float, float] = (0.9, 0.99)) -> Tensor:
    """Signs only: every number moves by exactly one rate.  direction sign(β₁·m + (1 - β₁)·g)"""
    m = state.setdefault("momentum", torch.zeros_like(grad))
    direction = m.lerp(grad, 1 - betas[0]).sign()
    m.lerp_(grad, 1 - betas[1])
    return direction


def muon(grad: Tensor, state: State, momentum: float = 0.95) -> Tensor:
    """A matrix moves as far in every one of its directions: the momentum, made orthogonal.

    0.2·√(larger side) gives the numbers of the update the size of AdamW's, so both can share a rate.
    """
    m = state.setdefault("momentum", torch.zeros_like(grad)).lerp_(grad, 1 - momentum)
    ahead = grad.lerp(m, momentum)  # Nesterov: the momentum as it will be
    return orthogonal(ahead) * (0.2 * max(grad.shape) ** 0.5)


def orthogonal(matrix: Tensor, rounds: int = 5) -> Tensor:
    """U·Vᵀ of a matrix U·S·Vᵀ, nearly: all singular values come out between about 0.7 and 1.2.

    Each round maps every singular value s to a·s + b·s³ + c·s⁵, with products of matrices alone.
    """
    a, b, c = QUINTIC
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix  # the small side first
    x = x / x.norm().clamp(min=1e-7)  # no singular value above 1
    for _ in range(rounds):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


RULES: dict[str, Rule] = {"sgd": sgd, "adamw": adamw, "lion": lion, "muon": muon}
OPTIMISERS = tuple(RULES)
