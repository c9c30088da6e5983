"""Conversations packed into rows: what padding wastes, and what a mask between them is worth.

The same conversations are read by the same model three times: each in a row of its own, several to a row and
kept apart, several to a row with the wall taken down. Where the logits agree, packing has changed nothing.

Axes: N conversations, R rows, T positions of a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.transformer import Transformer
from labcore.text.masking import IGNORE
from labcore.text.packing import NO_DOCUMENT, document_mask, fill, pack, report
from labcore.text.stories import LANGUAGES
from labcore.tuning.chat import Conversation, labels
from labcore.tuning.world_assistant import assistant_tokenizer, rendered, untrained
from labcore.tuning.world_instructions import instructions

ROW_TOKENS = (64, 192)
CONVERSATIONS = (4, 32)
PADDING, READ, ASKED = 0, 1, 2  # what a position of a row is


@lab_config
class PackingConfig:
    conversations: int = 16
    row_tokens: int = 96
    seed: int = 0

    def __post_init__(self):
        limits = (("conversations", CONVERSATIONS), ("row_tokens", ROW_TOKENS))
        for name, (low, high) in limits:
            if not low <= getattr(self, name) <= high:
                raise LabInputError(name, getattr(self, name), "between", low=low, high=high)


@dataclass(frozen=True, slots=True, eq=False)
class PackingResult:
    padded: np.ndarray  # (N, T) int64: what each position is, one conversation a row
    packed: np.ndarray  # (R, T) int64: the same, packed
    padded_waste: float  # share of the positions
    packed_waste: float
    asked_share: float  # of the conversations' tokens, those that the loss asks for
    mask: np.ndarray  # (T, T) bool: who may look at whom in the fullest row
    apart_change: float  # largest difference of a logit between alone and packed, kept apart
    open_change: float  # the same without the wall


def run(config: PackingConfig) -> PackingResult:
    generator = torch.Generator().manual_seed(config.seed)
    drawn = islice(instructions(LANGUAGES, generator), config.conversations)
    said = [rendered(one.row, one.language) for one in drawn]
    lengths, size = [len(one.ids) for one in said], config.row_tokens
    asked = [labels(one) for one in said]
    placed = {method: pack(lengths, size, method) for method in ("pad", "fit")}
    kinds = [[READ if it == IGNORE else ASKED for it in one] for one in asked]
    waste = {method: report(rows, lengths, size).wasted for method, rows in placed.items()}
    fullest = fill([max(placed["fit"], key=len)], kinds, size, PADDING).documents[0]
    model = untrained().requires_grad_(False).eval()
    return PackingResult(
        padded=fill(placed["pad"], kinds, size, PADDING).tokens.numpy(),
        packed=fill(placed["fit"], kinds, size, PADDING).tokens.numpy(),
        padded_waste=waste["pad"],
        packed_waste=waste["fit"],
        asked_share=float(np.mean([it == ASKED for one in kinds for it in one])),
        mask=document_mask(fullest).numpy(),
        apart_change=logit_change(model, said, size, apart=True),
        open_change=logit_change(model, said, size, apart=False),
    )


@torch.no_grad()
def logit_change(model: Transformer, said: Sequence[Conversation], size: int, apart: bool) -> float:
    """The largest difference of any logit between a conversation alone and packed with others."""
    ids = [one.ids for one in said]
    placed = pack([len(one) for one in ids], size, "fit")
    rows = fill(placed, ids, size, assistant_tokenizer().pad_id)
    walls = {"documents": rows.documents, "positions": rows.positions} if apart else {}
    real = rows.documents != NO_DOCUMENT
    together = model(rows.tokens, padding_mask=real, **walls).logits  # (R, T, V)
    changes = []
    for row, pieces in zip(together, placed, strict=True):
        at = 0
        for piece in pieces:
            alone = model(torch.tensor([ids[piece.document][piece.start : piece.stop]])).logits[0]
            changes.append((row[at : at + len(piece)] - alone).abs().max())
            at += len(piece)
    return float(torch.stack(changes).max())
