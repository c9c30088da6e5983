"""Is what fine-tuning changes of low rank? The singular values of every matrix's update, and what they do.

All weights are tuned; then each block's update ΔW is cut down to its r largest singular values and the
loss is measured again. Beside it stands a matrix of random numbers, which is as far from low rank as can be.

Axes: N matrices, R singular values (64), K ranks kept, S seeds.
"""

import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from labcore.events import drain
from labcore.training.objectives import held_out_loss
from labcore.tuning import tale_tasks, teller
from labcore.tuning.lora import TARGETS, target_linears
from labcore.tuning.lora_frontier import config_of
from labcore.tuning.methods import Method
from labcore.tuning.tune import NEW_TASKS, trained

KEPT = (0, 1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    values: np.ndarray  # (S, N, R) singular values of ΔW, largest first
    cut_nats: np.ndarray  # (S, K) loss with every ΔW cut to rank KEPT[k]
    full_nats: np.ndarray  # (S,) nothing cut


@dataclass(frozen=True, slots=True, eq=False)
class SpectrumStudy:
    names: list[str]  # (N,) of the matrices
    tasks: dict[str, Spectrum]
    random: np.ndarray  # (N, R) singular values of random matrices of the same shapes
    seeds: tuple[int, ...]
    seconds: float


def study(seeds: tuple[int, ...] = (0, 1, 2)) -> SpectrumStudy:
    started = time.perf_counter()
    base = matrices(teller.load_teller())
    generator = torch.Generator().manual_seed(0)
    random = [singular_values(torch.randn(w.shape, generator=generator)) for w in base.values()]
    tasks = {task: spectrum(task, seeds) for task in NEW_TASKS}
    return SpectrumStudy(list(base), tasks, np.stack(random), seeds, time.perf_counter() - started)


def spectrum(task: str, seeds: tuple[int, ...]) -> Spectrum:
    values, cut, full = [], [], []
    for seed in seeds:
        config = replace(config_of(Method("full"), task), seed=seed)
        model, looks = drain(trained(config, look_steps=0))
        updates = changes(teller.load_teller(), model)
        values.append(np.stack([singular_values(update) for update in updates.values()]))
        cut.append([cut_loss(model, updates, rank, task) for rank in KEPT])
        full.append(looks.seen[-1].new_nats)
    return Spectrum(np.stack(values), np.array(cut), np.array(full))


def matrices(model: nn.Module) -> dict[str, Tensor]:
    """The blocks' matrices by name, each (O, I)."""
    return {name: linear.weight.detach() for name, linear in target_linears(model, TARGETS)}


def changes(before: nn.Module, after: nn.Module) -> dict[str, Tensor]:
    """ΔW of each of the blocks' matrices."""
    was = matrices(before)
    return {name: weight - was[name] for name, weight in matrices(after).items()}


def singular_values(matrix: Tensor) -> np.ndarray:
    """(O, I) -> (min(O, I),) largest first"""
    return torch.linalg.svdvals(matrix.double()).numpy()


def cut_to_rank(matrix: Tensor, rank: int) -> Tensor:
    """The nearest matrix of rank `rank` (Eckart and Young): its largest singular values alone."""
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    return (left[:, :rank] * values[:rank]) @ right[:rank]


def energy(values: np.ndarray) -> np.ndarray:
    """Share of the squared length that the r largest hold, r = 1 … R.  (…, R) -> (…, R)"""
    squares = values**2
    return squares.cumsum(axis=-1) / squares.sum(axis=-1, keepdims=True)


@torch.no_grad()
def cut_loss(model: nn.Module, updates: dict[str, Tensor], rank: int, task: str) -> float:
    """The loss with every update cut; table, norms and all else stay as they were tuned."""
    linears = dict(target_linears(model, TARGETS))
    whole = {name: linears[name].weight.clone() for name in updates}
    for name, update in updates.items():
        linears[name].weight.copy_(whole[name] - update + cut_to_rank(update, rank))
    loss = held_out_loss(model, [tale_tasks.held_out(task)])
    for name, weight in whole.items():
        linears[name].weight.copy_(weight)
    return loss
