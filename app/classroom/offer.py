"""On a lab's page, for a teacher: show what is on the screen to the class, locks and all."""

import streamlit as st

from app.classroom import scene, session
from app.errors import guarded
from app.i18n import Words


def draw(chapter: str, lab: str, language: str) -> None:
    """A button that makes this page's knobs the scene of the class; nothing for a learner."""
    seat = session.seat()
    if seat is None or not seat.teacher:
        return
    words = Words(language, "classroom")
    if st.button(words("offer.show"), icon=":material/cast:", key=f"{lab}.classroom.show"):
        query = st.query_params.to_dict()
        for name in ("lock", "hide"):  # as chosen under "Copy link"; what came with the link stays
            if chosen := st.session_state.get(f"{lab}.share.{name}@{language}"):
                query[name] = ",".join(chosen)
        with guarded(words):
            scene.show(seat.id, *scene.checked(chapter, query))
            session.changed(seat.id)
            st.toast(words("offer.shown"), icon=":material/cast:")
