"""Optimisers for a model: which weights decay, which rule moves which, and clipping.

Two kinds do the same arithmetic. `build` gives the lab's own, whose rules are written out in `rules`;
`adamw` gives torch's, which moves all weights in one fused call and trains the other labs' models.

Source: Loshchilov & Hutter, arXiv:1711.05101 (decay apart from the gradient); Pascanu et al.,
arXiv:1211.5063 (clipping by the global norm).
"""

from typing import Any

import torch
from torch import nn

from labcore.errors import LabInputError
from labcore.training.rules import OPTIMISERS, RULES


class Optimiser(torch.optim.Optimizer):
    """Moves every weight by the rule of its group, and lets it decay."""

    def __init__(self, groups: list[dict[str, Any]], learning_rate: float):
        super().__init__(groups, {"lr": learning_rate, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            rate, decay = group["lr"], group["weight_decay"]
            for weight in group["params"]:
                if weight.grad is not None:
                    direction = group["rule"](weight.grad, self.state[weight], **group["more"])
                    weight.mul_(1 - rate * decay).sub_(rate * direction)


def build(
    name: str,
    model: nn.Module,
    learning_rate: float,
    weight_decay: float = 0.01,
    betas: tuple[float, float] = (0.9, 0.95),
) -> Optimiser:
    """The optimiser called `name` for `model`: matrices decay, gains and biases do not.

    Muon moves the matrices within the blocks; tables of tokens and vectors are AdamW's, as no rotation
    of their rows means anything.
    """
    if name not in RULES:
        raise LabInputError("optimiser", name, "known_choice", allowed=OPTIMISERS)
    groups: dict[tuple[str, bool], dict[str, Any]] = {}
    for path, weight in model.named_parameters():
        if not weight.requires_grad:
            continue
        within = weight.dim() == 2 and "embedding" not in path and "head." not in path
        rule = "adamw" if name == "muon" and not within else name
        decays = weight.dim() >= 2
        more = {"betas": betas} if rule == "adamw" else {}
        group = {"params": [], "rule": RULES[rule], "more": more}
        group = groups.setdefault((rule, decays), group)
        group["weight_decay"] = weight_decay if decays else 0.0
        group["params"].append(weight)
    return Optimiser(list(groups.values()), learning_rate)


def state_numbers(optimiser: torch.optim.Optimizer) -> int:
    """How many numbers an optimiser remembers: Adam two for each weight, the others one."""
    return sum(
        kept.numel() for state in optimiser.state.values() for kept in state.values() if kept.dim()
    )


def adamw(
    model: nn.Module, learning_rate: float, weight_decay: float, betas: tuple[float, float]
) -> torch.optim.AdamW:
    """torch's own AdamW for `model`."""
    groups = decay_groups(model, weight_decay)
    return torch.optim.AdamW(groups, lr=learning_rate, betas=betas, fused=True)


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The weights that decay, and those that do not.

    Norm gains and biases are left out of the decay: pulling a gain towards 0 would silence its
    layer instead of simplifying it.
    """
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [
        {"params": [w for w in trained if w.dim() >= 2], "weight_decay": weight_decay},
        {"params": [w for w in trained if w.dim() < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def set_learning_rate(optimiser: torch.optim.Optimizer, learning_rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = learning_rate


def clip_gradients(model: nn.Module, max_norm: float | None) -> float:
    """Scale all gradients to a joint L2 norm of at most `max_norm`; give the norm before."""
    limit = float("inf") if max_norm is None else max_norm
    return float(nn.utils.clip_grad_norm_(model.parameters(), limit))
