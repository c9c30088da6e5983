"""Background runs: anything longer than a moment happens in a worker process, and the page watches.

    job = manager().submit("labcore.architecture.build_train:train", config, watcher=session_id)
    view = job.snapshot(session_id)      # a few times a second, from a fragment

The queue, the watchers and the sharing are kept here; processes, transport and the death of a worker are
Dask's (`job_cluster`). Rules that a class of thirty can live with:

- Who asks for the same run with the same config watches the run that is there, or gets its result.
- Whoever watches a run alone may pause it. A pause ends by itself after a minute if others are waiting.
- Stopping means to stop watching; the run itself stops when its last watcher does so.
- A run that nobody has looked at for two minutes stops.
"""

import atexit
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import dask.threaded
from dask.tokenize import tokenize

from app import job_worker
from app.job import ANYONE, Job, JobView, Shared
from app.job_worker import Failure, Outcome
from app.results import CODE_VERSION
from labcore.errors import LabInputError

if TYPE_CHECKING:
    from app.job_cluster import Pool

__all__ = ["ANYONE", "Failure", "Job", "JobManager", "JobView", "manager"]

UNWATCHED_SECONDS = 120.0  # browsers let the timers of a hidden tab fire once a minute
PAUSE_SECONDS = 60.0
TURN_SECONDS = 0.1  # events arrive, and orders leave, this often; a turn costs 2 ms
JOBS_KEPT = 64
MOST_WAITING = 128  # runs in the queue: four for each learner of a class of thirty
log = logging.getLogger(__name__)
# Dask takes whoever imports it first for the main thread. Here that is the thread of somebody's session,
# which Dask would keep for good, and with it the session.
dask.threaded.main_thread = threading.main_thread()


def manager() -> "JobManager":
    """The one manager of this process, started on first use.

    Streamlit holds it, and not this module: when a developer's edit reloads the modules, the new
    code's manager replaces the old one, whose workers still run the old code.
    """
    import streamlit as st

    @st.cache_resource(max_entries=1, show_spinner=False, on_release=JobManager.shutdown)
    def held(code_version: str, inline: bool) -> JobManager:
        return JobManager(inline)

    return held(CODE_VERSION, os.environ.get("LLM_LAB_JOBS") == "inline")


def _inline_seconds() -> float | None:
    """After how long a run in the calling thread is stopped, as its watcher might; None: never."""
    told = os.environ.get("LLM_LAB_INLINE_SECONDS")
    return float(told) if told else None


@contextmanager
def _stopped_after(seconds: float | None, ledger: job_worker.Ledger) -> Iterator[None]:
    if seconds is None:
        yield
        return
    clock = threading.Timer(seconds, ledger.obey, ["stop"])
    clock.daemon = True
    clock.start()
    try:
        yield
    finally:
        clock.cancel()


def _key(run_path: str, config: Any) -> str:
    """The same for equal requests to the same code, in every process."""
    return tokenize(CODE_VERSION, run_path, config, ensure_deterministic=True)


