"""A poll on the page: its question, its choices as buttons, its distribution as bars.

A question that the teacher typed is shown as plain text; a lab's own words may hold formulas.
"""

from collections.abc import Callable

import streamlit as st

from app.classroom import subjects
from app.classroom.store import Poll
from app.classroom.subjects import Subject
from app.i18n import Words

LETTERS = "ABCDEFGHIJKLMNOP"


def ask(poll: Poll, mine: int | None, cast: Callable[[int], None], words: Words) -> None:
    """The question with a button for each choice; the learner's own is marked and can be changed."""
    subject = _subject(poll, words)
    if subject is None:
        return
    for number, choice in enumerate(subject.choices(words)):
        with st.container(
            horizontal=True, vertical_alignment="center", key=f"poll-choice-{number}"
        ):
            chosen = number == mine
            if st.button(
                LETTERS[number], key=f"classroom.vote.{poll.number}.{number}",
                type="primary" if chosen else "secondary",
                icon=":material/check:" if chosen else None, help=words("poll.vote"),
            ):  # fmt: skip
                cast(number)
            _say(choice, subject)


def result(poll: Poll, words: Words, mine: int | None = None) -> None:
    """The distribution; once revealed also what is right, and why."""
    subject = _subject(poll, words)
    if subject is None:
        return
    total = sum(poll.counts)
    truth = subject.truth() if poll.revealed else None
    with st.container(key="poll-result", gap="small"):
        for number, choice in enumerate(subject.choices(words)):
            count = poll.counts[number]
            share = count / total if total else 0.0
            with st.container(
                horizontal=True, vertical_alignment="center", key=f"poll-bar-{number}"
            ):
                st.markdown(f"**{LETTERS[number]}**", width="content")
                _say(choice, subject)
                if number == truth:
                    st.markdown(
                        f":green-badge[:material/check: {words('poll.right')}]", width="content"
                    )
                if number == mine:
                    st.markdown(f":blue-badge[{words('poll.mine')}]", width="content")
                st.markdown(
                    words("poll.count", count=count, percent=f"{100 * share:.0f}"), width="content"
                )
            st.progress(share)
    st.caption(words("poll.total", count=total))
    if poll.revealed and (why := subject.why(words)):
        st.info(why, icon=":material/lightbulb:")


def _subject(poll: Poll, words: Words) -> Subject | None:
    """The poll's subject, its question already on the page; None, said in a sentence, if it is no more."""
    subject = subjects.from_json(poll.subject)
    if subject is None:
        st.caption(words("poll.gone"))
        return None
    if subject.lab:
        st.caption(words(f"lab.{subject.lab}"))
    with st.container(key="poll-question"):
        _say(subject.question(words), subject)
    return subject


def _say(text: str, subject: Subject) -> None:
    if subject.is_plain:
        st.text(text, width="stretch")
    else:
        st.markdown(text, width="stretch")
