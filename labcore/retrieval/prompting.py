"""From a question and passages to a prompt, from an answer back to the passages that bear it.

The model is told nothing in secret: what stands in the prompt is all that it reads. Afterwards each word of
the answer is looked up in the passages. That is a check from outside; a small model that is asked to cite
writes any number.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from labcore.frontier.bm25 import words_of

ORDER = "Using the passages above, answer in one short sentence:"
BARE_ORDER = "Answer in one short sentence:"
COMMON = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "in",
        "on",
        "at",
        "to",
        "for",
        "and",
        "or",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "it",
        "its",
        "this",
        "that",
        "by",
        "with",
        "from",
        "as",
        "not",
        "no",
        "do",
        "does",
        "did",
        "has",
        "have",
        "had",
        "they",
        "he",
        "she",
        "who",
        "which",
        "what",
        "when",
        "where",
        "how",
        "many",
        "there",
        "their",
    ]
)


def prompt_of(question: str, passages: Sequence[str]) -> str:
    """What the model is asked: the passages with their numbers, the order, the question last."""
    if not passages:
        return f"{BARE_ORDER} {question}"
    listed = "\n".join(f"[{number}] {passage}" for number, passage in enumerate(passages, 1))
    return f"{listed}\n\n{ORDER} {question}"


@dataclass(frozen=True, slots=True)
class Borne:
    """One word of an answer, and the passages that have it."""

    word: str
    passages: tuple[int, ...]


def borne_by(answer: str, question: str, passages: Sequence[str]) -> tuple[Borne, ...]:
    """Each word that the answer adds to the question, and in which passages (from 1) it stands.

    A word without a passage was not taken from any: the answer is then not borne by its sources.
    """
    asked = {*words_of(question), *COMMON}
    held = [set(words_of(passage)) for passage in passages]
    added = dict.fromkeys(word for word in words_of(answer) if word not in asked)
    return tuple(
        Borne(word, tuple(n for n, words in enumerate(held, 1) if word in words)) for word in added
    )


def source_of(borne: Sequence[Borne]) -> int:
    """The passage that bears most of the answer, of equals the first; 0 if none bears any of it."""
    counts: dict[int, int] = {}
    for one in borne:
        for passage in one.passages:
            counts[passage] = counts.get(passage, 0) + 1
    return min(counts, key=lambda passage: (-counts[passage], passage), default=0)


def is_right(answer: str, wanted: str) -> bool:
    """Whether what was wanted stands in the answer: a number by itself, a word from its beginning.

    >>> is_right("It was built in 1938.", "1938"), is_right("120 km", "20"), is_right("boats", "boat")
    (True, False, True)
    """
    number = wanted[-1:].isdigit()
    end = r"(?![\d]|[.,]\d)" if number else ""
    pattern = rf"(?<![\w.,]){re.escape(wanted)}{end}"
    return bool(wanted) and re.search(pattern, answer, re.IGNORECASE) is not None
