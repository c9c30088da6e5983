"""The page: six sections, one at a time, each with an address of its own (`?section=…`)."""

import streamlit as st

from app.errors import guarded
from app.i18n import Words
from app.reference import data_sets, glossary_page, guide, reading

SECTIONS = {
    "glossary": glossary_page.show,
    "data": data_sets.show,
    "tools": reading.show_tools,
    "papers": reading.show_papers,
    "guide": guide.show_guide,
    "questions": guide.show_questions,
}


def show() -> None:
    words = Words(st.session_state["language"], "reference")
    st.title(words("reference.title"), anchor=False)
    st.markdown(words("reference.about"))
    section = linked_choice("section", tuple(SECTIONS), words)
    st.caption(words(f"section.{section}.about"))
    with guarded(words):
        SECTIONS[section](words)


def linked_choice(name: str, options: tuple[str, ...], words: Words) -> str:
    """One of `options`, kept over a change of language and in the link; the link's word counts once."""
    state, query = st.session_state, st.query_params
    slot, widget, seen = f"reference.{name}", f"reference.{name}@{words.language}", f"url.{name}"
    asked = query.get(name)
    if asked in options and asked != state.get(seen):
        state[slot] = state[widget] = asked
    if state.get(widget) not in options:
        state[widget] = state.get(slot, options[0])
    picked = st.segmented_control(
        words(f"{name}.pick"), options, key=widget, required=True, label_visibility="collapsed",
        format_func=lambda id: words(f"{name}.{id}"), wrap=True,
    )  # fmt: skip
    state[slot] = state[seen] = query[name] = picked
    return picked
