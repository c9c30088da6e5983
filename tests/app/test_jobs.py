"""Background runs, with toy runs whose every event and result is known beforehand.

Nothing here measures time: a test looks again and again until what it waits for has come, and gives up
after a minute.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import streamlit as st

from app.job import Job, JobView
from app.job_worker import MAX_EVENTS, Failure
from app.jobs import JobManager, manager
from labcore.errors import LabInputError
from tests.app import toy_runs
from tests.app.toy_runs import Steps, squares

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60
FOREVER = 100_000  # steps: more than a test waits for; every such run is stopped


def look_until(job: Job, seen, watcher: str = "me") -> JobView:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not seen(view := job.snapshot(watcher)):
        assert time.monotonic() < deadline, f"gave up while {view.state}: {view.error}"
        time.sleep(0.01)
    return view


def to_the_end(job: Job, watcher: str = "me") -> JobView:
    return look_until(job, lambda view: not view.live, watcher)


def to_first_event(job: Job) -> JobView:
    return look_until(job, lambda view: view.events)


def wait_for(condition) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "gave up waiting"
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.fixture(scope="module")
def jobs():
    jobs = JobManager(workers=2)
    yield jobs
    jobs.shutdown()


@pytest.fixture(scope="module")
def single():
    """One worker, and little patience with runs that nobody watches and with long pauses."""
    jobs = JobManager(workers=1, unwatched_seconds=3, pause_seconds=0.3)
    to_the_end(jobs.submit(squares, Steps(1), "me"))  # its worker is there from now on
    yield jobs
    jobs.shutdown()


def test_every_event_arrives_once_and_in_order_and_the_result_with_them(jobs):
    view = to_the_end(jobs.submit(squares, Steps(500), "me"))
    assert view.state == "finished"
    assert [event.number for event in view.events] == list(range(500))
    assert view.result.values[499] == 499**2  # the definition of the run
    assert view.progress == 1.0


def test_a_run_happens_in_another_process(jobs):
    view = to_the_end(jobs.submit(squares, Steps(3), "me"))
    assert os.getpid() not in {event.pid for event in view.events}


def test_progress_is_the_share_that_the_last_event_states(jobs):
    job = jobs.submit(squares, Steps(FOREVER, 0.01), "me")
    view = to_first_event(job)
    assert view.progress == len(view.events) / FOREVER  # event number n states (n + 1) / count
    job.stop("me")


def test_inline_and_pooled_runs_come_out_the_same(jobs):
    pooled = to_the_end(jobs.submit(squares, Steps(7), "me"))
    inline = JobManager(inline=True).submit(squares, Steps(7), "me").snapshot("me")
    assert inline.state == pooled.state == "finished"
    assert inline.result.values.tolist() == pooled.result.values.tolist()
    assert [event.share for event in inline.events] == [event.share for event in pooled.events]
    assert {event.pid for event in inline.events} == {os.getpid()}


def test_equal_requests_share_one_run(jobs, tmp_path):
    config = Steps(4, 0.05, str(tmp_path / "began"))
    first = jobs.submit(squares, config, "me")
    second = jobs.submit("tests.app.toy_runs:squares", config, "you")
    to_the_end(first)
    third = jobs.submit(squares, config, "she")
    assert first is second is third
    assert (tmp_path / "began").read_text() == "began\n"


def test_a_run_is_found_only_after_somebody_asked_and_runs_again_on_demand(jobs, tmp_path):
    config = Steps(4, 0.0, str(tmp_path / "began"))
    assert jobs.find(squares, config) is None
    to_the_end(jobs.submit(squares, config, "me"))
    assert jobs.find("tests.app.toy_runs:squares", config) is jobs.submit(squares, config, "you")
    to_the_end(jobs.submit(squares, config, "me", again=True))
    assert (tmp_path / "began").read_text() == "began\n" * 2


def test_another_config_is_another_run(jobs):
    assert jobs.submit(squares, Steps(3), "me") is not jobs.submit(squares, Steps(4), "me")


def test_more_runs_than_workers_queue_and_are_served_in_order(single):
    first, second, third = (
        single.submit(squares, Steps(FOREVER, 0.01 + i), "me") for i in range(3)
    )
    to_first_event(first)
    assert [job.snapshot("me").queue_place for job in (first, second, third)] == [None, 1, 2]
    assert second.snapshot("me").state == "queued"
    second.stop("me")  # leaving the queue needs no worker
    assert second.snapshot("me").state == "stopped"
    assert third.snapshot("me").queue_place == 1
    first.stop("me")
    look_until(third, lambda view: view.state == "running")
    third.stop("me")
    to_the_end(third)


def test_a_paused_run_stands_still_and_goes_on_where_it_was(jobs):
    job = jobs.submit(squares, Steps(60, 0.01), "me")
    to_first_event(job)
    assert job.pause("me")
    assert job.snapshot("me").state == "paused"
    standing = counted = -1
    while counted != (standing := len(job.snapshot("me").events)):  # the step under way may finish
        counted = standing
        time.sleep(0.6)  # three exchanges with the worker
    assert standing < 60
    seconds = job.snapshot("me").seconds_running
    assert job.snapshot("me").seconds_running == seconds  # the clock stands too
    assert job.resume("me")
    assert [event.number for event in to_the_end(job).events] == list(range(60))


def test_a_stopped_run_keeps_its_events_and_may_be_asked_for_again(jobs):
    config = Steps(FOREVER, 0.01)
    job = jobs.submit(squares, config, "me")
    to_first_event(job)
    assert job.stop("me")
    view = to_the_end(job)
    assert (view.state, view.result) == ("stopped", None)
    assert [event.number for event in view.events] == list(range(len(view.events)))
    again = jobs.submit(squares, config, "me")
    assert again is not job
    again.stop("me")


def test_a_paused_run_can_be_stopped(jobs):
    job = jobs.submit(squares, Steps(FOREVER, 0.011), "me")
    to_first_event(job)
    job.pause("me")
    job.stop("me")
    assert to_the_end(job).state == "stopped"


def test_nobody_pauses_or_stops_what_another_watches(jobs):
    job = jobs.submit(squares, Steps(FOREVER, 0.012), "me")
    jobs.submit(squares, Steps(FOREVER, 0.012), "you")
    to_first_event(job)
    assert not job.pause("me")
    assert not job.stop("me")
    assert job.snapshot("you").state == "running"
    assert job.snapshot("you").watchers == 1  # whoever stops, watches no longer
    assert job.stop("you")
    assert to_the_end(job, "you").state == "stopped"


def test_a_run_that_nobody_watches_stops_and_frees_its_place(single):
    job = single.submit(squares, Steps(FOREVER, 0.013), "me")
    wait_for(lambda: job.outcome is not None)  # looks without counting as a watcher
    assert job.outcome.state == "stopped"
    assert to_the_end(single.submit(squares, Steps(3), "me")).state == "finished"


def test_a_pause_ends_when_others_wait_for_the_worker(single):
    held = single.submit(squares, Steps(40, 0.02), "me")
    to_first_event(held)
    assert held.pause("me")
    waiting = single.submit(squares, Steps(5), "you")
    assert to_the_end(held).state == "finished"
    assert to_the_end(waiting, "you").state == "finished"


def test_a_failure_says_what_happened_and_shows_no_traceback(jobs):
    view = to_the_end(jobs.submit(toy_runs.divide_by_zero, Steps(), "me"))
    assert view.state == "failed"
    assert view.error == Failure("ZeroDivisionError", "division by zero")  # Python's own words
    assert len(view.events) == 1


def test_a_value_the_run_refuses_comes_back_as_the_learners_error(jobs):
    error = to_the_end(jobs.submit(toy_runs.refuse, Steps(), "me")).error
    assert isinstance(error, LabInputError)
    assert (error.field, error.value, error.rule) == ("count", 5, "at_most")
    assert error.facts == {"limit": 3}


def test_a_run_that_does_not_exist_fails_by_itself(jobs):
    view = to_the_end(jobs.submit("tests.app.toy_runs:nowhere", Steps(), "me"))
    assert (view.state, view.error.kind) == ("failed", "AttributeError")


def test_a_run_that_yields_without_measure_is_ended(jobs):
    view = to_the_end(jobs.submit(toy_runs.endless, Steps(), "me"))
    assert (view.state, view.error.kind) == ("failed", "OverflowError")
    assert len(view.events) == MAX_EVENTS + 1  # the one too many is the last


@pytest.mark.parametrize("attempt", [1, 2])
def test_a_killed_worker_loses_its_run_and_nothing_else(jobs, attempt):
    other = jobs.submit(squares, Steps(100, 0.01 + attempt / 1000), "me")
    job = jobs.submit(squares, Steps(FOREVER, 0.02 + attempt / 1000), "me")
    to_first_event(other)
    os.kill(to_first_event(job).events[0].pid, signal.SIGKILL)
    view = to_the_end(job)
    assert (view.state, view.result) == ("lost", None)
    assert view.events  # what had come is still there
    assert to_the_end(other).state == "finished"
    again = jobs.submit(squares, Steps(FOREVER, 0.02 + attempt / 1000), "me")
    assert to_first_event(again).state == "running"
    again.stop("me")


def test_a_frozen_worker_holds_up_its_own_run_only(jobs):
    other = jobs.submit(squares, Steps(FOREVER, 0.01), "me")
    frozen = jobs.submit(squares, Steps(FOREVER, 0.011), "me")
    to_first_event(other)
    pid = to_first_event(frozen).events[0].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(0.5)  # what it had sent before has arrived
        held = len(frozen.snapshot("me").events)
        heard = len(other.snapshot("me").events)
        look_until(other, lambda view: len(view.events) > heard + 50)
        other.stop("me")
        assert to_the_end(other).state == "stopped"
        third = jobs.submit(squares, Steps(5, 0.012), "me")
        assert to_the_end(third).state == "finished"
        assert frozen.snapshot("me").state == "running"
        assert len(frozen.snapshot("me").events) == held
    finally:
        os.kill(pid, signal.SIGCONT)
    view = look_until(frozen, lambda view: len(view.events) > held + 50)
    assert [event.number for event in view.events] == list(range(len(view.events)))
    os.kill(pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    assert to_the_end(frozen).state == "lost"


def test_shutdown_leaves_no_process_no_file_and_no_open_port_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    me = psutil.Process()
    before, ports_before = set(me.children(recursive=True)), _listening(me)
    jobs = JobManager(workers=2)
    running = [jobs.submit(squares, Steps(FOREVER, 0.01 + i / 1000), "me") for i in range(2)]
    for job in running:
        to_first_event(job)
    workers = set(me.children(recursive=True)) - before
    ports = {port for process in [me, *workers] for port in _listening(process)} - ports_before
    assert len(workers) == 2
    assert {address for address, _ in ports} == {"127.0.0.1"}
    jobs.shutdown()
    assert [job.snapshot("me").state for job in running] == ["stopped", "stopped"]
    assert all(is_gone(worker.pid) for worker in workers)
    assert list(tmp_path.iterdir()) == []
    assert _listening(me) == ports_before
    assert jobs.submit(squares, Steps(2), "me").snapshot("me").state == "stopped"


def _listening(process: psutil.Process) -> set[tuple[str, int]]:
    return {
        tuple(connection.laddr)
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }


SERVER = """
import time
from app.jobs import JobManager
from tests.app.toy_runs import Steps, squares
job = JobManager(workers=1).submit(squares, Steps(100_000, 0.01))
while not job.snapshot().events:
    time.sleep(0.01)
