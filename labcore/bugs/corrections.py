"""The ward of corrections: LoRA beside a frozen model, at its first step, at its ranks, and merged.

Axes: O outputs, I inputs, r rank.
"""

import copy
from functools import cache
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from labcore.bugs.case import Bug, Parts, Reading, Test, Ward, equal, followed
from labcore.compression.judged import fresh_model
from labcore.model.transformer import Transformer
from labcore.text.world import micro_world
from labcore.tuning.lora import LoRAConfig, LoRALinear, attach, corrections, merge

RANKS = (1, 2, 4, 8, 16, 32)
ALPHA = 16.0
TARGETS = ("q", "v", "up")

# The parts, and what people wrote in their place.


def scale_by_rank(config: LoRAConfig) -> float:
    """What the correction is multiplied by."""
    return config.alpha / config.rank


def scale_without_rank(config: LoRAConfig) -> float:
    return config.alpha


def from_zero(b: Tensor, generator: torch.Generator) -> Tensor:
    """How B begins: the product B·A is then zero, whatever A is."""
    return torch.zeros_like(b)


def from_chance(b: Tensor, generator: torch.Generator) -> Tensor:
    return torch.empty_like(b).uniform_(
        -(b.shape[1] ** -0.5), b.shape[1] ** -0.5, generator=generator
    )


def merged_again(model: nn.Module) -> nn.Module:
    """`merge` is called where the model is saved, and was called by the library before."""
    for module in corrections(model).values():
        with torch.no_grad():
            module.base.weight += module.delta()
    return merge(model)


PARTS: Parts = {"scale": scale_by_rank, "start": from_zero, "merge": merge}

# The patient.


def patient(parts: Parts, seed: int, rank: int = 8) -> Transformer:
    """A copy of the story teller with fresh companions."""
    config = LoRAConfig(rank=rank, alpha=ALPHA, targets=TARGETS)
    generator = torch.Generator().manual_seed(seed)
    model = attach(fresh_model(), config, generator)
    for module in corrections(model).values():
        module.scale = parts["scale"](config)
        module.b = nn.Parameter(parts["start"](module.b.data, generator))
    return model.eval()


def trained_a_little(model: Transformer, seed: int) -> Transformer:
    """As after some updates: small numbers in every B."""
    generator = torch.Generator().manual_seed(seed + 1)
    for module in corrections(model).values():
        module.b = nn.Parameter(0.02 * torch.randn(module.b.shape, generator=generator))
    return model


# The tests.


@cache
def story() -> Tensor:
    return torch.tensor(micro_world().dataset(1, seed=901, split="held_out"))


@torch.no_grad()
def first_step(parts: Parts, seed: int) -> Reading:
    """The logits before any update, against those of the model that is to be tuned."""
    said, before = patient(parts, seed)(story()).logits, fresh_model()(story()).logits
    return equal(float((said - before).abs().max()), 1e-4)


@torch.no_grad()
def merged_and_not(parts: Parts, seed: int) -> Reading:
    model = trained_a_little(patient(parts, seed), seed)
    beside = model(story()).logits
    inside = parts["merge"](copy.deepcopy(model))(story()).logits
    return equal(float((beside - inside).abs().max()), 1e-3)


@torch.no_grad()
def size_by_rank(parts: Parts, seed: int) -> Reading:
    """How large the correction B·A is at each rank, with A as drawn and numbers of size 1 in B.

    Its entries are sums of r products, of size √r · σ_A; α/r makes that α σ_A / √r. In units of what it
    is at rank 1.
    """
    sizes = []
    for rank in RANKS:
        model = patient(parts, seed, rank)
        generator = torch.Generator().manual_seed(seed)
        deltas = []
        for module in islice(corrections(model).values(), 3):
            module.b = nn.Parameter(torch.randn(module.b.shape, generator=generator))
            deltas.append(sized(module))
        sizes.append(float(np.mean(deltas)))
    wanted = [rank**-0.5 for rank in RANKS]
    expected = ALPHA / 128**0.5 / 3**0.5  # α σ_A: A is uniform, its bound 1/√I with I = 128
    return followed(RANKS, np.array(sizes) / expected, wanted, 0.15)


def sized(module: LoRALinear) -> float:
    """Root mean square of the correction."""
    return float(module.delta().square().mean().sqrt())


WARD = Ward(
    "corrections", "alignment", PARTS,
    (
        Test("first_step", "equality", first_step),
        Test("merged", "equality", merged_and_not),
        Test("ranks", "curve", size_by_rank),
    ),
    (
        Bug("lora_without_rank", "scale", scale_without_rank,
            ("rasbt/LLMs-from-scratch#821", "jingyaogong/minimind#577"), "lora", "ranks"),
        Bug("lora_from_chance", "start", from_chance,
            ("hao-ai-lab/FastVideo#781", "mflux-community/mflux#739"), "lora", "first_step",
            shown=LoRALinear.__init__),
        Bug("merged_twice", "merge", merged_again,
            ("huggingface/peft#1355",), "lora", "merged"),
    ),
)  # fmt: skip
