"""What a document sees of its neighbour in a packed row, measured with a trained model.

Two stories share a row.  The first is exchanged for another of the same length, and the logits of the
second are watched: whatever changes there was read across the border.  With document masks nothing may.

B pairs of stories, T positions of a row, S tokens of the second story.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore import zoo
from labcore.architecture.build_train_corpus import world
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.text.packing import PackedRows, Piece, fill
from labcore.training.objectives import IGNORE, packed_batch, token_losses

MODEL = "world-decoder"
FRONT_TOKENS = 48  # of the story in front, so that every second story begins at the same place
SECOND_TOKENS = 48
SEEDS = 3


@lab_config
class LeakConfig:
    pairs: int = 8  # for each seed
    seed: int = 0  # the first of three

    def __post_init__(self) -> None:
        if not 1 <= self.pairs <= 64:
            raise LabInputError("pairs", self.pairs, "between", low=1, high=64)


@dataclass(frozen=True, slots=True, eq=False)
class LeakResult:
    tokens: list[str]  # (S,) labels of the second story of the first pair
    open_change: np.ndarray  # (B, S) largest change of any logit, first story exchanged, no mask
    closed_change: np.ndarray  # (B, S) the same with document masks
    alone_nats: np.ndarray  # (seeds,) loss per token of the second stories, each read alone
    open_nats: np.ndarray  # (seeds,) behind another story, without masks
    closed_nats: np.ndarray  # (seeds,) behind another story, with document masks


def run(config: LeakConfig) -> LeakResult:
    """Exchange the neighbour, watch the document; then price what the neighbour costs."""
    model = zoo.load(MODEL).model
    label = world().tokenizer.label
    nats: list[tuple[float, float, float]] = []
    for seed in range(config.seed, config.seed + SEEDS):
        front, other, second = told(config.pairs, seed)
        rows = side_by_side(front, second)
        nats.append((
            loss_of_last(model, side_by_side(None, second), apart=True),
            loss_of_last(model, rows, apart=False),
            loss_of_last(model, rows, apart=True),
        ))  # fmt: skip
        if seed == config.seed:
            exchanged = side_by_side(other, second)
            changes = [change(model, rows, exchanged, apart) for apart in (False, True)]
            tokens = [label(token) for token in second[0]]
    return LeakResult(tokens, *changes, *np.array(nats).T)


def told(pairs: int, seed: int) -> tuple[list[list[int]], ...]:
    """Held-out stories of the micro-world: in front, to exchange it for, and behind.  3 · pairs"""
    ids = world().dataset(3 * pairs + 8, seed, split="held_out")
    long = [row for row in ids if len(row) >= SECOND_TOKENS][: 3 * pairs]
    front, other, second = (long[at::3] for at in range(3))
    cut = [[row[:FRONT_TOKENS] for row in rows] for rows in (front, other)]
    return *cut, [row[:SECOND_TOKENS] for row in second]


def side_by_side(front: list[list[int]] | None, second: list[list[int]]) -> PackedRows:
    """Rows of two documents, or of the second alone."""
    ids = [*(front or []), *second]
    ahead = len(front or [])
    rows = [
        (*([Piece(n, 0, FRONT_TOKENS)] if front else []), Piece(ahead + n, 0, len(second[n])))
        for n in range(len(second))
    ]
    size = (FRONT_TOKENS if front else 0) + SECOND_TOKENS
    return fill(rows, ids, size, pad_id=0)


@torch.no_grad()
def change(model, rows: PackedRows, exchanged: PackedRows, apart: bool) -> np.ndarray:
    """The largest change of a logit at each position of the second document.  -> (B, S)"""
    before, after = (logits(model, packed, apart) for packed in (rows, exchanged))
    return (before - after).abs().amax(dim=-1)[:, FRONT_TOKENS:].numpy()


def logits(model, packed: PackedRows, apart: bool) -> Tensor:
    """Read the rows, the documents kept apart or not.  -> (B, T, V)"""
    batch = packed_batch(packed, apart)
    return model(
        batch.tokens,
        padding_mask=batch.padding_mask,
        documents=batch.documents,
        positions=batch.positions,
    ).logits


@torch.no_grad()
def loss_of_last(model, packed: PackedRows, apart: bool) -> float:
    """Nats per token of the last document of each row."""
    batch = packed_batch(packed, apart)
    last = packed.documents == packed.documents.max(dim=1, keepdim=True).values
    asked = last & (batch.targets != IGNORE)
    return float(token_losses(model, batch)[0][asked].mean())
