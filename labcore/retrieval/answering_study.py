"""How often SmolLM2 is right with the passages that it is given, and whom it believes.

All questions of the English library are asked: with no passage, with those that each search finds, with
the right one alone, and with two that are about something else. Where the answer is a number, it is asked
once more with the right passage in which that number has been changed.
Axes: Q questions, G = 2 (those asked in the document's own words, those asked in others).
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np

from labcore.events import drain
from labcore.retrieval.answering import Answer, answer
from labcore.retrieval.chunking import Chunk, answering, chunks_of
from labcore.retrieval.embedding import embed
from labcore.retrieval.finding import FindConfig, index_of, rankings
from labcore.retrieval.library import KINDS, Question, bundled
from labcore.retrieval.prompting import is_right

GIVEN = ("none", "other", "bm25", "minilm", "right")
PASSAGES = 2


@dataclass(frozen=True, slots=True, eq=False)
class AnsweringStudy:
    kinds: list[str]  # (Q,)
    right: dict[str, np.ndarray]  # by what it is given: (Q,) bool
    tokens: dict[str, float]  # of the prompt, mean
    seconds: dict[str, float]  # of one answer, mean, on the machine that recorded it
    found: dict[str, np.ndarray]  # by search: (Q,) bool, is the answer in one of the two passages?
    numbers: int  # questions whose answer is a number: asked with a changed one
    said_false: int  # of these: the changed number is repeated
    said_true: int  # the true one is named although the passage says another
    examples: list[tuple[str, str, str, str]]  # question, given, answer, what was wanted


@dataclass(frozen=True, slots=True)
class Asked:
    share: float


def falsified(passage: str, number: str) -> tuple[str, str]:
    """The passage with this number changed, digit by digit.  -> passage, what stands there now

    >>> falsified("It was built in 1938.", "1938")
    ('It was built in 2049.', '2049')
    """
    changed = "".join(
        ("1" if digit == "9" and at == 0 else str((int(digit) + 1) % 10)) if digit.isdigit() else digit
        for at, digit in enumerate(number)
    )  # fmt: skip
    return passage.replace(number, changed), changed


def given(
    what: str, question: Question, chunks: Sequence[Chunk], rank: Callable[[str], dict]
) -> list[str]:
    """The passages for one question."""
    if what == "none":
        return []
    if what == "right":
        return [chunks[min(answering(chunks, question))].text]
    if what == "other":  # the two after it in the library, which are about something else
        count = max(chunk.document for chunk in chunks) + 1
        others = [(question.document + step) % count for step in (1, 2)]
        return [next(c.text for c in chunks if c.document == other) for other in others]
    return [chunks[one].text for one in list(rank(question.text)[what])[:PASSAGES]]


def ask_all() -> Generator[Asked, None, AnsweringStudy]:
    library, config = bundled("en"), FindConfig()
    chunks = chunks_of(library.documents, config.chunk_words, config.overlap)
    index = index_of(chunks)
    embed([question.text for question in library.questions])

    def rank(text: str) -> dict:
        return dict(rankings(chunks, index, text))

    answers: dict[str, list[Answer]] = {what: [] for what in GIVEN}
    found: dict[str, list[bool]] = {"bm25": [], "minilm": []}
    changed: list[tuple[bool, bool]] = []
    for number, question in enumerate(library.questions):
        for what in GIVEN:
            passages = given(what, question, chunks, rank)
            answers[what].append(answer(question.text, passages, wanted=question.answer))
            if what in found:
                found[what].append(any(question.evidence in passage for passage in passages))
        if question.answer[-1].isdigit():
            passage, false = falsified(given("right", question, chunks, rank)[0], question.answer)
            said = answer(question.text, [passage]).text
            changed.append((is_right(said, false), is_right(said, question.answer)))
        yield Asked((number + 1) / len(library.questions))
    return AnsweringStudy(
        [question.kind for question in library.questions],
        {what: np.array([one.right for one in ones]) for what, ones in answers.items()},
        {what: float(np.mean([one.prompt_tokens for one in ones])) for what, ones in answers.items()},
        {what: float(np.mean([one.seconds for one in ones])) for what, ones in answers.items()},
        {method: np.array(hits) for method, hits in found.items()},
        len(changed), sum(false for false, _ in changed), sum(true for _, true in changed),
        [
            (question.text, what, answers[what][at].text, question.answer)
            for at, question in enumerate(library.questions[:6])
            for what in GIVEN
        ],
    )  # fmt: skip


def study() -> AnsweringStudy:
    return drain(ask_all())


def by_kind(study: AnsweringStudy, what: str) -> np.ndarray:
    """Share right, of questions in the document's words and in others.  -> (G,)"""
    kinds = np.array(study.kinds)
    return np.array([study.right[what][kinds == kind].mean() for kind in KINDS])
