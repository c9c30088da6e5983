"""What a learner does with a lab's ideas: true-or-false questions, then exercises.

Both are prose (`assets/content`): a heading asks, and a comment marks the answer,
`<!-- true -->`, `<!-- false -->` or, for an exercise, `<!-- answer -->`.
"""

import re
from dataclasses import dataclass

import streamlit as st

from app.i18n import Words

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


def questions(lab: str, section: str, words: Words) -> None:
    """Statements to judge; the explanation follows the learner's verdict, right or wrong."""
    st.subheader(words("question.title"), anchor=False)
    for number, question in enumerate(asked_in(section), start=1):
        slot = f"{lab}.question.{number}"  # holds the verdict, in whatever language it was given
        with st.container(border=True, key=f"{lab}-question-{number}"):
            st.markdown(question.text)
            verdict = st.session_state.get(slot)
            if verdict is None:
                _ask(slot, words)
            else:
                _explain(question, verdict, words)


def _ask(slot: str, words: Words) -> None:
    with st.container(horizontal=True):
        for verdict in ("true", "false"):
            st.button(
                words(f"question.{verdict}"), key=f"{slot}.{verdict}",
                on_click=st.session_state.__setitem__, args=(slot, verdict),
            )  # fmt: skip


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
