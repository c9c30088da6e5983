"""The strip above every page of a session that sits in a class: where the class is, and an open poll."""

import streamlit as st

from app.catalog import ROOT
from app.classroom import place, scene, session
from app.classroom.session import Seat
from app.errors import guarded
from app.i18n import Words

LOOK_AGAIN_SECONDS = 2.0
PAGE = ROOT / "pages" / "classroom.py"


def show(language: str) -> None:
    """Draw the strip, if the link or the session names a class."""
    words = Words(language, "classroom")
    with guarded(words):
        seat = session.arrive()
        if seat is not None:
            _watch(seat, words)


@st.fragment(run_every=LOOK_AGAIN_SECONDS)
def _watch(seat: Seat, words: Words) -> None:
    with guarded(words), st.container(
        horizontal=True, vertical_alignment="center", key="class-bar"
    ):  # fmt: skip
        now = session.now(seat.id)
        st.caption(f":material/groups: {words('class.code', code=seat.code)}", width="content")
        if now is None:
            st.caption(words("class.ended"), width="content")
            return
        if not seat.teacher:
            place.follow(seat, now, words)
            lab = scene.lab_of(now)
            if lab and st.button(
                words("bar.go", lab=words(f"lab.{lab}")), icon=":material/arrow_forward:",
                type="tertiary", key="classroom.bar.go",
            ):  # fmt: skip
                scene.go(now, words)
        _to_class(seat, now, words)


def _to_class(seat, now, words: Words) -> None:
    """The way to the class's page; it stands out while a poll waits for this session's answer."""
    waits = (
        not seat.teacher and seat.settled and now.poll is not None and now.poll.open
        and now.poll.number not in place.votes_of(seat)
    )  # fmt: skip
    if st.button(
        words("bar.answer" if waits else "bar.class"), key="classroom.bar.class",
        icon=":material/ballot:" if waits else ":material/groups:",
        type="primary" if waits else "tertiary",
    ):  # fmt: skip
        st.switch_page(PAGE, query_params={"lang": words.language, "class": seat.code})
