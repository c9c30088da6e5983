"""The page of the class: a door, and behind it the teacher's desk or a learner's seat."""

import streamlit as st

from app.classroom import desk, keys, place, session
from app.classroom.session import Seat
from app.errors import guarded
from app.i18n import Words
from labcore.errors import LabInputError


def show() -> None:
    words = Words(st.session_state["language"], "classroom")
    st.title(words("classroom.title"), anchor=False)
    with guarded(words):
        asked = st.query_params.get("class")
        seat = session.arrive()
        if seat is None:
            door(words, asked)
        elif not seat.settled:
            st.skeleton(height=120)  # until the browser has told who it is
        elif seat.teacher:
            desk.show(seat, words)
        else:
            place.show(seat, words)


def door(words: Words, asked: str | None) -> None:
    """Join a class or open one."""
    if asked:
        st.warning(words("door.unknown"), icon=":material/info:")
    st.markdown(words("door.about"))
    left, right = st.columns(2)
    with left.container(border=True, height="stretch"):
        st.subheader(words("door.join"), anchor=False)
        with st.form("classroom.join", border=False):
            code = st.text_input(words("door.code"), max_chars=12, key="classroom.code")
            if st.form_submit_button(words("door.join"), icon=":material/login:"):
                _join(code, words)
    with right.container(border=True, height="stretch"):
        st.subheader(words("door.open"), anchor=False)
        st.markdown(words("door.open.about"))
        if st.button(words("door.open"), icon=":material/add:", key="classroom.open"):
            _enter(session.found_class())


def _join(code: str, words: Words) -> None:
    if keys.read_code(code) is None:
        raise LabInputError("class", code[:20], "class_code", length=keys.CODE_LENGTH)
    seat = session.join(code)
    if seat is None:
        raise LabInputError("class", code, "no_such_class")
    _enter(seat)


def _enter(seat: Seat) -> None:
    st.query_params["class"] = seat.code
    st.rerun()
