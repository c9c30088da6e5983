"""BM25: how well a document answers a query, by the words they share.

A word counts for more if few documents have it, and for more the more often it stands in the document, but
not without end: the tenth time says little that the fifth did not. A long document has more of every word, so
its counts are held against its length.

Source: Robertson & Zaragoza, "The Probabilistic Relevance Framework", 2009; the logarithm that is never
negative is Lucene's.
Axes: D documents.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from labcore.errors import LabInputError

# A run of letters or digits is a word. A Chinese character is one by itself: nothing says where words end.
WORD = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+")


def words_of(text: str) -> list[str]:
    """What is counted: words in lower case, and of Chinese each character and each pair of neighbours.

    >>> words_of("The cat 小花猫")
    ['the', 'cat', '小', '花', '猫', '小花', '花猫']
    """
    found = WORD.findall(text.lower())
    pairs = re.findall(r"(?=([\u3400-\u9fff]{2}))", text)
    return found + pairs


class BM25:
    """An index of some documents."""

    def __init__(self, documents: Sequence[Sequence[str]], k1: float = 1.5, b: float = 0.75):
        """Documents as words. `k1`: how soon a repeated word stops to count; `b`: how much length matters."""
        if not documents:
            raise LabInputError("documents", 0, "at_least", limit=1)
        if not k1 >= 0:
            raise LabInputError("k1", k1, "at_least", limit=0)
        if not 0 <= b <= 1:
            raise LabInputError("b", b, "between", low=0, high=1)
        self.k1, self.b = k1, b
        self.counts = [Counter(words) for words in documents]
        self.lengths = np.array([len(words) for words in documents])  # (D,)
        self.having = Counter(word for counts in self.counts for word in counts)

    def rarity(self, word: str) -> float:
        """ln(1 + (D − n + ½) / (n + ½)), n documents having the word."""
        having = self.having[word]
        return math.log(1 + (len(self.counts) - having + 0.5) / (having + 0.5))

    def scores(self, query: Sequence[str]) -> np.ndarray:
        """Σ over the query's words of rarity · f / (f + k1·(1 − b + b·length / mean length)).  -> (D,)

        Worked by hand: "cat sat", "cat cat dog", "dog ran far", query "cat", k1 = 1.5, b = 0. Two of three
        documents have it: ln(1 + 1.5 / 2.5) = 0.470. Once 0.470 / 2.5 = 0.188, twice 0.470 · 2 / 3.5 = 0.269.
        (Robertson's formula has (k1 + 1) above the line, which changes no ranking; Lucene left it out.)
        """
        mean = self.lengths.mean() or 1.0  # documents without a word: nothing is found in any
        damped = self.k1 * (1 - self.b + self.b * self.lengths / mean)  # (D,)
        total = np.zeros(len(self.counts))
        for word in query:
            often = np.array([counts[word] for counts in self.counts])
            said = np.divide(often, often + damped, out=np.zeros(len(often)), where=often > 0)
            total += self.rarity(word) * said
        return total
