"""Packing documents of unequal length into rows of equal length, and keeping them apart in there.

Three ways.  *Pad*: each document has a row of its own, filled up with padding; what is too long is cut
off and lost.  *Cut*: all documents in one long ribbon, cut every T tokens (GPT-2 and GPT-3); no position
is wasted, many documents are torn.  *Fit*: documents go whole into the row where they leave the least
room (best fit decreasing; for language models arXiv:2404.10830); only what is longer than a row is torn.

R rows, T positions of a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.errors import LabInputError

METHODS = ("pad", "cut", "fit")
NO_DOCUMENT = -1  # the number of padding


@dataclass(frozen=True, slots=True)
class Piece:
    """Tokens `start` to `stop` of a document."""

    document: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


Row = tuple[Piece, ...]


def pack(lengths: Sequence[int], size: int, method: str) -> list[Row]:
    """Documents of these lengths in rows of `size` tokens."""
    if size < 2:
        raise LabInputError("row_tokens", size, "at_least", limit=2)
    if method not in METHODS:
        raise LabInputError("method", method, "known_choice", allowed=METHODS)
    return {"pad": pad, "cut": cut, "fit": fit}[method](lengths, size)


def pad(lengths: Sequence[int], size: int) -> list[Row]:
    """One document a row; its end is lost if it does not fit."""
    return [(Piece(n, 0, min(length, size)),) for n, length in enumerate(lengths) if length]


def cut(lengths: Sequence[int], size: int) -> list[Row]:
    """One ribbon of all documents, cut every `size` tokens."""
    rows: list[list[Piece]] = [[]]
    room = size
    for number, length in enumerate(lengths):
        start = 0
        while start < length:
            if room == 0:
                rows.append([])
                room = size
            taken = min(room, length - start)
            rows[-1].append(Piece(number, start, start + taken))
            start, room = start + taken, room - taken
    return [tuple(row) for row in rows if row]


def fit(lengths: Sequence[int], size: int) -> list[Row]:
    """Best fit decreasing: the longest piece first, each into the row where it leaves least room."""
    pieces = [
        Piece(number, start, min(start + size, length))
        for number, length in enumerate(lengths)
        for start in range(0, length, size)
    ]
    rows: list[list[Piece]] = []
    with_room: list[list[int]] = [[] for _ in range(size + 1)]  # room left -> rows
    for piece in sorted(pieces, key=len, reverse=True):
        room = next((room for room in range(len(piece), size) if with_room[room]), size)
        if room == size:
            rows.append([])
        at = with_room[room].pop() if room < size else len(rows) - 1
        rows[at].append(piece)
        with_room[room - len(piece)].append(at)
    return [tuple(row) for row in rows]


@dataclass(frozen=True, slots=True)
class PackingReport:
    """What a way of packing costs. Shares of 1."""

    rows: int
    positions: int  # rows · size
    tokens: int  # of the documents, in rows
    wasted: float  # share of positions that hold padding
    lost: float  # share of the documents' tokens that are in no row
    torn: float  # share of the documents that are not whole in one row
    foreign: float  # share of what a causal mask lets a token see that belongs to another document


def report(rows: Sequence[Row], lengths: Sequence[int], size: int) -> PackingReport:
    """Count, row by row; a row of n tokens has n(n + 1)/2 pairs of a query and a key before it."""
    tokens = sum(len(piece) for row in rows for piece in row)
    whole = sum(len(piece) == lengths[piece.document] for row in rows for piece in row)
    documents = sum(length > 0 for length in lengths)
    visible = sum(_pairs(sum(map(len, row))) for row in rows)
    own = sum(_pairs(len(piece)) for row in rows for piece in row)
    positions = len(rows) * size
    return PackingReport(
        rows=len(rows),
        positions=positions,
        tokens=tokens,
        wasted=1 - tokens / positions if positions else 0.0,
        lost=1 - tokens / sum(lengths) if sum(lengths) else 0.0,
        torn=1 - whole / documents if documents else 0.0,
        foreign=1 - own / visible if visible else 0.0,
    )


def _pairs(tokens: int) -> int:
    return tokens * (tokens + 1) // 2


@dataclass(frozen=True, slots=True, eq=False)
class PackedRows:
    """Rows as tables. A document's number is its place in its row; positions restart with each."""

    tokens: Tensor  # (R, T) int64
    documents: Tensor  # (R, T) int64, NO_DOCUMENT where there is padding
    positions: Tensor  # (R, T) int64

    def __len__(self) -> int:
        return len(self.tokens)

    def rows(self, numbers: Sequence[int]) -> "PackedRows":
        at = list(numbers)
        return PackedRows(self.tokens[at], self.documents[at], self.positions[at])


def fill(rows: Sequence[Row], ids: Sequence[Sequence[int]], size: int, pad_id: int) -> PackedRows:
    """Put the documents' ids into their rows."""
    tokens = np.full((len(rows), size), pad_id, dtype=np.int64)
    documents = np.full((len(rows), size), NO_DOCUMENT, dtype=np.int64)
    positions = np.zeros((len(rows), size), dtype=np.int64)
    for number, row in enumerate(rows):
        at = 0
        for place, piece in enumerate(row):
            end = at + len(piece)
            tokens[number, at:end] = ids[piece.document][piece.start : piece.stop]
            documents[number, at:end] = place
            positions[number, at:end] = np.arange(len(piece))
            at = end
    return PackedRows(*map(torch.from_numpy, (tokens, documents, positions)))


def document_mask(documents: Tensor) -> Tensor:
    """Who may look at whom: not ahead, and not into another document.  (T,) -> (T, T) bool"""
    same = documents[:, None] == documents[None, :]
    return same & torch.ones_like(same).tril() & (documents != NO_DOCUMENT)[:, None]