class JobManager:
    """Takes runs, queues them, keeps their results. Safe to use from any thread.

    `inline`: runs happen at `submit`, in the calling thread, for tests of pages; one that takes longer
    than `LLM_LAB_INLINE_SECONDS` is then stopped after its present step.
    """

    def __init__(
        self,
        inline: bool = False,
        workers: int | None = None,
        unwatched_seconds: float = UNWATCHED_SECONDS,
        pause_seconds: float = PAUSE_SECONDS,
    ):
        self.inline, self.workers = inline, workers
        self.unwatched_seconds, self.pause_seconds = unwatched_seconds, pause_seconds
        self._shared = Shared()
        self._jobs: OrderedDict[str, Job] = OrderedDict()  # the one used last comes last
        self._running: dict[str, Job] = {}
        self._thread: threading.Thread | None = None
        self._closing = False

    # What pages call.

    def submit(
        self,
        run: str | Callable[[Any], Generator],
        config: Any,
        watcher: str = ANYONE,
        again: bool = False,
    ) -> Job:
        """Ask for `run(config)`: a job that waits, runs, or has long finished for somebody else.

        `run`: a generator function of labcore, or its path `"module:function"`. `config`: a frozen
        dataclass. A run that was stopped, failed or was lost is tried again; with `again` a finished
        one is too. LabInputError("run", …, "queue_full") where too many wait already.
        """
        run_path = job_worker.path_of(run)
        key = _key(run_path, config)
        with self._shared.lock:
            job = self._jobs.get(key)
            if job is None or job.must_run_again or (again and job.outcome is not None):
                if len(self._shared.queue) >= MOST_WAITING:
                    raise LabInputError("run", MOST_WAITING, "queue_full", limit=MOST_WAITING)
                job = self._jobs[key] = self._enqueue(run_path, config)
            self._jobs.move_to_end(key)
            job.watch(watcher)
            self._forget_oldest()
        if self.inline and job.outcome is None:
            self._run_here(job)
        return job

    def find(self, run: str | Callable[[Any], Generator], config: Any) -> Job | None:
        """The job of `run(config)` if anybody has asked for it and it still counts."""
        with self._shared.lock:
            return self._jobs.get(_key(job_worker.path_of(run), config))

    def of_id(self, id: str) -> Job | None:
        """The job of that id, if this manager made it and has not forgotten it."""
        with self._shared.lock:
            return next((job for job in self._jobs.values() if job.id == id), None)

    def warm_up(self) -> None:
        """Start the scheduler and a first worker in the background; returns at once."""
        with self._shared.lock:
            if self.inline or self._closing or self._thread is not None:
                return
            self._thread = threading.Thread(target=self._serve, name="jobs", daemon=True)
            self._thread.start()
            atexit.register(self.shutdown)

    def shutdown(self) -> None:
        """Stop every run and end every process; returns when they have ended."""
        self._closing = True
        self._shared.wake.set()
        if thread := self._thread:
            thread.join(timeout=30)
        atexit.unregister(self.shutdown)

    # Bookkeeping; the lock is held.

    def _enqueue(self, run_path: str, config: Any) -> Job:
        job = Job(uuid4().hex, run_path, config, self._shared)
        if self._closing:
            job.end(Outcome("stopped"))
        elif not self.inline:
            self._shared.queue.append(job)
            self.warm_up()
            self._shared.wake.set()
        return job

    def _forget_oldest(self) -> None:
        done = [key for key, job in self._jobs.items() if job.outcome is not None]
        for key in done[: max(0, len(self._jobs) - JOBS_KEPT)]:
            del self._jobs[key]

    def _run_here(self, job: Job) -> None:
        ledger = job_worker.Ledger()
        job.start()
        with _stopped_after(_inline_seconds(), ledger):
            outcome = job_worker.walk(job.run_path, job.config, ledger)
        job.end(outcome)

    # The thread that serves: the only one that talks to Dask.

    def _serve(self) -> None:
        pool, outcome = None, Outcome("stopped")
        try:
            pool = self._pool()
            while not self._closing:
                self._turn(pool)
                under_way = self._running or self._shared.queue or not pool.ready()
                self._shared.wake.wait(TURN_SECONDS if under_way else None)
                self._shared.wake.clear()
        except Exception as error:
            log.exception("Background runs broke down; the next run starts them anew")
            outcome = Outcome("failed", error=Failure(type(error).__name__, str(error)))
        finally:
            self._end_all(outcome)
            if pool:
                pool.close()

    def _pool(self) -> "Pool":
        # Imported here: it takes a third of a second that the first page need not wait for.
        from app.job_cluster import WorkerPool
        from app.job_shared import SharedCluster

        address = os.environ.get("LLM_LAB_DASK")
        return SharedCluster(address) if address else WorkerPool(self.workers)

    def _turn(self, pool: "Pool") -> None:
        self._mind_watchers()
        pool.keep(max(1, len(self._running) + len(self._shared.queue)))
        self._dispatch(pool)
        if orders := {job.id: job.order() for job in self._running.values()}:
            for job_id, (first, events) in pool.exchange(orders).items():
                if job := self._running.get(job_id):  # else it ended before this news of it came
                    job.add_events(first, events)
        for job in [job for job in self._running.values() if job.future.done()]:
            job.end(pool.collect(job.future))
            del self._running[job.id]
        self._dispatch(pool)

    def _dispatch(self, pool: "Pool") -> None:
        with self._shared.lock:
            while self._shared.queue and len(self._running) < pool.ready():
                job = self._shared.queue.popleft()
                job.start(pool.submit(job.id, job.run_path, job.config))
                self._running[job.id] = job

    def _mind_watchers(self) -> None:
        with self._shared.lock:
            waiting = list(self._shared.queue)
            for job in [*waiting, *self._running.values()]:
                if not job.watchers(self.unwatched_seconds):
                    job.cancel()
            if self._shared.queue:
                for job in self._running.values():
                    job.end_pause(longer_than_seconds=self.pause_seconds)

    def _end_all(self, outcome: Outcome) -> None:
        with self._shared.lock:
            if not self._closing:
                self._thread = None  # so that the next run starts anew
            for job in [*self._running.values(), *self._shared.queue]:
                job.end(outcome)
            self._running.clear()
            self._shared.queue.clear()
