"""Inputs in few bits as well: what an int8 product needs, and what large channels do to it.

With weights *and* inputs in whole numbers the product itself is done in whole numbers. The inputs are not
known beforehand, so their scale is either fixed from calibration (static) or found for each token as it
comes. A channel that is far larger than the others stretches the scale, and the others fall between its
steps.

Sources: SmoothQuant, arXiv:2211.10438; LLM.int8(), arXiv:2208.07339.
Axes: B batch, T position, I inputs.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from labcore.compression import judged
from labcore.compression.calibration import Inputs
from labcore.compression.rounding import GridConfig, round_to_nearest
from labcore.compression.scaling import move_into_weights, readers, smoothing_scales

WAYS = ("static", "token", "int8")
THRESHOLD = 6.0  # LLM.int8()'s: a channel with a larger input anywhere in the batch stays whole


def round_inputs(x: Tensor, bits: int, way: str = "token", largest: float | None = None) -> Tensor:
    """Inputs moved to the nearest of 2^bits − 1 levels around zero.  (…, I) -> (…, I)

    static: one scale for all, from the `largest` input seen in calibration; what is larger is cut off.
    token: each token's own largest input gives its scale.
    int8: the same, but channels above the threshold are left out of it and stay as they are.
    """
    highest = 2 ** (bits - 1) - 1
    if way == "static":
        scale = torch.as_tensor(largest) / highest
        return (x / scale).round().clamp(-highest, highest) * scale
    whole = torch.zeros(x.shape[-1], dtype=torch.bool)
    if way == "int8":
        whole = (x.abs() > THRESHOLD).flatten(0, -2).any(dim=0)  # (I,)
    rest = x.masked_fill(whole, 0.0)
    scale = rest.abs().amax(dim=-1, keepdim=True).clamp(min=1e-8) / highest  # (…, 1)
    return torch.where(whole, x, (rest / scale).round() * scale)


@contextmanager
def rounded_inputs(
    model: nn.Module, bits: int, way: str, seen: dict[str, Inputs], spared: str = ""
) -> Iterator[None]:
    """While this lasts, every matrix of the blocks is fed rounded inputs, but for those `spared` by kind."""
    hooks = []
    for name, linear in judged.matrices(model).items():
        if name.rpartition(".")[2] == spared:
            continue
        rounding = partial(
            round_inputs, bits=bits, way=way, largest=float(seen[name].largest.max())
        )
        hooks.append(linear.register_forward_pre_hook(_before(rounding)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _before(rounding: Callable[[Tensor], Tensor]) -> Callable:
    return lambda _, args: (rounding(args[0]),)


@torch.no_grad()
def round_weights(model: nn.Module, grid: GridConfig) -> nn.Module:
    """Every matrix of the blocks, to nearest; the model is changed."""
    for linear in judged.matrices(model).values():
        linear.weight.copy_(round_to_nearest(linear.weight, grid).weight())
    return model


def smooth(model: nn.Module, seen: dict[str, Inputs], alpha: float) -> dict[str, Inputs]:
    """SmoothQuant: divide the norms' outputs, multiply the weights that read them.

    The model is changed, what it says is not. Gives back what its maps are fed now.
    """
    names = {id(linear): name for name, linear in judged.matrices(model).items()}
    now = dict(seen)
    for norm, linears in readers(model):
        inputs = seen[names[id(linears[0])]]
        weights = [linear.weight for linear in linears]
        scales = smoothing_scales(inputs.largest.float(), weights, alpha)
        move_into_weights(norm, linears, scales)
        inside = scales.double()
        for linear in linears:
            now[names[id(linear)]] = Inputs(
                inputs.moments / torch.outer(inside, inside),
                inputs.largest / inside, inputs.mean_size / inside, inputs.tokens,
            )  # fmt: skip
    return now
