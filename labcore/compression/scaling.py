"""Moving difficulty from one side of a product to the other: SmoothQuant, AWQ, and outliers planted.

Y = X Wᵀ is unchanged if input j is divided by s_j and column j of W multiplied by it. Where X is the output
of a norm, the division costs nothing: it goes into the norm's gain. So the same function has many
forms, some of which are easier to quantise.

- SmoothQuant picks s so that the large inputs become smaller and the weights take over a part of it.
- AWQ picks s so that columns fed by large inputs become larger, and so are rounded more finely.
- Read backwards, s plants outlier channels in a model that has none, without changing what it computes.

Sources: SmoothQuant arXiv:2211.10438, equation 4; AWQ arXiv:2306.00978, section 3.2.
Axes: O outputs, I inputs, D width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from labcore.compression.calibration import output_error
from labcore.compression.rounding import GridConfig, round_to_nearest
from labcore.errors import LabInputError

SMALLEST = 1e-5
EXPONENTS = torch.linspace(0, 1, 21).tolist()  # AWQ's search


def smoothing_scales(largest_input: Tensor, weights: Sequence[Tensor], alpha: float) -> Tensor:
    """s_j = max|x_j|^α / max|w_j|^(1 − α), what inputs are divided by.  (I,), each (O, I) -> (I,)

    Worked by hand: inputs up to 16, weights up to 0.25, α = ½: s = √16 / √0.25 = 8. Then inputs reach 2
    and weights 2: the same range on both sides.
    """
    if not 0 <= alpha <= 1:
        raise LabInputError("alpha", alpha, "between", low=0, high=1)
    largest_weight = torch.cat(list(weights)).abs().amax(dim=0).clamp(min=SMALLEST)
    return largest_input.clamp(min=SMALLEST) ** alpha / largest_weight ** (1 - alpha)


def awq_scales(
    weights: Sequence[Tensor], mean_size: Tensor, moments: Tensor, config: GridConfig
) -> tuple[Tensor, float]:
    """What columns are multiplied by before they are rounded, and the exponent that was best.

    s = (mean|x|)^a, a searched between 0 and 1 for the least error of the outputs. The matrices share
    their input, so they share s.  each (O, I), (I,), (I, I) -> (I,), a
    """
    best, least, best_exponent = torch.ones_like(mean_size), float("inf"), 0.0
    for exponent in EXPONENTS:
        scales = mean_size.clamp(min=SMALLEST) ** exponent
        scales = scales / (scales.max() * scales.min()).sqrt()  # centred: only ratios matter
        error = sum(
            output_error(rounded_under(weight, scales, config) - weight, moments)
            for weight in weights
        )
        if error < least:
            best, least, best_exponent = scales, error, exponent
    return best, best_exponent


def rounded_under(weight: Tensor, scales: Tensor, config: GridConfig) -> Tensor:
    """A matrix rounded in another form of the same product, and brought back.  (O, I), (I,) -> (O, I)"""
    return round_to_nearest(weight * scales, config).weight() / scales


def readers(model: nn.Module) -> list[tuple[nn.Module, list[nn.Linear]]]:
    """Each norm inside a block with the linear maps that read it and nothing else.

    Pre-norm blocks only: there a norm feeds q, k and v, or gate and up.
    """
    found = []
    for name, block in model.named_modules():
        if not name.rpartition(".")[0].endswith("layers"):
            continue
        pairs = (("attn_norm", "attn", ("q", "k", "v")), ("mlp_norm", "mlp", ("gate", "up")))
        for norm_name, part, names in pairs:
            norm = getattr(block, norm_name, None)
            maps = [getattr(getattr(block, part, None), n, None) for n in names]
            if norm is not None and norm.weight is not None:
                found.append((norm, [linear for linear in maps if linear is not None]))
    return found


@torch.no_grad()
def move_into_weights(norm: nn.Module, linears: Sequence[nn.Linear], scales: Tensor) -> None:
    """Divide the norm's outputs by s and multiply the readers' columns by it: the same function.

    scales (D,), all positive. The modules are changed.
    """
    if not bool((scales > 0).all()):
        raise LabInputError("scales", float(scales.min()), "positive")
    norm.weight /= scales
    if norm.bias is not None:
        norm.bias /= scales
    for linear in linears:
        linear.weight *= scales


def plant_outliers(model: nn.Module, channels: Sequence[int], factor: float) -> nn.Module:
    """Make these channels of every norm's output `factor` times larger; what the model says stays.

    Models of some billion weights grow such channels by themselves (arXiv:2208.07339); small ones do not.
    The model is changed: give it a copy.
    """
    if not factor > 0:
        raise LabInputError("factor", factor, "positive")
    for norm, linears in readers(model):
        if not all(0 <= channel < len(norm.weight) for channel in channels):
            raise LabInputError(
                "channels", list(channels), "between", low=0, high=len(norm.weight) - 1
            )
        scales = torch.ones_like(norm.weight)
        scales[list(channels)] = 1 / factor
        move_into_weights(norm, linears, scales)
    return model
