"""A switch for every head: multiply what it writes by 1 or by 0, and see what the model still knows.

Heads stand in a grid: one row for each place where the model has attention, one column for each head.
A gate between 0 and 1 turns a head down; the slope of the loss in its gates is a cheap guess at what
each head is worth (Michel, Levy and Neubig, arXiv:1905.10650).

Axes: B batch, P places, H heads, T positions, d width of a head.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.trace import Change
from labcore.model.transformer import Transformer

Head = tuple[int, int]  # place, head


def places(config: ModelConfig) -> tuple[str, ...]:
    """Where a model has attention, in the order in which a text passes: names as in a trace.

    >>> places(ModelConfig(kind="encoder_decoder", num_layers=1))
    ('encoder.layers.0.attn', 'layers.0.attn', 'layers.0.cross')
    """
    crossed = config.kind == "encoder_decoder"
    encoder = range(config.encoder_layers if crossed else 0)
    parts = ("attn", "cross") if crossed else ("attn",)
    return (
        *(f"encoder.layers.{i}.attn" for i in encoder),
        *(f"layers.{i}.{part}" for i in range(config.num_layers) for part in parts),
    )


def all_on(config: ModelConfig) -> Tensor:
    """Every gate open.  -> (P, H) ones"""
    return torch.ones(len(places(config)), config.num_heads)


def gates_of(config: ModelConfig, off: Sequence[Head]) -> Tensor:
    """1 for a head that is on, 0 for one of `off`.  -> (P, H)

    Raises LabInputError("off", …) for a head that the model does not have.
    """
    gates = all_on(config)
    for place, head in off:
        if not (0 <= place < gates.shape[0] and 0 <= head < gates.shape[1]):
            raise LabInputError(
                "off", f"{place}.{head}", "no_such_head",
                places=gates.shape[0] - 1, heads=gates.shape[1] - 1,
            )  # fmt: skip
        gates[place, head] = 0
    return gates


def gated(
    config: ModelConfig, gates: Tensor, instead: Sequence[Tensor] | None = None
) -> dict[str, Change]:
    """The interventions that let each head through as far as its gate is open.

    `gates` (P, H), or (B, P, H) for a set of its own in each row of the batch. A closed head says
    nothing, or always the same: `instead`, for each place a vector per head (H, d).
    """

    def change(row: int) -> Change:
        gate = gates[..., row, :, None, None]  # (H, 1, 1) or (B, H, 1, 1)
        if instead is None:
            return lambda heads: heads * gate  # (B, H, T, d)
        return lambda heads: heads * gate + instead[row][:, None] * (1 - gate)

    return {f"{name}.heads": change(row) for row, name in enumerate(places(config))}


@torch.no_grad()
def mean_outputs(model: Transformer, inputs: dict[str, Tensor | None]) -> tuple[Tensor, ...]:
    """What each head says on average over all real positions of some texts: (H, d) for each place.

    `inputs` are the model's arguments `tokens`, `padding_mask` and, with an encoder's input,
    `context`, `context_padding_mask`.
    """
    trace = model(**inputs, trace=True).trace
    means = []
    for name in places(model.config):
        heads = trace[f"{name}.heads"]  # (B, H, T, d)
        mask = inputs["context_padding_mask" if name.startswith("encoder.") else "padding_mask"]
        real = torch.ones(heads.shape[0], heads.shape[2]) if mask is None else mask.float()
        means.append(torch.einsum("bhtd,bt->hd", heads, real) / real.sum())
    return tuple(means)
