"""A shared run: joined by asking for it, left by stopping, seen by all once it is done."""

import pytest
import streamlit as st

from app import jobs, running
from app.i18n import Words
from tests.app.conftest import checked, press
from tests.app.toy_runs import Steps, squares


@pytest.fixture
def manager(monkeypatch):
    """A manager whose runs stay queued, as on a machine that is busy."""
    manager = jobs.JobManager(inline=False, workers=1)
    monkeypatch.setattr(manager, "warm_up", lambda: None)
    monkeypatch.setattr(jobs, "manager", lambda: manager)
    monkeypatch.setattr(st, "session_state", {})
    return manager


def test_somebody_elses_live_run_is_not_joined_by_looking(manager):
    manager.submit(squares, Steps(3), "somebody")
    assert running._current("lab.job", squares, Steps(3)) is None


def test_pressing_run_joins_the_run_that_is_there(manager):
    theirs = manager.submit(squares, Steps(3), "somebody")
    running._start("lab.job", None, squares, Steps(3), "me")
    assert running._current("lab.job", squares, Steps(3)) is theirs
    assert theirs.snapshot("me").watchers == 2


def test_stopping_a_shared_run_leaves_it_to_the_others(manager):
    theirs = manager.submit(squares, Steps(3), "somebody")
    running._start("lab.job", None, squares, Steps(3), "me")
    running._stop("lab.job", theirs, "me")
    assert running._current("lab.job", squares, Steps(3)) is None
    assert theirs.snapshot("somebody").state == "queued"


def test_what_a_run_has_come_to_is_seen_by_everybody(monkeypatch):
    inline = jobs.JobManager(inline=True)
    monkeypatch.setattr(jobs, "manager", lambda: inline)
    monkeypatch.setattr(st, "session_state", {})
    inline.submit(squares, Steps(3), "somebody")
    assert running._current("lab.job", squares, Steps(3)).snapshot("me").state == "finished"


def test_another_setting_keeps_the_sessions_last_run_in_view(manager):
    running._start("lab.job", None, squares, Steps(3), "me")
    assert running._current("lab.job", squares, Steps(4)).config == Steps(3)


def test_a_new_session_of_the_same_tab_goes_on_with_its_run_as_the_same_watcher(manager):
    mine = manager.submit(squares, Steps(3), "me")
    st.session_state["watcher"] = "a new session's"
    running._return("lab.job", {"run": mine.id, "watcher": "me"})
    assert running._current("lab.job", squares, Steps(3)) is mine
    assert (
        mine.snapshot(st.session_state["watcher"]).watchers == 1
    )  # so that it may pause and stop it


def test_a_new_session_of_a_tab_whose_run_is_gone_says_so_until_the_next_run(manager):
    running._return("lab.job", {"run": "of another server", "watcher": "me"})
    assert running._current("lab.job", squares, Steps(3)) is None
    assert st.session_state["lab.job.gone"]
    running._start("lab.job", None, squares, Steps(3), "me")
    assert not st.session_state["lab.job.gone"]


@pytest.mark.parametrize("told", [{}, {"run": 5}, {"run": None, "watcher": []}])
def test_a_tab_that_tells_nonsense_has_no_run(manager, told):
    running._return("lab.job", told)
    assert running._current("lab.job", squares, Steps(3)) is None


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_queue_that_is_full_is_a_sentence_beside_the_button(open_lab, monkeypatch, language):
    """A callback that raises would be an exception in the page's place."""
    monkeypatch.setattr(jobs, "MOST_WAITING", 0)
    app = press(checked(open_lab("training", language)), "training.run")
    sentence = Words(language)("error.queue_full", limit=0)
    assert sentence in [warning.value for warning in checked(app).warning]
    assert sentence not in [warning.value for warning in app.run().warning]  # said once
