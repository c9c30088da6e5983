"""The glossary on the page: the term that a link asks for, a search in either language, all the terms."""

import streamlit as st

from app import catalog
from app.i18n import Words
from app.reference import glossary, links
from app.reference.glossary import Term

ALL = "all"


def show(words: Words) -> None:
    term = glossary.by_id(st.query_params.get("term"))
    if term is not None:
        _card(term, words)
    left, right = st.columns([2, 1])
    query = left.text_input(
        words("glossary.search"), key=f"reference.search@{words.language}", max_chars=60,
        placeholder=words("example.search"),
    )  # fmt: skip
    chapters = [chapter.id for chapter in catalog.CHAPTERS if chapter.labs]
    chapter = right.selectbox(
        words("glossary.chapter"), [ALL, *chapters], key=f"reference.chapter@{words.language}",
        format_func=lambda id: words("glossary.all" if id == ALL else f"chapter.{id}"),
    )  # fmt: skip
    found = glossary.matching(query, None if chapter == ALL else chapter)
    st.caption(words("glossary.count", count=len(found), all=len(glossary.terms())))
    with st.container(key="glossary-list"):
        if query.strip():
            st.markdown("\n".join(line(term, words) for term in found))
            return
        for id in chapters:
            inside = sorted((t for t in found if t.chapter == id), key=lambda t: t.en.lower())
            if inside:
                st.subheader(words(f"chapter.{id}"), anchor=False)
                st.markdown("\n".join(line(term, words) for term in inside))


def _card(term: Term, words: Words) -> None:
    """One term in full: both names, its meaning in both languages, the labs that explain it."""
    other = "en" if words.language == "zh" else "zh"
    with st.container(border=True, key="glossary-term"):
        st.subheader(heading(term, words), anchor=False)
        st.markdown(term.meaning(words.language))
        st.caption(term.meaning(other))
        st.caption(words("glossary.labs"))
        links.buttons(term.labs, words, "glossary-term-labs")
        if st.button(words("glossary.close"), icon=":material/close:", key="glossary.close"):
            del st.query_params["term"]
            st.rerun()


def heading(term: Term, words: Words) -> str:
    """Both names, the reader's language first; once where they are the same."""
    names = [term.name(words.language), term.name("en" if words.language == "zh" else "zh")]
    return " · ".join(dict.fromkeys(names))


def line(term: Term, words: Words) -> str:
    """One term in the list, with a way to its first lab."""
    first, *second = heading(term, words).split(" · ")
    return words(
        "glossary.line", name=first, second=f" · {second[0]}" if second else "",
        meaning=term.meaning(words.language), way=links.link(term.labs[0], words),
    )  # fmt: skip
