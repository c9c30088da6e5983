"""LoRA: leave the weights alone and learn a small correction beside them.

A frozen matrix W (O, I) gets a companion B·A of rank r, scaled by α/r. B starts at zero, so at first nothing
has changed; afterwards the product can be added to W and forgotten about. Two variants are one line each:
rank-stabilised LoRA scales by α/√r, and DoRA learns the length of each row of the corrected matrix apart
from its direction.

Sources: Hu et al., arXiv:2106.09685; rsLoRA, arXiv:2312.03732; DoRA, arXiv:2402.09353.
Axes: B batch, T position, I inputs, O outputs, r rank.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labcore.configs import lab_config
from labcore.errors import LabInputError

ATTENTION, MLP = ("q", "k", "v", "out"), ("gate", "up", "down")
TARGETS = (*ATTENTION, *MLP)
MOST_RANK = 256


@lab_config
class LoRAConfig:
    rank: int = 8
    alpha: float = 16.0  # the correction is scaled by alpha / rank
    dropout: float = 0.0  # share of the inputs that the correction does not see while training
    targets: tuple[str, ...] = TARGETS  # matrices of each block that get a companion
    rank_stabilised: bool = False  # scale by alpha / sqrt(rank)
    dora: bool = False  # learn each row's length apart from its direction

    def __post_init__(self):
        if not 1 <= self.rank <= MOST_RANK:
            raise LabInputError("rank", self.rank, "between", low=1, high=MOST_RANK)
        if not self.alpha > 0:
            raise LabInputError("alpha", self.alpha, "positive")
        if not 0 <= self.dropout < 1:
            raise LabInputError("dropout", self.dropout, "between", low=0, high=1)
        if not self.targets:
            raise LabInputError("targets", self.targets, "required")
        for name in self.targets:
            if name not in TARGETS:
                raise LabInputError("targets", name, "known_choice", allowed=TARGETS)

    @property
    def scale(self) -> float:
        """>>> LoRAConfig(rank=16, alpha=16).scale, LoRAConfig(16, 16, rank_stabilised=True).scale
        (1.0, 4.0)
        """
        return self.alpha / (self.rank**0.5 if self.rank_stabilised else self.rank)


class LoRALinear(nn.Module):
    """A frozen linear map with a learned correction of low rank."""

    def __init__(self, base: nn.Linear, config: LoRAConfig, generator: torch.Generator):
        super().__init__()
        outputs, inputs = base.weight.shape
        self.base = base.requires_grad_(False)
        self.scale, self.dropout, self.generator = config.scale, config.dropout, generator
        self.a = nn.Parameter(torch.empty(config.rank, inputs))
        self.b = nn.Parameter(torch.zeros(outputs, config.rank))  # zero: step 0 changes nothing
        bound = inputs**-0.5  # what torch gives a linear layer of its own
        nn.init.uniform_(self.a, -bound, bound, generator=generator)
        length = base.weight.norm(dim=1) if config.dora else None  # (O,)
        self.length = None if length is None else nn.Parameter(length)

    def forward(self, x: Tensor) -> Tensor:  # (…, I) -> (…, O)
        correction = F.linear(F.linear(self.dropped(x), self.a), self.b) * self.scale
        if self.length is None:
            return self.base(x) + correction
        # subtle: the paper takes the norm as a constant when it differentiates (section 4.3).
        rescale = self.length / (self.base.weight + self.delta()).norm(dim=1).detach()  # (O,)
        said = rescale * (F.linear(x, self.base.weight) + correction)
        return said if self.base.bias is None else said + self.base.bias

    def dropped(self, x: Tensor) -> Tensor:
        """Inputs with some of them set to zero and the others enlarged; only while training."""
        if not (self.training and self.dropout):
            return x
        kept = torch.rand(x.shape, generator=self.generator, device=x.device) >= self.dropout
        return x * kept / (1 - self.dropout)

    def delta(self) -> Tensor:
        """The correction as a matrix.  -> (O, I)"""
        return self.scale * self.b @ self.a

    def merged_weight(self) -> Tensor:
        """The one matrix that does what base and correction do together.  -> (O, I)"""
        weight = self.base.weight + self.delta()
        if self.length is None:
            return weight
        return weight * (self.length / weight.norm(dim=1))[:, None]


def attach(model: nn.Module, config: LoRAConfig, generator: torch.Generator) -> nn.Module:
    """Freeze `model` and give the matrices that `config` names a companion; the model is changed.

    Copy a shared model first. Raises LabInputError if none of the targets is there.
    """
    model.requires_grad_(False)
    found = [name for name, _ in target_linears(model, config.targets)]
    if not found:
        raise LabInputError("targets", config.targets, "known_choice", allowed=TARGETS)
    for name in found:
        replace(model, name, LoRALinear(model.get_submodule(name), config, generator))
    return model


def merge(model: nn.Module) -> nn.Module:
    """Add every correction to its matrix and take the companions away; the model is changed."""
    for name, module in list(model.named_modules()):
        if isinstance(module, LoRALinear):
            with torch.no_grad():
                module.base.weight = nn.Parameter(module.merged_weight(), requires_grad=False)
            replace(model, name, module.base)
    return model


def corrections(model: nn.Module) -> dict[str, LoRALinear]:
    """The companions by the name of the matrix they belong to."""
    return {n: module for n, module in model.named_modules() if isinstance(module, LoRALinear)}


def target_linears(model: nn.Module, targets: tuple[str, ...]) -> Iterator[tuple[str, nn.Linear]]:
    """The linear maps inside the blocks whose last name is among `targets`."""
    for name, module in model.named_modules():
        named = ".layers." in name and name.rpartition(".")[2] in targets
        if named and isinstance(module, nn.Linear):
            yield name, module


def replace(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put `module` where `name` stands."""
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, module)
