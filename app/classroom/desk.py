"""The teacher's desk: what the class looks at, polls and their distribution, challenges, results."""

import streamlit as st

from app import practice, share
from app.catalog import LABS
from app.classroom import contest, export, keys, poll_box, scene, session, store, subjects
from app.classroom.session import Seat
from app.classroom.store import ClassNow
from app.classroom.subjects import KINDS, Subject
from app.errors import guarded
from app.i18n import Words

LOOK_AGAIN_SECONDS = 1.0


def show(seat: Seat, words: Words) -> None:
    now = session.now(seat.id)
    if now is None:
        st.info(words("class.ended"), icon=":material/info:")
        st.button(words("class.leave"), on_click=session.leave, key="classroom.leave")
        return
    invitation(seat, words)
    left, right = st.columns(2)
    with left.container(border=True):
        st.subheader(words("scene.title"), anchor=False)
        set_scene(seat, now, words)
    with right.container(border=True):
        st.subheader(words("poll.new"), anchor=False)
        compose(seat, now, words)
    with st.container(border=True, key="class-poll"):
        _watch(seat, words)
    st.subheader(words("challenge.title"), anchor=False)
    contest.boards(seat, words)
    take_home(seat, words)


def invitation(seat: Seat, words: Words) -> None:
    """How learners come in: the code, large, and the link."""
    with st.container(border=True, key="class-invitation"):
        st.markdown(words("class.invite"))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"## {seat.code}", width="content")
            st.code(class_link(seat, words), language=None, wrap_lines=True, width="stretch")


def class_link(seat: Seat, words: Words) -> str:
    return share.link(st.context.url or "", {"class": seat.code})


def set_scene(seat: Seat, now: ClassNow, words: Words) -> None:
    lab = scene.lab_of(now)
    st.markdown(words("scene.now", lab=words(f"lab.{lab}")) if lab else words("scene.none.teacher"))
    with st.form("classroom.scene", border=False, clear_on_submit=True):
        link = st.text_input(words("scene.link"), max_chars=6_000, key="classroom.link")
        sent = st.form_submit_button(words("scene.set"), icon=":material/cast:")
    if sent:
        with guarded(words):
            scene.show(seat.id, *scene.from_link(link))
            session.changed(seat.id)
            st.rerun()
    st.caption(words("scene.about"))
    if lab and st.button(
        words("scene.visit"), icon=":material/arrow_forward:", key="classroom.visit"
    ):
        scene.go(now, words)


@st.fragment
def compose(seat: Seat, now: ClassNow, words: Words) -> None:
    """A new poll: on a lab's prediction, on one of its statements, or the teacher's own."""
    kind = st.segmented_control(
        words("poll.kind"), KINDS, default=KINDS[0], required=True, label_visibility="collapsed",
        format_func=lambda kind: words(f"poll.kind.{kind}"), key=f"classroom.kind@{words.language}",
    )  # fmt: skip
    with guarded(words):
        subject = _own(words) if kind == "own" else _of_a_lab(kind, scene.lab_of(now), words)
        if subject is not None:
            store.ask(seat.id, subject.to_json(), subject.count())
            session.changed(seat.id)
            st.rerun()


def _of_a_lab(kind: str, current: str | None, words: Words) -> Subject | None:
    labs = [lab for lab in LABS if kind == "statement" or subjects.predictions(lab)]
    lab = st.selectbox(
        words("poll.lab"), labs, labs.index(current) if current in labs else 0,
        format_func=lambda lab: words(f"lab.{lab}"), key=f"classroom.lab.{kind}.{current}@{words.language}",
    )  # fmt: skip
    if kind == "statement":
        asked = practice.statements(LABS[lab], words.language)
        items = [str(number) for number in range(1, len(asked) + 1)]
    else:
        items = list(subjects.predictions(lab))
    item = st.selectbox(
        words("poll.question"), items, key=f"classroom.item.{lab}.{kind}@{words.language}",
        format_func=lambda item: Subject(kind, lab, item).question(words),
    )  # fmt: skip
    if _open_pressed(words):
        return Subject(kind, lab, item)
    return None


def _own(words: Words) -> Subject | None:
    text = st.text_input(
        words("poll.question"), max_chars=subjects.QUESTION_LIMIT, key="classroom.own.text"
    )
    lines = st.text_area(
        words("poll.choices"), height=130, key="classroom.own.choices",
        max_chars=subjects.MOST_CHOICES * (subjects.CHOICE_LIMIT + 2),
    )  # fmt: skip
    return subjects.own(text, lines) if _open_pressed(words) else None


def _open_pressed(words: Words) -> bool:
    return st.button(
        words("poll.start"), icon=":material/ballot:", type="primary", key="classroom.start"
    )


@st.fragment(run_every=LOOK_AGAIN_SECONDS)
def _watch(seat: Seat, words: Words) -> None:
    """The last poll, live."""
    with guarded(words):
        now = session.now(seat.id)
        poll = now.poll if now else None
        if poll is None:
            st.caption(words("poll.none.teacher"))
            return
        state = words("poll.open" if poll.open else "poll.closed")
        st.markdown(f"**:material/ballot: {words('poll.number', number=poll.number)} · {state}**")
        poll_box.result(poll, words)
        with st.container(horizontal=True):
            _switch(
                seat,
                "stop" if poll.open else "again",
                words,
                open=not poll.open,
                revealed=poll.revealed,
            )
            _switch(
                seat, "hide" if poll.revealed else "reveal", words, open=poll.open,
                revealed=not poll.revealed,
            )  # fmt: skip


ICONS = {"stop": "stop", "again": "play_arrow", "reveal": "visibility", "hide": "visibility_off"}


def _switch(seat: Seat, act: str, words: Words, **state: bool) -> None:
    number = session.now(seat.id).poll.number
    icon = f":material/{ICONS[act]}:"
    if st.button(words(f"poll.{act}"), icon=icon, key=f"classroom.poll.{act}"):
        store.set_poll(seat.id, number, **state)
        session.changed(seat.id)
        session.again()


def take_home(seat: Seat, words: Words) -> None:
    """The results as a file, the way to another device, and the end of the class."""
    with st.container(horizontal=True, key="class-take-home"):
        st.download_button(
            words("class.csv"), lambda: export.csv(seat.id, words), f"class-{seat.code}.csv", "text/csv",
            icon=":material/download:", on_click="ignore", key="classroom.csv",
        )  # fmt: skip
        with st.popover(words("class.key"), icon=":material/key:"):
            st.caption(words("class.key.about"))
            st.code(seat.key, language=None, wrap_lines=True)
        with st.popover(words("class.end"), icon=":material/delete:"):
            st.markdown(words("class.end.about"))
            if st.button(words("class.end.really"), type="primary", key="classroom.end"):
                store.end_class(seat.id)
                session.changed(seat.id)
                session.leave()
                st.rerun()


def become(seat: Seat, words: Words) -> None:
    """The way to the desk from another device: the teacher's key, typed."""
    with st.popover(words("class.teach"), icon=":material/key:", type="tertiary"):
        key = st.text_input(words("class.key"), type="password", max_chars=60, key="classroom.key")
        if st.button(words("class.teach"), key="classroom.teach") and key:
            with guarded(words):
                if keys.is_key(key.strip()) and session.take_desk(seat, key.strip()):
                    st.rerun()
                st.warning(words("class.key.wrong"), icon=":material/info:")
