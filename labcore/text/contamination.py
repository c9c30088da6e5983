"""Contamination: does the training text hold the questions of the test?

The usual check is overlap of n-grams: a document is suspect if it shares a run of n words with a test
item (GPT-3 takes n = 13, arXiv:2005.14165, appendix C).  Words are compared without case, marks and
layout.  A small n accuses innocent documents, a large n misses whatever was reworded; that no n is right
for everything is the lesson.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from labcore.errors import LabInputError
from labcore.text.bpe import HAN
from labcore.text.evaluation_sets import Item

WORD = re.compile(rf"[{HAN}]|[^\W_{HAN}]+")
Gram = tuple[str, ...]
Index = dict[Gram, set[int]]  # n-gram -> numbers of the items that hold it


@dataclass(frozen=True, slots=True)
class Hit:
    """One document that shares at least one n-gram with at least one item."""

    items: tuple[int, ...]  # the items met, most shared n-grams first
    shared: int  # n-grams shared with the first of them
    example: str  # the first shared n-gram


def words(text: str) -> list[str]:
    """Words and numbers in lower case; each Han character is a word.

    >>> words("Return a+B, 返回 x_1")
    ['return', 'a', 'b', '返', '回', 'x', '1']
    """
    return WORD.findall(text.casefold())


def grams(text: str, n: int) -> list[Gram]:
    said = words(text)
    return [tuple(said[at : at + n]) for at in range(len(said) - n + 1)]


def index_of(items: Sequence[Item], n: int) -> Index:
    """Which items hold which n-gram; an item of fewer than n words has none and cannot be found."""
    if n < 1:
        raise LabInputError("gram", n, "at_least", limit=1)
    index: Index = defaultdict(set)
    for number, item in enumerate(items):
        for gram in grams(item.text, n):
            index[gram].add(number)
    return dict(index)


def look_up(text: str, index: Index, n: int) -> Hit | None:
    """What a document shares with the test, None if nothing."""
    found = [gram for gram in dict.fromkeys(grams(text, n)) if gram in index]
    if not found:
        return None
    shared: dict[int, int] = defaultdict(int)
    for gram in found:
        for item in index[gram]:
            shared[item] += 1
    order = sorted(shared, key=lambda item: (-shared[item], item))
    return Hit(tuple(order), shared[order[0]], " ".join(found[0]))
