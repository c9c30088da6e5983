"""Where LoRA begins, and what merging does: equalities that hold to the last digits, and what breaks them.

Axes: B batch, T position, V vocabulary, W spreads.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.training.objectives import held_out_loss
from labcore.tuning import peft_reading, tale_tasks, teller
from labcore.tuning.lora import LoRAConfig, LoRALinear, attach, corrections, replace
from labcore.tuning.lora_arithmetic import bundled
from labcore.tuning.tune import NEW_TASKS

PASSAGES = 60
SPREADS = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3)
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


@lab_config
class StartConfig:
    rank: int = 8
    alpha: float = 16.0
    seed: int = 0

    def __post_init__(self):
        LoRAConfig(self.rank, self.alpha)


@dataclass(frozen=True, slots=True, eq=False)
class Starts:
    spreads: np.ndarray  # (W,) standard deviation of B
    nats: np.ndarray  # (W,) loss on the text that the teller knows, before any training
    base_nats: float
    change: np.ndarray  # (W,) largest change of any logit


def begin_with(model: nn.Module, spread: float, generator: torch.Generator) -> nn.Module:
    """B drawn with this spread instead of zero; the model is changed."""
    with torch.no_grad():
        for part in corrections(model).values():
            nn.init.normal_(part.b, std=spread, generator=generator)
    return model


def starts(config: StartConfig) -> Starts:
    """The same A each time, B ever wider."""
    base = teller.load_teller().requires_grad_(False)
    nats, change = [], []
    for spread in SPREADS:
        generator = torch.Generator().manual_seed(config.seed)
        model = attach(teller.load_teller(), LoRAConfig(config.rank, config.alpha), generator)
        model = begin_with(model, spread, generator)
        nats.append(old_loss(model))
        change.append(float((said(model) - said(base)).abs().max()))
    return Starts(np.array(SPREADS), np.array(nats), old_loss(base), np.array(change))


@lab_config
class MergeConfig:
    adapter: str = "cipher"
    precision: str = "fp32"  # in which the base keeps its weights

    def __post_init__(self):
        if self.adapter not in NEW_TASKS:
            raise LabInputError("adapter", self.adapter, "known_choice", allowed=NEW_TASKS)
        if self.precision not in PRECISIONS:
            allowed = tuple(PRECISIONS)
            raise LabInputError("precision", self.precision, "known_choice", allowed=allowed)


@dataclass(frozen=True, slots=True)
class Merged:
    """Losses on the adapter's own text; differences are the largest of any logit."""

    base_nats: float
    beside_nats: float  # base and correction apart
    merged_nats: float
    unmerged_nats: float  # the correction taken out again
    merged_difference: float  # merged against beside
    unmerged_difference: float  # unmerged against the base
    not_restored: float  # share of the weights that are not what they were


def merging(config: MergeConfig) -> Merged:
    """Beside, merged, and unmerged again; weights are rounded to what `precision` holds."""
    dtype = PRECISIONS[config.precision]
    model = peft_reading.with_adapter(bundled(config.adapter))
    parts = corrections(model)
    with torch.no_grad():
        for part in parts.values():
            part.base.weight.copy_(rounded(part.base.weight, dtype))
    beside_logits, beside = said(model), task_loss(model, config.adapter)
    first = {name: part.base.weight.clone() for name, part in parts.items()}
    for name, part in parts.items():
        replace(model, name, merge_into(part, 1, dtype))
    merged_logits, merged = said(model), task_loss(model, config.adapter)
    for part in parts.values():
        merge_into(part, -1, dtype)
    unmerged_logits, unmerged = said(model), task_loss(model, config.adapter)
    off = sum(int((parts[name].base.weight != weight).sum()) for name, weight in first.items())
    with torch.no_grad():
        for name, weight in first.items():
            parts[name].base.weight.copy_(weight)
    return Merged(
        task_loss(model, config.adapter), beside, merged, unmerged,
        largest(merged_logits - beside_logits), largest(unmerged_logits - said(model)),
        off / sum(weight.numel() for weight in first.values()),
    )  # fmt: skip


@torch.no_grad()
def merge_into(part: LoRALinear, sign: int, dtype: torch.dtype) -> nn.Linear:
    """W ± s·BA in place, rounded to what `dtype` holds."""
    part.base.weight.copy_(rounded(part.base.weight + sign * part.delta(), dtype))
    return part.base


def rounded(weight: Tensor, dtype: torch.dtype) -> Tensor:
    return weight.to(dtype).float()


def said(model: nn.Module) -> Tensor:
    """(B, T, V) on held-out passages told as the teller knows it"""
    with torch.no_grad():
        return model(tale_tasks.held_out(tale_tasks.OLD, PASSAGES).tokens).logits


def old_loss(model: nn.Module) -> float:
    return task_loss(model, tale_tasks.OLD)


def task_loss(model: nn.Module, task: str) -> float:
    return held_out_loss(model, [tale_tasks.held_out(task, PASSAGES)])


def largest(difference: Tensor) -> float:
    return float(difference.abs().max())
