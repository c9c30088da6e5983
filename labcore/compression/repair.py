"""A short repair: train what pruning left, with the zeros kept at zero.

A zero stays zero if its gradient is zero: Adam's averages then never move, and weight decay of zero is
zero. So the mask is held by multiplying gradients, not by writing zeros again after every step. The
control is the untouched model under the same steps: what it gains is no merit of the repair.

Source: Han et al., arXiv:1506.02626.
Axes: W matrices, M looks, S seeds.
"""

import copy
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from labcore.compression.prune_model import (
    base,
    held_out,
    inputs_of_matrices,
    kept_masks,
    prune_model,
)
from labcore.compression.pruning import METHODS
from labcore.compression.structured import judged, smaller_model
from labcore.configs import lab_config
from labcore.errors import check_choices, check_limits
from labcore.events import drain
from labcore.model.transformer import Transformer
from labcore.text.world import micro_world
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import Batch, causal_batch, held_out_loss, shuffled

WAYS = (*METHODS, "neurons")  # neurons are cut out by slope: nothing to hold at zero
LIMITS = {"ratio": (0.0, 0.9), "steps": (10, 200), "learning_rate": (1e-5, 1e-2)}
CALIBRATION_STORIES = 32
BATCH_STORIES = 16
TOLD_SEEDS = 2000  # apart from the stories that were trained on, that calibrate and that judge
LOOKS = 4  # after the first


@lab_config
class RepairConfig:
    way: str = "magnitude"
    ratio: float = 0.7
    hold: bool = True  # False: zeros may grow back
    steps: int = 60
    learning_rate: float = 5e-4
    seed: int = 0  # of the stories that calibrate and of those that repair

    def __post_init__(self):
        check_choices(self, {"way": WAYS})
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True)
class Look:
    """Held-out nats of both models after `step` updates."""

    step: int
    share: float  # of the run done
    pruned_nats: float
    dense_nats: float


@dataclass(frozen=True, slots=True, eq=False)
class RepairResult:
    looks: list[Look]  # (M,)
    zero_share: tuple[float, float]  # of the matrices' weights, before and after the repair
    floor_nats: float
    seconds: float


def run(config: RepairConfig) -> RepairResult:
    return drain(repair(config))


def repair(config: RepairConfig) -> Generator[Look, None, RepairResult]:
    """Train the pruned model and the whole one on the same stories, side by side."""
    started = time.perf_counter()
    pruned, dense = to_repair(config), copy.deepcopy(base()).requires_grad_(True)
    zeros = zero_share(pruned)
    looks = []
    for (step, nats), (_, control) in zip(
        course(pruned, config), course(dense, config), strict=True
    ):
        looks.append(Look(step, step / config.steps, nats, control))
        yield looks[-1]
    return RepairResult(
        looks, (zeros, zero_share(pruned)), held_out().floor_nats, time.perf_counter() - started
    )


def to_repair(config: RepairConfig) -> Transformer:
    """A pruned copy, ready to be trained."""
    if config.way == "neurons":
        model, _ = smaller_model("neurons", judged("neurons", "slope", config.seed), config.ratio)
        return model.requires_grad_(True)
    inputs = inputs_of_matrices(False, CALIBRATION_STORIES, config.seed)
    chance = torch.Generator().manual_seed(config.seed)
    model = prune_model(copy.deepcopy(base()), config.way, config.ratio, "row", inputs, chance)
    model.requires_grad_(True)
    return hold_zeros(model) if config.hold else model


def hold_zeros(model: Transformer) -> Transformer:
    """From now on, no gradient reaches a weight that is zero; the model is changed."""
    for name, kept in kept_masks(model).items():
        weight = model.get_submodule(name).weight
        weight.register_hook(lambda gradient, kept=kept: gradient * kept)
    return model


def zero_share(model: Transformer) -> float:
    kept = kept_masks(model).values()
    return 1 - sum(int(mask.sum()) for mask in kept) / sum(mask.numel() for mask in kept)


def course(model: Transformer, config: RepairConfig) -> Iterator[tuple[int, float]]:
    """Train, and ask now and then: (updates made, held-out nats), from 0."""
    judge = held_out().batches
    yield 0, held_out_loss(model, judge)
    training = TrainConfig(
        steps=config.steps, batch_size=BATCH_STORIES, learning_rate=config.learning_rate,
        warmup_steps=config.steps // 10, weight_decay=0.0, seed=config.seed,
        eval_every=-(-config.steps // LOOKS),
    )  # fmt: skip
    for made in train(
        model, told(config), training, evaluate=lambda trained: held_out_loss(trained, judge)
    ):
        if made.validation_nats is not None:
            yield made.step, made.validation_nats


def told(config: RepairConfig) -> Iterator[Batch]:
    """Fresh stories of the training set, in batches, the same for every model of a seed."""
    world = micro_world()
    stories = world.dataset(BATCH_STORIES * config.steps, TOLD_SEEDS + config.seed)
    order = torch.Generator().manual_seed(config.seed)
    for rows in shuffled([len(ids) for ids in stories], BATCH_STORIES, order):
        yield causal_batch([stories[row] for row in rows], world.tokenizer.pad_id)


# Recorded: several ways, three seeds each.

CASES = {
    "magnitude-0.5": RepairConfig(ratio=0.5),
    "magnitude-0.7": RepairConfig(),
    "sparsegpt-0.7": RepairConfig("sparsegpt"),
    "neurons-0.5": RepairConfig("neurons", 0.5),
    "free-0.7": RepairConfig(hold=False),
}


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    steps: np.ndarray  # (M,)
    losses: dict[str, np.ndarray]  # case, and "dense": (S, M) nats
    zero_share: dict[str, np.ndarray]  # case: (S, 2) before and after
    floor_nats: float
    seeds: tuple[int, ...]
    seconds: float


def study(seeds: tuple[int, ...] = (0, 1, 2)) -> Study:
    started = time.perf_counter()
    steps, losses, zeros = (), {name: [] for name in (*CASES, "dense")}, {}
    for name, config in CASES.items():
        zeros[name] = []
        for seed in seeds:
            own = replace(config, seed=seed)
            model = to_repair(own)
            before = zero_share(model)
            steps, nats = zip(*course(model, own), strict=True)
            losses[name].append(nats)
            zeros[name].append((before, zero_share(model)))
    for seed in seeds:
        whole = copy.deepcopy(base()).requires_grad_(True)
        losses["dense"].append([nats for _, nats in course(whole, RepairConfig(seed=seed))])
    return Study(
        np.array(steps),
        {name: np.array(rows) for name, rows in losses.items()},
        {name: np.array(rows) for name, rows in zeros.items()},
        held_out().floor_nats, seeds, time.perf_counter() - started,
    )  # fmt: skip
