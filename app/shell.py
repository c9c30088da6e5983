"""The shell around every page: navigation, language, theme, and the warm-up that keeps it light."""

import gc
import threading

import streamlit as st

from app import catalog, i18n, jobs, memory
from app.catalog import ROOT
from app.i18n import LANGUAGES, Words
from app.reference import annotate


def run() -> None:
    """Draw the shell, then the page that the navigation names."""
    st.set_page_config(layout="wide", page_icon=str(ROOT / "assets" / "style" / "icon.svg"))
    warm_up()
    language = _language()
    words = Words(language)
    home = st.Page(
        ROOT / "pages" / "home.py", title=words("home.title"), icon=":material/home:", default=True
    )
    chapters = [
        st.Page(chapter.page, title=chapter.prefix + words(f"chapter.{chapter.id}"),
                icon=chapter.icon, url_path=chapter.id)
        for chapter in catalog.CHAPTERS
    ]  # fmt: skip
    reference = st.Page(
        ROOT / "pages" / "reference.py", title=words("reference.nav"), icon=":material/menu_book:",
        url_path="reference",
    )  # fmt: skip
    zoo = st.Page(
        ROOT / "pages" / "bug_zoo.py", title=words("zoo.title"), icon=":material/bug_report:",
        url_path="bug_zoo",
    )  # fmt: skip
    classroom = st.Page(
        ROOT / "pages" / "classroom.py", title=words("classroom.title"), icon=":material/groups:",
        url_path="classroom",
    )  # fmt: skip
    page = st.navigation([home, *chapters, zoo, reference, classroom])
    st.html(ROOT / "assets" / "style" / "lab.css")
    if page is not classroom and ("class" in st.query_params or "classroom" in st.session_state):
        from app.classroom import bar  # imported here: a database that few sessions need

        bar.show(language)
    page.run()


def _language() -> i18n.Language:
    """The language of this run: the learner's choice, else the link's, else the browser's."""
    asked = st.query_params.get("lang")
    state = st.session_state
    if asked in LANGUAGES and asked != state.get("url.lang"):
        state["language.widget"] = asked
    elif "language.widget" not in state:
        state["language.widget"] = state.get("language") or i18n.preferred(st.context.locale)
    with st.sidebar:
        language = st.segmented_control(
            "语言 · Language", LANGUAGES, format_func=i18n.LANGUAGE_NAMES.get,
            key="language.widget", required=True, label_visibility="collapsed",
        )  # fmt: skip
    state["language"] = state["url.lang"] = st.query_params["lang"] = language
    return language


@st.cache_resource(show_spinner=False)
def warm_up() -> threading.Thread:
    """Import what the labs need behind the first visitor's back, once per process.

    Afterwards the garbage collector is told to leave those many objects alone: walking them after
    every run is what makes thirty sessions slow.
    """
    thread = threading.Thread(target=_warm_up, name="warm-up", daemon=True)
    thread.start()
    return thread


def _warm_up() -> None:
    import torch

    torch.set_num_threads(1)  # on a busy small host a second thread makes everything slower
    for lab in catalog.LABS.values():
        lab.module()
    for language in LANGUAGES:
        annotate.mark("", language)
    import app.bug_zoo.page  # noqa: F401 (its wards, and their shown code)

    jobs.manager().warm_up()
    gc.collect()
    gc.freeze()
    memory.keep_giving_back()
