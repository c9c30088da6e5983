"""The home page: a sentence of the learner's own, a way through the labs, the chapters."""

import streamlit as st

from app import catalog
from app.catalog import ChapterSpec
from app.course import paths, progress, quiz
from app.errors import say_error
from app.i18n import Words
from labcore.errors import LabInputError

ICONS = {"new": "radio_button_unchecked", "begun": "timelapse", "done": "check_circle"}
WAYS = (*paths.ROUTES, "experienced")


def show() -> None:
    words = Words(st.session_state["language"], "course")
    st.title(words("home.name"), anchor=False)
    st.markdown(words("home.promise"))
    _try(words)
    _way(words)
    st.subheader(words("home.chapters"), anchor=False)
    cards = [*catalog.COURSE, catalog.chapter("foundations")]
    for left in range(0, len(cards), 2):
        for column, chapter in zip(st.columns(2), cards[left : left + 2], strict=False):
            with column.container(border=True, height="stretch"):
                _card(chapter, words)
    with st.container(border=True, key="home-zoo"):
        st.markdown(words("zoo.about"))
        st.page_link(
            catalog.ROOT / "pages" / "bug_zoo.py", label=words("zoo.title"),
            icon=":material/bug_report:", query_params={"lang": words.language},
        )  # fmt: skip
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


@st.fragment
def _way(words: Words) -> None:
    """A route for this learner, where they stand on it, and their progress to take along."""
    progress.keep("keeper.home")
    st.subheader(words("way.title"), anchor=False)
    slot, widget = "home.way", f"home.way@{words.language}"
    st.session_state.setdefault(widget, st.session_state.get(slot, WAYS[0]))
    way = st.segmented_control(
        words("way.title"), WAYS, key=widget, required=True, label_visibility="collapsed",
        format_func=lambda id: words(f"way.{id}"),
    )  # fmt: skip
    st.session_state[slot] = way
    st.markdown(words(f"way.{way}.about"))
    route = _placed(words) if way == "experienced" else paths.ROUTES[way]
    if route:
        _stations(route, words)
    with st.expander(words("progress.title"), icon=":material/save:", key="home-progress"):
        _take_along(words)


def _placed(words: Words) -> tuple[str, ...]:
    """The route of an experienced learner: the chapters in which the check found a gap."""
    weak = quiz.placement(words)
    if weak is None:
        return ()
    if not weak:
        st.success(words("placement.none"), icon=":material/check_circle:")
        return ()
    names = ", ".join(words(f"chapter.{chapter}") for chapter in weak)
    st.info(words("placement.weak", chapters=names), icon=":material/route:")
    return paths.for_weak(weak)


def _stations(route: tuple[str, ...], words: Words) -> None:
    """The labs of a route: how many are done, the next one, and all of them folded away."""
    marks = progress.marks()
    done = sum(paths.standing(lab, marks) == "done" for lab in route)
    st.progress(done / len(route), words("way.done", done=done, count=len(route)))
    following = paths.next_on(route, marks)
    if following is None:
        st.success(words("way.finished"), icon=":material/flag:")
    else:
        st.caption(words("way.next"))
        _link(following, words, ":material/arrow_forward:")
    with st.expander(words("way.all", count=len(route)), key="home-route"):
        for lab in route:
            _link(lab, words, f":material/{ICONS[paths.standing(lab, marks)]}:")


def _link(lab: str, words: Words, icon: str) -> None:
    st.page_link(
        catalog.chapter(catalog.LABS[lab].chapter).page, label=words(f"lab.{lab}"), icon=icon,
        query_params={"lang": words.language, "lab": lab},
    )  # fmt: skip


def _take_along(words: Words) -> None:
    """Export and import."""
    st.markdown(words("progress.about"))
    st.download_button(
        words("progress.export"), progress.to_file(progress.marks()), "llm-lab-progress.json",
        "application/json", icon=":material/download:", on_click="ignore",
    )  # fmt: skip
    file = st.file_uploader(words("progress.import"), type="json", key="home.import")
    if file is None:
        return
    try:
        told = progress.from_file(file.getvalue())
    except LabInputError as error:
        say_error(words, error)
        return
    if progress.take_in(told):
        st.rerun(scope="fragment")
    st.success(words("progress.imported", count=len(told)), icon=":material/check_circle:")


def _card(chapter: ChapterSpec, words: Words) -> None:
    st.markdown(f"**{chapter.icon} {chapter.prefix}{words(f'chapter.{chapter.id}')}**")
    st.markdown(words(f"chapter.{chapter.id}.about"))
    if not chapter.labs:
        st.caption(words("chapter.unopened"))
    for lab in chapter.labs:
        _link(lab.id, words, ":material/science:")
