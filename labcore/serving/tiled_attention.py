"""Attention in tiles: the softmax of a row without ever holding the row (FlashAttention's algorithm).

A softmax needs the largest score of its row and the sum of all exponentials. Neither is known before the
last key has been seen, but both can be carried along: when a tile brings a larger maximum, what was summed
so far is scaled down by e^(old − new), and goes on. At the end the result is exact, not approximate; what is
saved is not arithmetic but trips to the large, slow memory, where the T·S scores would have to lie.

Sources: Milakov & Gimelshein arXiv:1805.02867 (online softmax); FlashAttention arXiv:2205.14135;
FlashAttention-2 arXiv:2307.08691 (queries outside, keys inside, as here).
Axes: B batch, H heads, T query position, S key position, d head width, M queries and N keys of a tile.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from labcore.errors import LabInputError


@dataclass(slots=True, eq=False)
class Running:
    """What is carried from tile to tile for M queries."""

    largest: Tensor  # (…, M, 1) the largest score so far
    total: Tensor  # (…, M, 1) Σ e^(score − largest) so far
    mixed: Tensor  # (…, M, d) Σ e^(score − largest) · value so far, not yet divided

    @property
    def output(self) -> Tensor:
        """Attention over the keys seen so far.  -> (…, M, d); 0 where no key was allowed"""
        return self.mixed / self.total.clamp(min=torch.finfo(self.total.dtype).tiny)


def nothing_seen(queries: Tensor, width: int) -> Running:
    """Before the first tile.  queries (…, M, d)"""
    rows = queries.new_zeros(*queries.shape[:-1], 1)
    return Running(rows - torch.inf, rows, queries.new_zeros(*queries.shape[:-1], width))


def take_in(so_far: Running, scores: Tensor, values: Tensor) -> Running:
    """One more tile of keys.  scores (…, M, N), −inf where a key is not allowed; values (…, N, d)

    Worked by hand, one query, values 1 and 0, scores 0 and ln 3 in two tiles. After the first: largest 0,
    total 1, mixed 1, output 1. The second brings ln 3: what was there shrinks to a third, total 1/3 + 1 =
    4/3, mixed 1/3 + 0, output 1/4, which is softmax(0, ln 3) = (1/4, 3/4) applied to (1, 0).
    """
    largest = torch.maximum(so_far.largest, scores.amax(dim=-1, keepdim=True))
    # subtle: while no key was allowed the maximum is −inf, and −inf − (−inf) is not a number.
    shift = largest.clamp(min=torch.finfo(largest.dtype).min)
    shrink = (so_far.largest - shift).exp()
    weights = (scores - shift).exp()  # (…, M, N)
    return Running(
        largest,
        so_far.total * shrink + weights.sum(dim=-1, keepdim=True),
        so_far.mixed * shrink + weights @ values,
    )


@dataclass(slots=True)
class Traffic:
    """Numbers moved between the large memory and the small fast one, counted as they go."""

    read: int = 0
    written: int = 0
    most_held: int = field(default=0)  # of scores, at any one time

    @property
    def moved(self) -> int:
        return self.read + self.written


@dataclass(frozen=True, slots=True, eq=False)
class TileEvent:
    """After one tile: where it stood, and what is carried on."""

    queries: slice
    keys: slice
    running: Running
    read: int  # numbers so far
    written: int  # so far: results leave when their row of tiles is done


def tiles(length: int, size: int) -> Iterator[slice]:
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))


def tiled_attention(
    q: Tensor, k: Tensor, v: Tensor, causal: bool, query_tile: int, key_tile: int
) -> Generator[TileEvent, None, tuple[Tensor, Traffic]]:
    """softmax(q·kᵀ/√d)·v tile by tile.  q (…, T, d), k and v (…, S, d) -> (…, T, d), what was moved

    Queries stand at the end of the keys' text, as they do behind a cache: query t may see the keys up to
    S − T + t. A tile of keys that no query of the tile may see is not even read.
    """
    if min(query_tile, key_tile) < 1:
        raise LabInputError("tile", min(query_tile, key_tile), "at_least", limit=1)
    length, behind = q.shape[-2], k.shape[-2] - q.shape[-2]
    output, traffic = torch.empty_like(q[..., : v.shape[-1]]), Traffic()
    for rows in tiles(length, query_tile):
        queries = q[..., rows, :]
        traffic.read += queries.numel()
        running = nothing_seen(queries, v.shape[-1])
        for columns in tiles(k.shape[-2], key_tile):
            if causal and columns.start > behind + rows.stop - 1:
                break
            keys, values = k[..., columns, :], v[..., columns, :]
            traffic.read += keys.numel() + values.numel()
            scores = queries @ keys.transpose(-2, -1) * q.shape[-1] ** -0.5  # (…, M, N)
            if causal:
                scores = scores.masked_fill(ahead(rows, columns, behind), -torch.inf)
            traffic.most_held = max(traffic.most_held, scores.numel())
            running = take_in(running, scores, values)
            yield TileEvent(rows, columns, running, traffic.read, traffic.written)
        output[..., rows, :] = running.output
        traffic.written += running.mixed.numel()
    return output, traffic


def ahead(rows: slice, columns: slice, behind: int) -> Tensor:
    """True where a key lies in a query's future.  -> (M, N)"""
    query = torch.arange(rows.start, rows.stop)[:, None] + behind
    return torch.arange(columns.start, columns.stop)[None, :] > query


def plain_attention(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> tuple[Tensor, Traffic]:
    """The textbook's way: all scores, then all weights, then the sum; each written and read again.

    q (…, T, d), k and v (…, S, d) -> (…, T, d), what a machine moves that does one step after the other
    """
    scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5  # (…, T, S)
    if causal:
        everything = slice(0, q.shape[-2]), slice(0, k.shape[-2])
        scores = scores.masked_fill(ahead(*everything, k.shape[-2] - q.shape[-2]), -torch.inf)
    output = scores.softmax(dim=-1) @ v
    # q and k in, scores out; scores in, weights out; weights and v in, result out.
    read = q.numel() + k.numel() + scores.numel() + scores.numel() + v.numel()
    return output, Traffic(read, 2 * scores.numel() + output.numel(), scores.numel())


def tiled_moves(length: int, width: int, query_tile: int, causal: bool, key_tile: int) -> int:
    """The same count as a formula, for one head and T = S.

    Queries are read and results written once: 2·T·d. Keys and values are read for every tile of queries:
    2·d times the keys that it looks at, all T of them, or, causal, those up to its last query, in whole
    tiles.
    """
    seen = 0
    for rows in tiles(length, query_tile):
        last = rows.stop if causal else length
        seen += min(length, -(-last // key_tile) * key_tile)
    return 2 * length * width + 2 * width * seen


def plain_moves(length: int, width: int) -> int:
    """4·T·d for queries, keys, values and results, 4·T² for scores and weights, out and in."""
    return 4 * length * width + 4 * length**2
