"""Cutting documents into pieces that can be found, ranked and quoted.

A piece is a run of words; of Chinese, a character counts as a word. Neighbours overlap, so that a sentence
that one cut tears is whole in the next piece.
Axes: D documents, C chunks.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from labcore.errors import LabInputError
from labcore.retrieval.library import Document, Question

# A Chinese character, or a run of anything else that no blank breaks, with the blanks behind it.
PIECE = re.compile(
    r"(?:[\u3400-\u9fff\u3000-\u303f\uff00-\uffef]|[^\s\u3400-\u9fff\u3000-\u303f\uff00-\uffef]+)\s*"
)


@dataclass(frozen=True, slots=True)
class Chunk:
    document: int
    start: int  # the first character in its document
    text: str


def chunked(text: str, words: int, overlap: int) -> list[tuple[int, str]]:
    """Pieces of `words` words, each beginning `words − overlap` after the last.  -> (start, text)

    The last piece ends with the text; none lies wholly within another.

    >>> [piece for _, piece in chunked("one two three four five", words=3, overlap=1)]
    ['one two three', 'three four five']
    """
    if words < 1:
        raise LabInputError("chunk_words", words, "at_least", limit=1)
    if not 0 <= overlap < words:
        raise LabInputError("overlap", overlap, "between", low=0, high=words - 1)
    pieces = list(PIECE.finditer(text))
    found, first = [], 0
    while first < len(pieces):
        last = min(first + words, len(pieces)) - 1
        start, end = pieces[first].start(), pieces[last].end()
        found.append((start, text[start:end].rstrip()))
        if last == len(pieces) - 1:
            break
        first += words - overlap
    return found


def chunks_of(documents: Sequence[Document], words: int, overlap: int) -> tuple[Chunk, ...]:
    """All pieces of all documents."""
    return tuple(
        Chunk(number, start, text)
        for number, document in enumerate(documents)
        for start, text in chunked(document.text, words, overlap)
    )


def answering(chunks: Sequence[Chunk], question: Question) -> set[int]:
    """Which pieces hold the evidence whole; none if the cuts have torn it everywhere."""
    return {
        number
        for number, chunk in enumerate(chunks)
        if chunk.document == question.document and question.evidence in chunk.text
    }
