"""A background run on the page: its buttons, its state in a sentence, and its picture, kept fresh.

The picture lives in a fragment of its own that looks again once a second while the run is live, so the
knobs beside it stay quick.
"""

from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import Any
from uuid import uuid4

import streamlit as st

from app import jobs
from app.components import bookmark
from app.errors import guarded, say_error
from app.i18n import Words
from app.job import Job, JobView
from labcore.errors import LabInputError

LOOK_AGAIN_SECONDS = 1.0  # thirty sessions looking this often cost a quarter of a core


def panel(
    lab: str, words: Words, run: Callable[[Any], Generator], config: Any,
    draw: Callable[[JobView | None], None],
) -> None:  # fmt: skip
    """Buttons and picture for `run(config)`; `draw(None)` pictures the time before any run."""
    watcher = st.session_state.setdefault("watcher", uuid4().hex)
    slot = f"{lab}.job.{run.__name__}"  # a lab with several experiments has a run for each
    fresh = slot not in st.session_state
    job = _current(slot, run, config)
    view = job.snapshot(watcher) if job else None
    with st.container(horizontal=True, vertical_alignment="center", key=f"{lab}-buttons"):
        st.button(
            words("job.again" if view else "job.run"), key=f"{lab}.run", type="primary",
            icon=":material/play_arrow:", disabled=bool(view and view.live and job.config == config),
            on_click=_start, args=(slot, job, run, config, watcher),
        )  # fmt: skip
        if view and view.live:
            _controls(lab, slot, words, job, view, watcher)
    if refused := st.session_state.pop(f"{slot}.refused", None):
        say_error(words, refused)
    if st.session_state.get(f"{slot}.gone"):
        st.warning(words("job.gone"), icon=":material/restart_alt:")
    live = bool(view and view.live)
    mine = live and job is st.session_state.get(slot)
    bookmark.mount(
        slot, {"run": job.id, "watcher": watcher} if mine else None, fresh, partial(_return, slot)
    )

    @st.fragment(run_every=LOOK_AGAIN_SECONDS if live else None)
    def watch() -> None:
        now = job.snapshot(watcher) if job else None
        if now:
            _say(words, now)
            if job.config != config:
                st.caption(words("job.changed"))
        with guarded(words):
            draw(now)
        if live and now.state != view.state:
            st.rerun()  # the buttons change; at the end the timer stops

    watch()


def _current(slot: str, run: Callable[[Any], Generator], config: Any) -> Job | None:
    """The run to picture: the one that this session asked for, or what somebody else's identical run has
    come to. A run that others are still watching is joined by pressing Run, not by opening the page."""
    mine = st.session_state.get(slot)
    found = jobs.manager().find(run, config)
    if found and (found is mine or found.outcome is not None):
        return found
    return mine


def _return(slot: str, left: Mapping[str, str]) -> None:
    """A new session of a tab that was looking at a run goes on looking, or says that the run is gone."""
    job = st.session_state[slot] = jobs.manager().of_id(str(left.get("run")))
    st.session_state[f"{slot}.gone"] = job is None
    if job:
        # The same learner and not a second one; the browser tells it, so it is no longer than ours are.
        st.session_state["watcher"] = str(left.get("watcher"))[:32]


def _start(
    slot: str, last: Job | None, run: Callable[[Any], Generator], config: Any, watcher: str
) -> None:
    if last and last.config != config:
        last.leave(watcher)
    st.session_state[f"{slot}.gone"] = False
    try:
        st.session_state[slot] = jobs.manager().submit(run, config, watcher, again=True)
    except LabInputError as refused:  # too many wait; the panel says so, a callback has no place to
        st.session_state[f"{slot}.refused"] = refused


def _controls(lab: str, slot: str, words: Words, job: Job, view: JobView, watcher: str) -> None:
    paused = view.state == "paused"
    # Keys of their own: Streamlit hands a click on again when a run of the page gives way to the next one,
    # and a pause that is asked for twice must not end itself.
    st.button(
        words("job.resume" if paused else "job.pause"), key=f"{lab}.{'resume' if paused else 'pause'}",
        icon=":material/play_arrow:" if paused else ":material/pause:",
        on_click=job.resume if paused else job.pause, args=(watcher,),
        disabled=view.watchers > 1 or view.state == "queued",
    )  # fmt: skip
    st.button(
        words("job.stop"), key=f"{lab}.stop", icon=":material/stop:",
        on_click=_stop, args=(slot, job, watcher),
    )  # fmt: skip
    if view.watchers > 1:
        st.caption(words("job.shared"))


def _stop(slot: str, job: Job, watcher: str) -> None:
    """Stop the run, or leave it to the others who watch it."""
    if not job.stop(watcher):
        st.session_state[slot] = None


def _say(words: Words, view: JobView) -> None:
    """The state of the run, in a sentence."""
    if view.state == "failed":
        if isinstance(view.error, LabInputError):
            say_error(words, view.error)
        else:
            st.error(words("job.failed", kind=view.error.kind), icon=":material/error:")
    elif view.state == "lost":
        st.error(words("job.lost"), icon=":material/error:")
    else:
        told = words(
            f"job.{view.state}", place=view.queue_place, seconds=round(view.seconds_running)
        )
        if view.live:
            st.progress(view.progress or 0.0, text=told)
        else:
            st.caption(told)
