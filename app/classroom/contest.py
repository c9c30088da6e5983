"""Open challenges: who does it with the fewest parameters. What counts is measured by the server."""

import threading

import pandas as pd
import streamlit as st

from app import running
from app.classroom import nicknames, session, store
from app.classroom.session import Seat
from app.errors import guarded
from app.i18n import Words
from app.job import JobView
from labcore.challenges import copying, smallest
from labcore.challenges.copying import CopyingConfig, CopyingResult
from labcore.errors import LabInputError

CHALLENGES = ("smallest", "copying")
LIMITS = {"smallest": f"{smallest.LIMIT_NATS:g}", "copying": f"{copying.PASS_SHARE:.0%}"}
LOOK_AGAIN_SECONDS = 5.0
TRAINED = "training.job.build_and_train"  # in the session: the run of "Build and train your own"
DEFAULT = CopyingConfig()
_one_at_a_time = threading.Lock()  # measuring takes up to a second of a core


def show(seat: Seat, words: Words) -> None:
    """A learner's way in."""
    now = session.now(seat.id)
    if now is None:
        return
    st.markdown(words("challenge.about"))
    name = _nickname(seat, words)
    slot = "classroom.challenge"
    challenge = st.segmented_control(
        words("challenge.title"), CHALLENGES, default=st.session_state.get(slot, CHALLENGES[0]),
        key=f"{slot}@{words.language}", required=True, wrap=True,
        label_visibility="collapsed", format_func=lambda id: words(f"challenge.{id}"),
    )  # fmt: skip
    st.session_state[slot] = challenge
    st.markdown(words(f"challenge.{challenge}.about", limit=LIMITS[challenge]))
    if name is None:
        st.caption(words("nick.first_choose"))
    elif challenge == "smallest":
        _hand_in(seat, now.seed, words)
    else:
        _build(seat, words)
    _board(seat, challenge, words)


@st.fragment(run_every=LOOK_AGAIN_SECONDS)
def boards(seat: Seat, words: Words) -> None:
    """Both leaderboards, for the desk."""
    for column, challenge in zip(st.columns(2), CHALLENGES, strict=True):
        with column:
            st.markdown(f"**{words(f'challenge.{challenge}')}**")
            st.caption(words(f"challenge.{challenge}.about", limit=LIMITS[challenge]))
            table(seat, challenge, words)


@st.fragment(run_every=LOOK_AGAIN_SECONDS)
def _board(seat: Seat, challenge: str, words: Words) -> None:
    table(seat, challenge, words)


def table(seat: Seat, challenge: str, words: Words) -> None:
    now = session.now(seat.id)
    rows = [entry for entry in (now.entries if now else ()) if entry.challenge == challenge]
    if not rows:
        st.caption(words("challenge.empty"))
        return
    measured = [
        f"{row.measure:.3f}" if challenge == "smallest" else f"{row.measure:.1%}" for row in rows
    ]
    frame = pd.DataFrame(
        {
            words("board.place"): range(1, len(rows) + 1),
            words("board.nickname"): [nicknames.told(row.nickname, words) for row in rows],
            words("board.parameters"): [f"{row.parameters:,}" for row in rows],
            words(f"board.{challenge}"): measured,
        }
    )
    st.dataframe(frame, hide_index=True, key=f"classroom.board.{challenge}")


def _nickname(seat: Seat, words: Words) -> str | None:
    """The learner's name on the leaderboards, once picked."""
    name = store.nickname_of(seat.id, seat.token)
    if name:
        st.markdown(words("nick.mine", name=nicknames.told(name, words)))
        return name
    voter = store.voter_of(seat.id, seat.token)
    offered = nicknames.offered(voter, store.nicknames(seat.id))
    picked = st.pills(
        words("nick.pick"), offered, format_func=lambda name: nicknames.told(name, words),
        key=f"classroom.nick@{words.language}", wrap=True,
    )  # fmt: skip
    if picked:
        store.take_nickname(seat.id, seat.token, picked)
        st.rerun()
    return None


# The smallest model under a loss.


