"""What the linear maps of a model are fed: the statistics from which weights are judged.

One pass over some rows of text. For each map the second moments H = XᵀX / N of its inputs are kept, and
each input's largest size. The output error of a changed weight is then a sum over H alone, without the text:
‖X(W' − W)ᵀ‖² / N = Σ over rows of (w' − w) H (w' − w)ᵀ.

Axes: N tokens, I inputs, O outputs.
"""

from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from labcore.tuning.lora import TARGETS, target_linears


@dataclass(slots=True, eq=False)
class Inputs:
    """What one linear map was fed."""

    moments: Tensor  # (I, I) float64, XᵀX / N
    largest: Tensor  # (I,) float64, max |x|
    mean_size: Tensor  # (I,) float64, mean |x|
    tokens: int

    @classmethod
    def none_yet(cls, inputs: int) -> "Inputs":
        zeros = torch.zeros(inputs, dtype=torch.float64)
        return cls(torch.zeros(inputs, inputs, dtype=torch.float64), zeros, zeros.clone(), 0)

    def add(self, x: Tensor) -> None:
        """Take some more tokens in.  (…, I)"""
        x = x.detach().reshape(-1, x.shape[-1]).double()
        self.tokens += len(x)
        share = len(x) / self.tokens
        self.moments += share * (x.T @ x / len(x) - self.moments)
        self.mean_size += share * (x.abs().mean(dim=0) - self.mean_size)
        self.largest = torch.maximum(self.largest, x.abs().amax(dim=0))

    @property
    def root_mean_square(self) -> Tensor:
        """The usual size of each input.  -> (I,)"""
        return self.moments.diagonal().sqrt()


def output_error(change: Tensor, moments: Tensor) -> float:
    """Mean squared change of the outputs' vector, per token: Σ over rows of d H dᵀ.  (O, I), (I, I)"""
    change = change.double()
    return float(((change @ moments) * change).sum())


@contextmanager
def watching(model: nn.Module, targets: tuple[str, ...] = TARGETS):
    """While this lasts, every linear map of a block notes what it is fed, under its name."""
    seen: dict[str, Inputs] = {}
    hooks = []
    for name, linear in target_linears(model, targets):
        seen[name] = Inputs.none_yet(linear.in_features)
        hooks.append(
            linear.register_forward_pre_hook(lambda _, args, name=name: seen[name].add(args[0]))
        )
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def calibrate(model: nn.Module, rows: Iterable[Tensor]) -> dict[str, Inputs]:
    """Read some text and note what each map is fed.  Each (B, T) tokens"""
    with watching(model) as seen:
        for tokens in rows:
            model(tokens)
    return seen
