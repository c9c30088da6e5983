"""Many answers, one choice: by majority, by a verifier, or by both.

Sampling a model several times is cheap to do and easy to overrate. A majority helps where the right answer is
the likeliest one, and harms where it is not; a verifier helps as far as it can tell right from wrong.

Sources: self-consistency arXiv:2203.11171; verifiers arXiv:2110.14168; weighted votes arXiv:2206.02336.
"""

from collections.abc import Hashable, Sequence
from math import comb

from labcore.errors import LabInputError


def majority(answers: Sequence[Hashable]) -> Hashable:
    """The commonest answer; of equally common ones, the first to be given.

    >>> majority(["7", "8", "8", "7", "9"])
    '7'
    """
    return weighted_majority(answers, [1.0] * len(answers))


def weighted_majority(answers: Sequence[Hashable], weights: Sequence[float]) -> Hashable:
    """The answer with the greatest sum of weights: a verifier's scores, say.

    >>> weighted_majority(["7", "8", "8"], [0.9, 0.3, 0.4])
    '7'
    """
    if not answers:
        raise LabInputError("answers", 0, "at_least", limit=1)
    totals: dict[Hashable, float] = {}
    for answer, weight in zip(answers, weights, strict=True):
        totals[answer] = totals.get(answer, 0.0) + weight
    return max(totals, key=totals.__getitem__)  # the first of equals, by insertion


def majority_of_two(right: float, answers: int) -> float:
    """Chance that a majority is right where there are two answers, a tie being a toss of a coin.

    Condorcet's theorem: above ½ it grows with the number, below ½ it falls.

    >>> majority_of_two(0.6, 3)  # 0.6³ + 3 · 0.6² · 0.4
    0.648
    """
    if not 0 <= right <= 1:
        raise LabInputError("right", right, "between", low=0, high=1)
    if answers < 1:
        raise LabInputError("answers", answers, "at_least", limit=1)
    chance = [
        comb(answers, k) * right**k * (1 - right) ** (answers - k) for k in range(answers + 1)
    ]
    more = sum(p for k, p in enumerate(chance) if 2 * k > answers)
    tie = chance[answers // 2] / 2 if answers % 2 == 0 else 0.0
    return round(more + tie, 12)
