"""Near-duplicates without comparing every text with every other: shingles, MinHash, LSH.

A text becomes the set of its shingles, all runs of k characters.  How alike two texts are is the Jaccard
similarity of their sets, |A ∩ B| / |A ∪ B|.  Under a random order of all shingles, two sets begin with
the same one with exactly this probability; so a signature of P minima estimates it (MinHash, Broder
1997).  Cut into bands of r minima, two signatures meet in at least one band with the probability
1 - (1 - s^r)^b, an S-curve: only texts that meet are ever compared (LSH, Indyk and Motwani 1998).

The hashes are those of datasketch's scheme "affine32", so that a test can hold every minimum to it.

N documents, P minima (hash functions), E pairs.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations, pairwise

import numpy as np

from labcore.errors import LabInputError
from labcore.text.cleaning import window_hashes


def shingles(text: str, size: int = 5) -> np.ndarray:
    """The set of all runs of `size` characters, as sorted hashes.  -> (S,) uint32

    A text shorter than `size` is one shingle; characters work for Chinese and for English alike.
    """
    if size < 1:
        raise LabInputError("shingle", size, "at_least", limit=1)
    if not text:
        return np.empty(0, np.uint32)
    return np.unique((window_hashes(text, size) >> np.uint64(32)).astype(np.uint32))


def jaccard(left: np.ndarray, right: np.ndarray) -> float:
    """|A ∩ B| / |A ∪ B| of two sets of shingles; of two empty sets 0."""
    common = len(np.intersect1d(left, right, assume_unique=True))
    together = len(left) + len(right) - common
    return common / together if together else 0.0


def hash_functions(count: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """`count` permutations h -> a·h + b mod 2^32; an odd `a` makes each of them one.  -> (P,), (P,)"""
    a = generator.integers(0, 2**31, count, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return a, generator.integers(0, 2**32, count, dtype=np.uint32)


def signature(items: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smallest hash of the set under each permutation.  (S,) uint32 -> (P,) uint32

    subtle: uint32 arithmetic wraps around, which is the "mod 2^32".
    """
    if not len(items):
        return np.full(len(a), np.iinfo(np.uint32).max, np.uint32)
    return (scrambled(items)[:, None] * a + b).min(axis=0)


def scrambled(hashes: np.ndarray) -> np.ndarray:
    """Spread neighbouring numbers over all 32 bits (the last step of MurmurHash3, a bijection)."""
    h = hashes.copy()
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h ^= h >> np.uint32(shift)
        h *= np.uint32(factor)
    return h ^ (h >> np.uint32(16))


def estimated_jaccard(left: np.ndarray, right: np.ndarray) -> float:
    """The share of permutations under which both sets begin alike; its error is about 1/√P."""
    return float((left == right).mean())


def candidate_probability(similarity: np.ndarray, bands: int, rows: int) -> np.ndarray:
    """How likely two texts of this similarity meet in at least one band: the S-curve.

    s^rows: one band agrees throughout; 1 - s^rows: it does not; to the power of `bands`: none does.
    """
    return 1 - (1 - similarity**rows) ** bands


def steepest_similarity(bands: int, rows: int) -> float:
    """About where the S-curve rises: (1/b)^(1/r)."""
    return (1 / bands) ** (1 / rows)


def candidate_pairs(
    signatures: np.ndarray, bands: int, rows: int, crowd_limit: int = 200
) -> set[tuple[int, int]]:
    """Pairs whose signatures agree in all rows of at least one band.  (N, P) -> pairs i < j

    Each band throws every document into a bucket; who shares a bucket will be compared.  A crowd
    larger than `crowd_limit` is joined as a chain, not in all its pairs, which would be too many.
    """
    if bands < 1 or rows < 1 or bands * rows > signatures.shape[1]:
        raise LabInputError("bands", bands * rows, "at_most", limit=signatures.shape[1])
    met: set[tuple[int, int]] = set()
    for band in range(bands):
        buckets: dict[bytes, list[int]] = defaultdict(list)
        for number, row in enumerate(signatures[:, band * rows : (band + 1) * rows]):
            buckets[row.tobytes()].append(number)
        for crowd in buckets.values():
            if len(crowd) <= crowd_limit:
                met.update(combinations(crowd, 2))
            else:
                met.update(pairwise(crowd))
    return met


def clusters(count: int, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """Join what is connected: each document's cluster is named by its first member.  -> (count,)"""
    parent = list(range(count))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for left, right in pairs:
        first, second = sorted((root(left), root(right)))
        parent[second] = first
    return np.array([root(node) for node in range(count)], dtype=np.int64)


def all_similarities(sets: Sequence[np.ndarray], least: float) -> tuple[np.ndarray, np.ndarray]:
    """Every pair with a Jaccard similarity of at least `least`, found exactly.  -> (E, 2), (E,)

    What LSH is judged by: an index from shingle to documents counts what each pair shares.  Its cost
    grows with the square of how often a shingle occurs, which is why nobody does this with the web.
    """
    sizes = np.array([len(items) for items in sets], dtype=np.int64)
    owner = np.repeat(np.arange(len(sets)), sizes)
    _, shingle = np.unique(np.concatenate([*sets, np.empty(0, np.uint32)]), return_inverse=True)
    order = np.argsort(shingle, kind="stable")
    holders, starts = (
        owner[order],
        np.searchsorted(shingle[order], np.arange(shingle.max(initial=-1) + 2)),
    )
    pairs, values = [], []
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    for number in range(len(sets)):
        mine = shingle[bounds[number] : bounds[number + 1]]
        met = [holders[starts[k] : starts[k + 1]] for k in mine]
        if not met:
            continue
        common = np.bincount(np.concatenate(met), minlength=len(sets))[number + 1 :]
        others = np.arange(number + 1, len(sets))
        similar = common / np.maximum(1, sizes[number] + sizes[others] - common)
        alike = np.flatnonzero(similar >= least)
        pairs.append(np.column_stack([np.full(len(alike), number), others[alike]]))
        values.append(similar[alike])
    if not pairs:
        return np.empty((0, 2), np.int64), np.empty(0)
    return np.concatenate(pairs), np.concatenate(values)
