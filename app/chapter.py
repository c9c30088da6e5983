"""The frame that every lab stands in.

A chapter's page picks a lab; the lab's live experiment comes first, then the row of share, data and
notebook, then four facets in the order of the lesson: principle, derivation, code, practice.
"""

import inspect
from collections.abc import Callable, Sequence
from functools import cache, partial

import streamlit as st

from app import catalog, controls, i18n, practice, presenter
from app.catalog import ChapterSpec, LabSpec
from app.course import progress, quiz
from app.errors import guarded
from app.i18n import Words
from app.page import LabPage
from app.reference.annotate import annotated

QUIZ = "quiz"  # stands among the labs in the picker and in ?lab=
FACETS = ("principle", "derivation", "code", "practice")


def open_chapter(id: str) -> None:
    """Draw one chapter's page: its heading, the picker of its labs and the lab picked."""
    chapter = catalog.chapter(id)
    words = Words(st.session_state["language"])
    said = "chapter.number" if chapter.number else "chapter.side"
    st.caption(f"{chapter.icon} {words(said, number=chapter.number)}")
    st.title(words(f"chapter.{id}"), anchor=False)
    if not chapter.labs:
        _announce(chapter, words)
        return
    lab = _pick(chapter, words)
    if lab is None:
        st.header(words("quiz.title"), anchor=False)
        quiz.chapter_quiz(chapter.id, Words(words.language, "course"))
        return
    progress.note(f"{lab.id}/opened")
    st.header(words(f"lab.{lab.id}"), anchor=False)
    st.markdown(words(f"lab.{lab.id}.question"))
    _before(lab, words)
    if presenter.is_on():
        presenter.show(lab, words, partial(_experiment, lab, words), _slides(lab, words))
        return
    _experiment(lab, words)
    _facets(lab, words)
    _after(lab, words)


def _announce(chapter: ChapterSpec, words: Words) -> None:
    """A chapter without a lab yet says what it will ask, and where to begin meanwhile."""
    st.markdown(words(f"chapter.{chapter.id}.about"))
    st.caption(words("chapter.soon"))
    _ways(list(catalog.LABS.values()), words, ":material/arrow_forward:")


def _pick(chapter: ChapterSpec, words: Words) -> LabSpec | None:
    """The lab that the link or the learner chose, None for the quiz; the link's word counts once."""
    slot, widget = f"{chapter.id}.lab", f"{chapter.id}.lab@{words.language}"
    labs = [lab.id for lab in chapter.labs]
    ids = [*labs, QUIZ]
    asked = st.query_params.get("lab")
    if asked in ids and asked != st.session_state.get("url.lab"):
        st.session_state[slot] = st.session_state[widget] = asked
    current = st.session_state.get(slot, ids[0])
    if st.session_state.get(widget) not in ids:
        st.session_state[widget] = current
    picked = st.pills(
        words("lab.pick"), ids, key=widget, label_visibility="collapsed", required=True,
        format_func=lambda id: words("quiz.title") if id == QUIZ
        else f"{labs.index(id) + 1} · {words(f'lab.{id}')}",
    )  # fmt: skip
    if asked is not None and picked != asked:
        controls.forget_knobs()
    st.session_state[slot] = picked
    st.session_state["url.lab"] = st.query_params["lab"] = picked
    return catalog.LABS.get(picked)


def _before(lab: LabSpec, words: Words) -> None:
    """What the lab needs, and the labs that give it."""
    with st.container(horizontal=True, vertical_alignment="center", key="needs"):
        needs = words("lab.needs", needs=words(f"lab.{lab.id}.needs"))
        st.caption(f":material/foundation: {needs}", width="content")
        needed = [catalog.LABS[id] for id in catalog.NEEDS.get(lab.id, ())]
        _ways(needed, words, ":material/arrow_back:")
        for said, labs in (
            ("lab.mathematics", catalog.MATHEMATICS.get(lab.id, ())),
            ("lab.used_by", catalog.used_by(lab.id)),
        ):
            if labs:
                st.caption(f":material/functions: {words(said)}", width="content")
                _ways([catalog.LABS[id] for id in labs], words, ":material/arrow_outward:")
        presenter.button(lab, words)


def _after(lab: LabSpec, words: Words) -> None:
    """What comes next."""
    following = catalog.after(lab)
    if following is not None:
        with st.container(border=True, key="next"):
            question = words(f"lab.{following.id}.question")
            st.caption(words("lab.next", question=question))
            _ways([following], words, ":material/arrow_forward:")


@st.fragment
def _experiment(lab: LabSpec, words: Words) -> None:
    """The live part: a knob reruns this and leaves the rest of the page alone."""
    page = LabPage(lab, words)
    with guarded(page.text):
        lab.module().experiment(page)
    page.finish()
    progress.keep(f"keeper.experiment.{lab.id}")


@st.fragment
def _facets(lab: LabSpec, words: Words) -> None:
    key, widget = f"{lab.id}.facet", f"{lab.id}.facet@{words.language}"
    asked = st.query_params.get("facet")
    if widget not in st.session_state:
        known = asked if asked in FACETS else FACETS[0]
        st.session_state[widget] = st.session_state.get(key, known)
    facet = st.segmented_control(
        words("facet.pick"), FACETS, format_func=lambda id: words(f"facet.{id}"), key=widget,
        label_visibility="collapsed", required=True, width="stretch",
    )  # fmt: skip
    st.session_state[key] = facet
    if facet != FACETS[0]:
        st.query_params["facet"] = facet
    elif asked:
        del st.query_params["facet"]
    _facet(lab, facet, words)


@st.fragment
def _still(lab: LabSpec, facet: str, words: Words) -> None:
    """A facet that stands by itself: a verdict in its questions redraws nothing else."""
    _facet(lab, facet, words)


def _facet(lab: LabSpec, facet: str, words: Words) -> None:
    sections = i18n.prose(words.language, f"{lab.chapter}/{lab.id}")
    if facet == "code":
        _code(lab, words)
    else:
        st.markdown(annotated(words.language, f"{lab.chapter}/{lab.id}", facet))
    if facet == "practice":
        if "questions" in sections:
            practice.questions(lab.id, sections["questions"], words)
        practice.exercises(sections["exercises"], words)
        progress.keep(f"keeper.practice.{lab.id}")


def _slides(lab: LabSpec, words: Words) -> dict[str, Callable[[], None]]:
    """The facets as slides, each function of the code on its own."""
    facets = {facet: partial(_still, lab, facet, words) for facet in FACETS}
    code = {
        f"code-{number}": partial(_function, function)
        for number, function in enumerate(lab.module().SHOWN, start=1)
    }
    order = ("principle", "derivation", *code, "practice")
    return {name: (facets | code)[name] for name in order}


def _ways(labs: Sequence[LabSpec], words: Words, icon: str) -> None:
    """Ways to other labs. Buttons, since a page link needs the navigation, which a page alone lacks."""
    for lab in labs:
        if st.button(words(f"lab.{lab.id}"), icon=icon, type="tertiary", key=f"way.{lab.id}"):
            query = {"lang": words.language, "lab": lab.id}
            st.switch_page(catalog.chapter(lab.chapter).page, query_params=query)


def _code(lab: LabSpec, words: Words) -> None:
    st.markdown(words("code.about"))
    for function in lab.module().SHOWN:
        _function(function)


def _function(function: Callable) -> None:
    st.caption(f"`{function.__module__}.{function.__qualname__}`")
    st.code(source(function), language="python", wrap_lines=True)


@cache
def source(function: Callable) -> str:
    """The text of the function that runs; read once, so that it is the text that was imported."""
    return inspect.getsource(function)
