"""Which matrices can do with few bits: each alone at two bits, then a budget shared out by that.

The bits of a model need not be the same everywhere. Greedily: all matrices begin with the fewest bits; the
one whose next width up saves most loss for each bit spent gets it, until the budget is used up. What a
width costs a matrix is measured alone, with all others in full precision; that these costs add up is an
assumption, and tested by the result.

Axes: M matrices, W widths, S seeds.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.compression import judged
from labcore.compression.rounding import GridConfig, round_to_nearest
from labcore.configs import lab_config
from labcore.errors import check_choices, check_limits
from labcore.events import drain
from labcore.text.world import micro_world
from labcore.training.objectives import Batch, causal_batch

WIDTHS = (2, 3, 4)
CHOSEN_BY_STORIES = 40  # apart from those that judge the result


@lab_config
class SensitivityConfig:
    budget: float = 2.5  # bits per weight, scales not counted
    granularity: str = "row"
    seed: int = 0  # which stories the choice is made by

    def __post_init__(self):
        check_limits(self, {"budget": (WIDTHS[0], WIDTHS[-1])})
        check_choices(self, {"granularity": ("row", "group")})


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class SensitivityResult:
    names: list[str]  # (M,)
    sizes: np.ndarray  # (M,) weights
    rises: np.ndarray  # (M, W) nats per token that a matrix alone costs at each width
    bits: np.ndarray  # (M,) as chosen by the rises
    spent: float  # bits per weight
    mixed_loss: float  # held out
    worst_loss: float  # the control: the same budget, the least sensitive first
    uniform_losses: np.ndarray  # (W,) all matrices at one width
    added_up: float  # what the rises promise for the choice
    full_loss: float
    floor: float


def run(config: SensitivityConfig) -> SensitivityResult:
    return drain(measure(config))


@torch.no_grad()
def measure(config: SensitivityConfig) -> Generator[Step, None, SensitivityResult]:
    """Find out who needs the bits, share them out, and judge the result on other stories."""
    rises = yield from alone(config)
    model = judged.fresh_model()
    sizes = np.array([linear.weight.numel() for linear in judged.matrices(model).values()])
    chosen = shared_out(rises, sizes, config.budget)
    at = np.searchsorted(WIDTHS, chosen)
    return SensitivityResult(
        names=list(judged.matrices(model)), sizes=sizes, rises=rises, bits=chosen,
        spent=float((chosen * sizes).sum() / sizes.sum()),
        mixed_loss=loss_with(chosen, config),
        worst_loss=loss_with(shared_out(-rises, sizes, config.budget), config),
        uniform_losses=np.array(
            [loss_with(np.full(len(sizes), width), config) for width in WIDTHS]
        ),
        added_up=float(rises[np.arange(len(sizes)), at].sum()),
        full_loss=judged.loss_nats(model), floor=judged.held_out()[1],
    )  # fmt: skip


@torch.no_grad()
def alone(config: SensitivityConfig) -> Generator[Step, None, np.ndarray]:
    """What each matrix costs at each width, all others in full precision.  -> (M, W) nats"""
    model, choosing = judged.fresh_model(), choosing_stories(config.seed)
    maps = judged.matrices(model)
    base = judged.loss_nats(model, choosing)
    rises = np.zeros((len(maps), len(WIDTHS)))
    for row, (name, linear) in enumerate(maps.items()):
        whole = linear.weight.clone()
        for column, bits in enumerate(WIDTHS):
            linear.weight.copy_(rounded(whole, bits, config))
            rises[row, column] = judged.loss_nats(model, choosing) - base
        linear.weight.copy_(whole)
        yield Step(name, (row + 1) / (len(maps) + 2))
    return rises


@torch.no_grad()
def loss_with(bits: np.ndarray, config: SensitivityConfig) -> float:
    """Held-out loss with so many bits for each matrix.  (M,)"""
    model = judged.fresh_model()
    for linear, width in zip(judged.matrices(model).values(), bits, strict=True):
        linear.weight.copy_(rounded(linear.weight, int(width), config))
    return judged.loss_nats(model)


def shared_out(rises: np.ndarray, sizes: np.ndarray, budget: float) -> np.ndarray:
    """Bits for each matrix, greedily.  (M, W), (M,) -> (M,)

    Worked by hand: two matrices alike in size, rises 1.0 and 0.1 at two bits, none at three or four. With
    2.5 bits on average the first gets three and the second two.
    """
    at = np.zeros(len(sizes), dtype=int)
    left = (budget - WIDTHS[0]) * sizes.sum()
    while True:
        gains = np.full(len(sizes), -np.inf)
        for row, column in enumerate(at):
            if column + 1 < len(WIDTHS):
                price = (WIDTHS[column + 1] - WIDTHS[column]) * sizes[row]
                if price <= left + 1e-6:
                    gains[row] = (rises[row, column] - rises[row, column + 1]) / price
        best = int(gains.argmax())
        if gains[best] == -np.inf:
            return np.array(WIDTHS)[at]
        left -= (WIDTHS[at[best] + 1] - WIDTHS[at[best]]) * sizes[best]
        at[best] += 1


def choosing_stories(seed: int) -> list[Batch]:
    """Held-out stories that do not judge the result."""
    world = micro_world()
    stories = world.dataset(CHOSEN_BY_STORIES, seed=500 + seed, split="held_out")
    return [causal_batch(sorted(stories, key=len), world.tokenizer.pad_id)]


def rounded(weight: Tensor, bits: int, config: SensitivityConfig) -> Tensor:
    grid = GridConfig(bits, symmetric=False, granularity=config.granularity)
    return round_to_nearest(weight, grid).weight()


@dataclass(frozen=True, slots=True, eq=False)
class SensitivityStudy:
    budgets: np.ndarray  # (K,) asked for
    spent: np.ndarray  # (S, K) bits per weight
    mixed: np.ndarray  # (S, K) nats
    worst: np.ndarray  # (S, K)
    uniform: np.ndarray  # (W,)
    rises: np.ndarray  # (S, M) at the fewest bits
    names: list[str]
    full_loss: float
    floor: float
    seeds: tuple[int, ...]
    seconds: float


def study(
    budgets: tuple[float, ...] = (2.25, 2.5, 2.75, 3.25), seeds: tuple[int, ...] = (0, 1, 2)
) -> SensitivityStudy:
    """The choice at several budgets, made by other stories each time."""
    started = time.perf_counter()
    model = judged.fresh_model()
    sizes = np.array([linear.weight.numel() for linear in judged.matrices(model).values()])
    spent, mixed, worst, costs = [], [], [], []
    for seed in seeds:
        config = SensitivityConfig(seed=seed)
        rises = drain(alone(config))
        costs.append(rises[:, 0])
        chosen = [shared_out(rises, sizes, budget) for budget in budgets]
        against = [shared_out(-rises, sizes, budget) for budget in budgets]
        spent.append([(bits * sizes).sum() / sizes.sum() for bits in chosen])
        mixed.append([loss_with(bits, config) for bits in chosen])
        worst.append([loss_with(bits, config) for bits in against])
    uniform = [loss_with(np.full(len(sizes), width), SensitivityConfig()) for width in WIDTHS]
    return SensitivityStudy(
        np.array(budgets), np.array(spent), np.array(mixed), np.array(worst), np.array(uniform),
        np.array(costs), list(judged.matrices(model)), judged.loss_nats(model),
        judged.held_out()[1], seeds, time.perf_counter() - started,
    )  # fmt: skip
