"""Pruning every matrix of a model at once, and the held-out text that says what it cost.

The model is world-decoder: four blocks of 24 matrices in all, which hold 786,432 of its weights. Its
text comes from the micro-world, so the lowest loss that any model can reach is known exactly.

Axes: O outputs, I inputs of a matrix, B rows of text, T tokens.
"""

import copy
from dataclasses import dataclass
from functools import cache, lru_cache

import torch
from torch import Tensor, nn

from labcore.compression import judged
from labcore.compression.calibration import Inputs, calibrate
from labcore.compression.judged import matrices
from labcore.compression.pruning import PruningConfig, keep_mask, pruned, scores
from labcore.compression.scaling import plant_outliers
from labcore.errors import LabInputError
from labcore.model.transformer import Transformer
from labcore.recipes.world_decoder import in_batches
from labcore.text.world import micro_world
from labcore.training.objectives import Batch
from labcore.zoo import load

CALIBRATION_SEEDS = 500  # apart from those of the training set and of the held-out one
# As large as the outliers of a model of some billion weights: a few channels, tens of times the others.
OUTLIER_CHANNELS, OUTLIER_FACTOR = (7, 61), 30.0


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    batches: tuple[Batch, ...]
    floor_nats: float  # the lowest possible loss on these stories
    dense_nats: float  # of the model before anything was taken from it


@cache
def held_out() -> HeldOut:
    """160 stories that the model was never trained on."""
    batches, floor = judged.held_out()
    return HeldOut(batches, floor, judged.loss_nats(load(judged.MODEL).model))


@cache
def base(planted: bool = False) -> Transformer:
    """The model to prune; with `planted`, the same function with two outlier channels. Copy it first."""
    model = load(judged.MODEL).model
    if not planted:
        return model
    return plant_outliers(copy.deepcopy(model), OUTLIER_CHANNELS, OUTLIER_FACTOR)


@lru_cache(maxsize=4)
def calibration_batches(stories: int, seed: int) -> list[Batch]:
    """Stories of the training set, to see what the matrices are fed."""
    world = micro_world()
    return in_batches(world.dataset(stories, CALIBRATION_SEEDS + seed), world.tokenizer.pad_id)


@lru_cache(maxsize=4)  # some 11 MB each
def inputs_of_matrices(planted: bool, stories: int, seed: int) -> dict[str, Inputs]:
    """What every matrix is fed by some stories of the training set; asked for once."""
    # subtle: a padded place is no token, yet it would count; rows are fed without it
    rows = (
        batch.tokens[row : row + 1, : int(batch.padding_mask[row].sum())]
        for batch in calibration_batches(stories, seed)
        for row in range(len(batch.tokens))
    )
    return calibrate(base(planted), rows)


def keep_over_model(worth: dict[str, Tensor], ratio: float) -> dict[str, Tensor]:
    """Compare every weight with all others of the model.  each (O, I) -> each (O, I) bool

    No matrix is promised a share: one whose weights are all small may lose nearly everything.
    """
    flat = torch.cat([values.flatten() for values in worth.values()])
    kept = keep_mask(flat[None], PruningConfig(ratio, "matrix"))[0]
    parts = kept.split([values.numel() for values in worth.values()])
    return {
        name: part.view_as(values)
        for (name, values), part in zip(worth.items(), parts, strict=True)
    }


@torch.no_grad()
def prune_model(
    model: nn.Module,
    method: str,
    ratio: float,
    compared: str,
    inputs: dict[str, Inputs],
    generator: torch.Generator,
) -> nn.Module:
    """Zero weights in every matrix of the blocks; the model is changed, so give it a copy.

    `compared`: whom a weight competes with, "matrix", "row", "n:m" (here 2:4) or "model". SparseGPT
    corrects weights matrix by matrix and so has no order over the model.
    """
    if compared != "model":
        rule = PruningConfig(ratio, compared)
        for name, linear in matrices(model).items():
            moments = inputs[name].moments
            linear.weight.copy_(pruned(linear.weight, method, rule, moments, generator))
        return model
    if method == "sparsegpt":
        raise LabInputError("compared", compared, "known_choice", allowed=("matrix", "row", "n:m"))
    worth = {
        name: scores(linear.weight, method, inputs[name].moments, generator)
        for name, linear in matrices(model).items()
    }
    for name, kept in keep_over_model(worth, ratio).items():
        linear = model.get_submodule(name)
        linear.weight.copy_(linear.weight * kept)
    return model


def kept_masks(model: nn.Module) -> dict[str, Tensor]:
    """True where a weight is not zero.  -> each (O, I) bool"""
    return {name: linear.weight != 0 for name, linear in matrices(model).items()}