print(job.snapshot().events[0].pid, flush=True)
{then}
"""


@pytest.mark.parametrize(
    "then", ["time.sleep(600)", ""], ids=["server is killed", "server exits by itself"]
)
def test_no_worker_outlives_its_server(then, tmp_path):
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER.format(then=then)], stdout=subprocess.PIPE, text=True,
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    worker = int(server.stdout.readline())
    if then:
        server.kill()
    server.wait(PATIENCE_SECONDS)
    server.stdout.close()
    wait_for(lambda: is_gone(worker))


def test_only_so_many_results_are_kept(monkeypatch):
    monkeypatch.setattr("app.jobs.JOBS_KEPT", 2)
    jobs = JobManager(inline=True)
    one, two = (jobs.submit(squares, Steps(count)) for count in (1, 2))
    assert jobs.submit(squares, Steps(1)) is one  # now the one used last
    jobs.submit(squares, Steps(3))
    assert jobs.submit(squares, Steps(1)) is one
    assert jobs.submit(squares, Steps(2)) is not two


def test_the_process_has_one_manager_and_tests_of_pages_run_inline(monkeypatch):
    monkeypatch.setenv("LLM_LAB_JOBS", "inline")
    try:
        assert manager() is manager()
        assert manager().submit(squares, Steps(3)).snapshot().state == "finished"
    finally:
        st.cache_resource.clear()


def test_an_inline_run_is_stopped_when_its_seconds_are_over(monkeypatch):
    monkeypatch.setenv("LLM_LAB_INLINE_SECONDS", "0.2")
    view = JobManager(inline=True).submit(squares, Steps(2000, seconds=0.05), "me").snapshot("me")
    assert view.state == "stopped"
    assert 0 < len(view.events) < 2000
