"""The models of the trade-off board: one model, cut, repaired, distilled, and kept in a form.

All come from `world-decoder`. Its MLPs may lose a share of their neurons, in whole groups of 32 so that
every form can hold what is left; what that cost may be repaired by a LoRA, either added to the weights or
kept apart from them. Or the model is not it at all but its distilled student. Then a share of the single
weights of every matrix may become zero, by SparseGPT.

`python -m labcore.recipes.board_repairs` makes the adapters under `assets/board` again.
"""

from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labcore import shipped
from labcore.compression import judged
from labcore.compression.calibration import calibrate
from labcore.compression.prune_model import prune_model
from labcore.compression.smaller_model import without_neurons
from labcore.compression.sparse_linear import Csr
from labcore.compression.stored_linear import FORMS as DENSE_FORMS
from labcore.compression.stored_linear import GROUP
from labcore.compression.structured import judged as importance_of
from labcore.errors import LabInputError
from labcore.model.transformer import Transformer
from labcore.serving.draft import load_draft
from labcore.tuning.lora import LoRAConfig, replace

FORMS = ("fp32", "bf16", "torch-8", "torch-4", "csr")
MAKE = {**DENSE_FORMS, "csr": Csr}
CUTS = (0, 25, 50)  # percent of the neurons
ZEROS = (0, 50, 70)  # percent of the single weights
STORIES = 32  # read to see what the matrices are fed before single weights go
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


@lru_cache(maxsize=1)
def worth() -> Tensor:
    """What each neuron is worth by the slope of the loss.  -> (L, F)"""
    return importance_of("neurons", "slope", 0)


def cut_model(cut_percent: int) -> Transformer:
    """world-decoder without its least important neurons; a copy that may be changed."""
    model = judged.fresh_model()
    if cut_percent:
        without_neurons(model, kept_neurons(worth(), cut_percent))
    return model.requires_grad_(False)


def student_model() -> Transformer:
    model = Transformer(load_draft().config, weights=dict(load_draft().state_dict()))
    return model.requires_grad_(False).eval()


@lru_cache(maxsize=4)
def adapter(cut_percent: int) -> dict[str, Tensor]:
    """The repair of a cut: `<matrix>.a` (r, I) and `<matrix>.b` (O, r)."""
    path = ADAPTERS / f"repair-{cut_percent}.safetensors"
    return {name: half.float() for name, half in shipped.tensors(path).items()}


def check_exists(student: bool, cut_percent: int, repair: str, form: str) -> None:
    """Raise LabInputError for a combination that there is not: a cut student, a repair without a cut, a
    form whose kernel cannot hold the student's narrow matrices."""
    if student and cut_percent:
        raise LabInputError("cut", cut_percent, "student_is_whole")
    if repair != "none" and not cut_percent:
        raise LabInputError("repair", repair, "repairs_a_cut")
    if student:
        for linear in judged.matrices(load_draft()).values():
            MAKE[form](linear.weight.detach())


@torch.no_grad()
def build(
    student: bool, cut_percent: int, repair: str, zero_percent: int, form: str
) -> Transformer:
    """The model of these choices, its matrices really kept in the form; see `check_exists`."""
    check_exists(student, cut_percent, repair, form)
    model = student_model() if student else cut_model(cut_percent)
    learned = adapter(cut_percent) if repair != "none" else {}
    if repair == "merged":
        for name, linear in judged.matrices(model).items():
            linear.weight += LORA.scale * learned[f"{name}.b"] @ learned[f"{name}.a"]
    if zero_percent:
        fed = calibrate(model, judged.calibration_rows(0, STORIES))
        # subtle: SparseGPT draws nothing; the generator is for methods that do
        prune_model(model, "sparsegpt", zero_percent / 100, "row", fed, torch.Generator())
    for name, linear in judged.matrices(model).items():
        stored = MAKE[form](linear.weight.detach())
        if repair == "apart":
            stored = Apart(stored, learned[f"{name}.a"], learned[f"{name}.b"])
        replace(model, name, stored)
    return model
