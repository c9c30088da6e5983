"""Where in a long prompt may the answer stand? Measured with SmolLM2 over questions, depths and lengths.

Only questions in the document's own words are asked: the model answers most of those if it is given the
right passage alone, so what is lost here is lost to length and place.
Axes: N lengths, P depths, Q questions.
"""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from labcore.events import drain
from labcore.retrieval.answering import AnswerConfig, answer
from labcore.retrieval.answering import run as ask
from labcore.retrieval.finding import FindConfig
from labcore.retrieval.library import Question, bundled
from labcore.retrieval.long_context import PASSAGES, long_prompt

COUNTS = (3, 6, 12)  # documents in the prompt
DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
QUESTIONS = 8


@dataclass(frozen=True, slots=True, eq=False)
class LongStudy:
    counts: np.ndarray  # (N,) documents in the prompt
    depths: np.ndarray  # (P,)
    right: np.ndarray  # (N, P, Q) bool
    tokens: np.ndarray  # (N,) of the prompt, mean
    seconds: np.ndarray  # (N,) of one answer, mean, on the machine that recorded it
    found_right: np.ndarray  # (Q,) bool, with the two passages found instead
    found_tokens: float
    found_seconds: float


@dataclass(frozen=True, slots=True)
class Asked:
    share: float


def asked_questions() -> list[Question]:
    """Every third question of those in the document's own words."""
    questions = [question for question in bundled("en").questions if question.kind == "words"]
    return questions[:: len(questions) // QUESTIONS][:QUESTIONS]


def ask_all() -> Generator[Asked, None, LongStudy]:
    questions = asked_questions()
    right = np.zeros((len(COUNTS), len(DEPTHS), len(questions)), bool)
    tokens, seconds = np.zeros(right.shape), np.zeros(right.shape)
    for done, question in enumerate(questions):
        for row, count in enumerate(COUNTS):
            for column, depth in enumerate(DEPTHS):
                passages, _ = long_prompt(question, count, depth)
                one = answer(question.text, passages, wanted=question.answer)
                right[row, column, done] = one.right
                tokens[row, column, done] = one.prompt_tokens
                seconds[row, column, done] = one.seconds
        yield Asked((done + 1) / len(questions))
    found = [
        ask(AnswerConfig(FindConfig(question=question.text), passages=PASSAGES))
        for question in questions
    ]
    return LongStudy(
        np.array(COUNTS), np.array(DEPTHS), right, tokens.mean(axis=(1, 2)), seconds.mean(axis=(1, 2)),
        np.array([one.right for one in found]),
        float(np.mean([one.prompt_tokens for one in found])),
        float(np.mean([one.seconds for one in found])),
    )  # fmt: skip


def study() -> LongStudy:
    return drain(ask_all())
