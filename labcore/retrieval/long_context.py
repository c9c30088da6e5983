"""Everything into the prompt, or only what was found?

A question of the library is asked twice. Once the model reads many documents, the right one at a chosen
depth; once it reads the two passages that a search has found. What is compared: right or not, tokens read,
seconds.

Source: "Lost in the middle", arXiv:2307.03172.
"""

from dataclasses import dataclass

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_choices, check_limits
from labcore.retrieval.answering import Answer, AnswerConfig, answer
from labcore.retrieval.answering import run as ask
from labcore.retrieval.finding import METHODS, FindConfig
from labcore.retrieval.library import Document, Question, bundled

LIMITS = {"documents": (1, 24), "depth": (0.0, 1.0), "question": (0, 47)}
PASSAGES = 2


@lab_config
class LongConfig:
    question: int = 0  # of the English library
    documents: int = 8  # that stand in the long prompt
    depth: float = 0.5  # 0: the right document stands first, 1: last
    method: str = "minilm"  # of the search

    def __post_init__(self):
        check_choices(self, {"method": METHODS})
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True)
class Compared:
    question: str
    wanted: str
    long: Answer
    place: int  # of the right document in the long prompt, from 1
    found: Answer


def around(right: Document, others: list[Document], depth: float) -> tuple[list[Document], int]:
    """The right document among the others, so deep.  -> documents, its place from 0

    >>> around(a, [b, c], 0.5)  # doctest: +SKIP
    ([b, a, c], 1)
    """
    if not 0 <= depth <= 1:
        raise LabInputError("depth", depth, "between", low=0, high=1)
    place = round(depth * len(others))
    return [*others[:place], right, *others[place:]], place


def long_prompt(question: Question, documents: int, depth: float) -> tuple[list[str], int]:
    """So many documents of the library, the right one at its depth; the others follow it in the library."""
    library = bundled("en").documents
    others = [library[(question.document + step) % len(library)] for step in range(1, documents)]
    texts, place = around(library[question.document], others, depth)
    return [document.text for document in texts], place


def run(config: LongConfig) -> Compared:
    question = bundled("en").questions[config.question]
    passages, place = long_prompt(question, config.documents, config.depth)
    long = answer(question.text, passages, wanted=question.answer)
    found = ask(AnswerConfig(FindConfig(question=question.text), config.method, PASSAGES))
    return Compared(question.text, question.answer, long, place + 1, found)
