"""Background runs on a Dask cluster that two servers share, started the way the compose file starts it."""

import json
import os
import subprocess
import sys
from functools import partial

import numpy as np
import psutil
import pytest
from distributed import LocalCluster

from app.job_shared import SharedCluster
from app.jobs import JobManager
from tests.app.test_jobs import FOREVER, ROOT, look_until, to_first_event, to_the_end, wait_for
from tests.app.toy_runs import Steps, squares


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and two workers; gives the address."""
    folder = tmp_path_factory.mktemp("cluster")
    told = folder / "scheduler.json"
    start = partial(
        subprocess.Popen, cwd=ROOT, stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    both = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(told)]
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", *both]
    worker = [
        sys.executable, "-m", "distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny",
        "--preload", "app.job_worker", "--local-directory", str(folder), *both,
    ]  # fmt: skip
    processes = [start(command) for command in (scheduler, worker, worker)]
    wait_for(told.exists)
    yield json.loads(told.read_text())["address"]
    for process in processes:
        process.terminate()
        process.wait()


@pytest.fixture
def servers(cluster, monkeypatch):
    monkeypatch.setenv("LLM_LAB_DASK", cluster)
    pair = JobManager(), JobManager()
    yield pair
    for one in pair:
        one.shutdown()


def test_each_server_has_its_own_run_and_stops_only_that(servers):
    one, other = servers
    config = Steps(FOREVER, 0.01)
    mine, theirs = one.submit(squares, config, "me"), other.submit(squares, config, "me")
    pids = {to_first_event(job).events[0].pid for job in (mine, theirs)}
    assert len(pids) == 2  # a worker each
    mine.stop("me")
    assert to_the_end(mine).state == "stopped"
    held = len(theirs.snapshot("me").events)
    look_until(theirs, lambda view: len(view.events) > held + 5)
    theirs.stop("me")
    assert to_the_end(theirs).state == "stopped"


def test_a_run_comes_back_whole_and_no_worker_is_started_here(servers):
    view = to_the_end(servers[0].submit(squares, Steps(5), "me"))
    assert view.result.values.tolist() == (np.arange(5) ** 2).tolist()
    assert [event.number for event in view.events] == [0, 1, 2, 3, 4]
    ours = {child.pid for child in psutil.Process().children(recursive=True)}
    own_pools = [p for p in ours if "--death-timeout" in psutil.Process(p).cmdline()]
    assert own_pools == []


SERVER = """
import sys, time
from app.jobs import JobManager
from tests.app.toy_runs import Steps, beats
manager = JobManager()
jobs = [manager.submit(beats, Steps(100_000, 0.01, file)) for file in sys.argv[1:]]
while not all(job.snapshot().events for job in jobs):
    time.sleep(0.02)
jobs[1].pause()
print("under way", flush=True)
time.sleep(600)
"""


def test_a_killed_server_leaves_no_run_and_no_pause_behind_on_the_workers(
    cluster, servers, tmp_path
):
    files = [tmp_path / "runs", tmp_path / "pauses"]
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, *map(str, files)], stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "LLM_LAB_DASK": cluster},
    )  # fmt: skip
    with server.stdout:
        assert server.stdout.readline() == "under way\n"
    server.kill()
    server.wait()
    both = [servers[0].submit(squares, Steps(FOREVER, 0.01 + i / 1000), "me") for i in range(2)]
    pids = {to_first_event(job).events[0].pid for job in both}  # so both workers are free
    assert len(pids) == 2
    written = [file.stat().st_size for file in files]
    for job in both:
        job.stop("me")
        to_the_end(job)
    assert [file.stat().st_size for file in files] == written


@pytest.mark.parametrize("workers", [0, 3, 8])
def test_every_worker_of_the_cluster_counts(workers):
    """What Dask tells of a cluster unasked may end with the fifth worker."""
    with LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=False, host="127.0.0.1", protocol="tcp://",
        dashboard_address="127.0.0.1:0",
    ) as many:  # fmt: skip
        pool = SharedCluster(many.scheduler_address)
        try:
            wait_for(lambda: len(many.scheduler.workers) == workers)
            assert pool.ready() == workers
        finally:
            pool.close()
