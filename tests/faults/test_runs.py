"""A run whose worker is killed, or that finds no room on the disk: told as that, and the next one works."""

import os
import signal
from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from app import jobs
from app.i18n import LANGUAGES, Words
from app.jobs import JobManager
from labcore.errors import LabInputError
from tests.app.conftest import press, said
from tests.app.toy_runs import Steps, fill_the_disk, squares
from tests.faults.conftest import PATIENCE_SECONDS, children, nothing_stays, wait_until


def page(language: str) -> None:
    """A page with nothing but a run on it."""
    import streamlit as st

    from app import running
    from app.i18n import Words
    from tests.app.toy_runs import Steps, squares

    def draw(view) -> None:
        st.text(f"{len(view.events) if view else 0} steps")

    running.panel("training", Words(language, "training"), squares, Steps(5000, 0.01), draw)


def look_until(app: AppTest, seen: Callable[[], object]) -> AppTest:
    wait_until(lambda: seen() or not app.run())
    return app.run()


def test_a_killed_worker_is_told_on_the_page_leaves_no_process_and_the_next_run_works(monkeypatch):
    config, before, workers = Steps(5000, 0.01), children(), set()
    with nothing_stays():
        manager = JobManager(workers=1)
        monkeypatch.setattr(jobs, "manager", lambda: manager)
        for language in LANGUAGES:  # each run is the next one of the last that was lost
            app = AppTest.from_function(page, kwargs={"language": language})
            app.default_timeout = PATIENCE_SECONDS
            app = press(app.run(), "training.run")
            job, me = manager.find(squares, config), app.session_state["watcher"]
            look_until(app, lambda job=job, me=me: job.snapshot(me).events)
            assert not app.error
            press(app, "training.pause")
            # Streamlit may hand a click on twice; the second one must not meet the button that resumes.
            assert "training.pause" not in {button.key for button in app.button}
            press(app, "training.resume")
            (worker,) = children() - before
            workers.add(worker)
            os.kill(worker, signal.SIGKILL)
            look_until(app, lambda job=job, me=me: not job.snapshot(me).live)
            assert [error.value for error in app.error] == [Words(language, "training")("job.lost")]
            assert f"{len(job.snapshot(me).events)} steps" in said(app)  # what had come is there
        manager.shutdown()
    assert len(workers) == len(LANGUAGES)


def test_a_run_on_a_full_disk_is_told_as_that_and_the_next_one_works(disk):
    disk.fill()
    jobs = JobManager(inline=True)
    config = Steps(count=8, began=str(disk.folder / "file"))
    error = jobs.submit(fill_the_disk, config).snapshot().error
    assert isinstance(error, LabInputError)
    assert error.rule == "server_disk_full"
    disk.free()
    assert jobs.submit(squares, Steps(4)).snapshot().state == "finished"
