"""Several adapters on one base, each with a weight of its own: what the sum can do.

An update ΔW can be scaled, added to another, or subtracted. "Both" is the text that no adapter was
trained on: backwards *and* in cipher.

Source of the idea: Ilharco and others, arXiv:2212.04089 (task vectors).
Axes: S seeds, W weights.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from labcore import shipped
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.transformer import Transformer
from labcore.pretraining.small_world import endless_batches
from labcore.training.loop import TrainConfig, train
from labcore.tuning import peft_reading, tale_tasks, teller
from labcore.tuning.lora import corrections
from labcore.tuning.methods import tuned
from labcore.tuning.tune import BATCH_ROWS, NEW_TASKS, TuneConfig, trained

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "adapters"
WEIGHT_LIMITS = (-2.0, 2.0)
PASSAGES = 80  # held out; fewer than elsewhere, so that a slider answers at once
LINE = (-1.0, -0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)  # weights of one adapter alone
GRID = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)  # weights of two
Updates = dict[str, Tensor]  # {matrix: ΔW}


@lab_config
class MixConfig:
    cipher: float = 1.0  # weight of the bundled adapter
    backwards: float = 0.0
    own: bytes = b""  # an uploaded adapter that has updates
    own_weight: float = 0.0

    def __post_init__(self):
        low, high = WEIGHT_LIMITS
        for name in (*NEW_TASKS, "own_weight"):
            if not low <= getattr(self, name) <= high:
                raise LabInputError(name, getattr(self, name), "between", low=low, high=high)


@dataclass(frozen=True, slots=True)
class Mix:
    nats: dict[str, float]  # {way of telling: held-out loss}
    base_nats: dict[str, float]
    floor_nats: float
    told: str  # the likeliest passage


@dataclass(frozen=True, slots=True)
class Judged:
    """An uploaded adapter on its own."""

    nats: dict[str, float]
    base_nats: dict[str, float]
    floor_nats: float
    told: str
    parameters: int
    has_updates: bool  # whether it can be scaled and added to others


def combined(base: Transformer, parts: Sequence[tuple[Updates, float]]) -> Transformer:
    """W + Σ w·ΔW for each matrix; the base is changed."""
    with torch.no_grad():
        for updates, weight in parts:
            for name, update in updates.items():
                base.get_submodule(name).weight += weight * update
    return base


def updates_of(model: nn.Module) -> Updates:
    """ΔW of every matrix that has a companion."""
    with torch.no_grad():
        return {
            name: part.merged_weight() - part.base.weight
            for name, part in corrections(model).items()
        }


@lru_cache(maxsize=2)
def bundled(task: str) -> bytes:
    """An adapter that came with the lab, as `python -m labcore.recipes.teller_adapters` makes it."""
    return shipped.whole(ASSETS / f"{task}.zip").read_bytes()


@lru_cache(maxsize=8)
def read_updates(data: bytes) -> Updates:
    return updates_of(peft_reading.with_adapter(data))


def mix(config: MixConfig) -> Mix:
    parts = [(read_updates(bundled(task)), getattr(config, task)) for task in NEW_TASKS]
    if config.own:
        parts.append((read_updates(config.own), config.own_weight))
    model = combined(teller.load_teller().requires_grad_(False), parts)
    return Mix(
        tale_tasks.losses(model, PASSAGES),
        base_nats(),
        lowest(),
        teller.text_of(teller.tell(model)),
    )


def judge(data: bytes) -> Judged:
    model = peft_reading.with_adapter(data)
    has_updates, learnt = bool(corrections(model)), peft_reading.numbers(data)
    nats = tale_tasks.losses(model, PASSAGES)
    return Judged(
        nats, base_nats(), lowest(), teller.text_of(teller.tell(model)), learnt, has_updates
    )


@lru_cache(maxsize=1)
def base_nats() -> dict[str, float]:
    return tale_tasks.losses(teller.load_teller(), PASSAGES)


def lowest() -> float:
    return tale_tasks.lowest_nats(PASSAGES)


# Several seeds.


@dataclass(frozen=True, slots=True, eq=False)
class ArithmeticStudy:
    """Losses by way of telling, in the order of `tale_tasks.TASKS` (four)."""

    base: np.ndarray  # (4,)
    line: dict[str, np.ndarray]  # {adapter: (S, W, 4)} alone, with each weight of LINE
    grid: np.ndarray  # (S, W, W, 4) cipher's weight, then backwards', each of GRID
    trained: dict[str, np.ndarray]  # {"both": on that text, "mixed": on rows of either; (S, 4)}
    floor_nats: float
    seeds: tuple[int, ...]
    seconds: float


def study(seeds: tuple[int, ...] = (0, 1, 2)) -> ArithmeticStudy:
    started = time.perf_counter()
    lines, grids, controls = [], [], []
    for seed in seeds:
        parts = {task: updates_of(adapter(task, seed)) for task in NEW_TASKS}
        lines.append({t: [four([(u, w)]) for w in LINE] for t, u in parts.items()})
        one, other = (parts[task] for task in NEW_TASKS)
        grids.append([[four([(one, w), (other, v)]) for v in GRID] for w in GRID])
        controls.append(
            {
                "both": four([(updates_of(on_rows(("both",), seed)), 1.0)]),
                "mixed": four([(updates_of(on_rows(NEW_TASKS, seed)), 1.0)]),
            }
        )
    return ArithmeticStudy(
        np.array(list(base_nats().values())),
        {task: np.array([line[task] for line in lines]) for task in NEW_TASKS},
        np.array(grids),
        {name: np.array([one[name] for one in controls]) for name in ("both", "mixed")},
        lowest(), seeds, time.perf_counter() - started,
    )  # fmt: skip


def four(parts: Sequence[tuple[Updates, float]]) -> list[float]:
    model = combined(teller.load_teller().requires_grad_(False), parts)
    return list(tale_tasks.losses(model, PASSAGES).values())


def adapter(task: str, seed: int) -> nn.Module:
    """The default run's LoRA."""
    model, _ = drain(trained(TuneConfig(task=task, seed=seed), look_steps=0))
    return model


def on_rows(tasks: Sequence[str], seed: int) -> nn.Module:
    """The same LoRA on rows of all `tasks`, as many steps in all."""
    base, generator = TuneConfig(seed=seed), torch.Generator().manual_seed(seed)
    model = tuned(teller.load_teller(), base.method, generator)
    told = list(chain.from_iterable(tale_tasks.training_rows(task) for task in tasks))
    training = TrainConfig(
        steps=base.steps, batch_size=BATCH_ROWS, learning_rate=base.learning_rate,
        warmup_steps=10, weight_decay=0.0, eval_every=0,
    )  # fmt: skip
    for _ in train(model, endless_batches(told, BATCH_ROWS, generator), training):
        pass
    return model.eval()
