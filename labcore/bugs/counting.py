"""The ward of counting: what is found, how often at least one answer is right, and whose mean a vector is.

Axes: D documents, N texts, T tokens, n answers.
"""

from collections.abc import Sequence
from functools import partial
from itertools import combinations
from math import log

import torch
import torch.nn.functional as F
from torch import Tensor

from labcore.bugs.case import Bug, Parts, Reading, Test, Ward, equal, followed
from labcore.frontier.bm25 import BM25, words_of
from labcore.retrieval.embedding import mean_pooled
from labcore.text.masking import collate
from labcore.tuning.pass_at_k import pass_at_k
from labcore.zoo import load

DOCUMENTS = (
    "the cat sat on the mat", "the dog ran after the cat", "the bird sang in the tree",
    "the fish swam in the pond", "rain fell on the roof", "a quiet day",
)  # fmt: skip
COMMON = "the"
ANSWERS = 12
RIGHT = 2
ENCODER = "world-encoder"
TEXTS = (
    "Lily was sad.",
    "It was raining.",
    "One morning, Emma walked to the forest with a yellow hat and played with Gang there.",
)

# The parts, and what people wrote in their place.


def rarity_below_zero(index: BM25, word: str) -> float:
    having = index.having[word]
    return log((len(index.counts) - having + 0.5) / (having + 0.5))


def drawn_with_replacement(answers: int, right: int, k: int) -> float:
    return 1 - (1 - right / answers) ** k


def mean_of_all(hidden: Tensor, real: Tensor) -> Tensor:
    return F.normalize(hidden.mean(dim=1), dim=1)


PARTS: Parts = {"rarity": BM25.rarity, "estimate": pass_at_k, "pool": mean_pooled}

# The patients.


def index_with(parts: Parts, documents: list[str]) -> BM25:
    index = BM25([words_of(text) for text in documents])
    index.rarity = partial(parts["rarity"], index)
    return index


@torch.no_grad()
def vectors(parts: Parts, texts: Sequence[str], padding: int = 0) -> Tensor:
    """A trained encoder reads them in one batch, with so much padding more behind them.  -> (N, D)"""
    encoder = load(ENCODER)
    pad = encoder.tokenizer.pad_id
    ids, real = collate([encoder.tokenizer.encode(text) for text in texts], pad)
    ids, real = F.pad(ids, (0, padding), value=pad), F.pad(real, (0, padding))
    return parts["pool"](encoder.model(ids, padding_mask=real).hidden, real)


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


def in_company(parts: Parts, seed: int) -> Reading:
    """The vectors of three texts, each alone and in one batch: the largest difference of a component."""
    alone = torch.cat([vectors(parts, [text]) for text in TEXTS])
    return equal(float((alone - vectors(parts, TEXTS)).abs().max()), 1e-4)


def by_padding(parts: Parts, seed: int) -> Reading:
    """The cosine of a text's vector with itself, over the padding behind it."""
    paddings = list(range(0, 33, 4))
    plain = vectors(parts, TEXTS[:1])[0]
    found = [float(vectors(parts, TEXTS[:1], count)[0] @ plain) for count in paddings]
    return followed(paddings, found, [1.0] * len(paddings), 1e-4)


WARD = Ward(
    "counting", "frontier", PARTS,
    (
        Test("one_word_more", "equality", one_word_more),
        Test("rare_words", "equality", order_of_rare_words),
        Test("first_answer", "equality", first_answer),
        Test("choices", "curve", all_choices),
        Test("in_company", "equality", in_company),
        Test("padding_behind", "curve", by_padding),
    ),
    (
        Bug("rarity_below_zero", "rarity", rarity_below_zero,
            ("haifengl/smile#682", "piskvorky/gensim#2684"), "retrieval", "one_word_more"),
        Bug("with_replacement", "estimate", drawn_with_replacement,
            ("verl-project/verl#7240",), "reasoning", "choices"),
        Bug("padding_pooled", "pool", mean_of_all,
            ("jsboige/CoursIA#15045", "huggingface/transformers#17463"), "retrieval", "in_company"),
    ),
)  # fmt: skip
