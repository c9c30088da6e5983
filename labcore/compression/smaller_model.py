"""Structured pruning: heads, neurons or whole layers go, and the model really becomes smaller.

A head is d rows of the maps q, k and v and d columns of the map out; a neuron of the MLP is one row of up and
one column of down; a layer is a block that the residual stream passes by. What they wrote into the
stream is missing afterwards, which is the same as writing zero there; so the smaller model says exactly
what the whole one says with these outputs masked, and needs no zeros to say it.

Sources: heads arXiv:1905.10650; neurons arXiv:2305.11627 (LLM-Pruner); layers arXiv:2403.03853 (ShortGPT).
Axes: L layers, H heads, d width of a head, F neurons of a layer, U units of a layer (heads or neurons).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from labcore.errors import LabInputError
from labcore.model.trace import Change
from labcore.model.transformer import Transformer


def without_heads(model: Transformer, kept: Tensor) -> Transformer:
    """Cut heads out of every layer's four maps.  kept (L, H) bool; the model is changed

    Worked by hand: d = 2, heads 0 and 2 of three stay: rows 0, 1, 4, 5 of q.
    """
    at_least_one_each(kept)
    for block, heads in zip(model.stack.layers, kept, strict=True):
        attention = block.attn
        rows = heads.repeat_interleave(attention.size)  # (H·d,) bool
        for name in ("q", "k", "v"):
            setattr(attention, name, cut(getattr(attention, name), rows=rows))
        attention.out = cut(attention.out, columns=rows)
    return model


def without_neurons(model: Transformer, kept: Tensor) -> Transformer:
    """Cut neurons out of every layer's MLP.  kept (L, F) bool; the model is changed"""
    at_least_one_each(kept)
    for block, neurons in zip(model.stack.layers, kept, strict=True):
        block.mlp.up = cut(block.mlp.up, rows=neurons)
        if block.mlp.gate is not None:
            block.mlp.gate = cut(block.mlp.gate, rows=neurons)
        block.mlp.down = cut(block.mlp.down, columns=neurons)
    return model


def without_layers(model: Transformer, kept: Tensor) -> Transformer:
    """Leave whole blocks out; the stream goes on past them.  kept (L,) bool; the model is changed"""
    at_least_one_each(kept[None])
    blocks = model.stack.layers
    model.stack.layers = nn.ModuleList(
        block for block, stays in zip(blocks, kept.tolist(), strict=True) if stays
    )
    return model


def cut(linear: nn.Linear, rows: Tensor | None = None, columns: Tensor | None = None) -> nn.Linear:
    """A smaller map of some rows (outputs) or columns (inputs) of another.  (O,) or (I,) bool"""
    weight, bias = linear.weight.detach(), linear.bias
    if rows is not None:
        weight, bias = weight[rows], None if bias is None else bias[rows]
    if columns is not None:
        weight = weight[:, columns]
    smaller = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    smaller.weight = nn.Parameter(weight.clone(), linear.weight.requires_grad)
    if bias is not None:
        smaller.bias = nn.Parameter(bias.detach().clone(), bias.requires_grad)
    return smaller


def at_least_one_each(kept: Tensor) -> None:
    if not bool(kept.any(dim=-1).all()):
        raise LabInputError("removed", int((~kept).sum()), "one_each")


def masking(unit: str, kept: Tensor) -> dict[str, Change]:
    """The same by masks: interventions that silence what is not kept.  (L, U) or (L,) numbers 0 to 1

    Numbers between 0 and 1 turn a unit down; the loss has slopes in them.
    """
    if unit == "heads":  # (B, H, T, d)
        return {
            f"layers.{i}.attn.heads": lambda x, i=i: x * kept[i, :, None, None]
            for i in range(len(kept))
        }
    if unit == "neurons":  # (B, T, F)
        return {f"layers.{i}.mlp.hidden": lambda x, i=i: x * kept[i] for i in range(len(kept))}
    return {
        f"layers.{i}.{part}.out": lambda x, i=i: x * kept[i]
        for i in range(len(kept))
        for part in ("attn", "mlp")
    }


SMALLER = {"heads": without_heads, "neurons": without_neurons, "layers": without_layers}


def units_of(model: Transformer, unit: str) -> tuple[int, ...]:
    """(L, H), (L, F) or (L,)"""
    config = model.config
    shapes = {
        "heads": (config.num_layers, config.num_heads),
        "neurons": (config.num_layers, config.mlp_size),
        "layers": (config.num_layers,),
    }
    return shapes[unit]


def kept_by(importance: Tensor, removed: int) -> Tensor:
    """Where the `removed` least important are False, but each layer keeps one.  (L, U) or (L,) -> bool

    Without the exception a layer could lose all of its heads, and there is no map without rows.
    """
    kept = torch.ones_like(importance, dtype=torch.bool)
    rows = importance[None] if importance.dim() == 1 else importance
    spared = torch.zeros_like(rows, dtype=torch.bool)
    spared[torch.arange(len(rows)), rows.argmax(dim=1)] = True
    # subtle: a spared unit must not be chosen, however small: it is put behind all others
    order = (
        importance.masked_fill(spared.view_as(importance), torch.inf).flatten().argsort(stable=True)
    )
    most = importance.numel() - len(rows)
    if not 0 <= removed <= most:
        raise LabInputError("removed", removed, "between", low=0, high=most)
    kept.view(-1)[order[:removed]] = False
    return kept


def parameters(model: nn.Module, names: Sequence[str] = ("stack.layers.",)) -> int:
    """Weights inside the blocks; the table of tokens stays as it is."""
    return sum(
        weight.numel() for name, weight in model.named_parameters() if name.startswith(tuple(names))
    )
