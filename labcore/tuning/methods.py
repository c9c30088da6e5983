"""Eight ways to tune one model, by name; what each of them lets learn, and what it keeps in memory.

Sources: see `lora` and `small_parts`.
"""

from dataclasses import dataclass

import torch
from torch import nn

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.transformer import Transformer
from labcore.training.objectives import Batch, mean_token_loss
from labcore.tuning import lora, small_parts
from labcore.tuning.lora import LoRAConfig
from labcore.tuning.small_parts import trained_parameters

LOW_RANK = ("lora", "rslora", "dora")
VIRTUAL = ("prompt", "prefix")
METHODS = (*LOW_RANK, "ia3", "adapter", *VIRTUAL, "full")
PARTS = {"qv": ("q", "v"), "attention": lora.ATTENTION, "mlp": lora.MLP, "all": lora.TARGETS}
MOST_SIZE = 64
FLOAT_BYTES = 4


@lab_config
class Method:
    """`size`: the rank, an adapter's width, or how many virtual tokens; (IA)³ and "full" have none."""

    name: str = "lora"
    size: int = 8
    alpha: float = 16.0  # LoRA and its kin: the correction is scaled by alpha / rank
    dropout: float = 0.0  # LoRA and its kin
    part: str = "all"  # LoRA and its kin: which matrices of a block get a companion

    def __post_init__(self):
        for field, allowed in (("name", METHODS), ("part", tuple(PARTS))):
            if getattr(self, field) not in allowed:
                raise LabInputError(field, getattr(self, field), "known_choice", allowed=allowed)
        if not 1 <= self.size <= MOST_SIZE:
            raise LabInputError("size", self.size, "between", low=1, high=MOST_SIZE)
        self.lora  # noqa: B018 (it looks at alpha and dropout)

    @property
    def lora(self) -> LoRAConfig:
        return LoRAConfig(
            self.size, self.alpha, self.dropout, PARTS[self.part],
            rank_stabilised=self.name == "rslora", dora=self.name == "dora",
        )  # fmt: skip


def tuned(model: Transformer, method: Method, generator: torch.Generator) -> nn.Module:
    """`model` with what `method` adds, ready to train; the model is changed."""
    if method.name in LOW_RANK:
        return lora.attach(model, method.lora, generator)
    if method.name == "ia3":
        return small_parts.attach_ia3(model)
    if method.name == "adapter":
        return small_parts.attach_adapters(model, method.size, generator)
    if method.name == "prompt":
        return small_parts.PromptTuned(model, method.size, generator)
    if method.name == "prefix":
        return small_parts.PrefixTuned(model, method.size, generator)
    return model.requires_grad_(True)


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that a training step holds."""

    weights: int  # of the base and of what was added, 4 bytes a number
    gradients: int  # one for each number that learns
    optimizer: int  # Adam: two for each number that learns
    activations: int  # what the forward pass keeps for the backward pass

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.activations


def memory(model: nn.Module, batch: Batch) -> Memory:
    """What one step on `batch` holds; activations are measured in a real forward pass."""
    learning = trained_parameters(model)
    everything = sum(weight.numel() for weight in model.parameters())
    return Memory(
        FLOAT_BYTES * everything, FLOAT_BYTES * learning, 2 * FLOAT_BYTES * learning,
        kept_bytes(model, batch),
    )  # fmt: skip


def kept_bytes(model: nn.Module, batch: Batch) -> int:
    """Bytes that a forward pass keeps until the backward pass, weights and the text itself apart."""
    own = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    own.add(batch.tokens.untyped_storage().data_ptr())
    kept: dict[int, torch.UntypedStorage] = {}  # the storages themselves: an address can be reused

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        mean_token_loss(model, batch)
    return sum(storage.nbytes() for storage in kept.values())
