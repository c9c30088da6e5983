"""Debugging and tuning, and the questions that learners ask: prose, folded by its headings."""

import re

import streamlit as st

from app import i18n
from app.i18n import Words
from app.reference import links

PARTS = ("debugging", "tuning")
TOPICS = ("models", "training", "alignment", "inference", "applications", "lab")
_HEADING = re.compile(r"^### (.+)$", re.MULTILINE)


def entries(section: str) -> list[tuple[str, str]]:
    """The headings of a section with what stands under each.

    >>> entries("### Why?\\nBecause.\\n\\n### And?\\nSo.")
    [('Why?', 'Because.'), ('And?', 'So.')]
    """
    parts = _HEADING.split(section)
    return [
        (head.strip(), body.strip()) for head, body in zip(parts[1::2], parts[2::2], strict=True)
    ]


def show_guide(words: Words) -> None:
    sections = i18n.prose(words.language, "reference/guide")
    for part in PARTS:
        st.subheader(words(f"guide.{part}"), anchor=False)
        st.markdown(words(f"guide.{part}.about"))
        _fold(entries(sections[part]), words, f"guide.{part}")


def show_questions(words: Words) -> None:
    sections = i18n.prose(words.language, "reference/questions")
    query = st.text_input(
        words("questions.search"), key=f"reference.ask@{words.language}", max_chars=60
    )
    shown = 0
    for topic in TOPICS:
        found = [one for one in entries(sections[topic]) if matches(one, query)]
        if found:
            st.subheader(words(f"questions.{topic}"), anchor=False)
            _fold(found, words, f"questions.{topic}.{query}")
        shown += len(found)
    if not shown:
        st.info(words("questions.none"), icon=":material/search_off:")


def matches(entry: tuple[str, str], query: str) -> bool:
    """Whether every word of `query` stands in the entry."""
    text = " ".join(entry).lower()
    return all(word in text for word in query.lower().split())


def _fold(found: list[tuple[str, str]], words: Words, key: str) -> None:
    for number, (head, body) in enumerate(found, start=1):
        with st.expander(head, key=f"{key}.{number}"):
            st.markdown(links.expanded(body, words))
