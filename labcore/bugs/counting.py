"""The ward of counting: what is found, how often at least one answer is right, and whose mean a vector is.

Axes: D documents, N texts, T signs, n answers.
"""

from functools import partial
from itertools import combinations
from math import log

import numpy as np
import torch
from torch import Tensor, nn

from labcore.bugs.case import Bug, Parts, Reading, Test, Ward, equal, followed
from labcore.frontier.bm25 import BM25, words_of
from labcore.guard.classifiers import CharGuard, Signs
from labcore.tuning.pass_at_k import pass_at_k

DOCUMENTS = (
    "the cat sat on the mat", "the dog ran after the cat", "the bird sang in the tree",
    "the fish swam in the pond", "rain fell on the roof", "a quiet day",
)  # fmt: skip
COMMON = "the"
ANSWERS = 12
RIGHT = 2
TEXTS = (
    "open the red box",
    "what a day",
    "please tell me where the blue box in the hall came from",
)

# The parts, and what people wrote in their place.


def rarity_below_zero(index: BM25, word: str) -> float:
    having = index.having[word]
    return log((len(index.counts) - having + 0.5) / (having + 0.5))


def drawn_with_replacement(answers: int, right: int, k: int) -> float:
    return 1 - (1 - right / answers) ** k


def mean_of_real(hidden: Tensor, real: Tensor) -> Tensor:
    """One vector for a text.  (N, T, D), (N, T) -> (N, D)"""
    return (hidden * real[:, :, None]).sum(dim=1) / real.sum(dim=1, keepdim=True)


def mean_of_all(hidden: Tensor, real: Tensor) -> Tensor:
    return hidden.mean(dim=1)


PARTS: Parts = {"rarity": BM25.rarity, "estimate": pass_at_k, "pool": mean_of_real}

# The patients.


def index_with(parts: Parts, documents: list[str]) -> BM25:
    index = BM25([words_of(text) for text in documents])
    index.rarity = partial(parts["rarity"], index)
    return index


def guard_with(parts: Parts, seed: int) -> CharGuard:
    """A small Transformer over signs, untrained, whose pooling is the part."""
    generator = torch.Generator().manual_seed(seed)
    guard = CharGuard(Signs.of(TEXTS), generator).eval()
    guard.line.weight = nn.Parameter(torch.randn(guard.line.weight.shape, generator=generator))
    return guard


# The tests.


def one_word_more(parts: Parts, seed: int) -> Reading:
    """A query, and the same with a word that the document holds: how much does its score rise at least?"""
    index = index_with(parts, list(DOCUMENTS))
    rises = []
    for place, text in enumerate(DOCUMENTS):
        for word in set(words_of(text)):
            rises.append(float(index.scores([word])[place]))
    return Reading(min(rises), 0.0, 10.0)


def order_of_rare_words(parts: Parts, seed: int) -> Reading:
    """Words that at most half of the documents hold: is the rarer worth more? Pairs where not."""
    index = index_with(parts, list(DOCUMENTS))
    half = len(DOCUMENTS) / 2
    words = [word for word in index.having if index.having[word] <= half]
    pairs = [(a, b) for a, b in combinations(sorted(words), 2) if index.having[a] < index.having[b]]
    wrong = sum(index.rarity(a) <= index.rarity(b) for a, b in pairs)
    return equal(wrong / len(pairs), 0.0)


def all_choices(parts: Parts, seed: int) -> Reading:
    """pass@k against going through every choice of k of the twelve answers, two of them right."""
    ks = list(range(1, ANSWERS + 1))
    estimated = [parts["estimate"](ANSWERS, RIGHT, k) for k in ks]
    counted = []
    for k in ks:
        choices = list(combinations(range(ANSWERS), k))
        counted.append(sum(min(choice) < RIGHT for choice in choices) / len(choices))
    return followed(ks, estimated, counted, 1e-9)


def first_answer(parts: Parts, seed: int) -> Reading:
    """pass@1 against the share of right answers."""
    gaps = [abs(parts["estimate"](ANSWERS, right, 1) - right / ANSWERS) for right in range(ANSWERS)]
    return equal(max(gaps), 1e-9)


@torch.no_grad()
def in_company(parts: Parts, seed: int) -> Reading:
    """The score of a short text alone, and in a batch with a long one."""
    guard = guard_with(parts, seed)

    def scores(texts: tuple[str, ...]) -> Tensor:
        ids = guard.signs.ids(texts)
        real = ids != 0
        hidden = guard.body(ids, padding_mask=real).hidden
        return guard.line(parts["pool"](hidden, real))[:, 0]

    alone = torch.cat([scores((text,)) for text in TEXTS])
    return equal(float((alone - scores(TEXTS)).abs().max()), 1e-4)


@torch.no_grad()
def by_length(parts: Parts, seed: int) -> Reading:
    """The score of a text over the number of padding signs behind it, against its score without any."""
    guard, paddings = guard_with(parts, seed), np.arange(0, 33, 4)
    ids = guard.signs.ids((TEXTS[0],))
    found = []
    for count in paddings:
        padded = torch.cat([ids, torch.zeros(1, int(count), dtype=torch.int64)], dim=1)
        real = padded != 0
        hidden = guard.body(padded, padding_mask=real).hidden
        found.append(float(guard.line(parts["pool"](hidden, real))))
    return followed(paddings, found, [found[0]] * len(found), 1e-4)


WARD = Ward(
    "counting", "frontier", PARTS,
    (
        Test("one_word_more", "equality", one_word_more),
        Test("rare_words", "equality", order_of_rare_words),
        Test("first_answer", "equality", first_answer),
        Test("choices", "curve", all_choices),
        Test("in_company", "equality", in_company),
        Test("padding_behind", "curve", by_length),
    ),
    (
        Bug("rarity_below_zero", "rarity", rarity_below_zero,
            ("haifengl/smile#682", "piskvorky/gensim#2684"), "retrieval", "one_word_more"),
        Bug("with_replacement", "estimate", drawn_with_replacement,
            ("verl-project/verl#7240",), "reasoning", "choices"),
        Bug("padding_pooled", "pool", mean_of_all,
            ("jsboige/CoursIA#15045", "huggingface/transformers#17463"), "retrieval", "in_company",
            shown=CharGuard.forward),
    ),
)  # fmt: skip
