"""A run put aside and taken up again: weights, the optimiser's memory, and how far it had come.

All three are needed. Weights alone give a run that goes on from a good place with an optimiser that has
forgotten how large gradients are. The file is safetensors; settings stand in its header as text.
Nothing is unpickled, and a file from outside is measured before it is used.
"""

import json
import struct
from dataclasses import dataclass
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from labcore.errors import LabInputError

FORMAT = "llm-principles-lab/run/1"
LIMIT_BYTES = 16 * 2**20
REMEMBERED = ("momentum", "mean", "square", "steps")  # what a rule of `rules` may keep


@dataclass(frozen=True, slots=True, eq=False)
class Saved:
    settings: dict[str, Any]  # plain values: the config of the run
    step: int  # updates made
    tensors: dict[str, Tensor]  # "weights/<name>", "memory/<name>/<what>"


def save(
    model: nn.Module, optimiser: torch.optim.Optimizer, step: int, settings: dict[str, Any]
) -> bytes:
    """The whole state of a run as one safetensors file."""
    tensors = {}
    for name, weight in model.named_parameters():
        tensors[f"weights/{name}"] = weight.detach().contiguous()
        for what, kept in optimiser.state.get(weight, {}).items():
            tensors[f"memory/{name}/{what}"] = kept.contiguous()
    header = {"format": FORMAT, "step": str(step), "settings": json.dumps(settings)}
    return safetensors.torch.save(tensors, metadata=header)


def read(data: bytes) -> Saved:
    """Inverse of `save` for a file of unknown origin; anything odd is a LabInputError."""
    if len(data) > LIMIT_BYTES:
        raise LabInputError("checkpoint", len(data), "at_most_bytes", limit=LIMIT_BYTES)
    try:
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])["__metadata__"]
        if header["format"] != FORMAT:
            raise ValueError(header["format"])
        tensors = safetensors.torch.load(data)
        if not all(_sound(tensor) for tensor in tensors.values()):
            raise ValueError("not a finite float32")
        settings = json.loads(header["settings"])
        return Saved(dict(settings), max(0, int(header["step"])), tensors)
    except (
        SafetensorError, struct.error, LookupError, RecursionError, TypeError, ValueError,
    ) as error:  # fmt: skip
        raise LabInputError("checkpoint", type(error).__name__, "saved_by_this_lab") from error


@torch.no_grad()
def restore(saved: Saved, model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Put weights and memory back where they were, number for number."""
    for name, weight in model.named_parameters():
        weight.copy_(_fitting(saved.tensors, f"weights/{name}", weight))
        memory = {
            what: _fitting(saved.tensors, f"memory/{name}/{what}", weight).clone()
            for what in REMEMBERED
            if f"memory/{name}/{what}" in saved.tensors
        }
        if memory:
            optimiser.state[weight] = memory


def _sound(tensor: Tensor) -> bool:
    return tensor.dtype == torch.float32 and bool(tensor.isfinite().all())


def _fitting(tensors: dict[str, Tensor], name: str, weight: Tensor) -> Tensor:
    """The tensor of this name, if it can belong to this weight."""
    found = tensors.get(name)
    wanted = torch.Size() if name.endswith("/steps") else weight.shape
    if found is None or found.shape != wanted:
        raise LabInputError("checkpoint", name, "saved_by_this_lab")
    return found
