"""The model that is compressed, the stories it is judged by, and the stories that calibrate.

All on `world-decoder`: what its held-out stories leave to chance is known exactly, so a loss can be read as
what the model lacks, and a rise of it as what compression took.
"""

import copy
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn

from labcore.compression.calibration import Inputs, calibrate
from labcore.model.transformer import Transformer
from labcore.text.world import micro_world
from labcore.training.objectives import Batch, causal_batch, token_losses
from labcore.tuning.lora import target_linears
from labcore.zoo import load

MODEL = "world-decoder"
HELD_OUT_STORIES, CALIBRATION_STORIES = 160, 128
BATCH_STORIES = 40
HELD_OUT_SEED, CALIBRATION_SEED = (
    2,
    1000,
)  # apart from each other and from the training stories' seed


def fresh_model() -> Transformer:
    """A copy that may be changed."""
    return copy.deepcopy(load(MODEL).model).eval().requires_grad_(False)


@lru_cache(maxsize=1)
def held_out() -> tuple[tuple[Batch, ...], float]:
    """Stories that the model was not trained on, of like length together, and their exact floor in nats."""
    world = micro_world()
    stories = world.dataset(HELD_OUT_STORIES, seed=HELD_OUT_SEED, split="held_out")
    floor = world.causal_floor(stories).nats_per_token
    stories = sorted(stories, key=len)
    pad = world.tokenizer.pad_id
    cuts = range(0, len(stories), BATCH_STORIES)
    return tuple(causal_batch(stories[at : at + BATCH_STORIES], pad) for at in cuts), floor


@torch.no_grad()
def loss_nats(model: nn.Module, batches: Sequence[Batch] | None = None) -> float:
    """Nats per token on the held-out stories, or on other text."""
    batches = held_out()[0] if batches is None else batches
    total = sum(float(token_losses(model, batch)[0].double().sum()) for batch in batches)
    return total / sum(batch.num_targets for batch in batches)


@lru_cache(maxsize=4)
def calibration_rows(seed: int, stories: int = CALIBRATION_STORIES) -> tuple[Tensor, ...]:
    """Training stories, each alone, since padding would count as an input.  each (1, T)"""
    told = micro_world().dataset(stories, seed=CALIBRATION_SEED + seed)
    return tuple(torch.tensor([ids]) for ids in told)


@lru_cache(maxsize=4)
def calibrated(seed: int, stories: int = CALIBRATION_STORIES) -> dict[str, Inputs]:
    """What every map of the untouched model is fed by these stories."""
    return calibrate(load(MODEL).model, calibration_rows(seed, stories))


def matrices(model: nn.Module) -> dict[str, nn.Linear]:
    """The linear maps inside the blocks, by name: what is quantised. Embedding and norms stay."""
    return dict(target_linears(model, ("q", "k", "v", "out", "gate", "up", "down")))


def short(name: str) -> str:
    """>>> short("stack.layers.2.attn.out")
    '2.out'
    """
    parts = name.split(".")
    return f"{parts[parts.index('layers') + 1]}.{parts[-1]}"
