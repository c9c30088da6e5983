"""Outlier channels: planted without changing the function, what they do to rounding, and what cures it.

Two experiments on one planted model. In `inputs` weights and inputs have few bits. In `weights` only the
weights do; then the columns that a large channel is fed to are the ones that matter.

A model of this size grows no outlier channels by itself, so some are planted: channel j of every norm is
made `factor` times larger and column j of the weights that read it as much smaller. What the model says
stays the same.

Axes: L norms, D width, I inputs.
"""

import copy
import math
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from labcore.compression import judged
from labcore.compression.calibration import Inputs, calibrate
from labcore.compression.input_sizes import InputSizes, input_sizes
from labcore.compression.quantise_model import QuantiseConfig, replaced, shared_scales
from labcore.compression.rounded_inputs import round_weights, rounded_inputs, smooth
from labcore.compression.rounding import GridConfig, round_to_nearest
from labcore.compression.scaling import plant_outliers, readers
from labcore.configs import lab_config
from labcore.errors import check_choices, check_limits
from labcore.events import drain

KINDS = ("inputs", "weights")
INPUT_CASES = ("static", "smooth", "token", "int8")
WEIGHT_CASES = ("nearest", "keep-activation", "keep-weight", "keep-random", "awq", "gptq")
RANKINGS = ("activation", "weight", "random")
STORIES = 48  # for calibration
KEPT_SHARE = 0.02  # of the columns of each matrix
LIMITS = {
    "factor": (1.0, 100.0), "channels": (1, 8), "weight_bits": (2, 8), "input_bits": (4, 8),
    "alpha": (0.0, 1.0),
}  # fmt: skip


@lab_config
class OutliersConfig:
    kind: str = "inputs"
    factor: float = 30.0  # 1 plants nothing
    channels: int = 2
    weight_bits: int = 8
    input_bits: int = 8  # `inputs` only
    alpha: float = 0.5  # SmoothQuant's
    seed: int = 0  # which channels, which calibration stories

    def __post_init__(self):
        check_choices(self, {"kind": KINDS})
        check_limits(self, LIMITS)

    @property
    def cases(self) -> tuple[str, ...]:
        return INPUT_CASES if self.kind == "inputs" else WEIGHT_CASES

    @property
    def grid(self) -> GridConfig:
        if self.kind == "inputs":
            return GridConfig(self.weight_bits, granularity="row")
        return GridConfig(self.weight_bits, symmetric=False, granularity="group")


@dataclass(frozen=True, slots=True)
class Step:
    case: str
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class OutliersResult:
    planted: list[int]  # channels
    cases: list[str]
    losses: np.ndarray  # (C,) planted, nats per token
    clean_losses: np.ndarray  # (C,) the same without outliers: the control
    full_loss: float  # fp32, before planting
    planted_loss: float  # fp32, planted: the same
    floor: float
    norms: list[str]  # (L,) by their place
    inputs_clean: np.ndarray  # (L, D) largest input of each channel
    inputs_planted: np.ndarray  # (L, D)
    inputs_smooth: np.ndarray  # (L, D) after SmoothQuant
    weights_planted: np.ndarray  # (L, D) largest weight that reads the channel
    weights_smooth: np.ndarray  # (L, D)
    sizes: dict[str, InputSizes]  # clean, planted, smooth: every input, not only the largest


def run(config: OutliersConfig) -> OutliersResult:
    return drain(compare(config))


