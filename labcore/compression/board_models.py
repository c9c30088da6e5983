"""The models of the trade-off board: one model, cut, repaired, distilled, and kept in a form.

All come from `world-decoder`. Its MLPs may lose a share of their neurons, in whole groups of 32 so that
every form can hold what is left; what that cost may be repaired by a LoRA, either added to the weights or
kept apart from them. Or the model is not it at all but its distilled student.

`python -m labcore.recipes.board_repairs` makes the adapters under `assets/board` again.
"""

from functools import lru_cache
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labcore.compression import judged
from labcore.compression.smaller_model import without_neurons
from labcore.compression.stored_linear import FORMS as MAKE
from labcore.compression.stored_linear import GROUP
from labcore.compression.structured import judged as importance_of
from labcore.errors import LabInputError
from labcore.model.transformer import Transformer
from labcore.serving.draft import load_draft
from labcore.tuning.lora import LoRAConfig, replace

FORMS = ("fp32", "bf16", "torch-8", "torch-4")
CUTS = (0, 25, 50)  # percent of the neurons
REPAIRS = ("none", "merged", "apart")
ADAPTERS = Path(__file__).resolve().parents[2] / "assets" / "board"
LORA = LoRAConfig(rank=8, alpha=16)


class Apart(nn.Module):
    """A matrix in its form, and beside it a correction of low rank that is computed at every call."""

    def __init__(self, stored: nn.Module, a: Tensor, b: Tensor):
        super().__init__()
        self.stored = stored
        self.register_buffer("a", a)  # (r, I)
        self.register_buffer("b", b)  # (O, r)

    def forward(self, x: Tensor) -> Tensor:  # (…, I) -> (…, O)
        return self.stored(x) + LORA.scale * F.linear(F.linear(x, self.a), self.b)


def kept_neurons(worth: Tensor, cut_percent: int) -> Tensor:
    """The most important neurons of each layer, a number that 32 divides.  (L, F) -> (L, F) bool

    The number is what an order over all layers would leave, rounded. Worked by hand: of 2 · 64 neurons half
    go; the order would leave 40 and 24, so both layers keep 32.
    """
    keep = round(worth.numel() * (1 - cut_percent / 100))
    threshold = worth.flatten().topk(keep).values.min()
    kept = torch.zeros_like(worth, dtype=torch.bool)
    for layer, row in enumerate(worth):
        wanted = int((row >= threshold).sum())
        count = min(max(GROUP, GROUP * round(wanted / GROUP)), len(row))
        kept[layer, row.topk(count).indices] = True
    return kept


def cut_model(cut_percent: int) -> Transformer:
    """world-decoder without its least important neurons; a copy that may be changed."""
    model = judged.fresh_model()
    if cut_percent:
        without_neurons(model, kept_neurons(importance_of("neurons", "slope", 0), cut_percent))
    return model


@lru_cache(maxsize=4)
def adapter(cut_percent: int) -> dict[str, Tensor]:
    """The repair of a cut: `<matrix>.a` (r, I) and `<matrix>.b` (O, r)."""
    path = ADAPTERS / f"repair-{cut_percent}.safetensors"
    return {name: half.float() for name, half in safetensors.torch.load_file(path).items()}


@torch.no_grad()
def build(student: bool, cut_percent: int, repair: str, form: str) -> Transformer:
    """The model of these choices, its matrices really kept in the form.

    Raises LabInputError for a combination that does not exist: a cut student, a repair without a cut, a
    form whose kernel cannot hold the student's narrow matrices.
    """
    if student and cut_percent:
        raise LabInputError("cut", cut_percent, "student_is_whole")
    if repair != "none" and not cut_percent:
        raise LabInputError("repair", repair, "repairs_a_cut")
    if student:
        model = Transformer(load_draft().config, weights=dict(load_draft().state_dict()))
        model.requires_grad_(False).eval()
    else:
        model = cut_model(cut_percent)
    for name, linear in judged.matrices(model).items():
        weight = linear.weight.detach()
        if repair == "none":
            replace(model, name, MAKE[form](weight))
            continue
        a, b = adapter(cut_percent)[f"{name}.a"], adapter(cut_percent)[f"{name}.b"]
        if repair == "merged":
            replace(model, name, MAKE[form](weight + LORA.scale * b @ a))
        else:
            replace(model, name, Apart(MAKE[form](weight), a, b))
    return model
