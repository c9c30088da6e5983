"""AdamW with decay on matrices only, and the gradient norm with its clipping.

Source: Loshchilov & Hutter, arXiv:1711.05101 (decay apart from the gradient); Pascanu et al.,
arXiv:1211.5063 (clipping by the global norm).
"""

import torch
from torch import nn


def adamw(
    model: nn.Module, learning_rate: float, weight_decay: float, betas: tuple[float, float]
) -> torch.optim.AdamW:
    """AdamW for `model`.

    Norm gains and biases are left out of the decay: pulling a gain towards 0 would silence its
    layer instead of simplifying it.
    """
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [
        {"params": [w for w in trained if w.dim() >= 2], "weight_decay": weight_decay},
        {"params": [w for w in trained if w.dim() < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=betas, fused=True)


def set_learning_rate(optimiser: torch.optim.Optimizer, learning_rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = learning_rate


def clip_gradients(model: nn.Module, max_norm: float | None) -> float:
    """Scale all gradients to a joint L2 norm of at most `max_norm`; give the norm before."""
    limit = float("inf") if max_norm is None else max_norm
    return float(nn.utils.clip_grad_norm_(model.parameters(), limit))
