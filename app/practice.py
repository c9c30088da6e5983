"""What a learner does with a lab's ideas: true-or-false questions, then exercises.

Both are prose (`assets/content`): a heading asks, and a comment marks the answer,
`<!-- true -->`, `<!-- false -->` or, for an exercise, `<!-- answer -->`.
"""

import re
from dataclasses import dataclass
from functools import cache

import streamlit as st

from app import i18n
from app.catalog import LABS, LabSpec
from app.course import progress
from app.i18n import Language, Words

_HEADING = re.compile(r"^### ", re.MULTILINE)
_ANSWER = re.compile(r"^<!-- (true|false|answer) -->$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Asked:
    text: str
    kind: str  # "true", "false" or "answer"
    answer: str


def asked_in(section: str) -> list[Asked]:
    """The questions or exercises of a section, in order.

    >>> asked_in("### Is 1 + 1 = 3?\\n<!-- false -->\\nIt is 2.")
    [Asked(text='Is 1 + 1 = 3?', kind='false', answer='It is 2.')]
    """
    parts = (_ANSWER.split(part, maxsplit=1) for part in _HEADING.split(section)[1:])
    return [Asked(text.strip(), kind, answer.strip()) for text, kind, answer in parts]


@cache
def statements(lab: LabSpec, language: Language) -> tuple[Asked, ...]:
    """What a lab asks its learner to judge."""
    sections = i18n.prose(language, f"{lab.chapter}/{lab.id}")
    return tuple(asked_in(sections.get("questions", "")))


def count(lab: str) -> int:
    """How many statements a lab asks, in either language."""
    return len(statements(LABS[lab], "en"))


def questions(lab: str, section: str, words: Words) -> None:
    """Statements to judge; the explanation follows the learner's verdict, right or wrong."""
    st.subheader(words("question.title"), anchor=False)
    for number, question in enumerate(asked_in(section), start=1):
        with st.container(border=True, key=f"{lab}-question-{number}"):
            judge(f"{lab}.question.{number}", question, words, f"{lab}/question/{number}")


def judge(slot: str, question: Asked, words: Words, mark: str) -> bool | None:
    """One statement: whether the learner judged it rightly, or None before that.

    `slot` holds the verdict, in whatever language it was given; `mark` is its name in the progress.
    """
    st.markdown(question.text)
    verdict = st.session_state.get(slot)
    if verdict is None:
        _ask(slot, question, words, mark)
        return None
    _explain(question, verdict, words)
    return verdict == question.kind


def _ask(slot: str, question: Asked, words: Words, mark: str) -> None:
    with st.container(horizontal=True):
        for verdict in ("true", "false"):
            st.button(
                words(f"question.{verdict}"), key=f"{slot}.{verdict}", on_click=_answer,
                args=(slot, verdict, mark, verdict == question.kind),
            )  # fmt: skip


def _answer(slot: str, verdict: str, mark: str, right: bool) -> None:
    st.session_state[slot] = verdict
    progress.note(mark, right)


def _explain(question: Asked, verdict: str, words: Words) -> None:
    right = verdict == question.kind
    said = words("question.right" if right else "question.wrong")
    show, icon = (st.success, "check_circle") if right else (st.info, "lightbulb")
    show(f"**{said}** {question.answer}", icon=f":material/{icon}:")


def exercises(section: str, words: Words) -> None:
    """Questions, each with its answer folded away."""
    st.subheader(words("exercise.title"), anchor=False)
    for number, exercise in enumerate(asked_in(section), start=1):
        st.markdown(f"**{number}.** {exercise.text}")
        with st.expander(words("exercise.answer"), key=f"answer-{number}"):
            st.markdown(exercise.answer)
