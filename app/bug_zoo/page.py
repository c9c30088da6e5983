"""The page around the three ways into the zoo."""

import streamlit as st

from app.bug_zoo import collection, patient, side_by_side
from app.catalog import LabSpec
from app.course import progress
from app.errors import guarded
from app.i18n import Words
from app.page import LabPage

ZOO = LabSpec(
    "bug_zoo", "bug_zoo"
)  # no lab of a chapter, but a page with knobs and figures as theirs
PARTS = {"play": patient.draw, "open": side_by_side.draw, "cards": collection.draw}


def show() -> None:
    words = Words(st.session_state["language"], ZOO.id)
    st.title(words("zoo.title"), anchor=False)
    st.markdown(words("promise"))
    _zoo(words)


@st.fragment
def _zoo(words: Words) -> None:
    progress.keep("keeper.bug_zoo")  # first: what the browser remembers is drawn below
    page = LabPage(ZOO, words)
    with guarded(page.text):
        part = page.choice("part", tuple(PARTS), "play")
        PARTS[part](page)
    page.finish()
