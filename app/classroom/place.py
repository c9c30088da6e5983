"""A learner's place: where the class is, the poll that is open, the challenges."""

import streamlit as st

from app.classroom import contest, desk, poll_box, scene, session, store
from app.classroom.session import Seat
from app.classroom.store import ClassNow, Poll
from app.errors import guarded
from app.i18n import Words

LOOK_AGAIN_SECONDS = 1.0


def show(seat: Seat, words: Words) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f":material/groups: {words('class.code', code=seat.code)}", width="content")
        st.caption(words("place.anonymous"), width="content")
    _watch(seat, words)
    st.subheader(words("challenge.title"), anchor=False)
    contest.show(seat, words)
    with st.container(horizontal=True, key="class-take-home"):
        desk.become(seat, words)
        if st.button(
            words("class.leave"), icon=":material/logout:", type="tertiary", key="classroom.leave"
        ):
            session.leave()
            st.rerun()


@st.fragment(run_every=LOOK_AGAIN_SECONDS)
def _watch(seat: Seat, words: Words) -> None:
    """What changes while one looks."""
    with guarded(words):
        now = session.now(seat.id)
        if now is None:
            st.info(words("class.ended"), icon=":material/info:")
            return
        with st.container(border=True, key="class-scene"):
            where(seat, now, words)
        with st.container(border=True, key="class-poll"):
            if now.poll is None:
                st.caption(words("poll.none"))
            else:
                poll(seat, now.poll, words)


def where(seat: Seat, now: ClassNow, words: Words) -> None:
    """The lab that the class looks at, and whether this session goes along by itself."""
    follow(seat, now, words)
    lab = scene.lab_of(now)
    st.markdown(words("scene.now", lab=words(f"lab.{lab}")) if lab else words("scene.none"))
    with st.container(horizontal=True, vertical_alignment="center"):
        if lab and st.button(
            words("scene.go"), icon=":material/arrow_forward:", type="primary", key="classroom.go"
        ):
            scene.go(now, words)
        seat.follows = st.toggle(
            words("scene.follow"), seat.follows, key=f"classroom.follow@{words.language}"
        )


def follow(seat: Seat, now: ClassNow, words: Words) -> None:
    """Take a session that goes along to a new scene; the one that it found on arriving is only offered."""
    first, new = seat.seen is None, seat.seen != now.scene_version
    seat.seen = now.scene_version
    if new and not first and seat.follows and scene.lab_of(now):
        scene.go(now, words)


def poll(seat: Seat, poll: Poll, words: Words) -> None:
    """Vote while the poll is open; see the distribution after that, or once it is revealed."""
    votes = votes_of(seat)
    mine = votes.get(poll.number)
    st.markdown(f"**:material/ballot: {words('poll.open' if poll.open else 'poll.closed')}**")
    if poll.open and (mine is None or st.session_state.get("classroom.changing") == poll.number):
        poll_box.ask(poll, mine, lambda choice: _cast(seat, poll.number, choice), words)
    elif mine is not None or poll.revealed:
        poll_box.result(poll, words, mine)
        if poll.open and st.button(
            words("poll.change"), icon=":material/edit:", type="tertiary", key="classroom.change"
        ):
            st.session_state["classroom.changing"] = poll.number
            session.again()
    else:
        st.caption(words("poll.missed"))


def _cast(seat: Seat, number: int, choice: int) -> None:
    store.vote(seat.id, number, seat.token, choice)
    votes_of(seat)[number] = choice
    st.session_state.pop("classroom.changing", None)
    session.changed(seat.id)
    session.again()


def votes_of(seat: Seat) -> dict[int, int]:
    """This learner's votes; read once, then kept in the session."""
    slot = f"classroom.votes.{seat.id}"
    if slot not in st.session_state:
        st.session_state[slot] = store.votes_of(seat.id, seat.token)
    return st.session_state[slot]
