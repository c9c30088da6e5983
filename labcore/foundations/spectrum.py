"""The singular values of matrices that a model has learnt, and what is lost when the small ones go.

A weight matrix of `world-decoder` is taken apart, cut to rank r and held against a control: the same
numbers shuffled, so that whatever structure there was is gone. One object is a product by itself: a head's
scores are xᵀ·(Wqᵀ·Wk)·y, and Wqᵀ·Wk, 128 × 128, cannot have a rank above the head's width, 32. (Without
the turn of the position encoding, that is for two tokens at the same place.)

Axes: m outputs, n inputs, R singular values, C ranks at which the model is judged.
Source: Eckart & Young 1936 (the best approximation); Elhage et al. 2021 (the product of a head).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from labcore.compression import judged
from labcore.configs import lab_config
from labcore.errors import LabInputError, check_choices
from labcore.foundations.singular import cut_to_rank, errors_by_rank, jacobi_svd
from labcore.text.world import micro_world
from labcore.training.objectives import Batch, causal_batch
from labcore.zoo import load

KINDS = ("q", "k", "v", "out", "up", "down", "head")  # "head": Wqᵀ·Wk of one head
LAYERS, HEADS = 4, 4
JUDGED_RANKS = (0, 1, 2, 4, 8, 16, 32, 64, 128)
STORIES = 8  # to judge by: enough for an order, and read in a moment


@lab_config
class SpectrumConfig:
    layer: int = 3
    kind: str = "out"
    head: int = 0  # for "head" only
    rank: int = 16
    seed: int = 0  # of the shuffle

    def __post_init__(self):
        check_choices(self, {"kind": KINDS})
        for name, count in (("layer", LAYERS), ("head", HEADS)):
            if not 0 <= getattr(self, name) < count:
                raise LabInputError(name, getattr(self, name), "between", low=0, high=count - 1)
        if not 0 <= self.rank <= 128:
            raise LabInputError("rank", self.rank, "between", low=0, high=128)


@dataclass(frozen=True, slots=True, eq=False)
class SpectrumResult:
    shape: tuple[int, int]  # (m, n)
    matrix: np.ndarray  # (m, n)
    cut: np.ndarray  # (m, n) the best of rank r
    values: np.ndarray  # (R,) singular values
    shuffled: np.ndarray  # (R,) of the control
    errors: np.ndarray  # (R + 1,) ‖A − A_r‖ / ‖A‖ by rank
    shuffled_errors: np.ndarray  # (R + 1,)
    measured_error: float  # at the rank chosen, from the two matrices themselves
    numbers: int  # that rank r needs: r·(m + n)
    all_numbers: int  # m·n


@dataclass(frozen=True, slots=True, eq=False)
class JudgedResult:
    ranks: np.ndarray  # (C,)
    nats: np.ndarray  # (C,) the model's loss with this one matrix cut to the rank
    small_nats: np.ndarray  # (C,) control: as many terms, but those of the smallest singular values
    full_nats: float
    floor_nats: float


def weight_of(config: SpectrumConfig) -> np.ndarray:
    """The matrix in question, as numbers of 64 bits.  (m, n)"""
    linears = judged.matrices(load(judged.MODEL).model)
    part = "mlp" if config.kind in ("up", "down") else "attn"

    def numbers(kind: str) -> np.ndarray:
        return (
            linears[f"stack.layers.{config.layer}.{part}.{kind}"].weight.detach().double().numpy()
        )

    if config.kind != "head":
        return numbers(config.kind)
    width = 128 // HEADS
    rows = slice(config.head * width, (config.head + 1) * width)
    return numbers("q")[rows].T @ numbers("k")[rows]


@lru_cache(maxsize=32)
def taken_apart(layer: int, kind: str, head: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """U (m, R), σ (R,), V (n, R) of a weight matrix."""
    matrix = weight_of(SpectrumConfig(layer, kind, head))
    wide = matrix.shape[0] < matrix.shape[1]
    # First it is made square: Q·R with Qᵀ·Q = 1, and Q keeps every length. On Rᵀ the rotations need
    # fewer rounds than on R (Drmač & Veselić 2008).
    q, r = np.linalg.qr(matrix.T if wide else matrix)
    right, values, left = jacobi_svd(r.T)
    return (right, values, q @ left) if wide else (q @ left, values, right)


def run(config: SpectrumConfig) -> SpectrumResult:
    matrix = weight_of(config)
    left, values, right = taken_apart(config.layer, config.kind, config.head)
    rank = min(config.rank, len(values))
    cut = cut_to_rank(left, values, right, rank)
    generator = torch.Generator().manual_seed(config.seed)
    order = torch.randperm(matrix.size, generator=generator).numpy()
    shuffled = np.linalg.svd(matrix.ravel()[order].reshape(matrix.shape), compute_uv=False)
    return SpectrumResult(
        matrix.shape, matrix.astype(np.float32), cut.astype(np.float32), values, shuffled,
        errors_by_rank(values), errors_by_rank(shuffled),
        float(np.linalg.norm(matrix - cut) / np.linalg.norm(matrix)),
        rank * sum(matrix.shape), matrix.size,
    )  # fmt: skip


@lru_cache(maxsize=1)
def stories() -> tuple[tuple[Batch, ...], float]:
    """Held-out stories, and the lowest loss on them."""
    world = micro_world()
    ids = world.dataset(STORIES, seed=judged.HELD_OUT_SEED, split="held_out")
    batch = causal_batch(sorted(ids, key=len), world.tokenizer.pad_id)
    return (batch,), world.causal_floor(ids).nats_per_token


@torch.no_grad()
def judge(config: SpectrumConfig) -> JudgedResult:
    """The model's loss with one of its matrices cut to every rank, largest terms kept or smallest."""
    if config.kind == "head":
        raise LabInputError("kind", config.kind, "known_choice")
    batches, floor = stories()
    left, values, right = taken_apart(config.layer, config.kind, 0)
    model = judged.fresh_model()
    part = "mlp" if config.kind in ("up", "down") else "attn"
    linear = judged.matrices(model)[f"stack.layers.{config.layer}.{part}.{config.kind}"]
    full = judged.loss_nats(model, batches)
    found: dict[str, list[float]] = {"large": [], "small": []}
    for rank in JUDGED_RANKS:
        for name, terms in (("large", slice(rank)), ("small", slice(len(values) - rank, None))):
            kept = (left[:, terms] * values[terms]) @ right[:, terms].T
            linear.weight.copy_(torch.from_numpy(kept).float())
            found[name].append(judged.loss_nats(model, batches))
    return JudgedResult(
        np.array(JUDGED_RANKS), np.array(found["large"]), np.array(found["small"]), full, floor
    )
