"""The home page: a sentence of the learner's own, then the chapters."""

import streamlit as st

from app import catalog
from app.catalog import ChapterSpec
from app.i18n import Words


def show() -> None:
    words = Words(st.session_state["language"])
    st.title(words("home.name"), anchor=False)
    st.markdown(words("home.promise"))
    _try(words)
    st.subheader(words("home.chapters"), anchor=False)
    for left in range(0, len(catalog.CHAPTERS), 2):
        for column, chapter in zip(st.columns(2), catalog.CHAPTERS[left : left + 2], strict=False):
            with column.container(border=True, height="stretch"):
                _card(chapter, words)
    st.subheader(words("home.how"), anchor=False)
    st.markdown(words("home.how.body"))
    st.caption(words("home.offline"))


def _try(words: Words) -> None:
    """The shortest way to the main thing: type, press, see every head at work."""
    with st.form("try", border=True):
        text = st.text_input(
            words("home.try"), max_chars=300, key=f"home.text@{words.language}",
            placeholder=words("home.example"),
        )  # fmt: skip
        if not st.form_submit_button(
            words("home.start"), icon=":material/visibility:", type="primary"
        ):
            return
    query = {"lang": words.language, "lab": "attention", "text": text or words("home.example")}
    st.switch_page(catalog.chapter("transformer").page, query_params=query)


def _card(chapter: ChapterSpec, words: Words) -> None:
    st.markdown(f"**{chapter.icon} {chapter.number} · {words(f'chapter.{chapter.id}')}**")
    st.markdown(words(f"chapter.{chapter.id}.about"))
    if not chapter.labs:
        st.caption(words("chapter.unopened"))
    for lab in chapter.labs:
        st.page_link(
            chapter.page, label=words(f"lab.{lab.id}"), icon=":material/science:",
            query_params={"lang": words.language, "lab": lab.id},
        )  # fmt: skip
