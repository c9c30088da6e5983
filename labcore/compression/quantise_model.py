"""A whole model in few bits: every matrix of its blocks, by one of five methods.

- `nearest`: each weight for itself.
- `gptq`: column by column, each error passed on to the columns that are left.
- `awq`: columns fed by large inputs are made larger before they are rounded, and brought back after.
- `nf4`: sixteen levels where a bell has its weights, blocks of 64.
- `fp4`: the levels of a tiny floating-point number, blocks of 64.

Each method quantises a matrix for the inputs that it has in the *untouched* model. Embedding and norms
stay in fp32; their bytes are counted.

Sources: see `rounding`, `gptq`, `scaling`, `labcore.tuning.nf4`.
Axes: M matrices, O outputs, I inputs.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor, nn

from labcore.compression import judged
from labcore.compression.calibration import Inputs, output_error
from labcore.compression.gptq import gptq
from labcore.compression.levels import table_of
from labcore.compression.rounding import SCALE_BITS, GridConfig, round_to_nearest
from labcore.compression.scaling import awq_scales, readers
from labcore.configs import lab_config
from labcore.errors import check_choices
from labcore.events import drain
from labcore.tuning import nf4

METHODS = ("nearest", "gptq", "awq", "nf4", "fp4")
WHOLE_BYTES = 4


@lab_config
class QuantiseConfig:
    method: str = "nearest"
    grid: GridConfig = field(default_factory=lambda: GridConfig(3, False, "tensor"))
    seed: int = 0  # of the calibration stories

    def __post_init__(self):
        check_choices(self, {"method": METHODS})


@dataclass(frozen=True, slots=True)
class Step:
    name: str  # the matrix that was just done
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class QuantiseResult:
    names: list[str]  # (M,)
    errors: np.ndarray  # (M,) ‖X (W' − W)ᵀ‖² / ‖X Wᵀ‖² over the calibration stories
    loss: float  # nats per token, held out
    full_loss: float  # in full precision
    floor: float
    stored_bytes: float  # codes, scales and zero points of the blocks' matrices
    full_bytes: int  # the same matrices in fp32
    rest_bytes: int  # what is not quantised, fp32
    seconds: float  # to quantise, without judging


def run(config: QuantiseConfig) -> QuantiseResult:
    return drain(quantise(config))


def quantise(config: QuantiseConfig) -> Generator[Step, None, QuantiseResult]:
    """Matrix by matrix, then judged on held-out stories."""
    model, seen = judged.fresh_model(), judged.calibrated(config.seed)
    maps = judged.matrices(model)
    full_loss = judged.loss_nats(model)
    started = time.perf_counter()
    errors, bits = [], 0.0
    shared = shared_scales(model, seen, config) if config.method == "awq" else {}
    for at, (name, linear) in enumerate(maps.items()):
        weight = linear.weight.detach().clone()
        new, spent = replaced(weight, seen[name], config, shared.get(name))
        linear.weight.copy_(new)
        bits += spent
        errors.append(
            output_error(new - weight, seen[name].moments)
            / output_error(weight, seen[name].moments)
        )
        yield Step(name, (at + 1) / len(maps))
    seconds = time.perf_counter() - started
    inside = sum(linear.weight.numel() for linear in maps.values())
    return QuantiseResult(
        names=list(maps),
        errors=np.array(errors),
        loss=judged.loss_nats(model),
        full_loss=full_loss,
        floor=judged.held_out()[1],
        stored_bytes=bits / 8,
        full_bytes=WHOLE_BYTES * inside,
        rest_bytes=WHOLE_BYTES * (sum(p.numel() for p in model.parameters()) - inside),
        seconds=seconds,
    )


def replaced(
    weight: Tensor, inputs: Inputs, config: QuantiseConfig, scales: Tensor | None = None
) -> tuple[Tensor, float]:
    """One matrix in few bits, and the bits that it takes.  (O, I) -> (O, I), bits"""
    if config.method in ("nf4", "fp4"):
        table = table_of(config.method)
        kept = nf4.quantise(weight, table)
        return nf4.dequantise(kept, table), nf4.bits_per_weight() * weight.numel()
    if config.method == "gptq":
        stored = gptq(weight, inputs.moments, config.grid)
        return stored.weight(), stored.stored_bits
    if config.method == "nearest":
        stored = round_to_nearest(weight, config.grid)
        return stored.weight(), stored.stored_bits
    extra = 0
    if scales is None:  # no norm before it to take the scales: they are stored
        scales, _ = awq_scales([weight], inputs.mean_size.float(), inputs.moments, config.grid)
        extra = len(scales) * SCALE_BITS
    stored = round_to_nearest(weight * scales, config.grid)
    return stored.weight() / scales, stored.stored_bits + extra


def shared_scales(
    model: nn.Module, seen: dict[str, Inputs], config: QuantiseConfig
) -> dict[str, Tensor]:
    """AWQ's scales of the matrices that read the same norm, by name: the norm's gain takes them in."""
    names = {id(linear): name for name, linear in judged.matrices(model).items()}
    found = {}
    for _, linears in readers(model):
        inputs = seen[names[id(linears[0])]]
        scales, _ = awq_scales(
            [linear.weight for linear in linears], inputs.mean_size.float(), inputs.moments, config.grid
        )  # fmt: skip
        found |= {names[id(linear)]: scales for linear in linears}
    return found