def _hand_in(seat: Seat, seed: int, words: Words) -> None:
    """A model trained in this session, or a file."""
    outcome = getattr(st.session_state.get(TRAINED), "outcome", None)
    data = None
    with st.container(horizontal=True, vertical_alignment="center"):
        if outcome is not None and outcome.result is not None:
            if st.button(words("smallest.mine"), icon=":material/upload:", key="classroom.mine"):
                data = outcome.result.checkpoint.tobytes()
        else:
            st.caption(words("smallest.none", lab=words("lab.training")))
    with st.form("classroom.file", border=False, clear_on_submit=True):
        file = st.file_uploader(words("smallest.file"), type="safetensors", key="classroom.upload")
        if st.form_submit_button(words("smallest.hand_in"), icon=":material/upload_file:") and file:
            data = file.getvalue()
    if data is not None:
        with guarded(words):
            _judge(seat, seed, data, words)


def _judge(seat: Seat, seed: int, data: bytes, words: Words) -> None:
    if not session.may_be_judged():
        raise LabInputError("upload", "…", "too_many_entries")
    with _one_at_a_time:
        verdict = smallest.judge(data, seed)
    numbers = {
        "parameters": f"{verdict.parameters:,}", "nats": f"{verdict.nats:.3f}",
        "floor": f"{verdict.floor_nats:.3f}", "limit": f"{smallest.LIMIT_NATS:g}",
    }  # fmt: skip
    if not verdict.passes:
        st.warning(words("smallest.above", **numbers), icon=":material/trending_up:")
        return
    best = store.enter(seat.id, "smallest", seat.token, verdict.parameters, verdict.nats)
    session.changed(seat.id)
    st.success(words("smallest.entered" if best else "challenge.not_best", **numbers))


# Fewest parameters that copy.


def _build(seat: Seat, words: Words) -> None:
    """An architecture, trained here; its result can be entered as it is."""
    left, right = st.columns(2)
    choices = copying.CHOICES
    with left:
        width = _pick("hidden_size", choices["hidden_size"], DEFAULT.hidden_size, words)
        layers = _pick("num_layers", choices["num_layers"], DEFAULT.num_layers, words)
        heads = _pick("num_heads", choices["num_heads"], DEFAULT.num_heads, words)
        tied = st.toggle(words("knob.tied"), DEFAULT.tied, key="classroom.copying.tied")
    with right:
        positions = st.selectbox(
            words("knob.positions"), choices["positions"], key="classroom.copying.positions",
            format_func=str,
        )  # fmt: skip
        rate = _pick("learning_rate", choices["learning_rate"], DEFAULT.learning_rate, words)
        steps = st.slider(
            words("knob.steps"), 50, 1000, DEFAULT.steps, 50, key="classroom.copying.steps"
        )
        seed = st.number_input(words("knob.seed"), 0, 9999, 0, key="classroom.copying.seed")
    with guarded(words):
        config = CopyingConfig(layers, heads, width, positions, tied, rate, steps, int(seed))
        running.panel(
            "classroom", words, copying.learn_to_copy, config,
            lambda view: _draw(seat, view, words),
        )  # fmt: skip


def _pick(knob: str, options: tuple, default, words: Words):
    return st.segmented_control(
        words(f"knob.{knob}"), options, default=default, required=True, wrap=True,
        key=f"classroom.copying.{knob}", format_func=lambda value: f"{value:g}",
    )  # fmt: skip


def _draw(seat: Seat, view: JobView | None, words: Words) -> None:
    """How far the run is, and at its end the way onto the board."""
    if view is None:
        st.caption(words("copying.press_run"))
        return
    for look in view.events[-1:]:
        st.progress(
            look.accuracy, words("copying.look", step=look.step, share=f"{look.accuracy:.0%}")
        )
    if isinstance(view.result, CopyingResult):
        _offer(seat, view.result, words)


def _offer(seat: Seat, result: CopyingResult, words: Words) -> None:
    numbers = {"parameters": f"{result.parameters:,}", "share": f"{result.accuracy:.1%}"}
    st.markdown(words("copying.result", **numbers))
    if not result.passes:
        st.caption(words("copying.below", limit=f"{copying.PASS_SHARE:.0%}"))
    elif st.button(words("copying.enter"), icon=":material/flag:", key="classroom.copying.enter"):
        best = store.enter(seat.id, "copying", seat.token, result.parameters, result.accuracy)
        session.changed(seat.id)
        st.success(words("copying.entered" if best else "challenge.not_best", **numbers))
