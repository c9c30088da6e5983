"""Which heads, neurons and layers go first: four answers to what a unit is worth.

- "alone": by how much the loss rises when this unit alone is silent. The truth about one; costs a pass each.
- "slope": |∂ loss / ∂ gate| at an open gate, text by text. A guess for all units from one backward pass.
- "size": how large the unit's weights are. Needs no text.
- "random": the control.

Axes: L layers, U units of a layer, B texts, D width.
"""

import torch
from torch import Tensor

from labcore.compression.smaller_model import masking, units_of
from labcore.errors import LabInputError
from labcore.model.transformer import Transformer
from labcore.text.masking import IGNORE
from labcore.training.objectives import Batch, token_losses

IMPORTANCES = ("alone", "slope", "size", "random")
MOST_ALONE = 64  # units beyond which a pass each takes too long: neurons


def importance(
    model: Transformer, unit: str, kind: str, batch: Batch, generator: torch.Generator
) -> Tensor:
    """What each unit is worth; only the order counts.  -> (L, U) or (L,)"""
    shape = units_of(model, unit)
    if kind == "random":
        return torch.rand(shape, generator=generator)
    if kind == "size":
        return sizes(model, unit)
    if kind == "slope":
        return slopes(model, unit, batch)
    if kind != "alone" or torch.Size(shape).numel() > MOST_ALONE:
        raise LabInputError("importance", kind, "known_choice", allowed=IMPORTANCES[1:])
    return alone(model, unit, batch)


@torch.no_grad()
def alone(model: Transformer, unit: str, batch: Batch) -> Tensor:
    """Rise of the loss in nats with one unit silent at a time.  -> (L, U) or (L,)"""
    open_ = torch.ones(units_of(model, unit))
    rise = torch.zeros_like(open_)
    whole = masked_loss(model, unit, open_, batch)
    for at in range(open_.numel()):
        one_silent = open_.clone()
        one_silent.view(-1)[at] = 0
        rise.view(-1)[at] = masked_loss(model, unit, one_silent, batch) - whole
    return rise


def masked_loss(model: Transformer, unit: str, kept: Tensor, batch: Batch) -> Tensor:
    """Nats per token with units turned down.  -> ()"""
    losses, _ = token_losses(model, batch, interventions=masking(unit, kept))
    return losses.sum() / batch.num_targets


def slopes(model: Transformer, unit: str, batch: Batch) -> Tensor:
    """Mean over texts of |∂ loss / ∂ gate|.  -> (L, U) or (L,)

    subtle: text by text, for slopes of different sign would cancel in a sum; a trained model is near a
    minimum, where the mean slope is close to zero for every unit.
    """
    total = torch.zeros(units_of(model, unit))
    for row in range(len(batch.tokens)):
        real = int((batch.targets[row] != IGNORE).sum())
        here = slice(row, row + 1), slice(real)
        text = Batch(batch.tokens[here], batch.targets[here], batch.padding_mask[here])
        gates = torch.ones_like(total).requires_grad_(True)
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(masked_loss(model, unit, gates, text), gates)
        total += slope.abs() / len(batch.tokens)
    return total


@torch.no_grad()
def sizes(model: Transformer, unit: str) -> Tensor:
    """Norm of what a unit reads times norm of what it writes.  -> (L, U) or (L,)"""
    found = []
    for block in model.stack.layers:
        if unit == "heads":
            reads = block.attn.v.weight.unflatten(0, (-1, block.attn.size)).flatten(1).norm(dim=1)
            writes = (
                block.attn.out.weight.T.unflatten(0, (-1, block.attn.size)).flatten(1).norm(dim=1)
            )
            found.append(reads * writes)
        elif unit == "neurons":
            found.append(block.mlp.up.weight.norm(dim=1) * block.mlp.down.weight.norm(dim=0))
        else:
            found.append(torch.stack([weight.norm() for weight in block.parameters()]).norm())
    return torch.stack(found)