@torch.no_grad()
def compare(config: OutliersConfig) -> Generator[Step, None, OutliersResult]:
    """Every case on the planted model and, as control, on the untouched one."""
    rng = torch.Generator().manual_seed(config.seed)
    clean = judged.fresh_model()
    planted = copy.deepcopy(clean)
    channels = torch.randperm(clean.config.hidden_size, generator=rng)[: config.channels].tolist()
    plant_outliers(planted, channels, config.factor)
    seen = {
        id(model): calibrate(model, judged.calibration_rows(config.seed, STORIES))
        for model in (clean, planted)
    }
    losses = {"clean": [], "planted": []}
    for at, case in enumerate(config.cases):
        for name, model in (("clean", clean), ("planted", planted)):
            losses[name].append(case_loss(case, model, seen[id(model)], config))
        yield Step(case, (at + 1) / len(config.cases))
    smoothed = copy.deepcopy(planted)
    now = smooth(smoothed, seen[id(planted)], config.alpha)
    models = {"clean": clean, "planted": planted, "smooth": smoothed}
    largest = {
        "clean": largest_inputs(clean, seen[id(clean)]),
        "planted": largest_inputs(planted, seen[id(planted)]),
        "smooth": largest_inputs(smoothed, now),
    }
    rows = judged.calibration_rows(config.seed, STORIES)
    return OutliersResult(
        planted=sorted(channels),
        cases=list(config.cases),
        losses=np.array(losses["planted"]),
        clean_losses=np.array(losses["clean"]),
        full_loss=judged.loss_nats(clean),
        planted_loss=judged.loss_nats(planted),
        floor=judged.held_out()[1],
        norms=[f"{n // 2}.{('attn', 'mlp')[n % 2]}" for n in range(len(readers(clean)))],
        inputs_clean=largest["clean"],
        inputs_planted=largest["planted"],
        inputs_smooth=largest["smooth"],
        weights_planted=largest_weights(planted),
        weights_smooth=largest_weights(smoothed),
        sizes={
            name: input_sizes(model, rows, largest[name].max(axis=1), config.input_bits)
            for name, model in models.items()
        },
    )


def case_loss(
    case: str, model: nn.Module, seen: dict[str, Inputs], config: OutliersConfig
) -> float:
    """Round a copy of the model as the case says, and judge it."""
    model = copy.deepcopy(model)
    if config.kind == "inputs":
        if case == "smooth":
            seen = smooth(model, seen, config.alpha)
        round_weights(model, config.grid)
        way = "static" if case == "smooth" else case
        with rounded_inputs(model, config.input_bits, way, seen):
            return judged.loss_nats(model)
    method = case if case in ("awq", "gptq") else "nearest"
    asked = QuantiseConfig(method, config.grid)
    shared = shared_scales(model, seen, asked) if method == "awq" else {}
    ranking = case.removeprefix("keep-") if case.startswith("keep-") else None
    rng = torch.Generator().manual_seed(config.seed + 1)
    for name, linear in judged.matrices(model).items():
        if ranking:
            columns = worthiest(linear.weight, seen[name], ranking, rng)
            linear.weight.copy_(all_but(linear.weight, columns, config.grid))
        else:
            linear.weight.copy_(replaced(linear.weight, seen[name], asked, shared.get(name))[0])
    return judged.loss_nats(model)


def worthiest(weight: Tensor, inputs: Inputs, ranking: str, rng: torch.Generator) -> Tensor:
    """The columns to keep whole: by the size of their inputs, of their weights, or at random.  -> (K,)"""
    worth = {
        "activation": inputs.mean_size,
        "weight": weight.norm(dim=0),
        "random": torch.rand(weight.shape[1], generator=rng),
    }[ranking]
    return worth.topk(math.ceil(KEPT_SHARE * weight.shape[1])).indices


def all_but(weight: Tensor, columns: Tensor, grid: GridConfig) -> Tensor:
    """Rounded to nearest, these columns put back as they were.  (O, I), (K,) -> (O, I)"""
    rounded = round_to_nearest(weight, grid).weight()
    rounded[:, columns] = weight[:, columns]
    return rounded


def largest_inputs(model: nn.Module, seen: dict[str, Inputs]) -> np.ndarray:
    """What each norm gives its readers at most, channel by channel.  -> (L, D)"""
    names = {id(linear): name for name, linear in judged.matrices(model).items()}
    rows = [seen[names[id(linears[0])]].largest for _, linears in readers(model)]
    return torch.stack(rows).float().numpy()


def largest_weights(model: nn.Module) -> np.ndarray:
    """The largest weight of each column, over all the matrices that read the norm.  -> (L, D)"""
    rows = [
        torch.cat([linear.weight for linear in linears]).abs().amax(dim=0)
        for _, linears in readers(model)
    ]
    return torch.stack(rows).numpy()
