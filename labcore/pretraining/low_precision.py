"""Training with few bits: what is kept in which format, Adam in that format, and the scale of the loss.

Three things may be kept short: what a pass computes with, the weights between two steps, and Adam's two
running averages. An update that is less than half the distance to the next number of the weights' format
is rounded away, and the weight stays what it was. The classical cure keeps the weights in fp32 and hands
the pass a short copy (master weights, Micikevicius et al., arXiv:1710.03740); another rounds by chance, so
that a step of a tenth of the distance is made one time in ten.

fp16 has the opposite weakness: gradients below 3·10⁻⁸ become 0. Multiplying the loss, and with it every
gradient, by a scale before the backward pass lifts them; it is divided out again in fp32.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.pretraining.number_formats import FORMATS, round_to

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
ROUNDINGS = ("nearest", "stochastic")
BETAS, EPSILON = (0.9, 0.95), 1e-8
SCALE_LOW, SCALE_HIGH = -24, 24  # powers of two
DYNAMIC_START = 20  # PyTorch's GradScaler starts at 2^16; higher, so that the search is seen
GROW_AFTER = 50  # steps without overflow; GradScaler's 2,000 for short runs
CLIP_NORM = 1.0


@lab_config
class Recipe:
    """What is kept in which format."""

    compute: str = (
        "fp32"  # the pass forward and backward: its copy of the weights, and the gradients
    )
    weights: str = "fp32"  # between two steps
    moments: str = "fp32"  # Adam's two averages
    rounding: str = "nearest"  # of weights and moments when they are stored
    scale: int = 0  # the loss is multiplied by 2^scale
    dynamic: bool = False  # the scale starts high and adapts

    def __post_init__(self):
        for name in ("compute", "weights", "moments"):
            if getattr(self, name) not in DTYPES:
                allowed = tuple(DTYPES)
                raise LabInputError(name, getattr(self, name), "known_choice", allowed=allowed)
        if self.rounding not in ROUNDINGS:
            raise LabInputError("rounding", self.rounding, "known_choice", allowed=ROUNDINGS)
        if not SCALE_LOW <= self.scale <= SCALE_HIGH:
            raise LabInputError("scale", self.scale, "between", low=SCALE_LOW, high=SCALE_HIGH)

    @property
    def bytes_per_parameter(self) -> int:
        """Kept for each: weight, the pass's copy if it is another, gradient, two averages."""
        size = {name: FORMATS[name].bits // 8 for name in DTYPES}
        copy = 0 if self.compute == self.weights else size[self.compute]
        return size[self.weights] + copy + size[self.compute] + 2 * size[self.moments]


@dataclass(slots=True, eq=False)
class LossScale:
    """Some gradient overflows: the step is skipped, the scale halves. Long enough right: it doubles."""

    exponent: int
    dynamic: bool
    good: int = 0  # steps since the last change

    def judge(self, finite: bool) -> None:
        if not self.dynamic:
            return
        self.good = self.good + 1 if finite else 0
        if not finite:
            self.exponent -= 1
        elif self.good == GROW_AFTER:
            self.exponent, self.good = self.exponent + 1, 0


@dataclass(slots=True, eq=False)
class Kept:
    """Weights and averages as they are stored, in the formats of a recipe."""

    recipe: Recipe
    rng: np.random.Generator  # of stochastic rounding
    weights: list[Tensor]
    first: list[Tensor] = field(default_factory=list)  # Adam's average of the gradient
    second: list[Tensor] = field(default_factory=list)  # and of its square
    steps: int = 0

    @classmethod
    def of(cls, model: nn.Module, recipe: Recipe, rng: np.random.Generator) -> "Kept":
        weights = [weight.detach().to(DTYPES[recipe.weights]) for weight in model.parameters()]
        zeros = [torch.zeros_like(weight, dtype=DTYPES[recipe.moments]) for weight in weights]
        return cls(recipe, rng, weights, zeros, [zero.clone() for zero in zeros])

    def store(self, wanted: Tensor, name: str) -> Tensor:
        """A float32 result as it is kept in the format `name`: to the nearest number, or by chance."""
        if self.recipe.rounding == "nearest" or name == "fp32":
            return wanted.to(DTYPES[name])
        noise = self.rng.random(wanted.shape)
        return torch.from_numpy(round_to(wanted.numpy(), FORMATS[name], noise)).to(DTYPES[name])


@torch.no_grad()
def adam_step(kept: Kept, gradients: Sequence[Tensor], rate: float) -> float:
    """One update of all weights.  -> the share of weights that should have moved and did not

    Adam (arXiv:1412.6980) computes in fp32, as fused kernels do; only what is kept is short.
    """
    kept.steps += 1
    lost, wanted = 0, 0
    for at, gradient in enumerate(gradients):
        first = BETAS[0] * kept.first[at].float() + (1 - BETAS[0]) * gradient
        second = BETAS[1] * kept.second[at].float() + (1 - BETAS[1]) * gradient**2
        kept.first[at] = kept.store(first, kept.recipe.moments)
        kept.second[at] = kept.store(second, kept.recipe.moments)
        mean = kept.first[at].float() / (1 - BETAS[0] ** kept.steps)
        square = kept.second[at].float() / (1 - BETAS[1] ** kept.steps)
        update = rate * mean / (square.sqrt() + EPSILON)
        old = kept.weights[at]
        kept.weights[at] = kept.store(old.float() - update, kept.recipe.weights)
        lost += int(((kept.weights[at] == old) & (update != 0)).sum())
        wanted += int((update != 0).sum())
    return lost / max(1, wanted)


def unscaled(model: nn.Module, factor: float) -> tuple[list[Tensor], bool, float]:
    """The gradients in fp32 with the factor divided out.  -> clipped gradients, all finite, share of zeros"""
    gradients = [weight.grad.float() / factor for weight in model.parameters()]
    total = sum(gradient.numel() for gradient in gradients)
    zeros = sum(int((gradient == 0).sum()) for gradient in gradients) / total
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
    finite = bool(torch.isfinite(norm))
    shrink = min(1.0, CLIP_NORM / max(float(norm), 1e-30)) if finite else 1.0
    return [gradient * shrink for gradient in gradients], finite, zeros
