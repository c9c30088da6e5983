"""The ward of smaller models: rounding to a grid with a zero point, and learning from a teacher.

Axes: N blocks, E weights of a block, V vocabulary.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from labcore.bugs.case import Bug, Parts, Reading, Test, Ward, equal, followed
from labcore.compression.distillation import distillation_loss
from labcore.compression.rounding import Grid, GridConfig, range_grid
from labcore.zoo import load

CONFIG = GridConfig(bits=4, symmetric=False, granularity="row")
TEMPERATURES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
PLACES = 32

# The parts, and what people wrote in their place.


def codes_without_zero(grid: Grid, blocks: Tensor) -> Tensor:
    nearest = torch.round(blocks / grid.scale)
    return nearest.clamp(grid.config.lowest, grid.config.highest)


def range_as_found(low: Tensor, high: Tensor, config: GridConfig) -> Grid:
    """From the least weight to the largest, though zero may lie outside; the zero point is then cut off."""
    scale = ((high - low) / config.highest).clamp(min=2**-24).half().float()
    zero = torch.round(-low / scale).clamp(config.lowest, config.highest)
    return Grid(scale, zero, config)


def loss_without_square(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    told, said = ((logits / temperature).log_softmax(dim=-1) for logits in (teacher, student))
    return (told.exp() * (told - said)).sum(dim=-1).mean()


PARTS: Parts = {"codes": Grid.codes, "grid": range_grid, "distil": distillation_loss}

# The tests.


def steps_off(parts: Parts, blocks: Tensor) -> float:
    """Rounded and read back: how far the worst weight has moved, in steps of its grid.

    Half a step is rounding; a little more, since zero has to be a level too.
    """
    low, high = blocks.amin(dim=1, keepdim=True), blocks.amax(dim=1, keepdim=True)
    grid = parts["grid"](low, high, CONFIG)
    read_back = grid.values(parts["codes"](grid, blocks))
    return float(((read_back - blocks) / grid.scale).abs().max())


def weights() -> Tensor:
    """A trained matrix, both signs in every row.  (O, I)"""
    return load("world-decoder").model.stack.layers[1].mlp.up.weight.detach()


def both_signs(parts: Parts, seed: int) -> Reading:
    return equal(steps_off(parts, weights()[seed % 8 :: 8]), 1.01)


def one_sign(parts: Parts, seed: int) -> Reading:
    """The same matrix, lifted until every weight lies above zero."""
    rows = weights()[seed % 8 :: 8]
    return equal(steps_off(parts, rows + 3 * rows.abs().max()), 1.01)


def two_beliefs(seed: int) -> tuple[Tensor, Tensor]:
    """Logits of a student and of a teacher.  (N, V) each"""
    generator = torch.Generator().manual_seed(seed)
    teacher = 2 * torch.randn(PLACES, 20, generator=generator)
    return teacher + torch.randn(PLACES, 20, generator=generator), teacher


def pull_by_temperature(parts: Parts, seed: int) -> Reading:
    """The length of the loss' gradient at each temperature, against torch's KL times T², relative to it."""
    student, teacher = two_beliefs(seed)
    lengths, wanted = [], []
    for temperature in TEMPERATURES:
        for loss, kept in ((parts["distil"], lengths), (torch_kl, wanted)):
            at = student.clone().requires_grad_(True)
            (slope,) = torch.autograd.grad(loss(at, teacher, temperature), at)
            kept.append(float(slope.norm()))
    scale = wanted[0]
    return followed(TEMPERATURES, np.array(lengths) / scale, np.array(wanted) / scale, 1e-3)


def torch_kl(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    told, said = (teacher / temperature).softmax(-1), (student / temperature).log_softmax(-1)
    return temperature**2 * F.kl_div(said, told, reduction="batchmean")


def plain_kl(parts: Parts, seed: int) -> Reading:
    """The loss at temperature 1, against torch's KL."""
    student, teacher = two_beliefs(seed)
    gap = parts["distil"](student, teacher, 1.0) - torch_kl(student, teacher, 1.0)
    return equal(float(gap.abs()), 1e-5)


WARD = Ward(
    "smaller", "inference", PARTS,
    (
        Test("both_signs", "equality", both_signs),
        Test("one_sign", "equality", one_sign),
        Test("plain_kl", "equality", plain_kl),
        Test("temperatures", "curve", pull_by_temperature),
    ),
    (
        Bug("no_zero_point", "codes", codes_without_zero,
            ("hatchetProject/QuEST#18", "intel/neural-compressor#1611"), "quantisation",
            "both_signs"),
        Bug("range_without_zero", "grid", range_as_found,
            ("openvinotoolkit/nncf#4074", "mit-han-lab/llm-awq#193"), "quantisation", "one_sign"),
        Bug("no_square", "distil", loss_without_square,
            ("IntelLabs/distiller#122", "keras-team/keras-io#869"), "distillation",
            "temperatures"),
    ),
)  # fmt: skip
