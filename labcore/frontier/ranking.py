"""How good a ranking is: was what one needed among the first, and how far up?

Each takes a ranking (documents, best first) and the set of those that answer the question.

Source: Manning, Raghavan & Schütze, "Introduction to Information Retrieval", chapter 8; nDCG: Järvelin &
Kekäläinen 2002.
"""

import math
from collections.abc import Collection, Hashable, Sequence

from labcore.errors import LabInputError


def recall_at(ranking: Sequence[Hashable], relevant: Collection[Hashable], k: int) -> float:
    """Share of the relevant documents that stand among the first k.

    >>> recall_at(["a", "b", "c", "d"], {"b", "d", "e"}, k=3)  # one of three
    0.333...
    """
    check(relevant, k)
    return len(set(ranking[:k]) & set(relevant)) / len(set(relevant))


def reciprocal_rank(ranking: Sequence[Hashable], relevant: Collection[Hashable]) -> float:
    """1 over the place of the first relevant document; 0 if there is none. Its mean over queries is MRR.

    >>> reciprocal_rank(["a", "b", "c"], {"b", "c"})
    0.5
    """
    check(relevant, 1)
    places = (place for place, one in enumerate(ranking, 1) if one in set(relevant))
    return 1 / next(places, math.inf)


def ndcg_at(ranking: Sequence[Hashable], relevant: Collection[Hashable], k: int) -> float:
    """Σ 1 / log₂(place + 1) over the relevant among the first k, as a share of the best possible.

    Worked by hand: relevant at places 1 and 3 of 2 relevant: 1 + 1 / log₂ 4 = 1.5; best, places 1 and 2,
    1 + 1 / log₂ 3 = 1.631; 0.920.
    """
    check(relevant, k)
    wanted = set(relevant)
    gained = sum(1 / math.log2(at + 1) for at, one in enumerate(ranking[:k], 1) if one in wanted)
    best = sum(1 / math.log2(place + 1) for place in range(1, min(k, len(wanted)) + 1))
    return gained / best


def check(relevant: Collection[Hashable], k: int) -> None:
    if not relevant:
        raise LabInputError("relevant", 0, "at_least", limit=1)
    if k < 1:
        raise LabInputError("k", k, "at_least", limit=1)
