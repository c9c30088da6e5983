"""The worker processes: a Dask scheduler in this process, and single-threaded workers beside it.

The scheduler lives in the server, so that nothing outlives the server: a worker that loses its scheduler
ends by itself, even after `kill -9`. Workers are started by `subprocess`: Streamlit replaces `__main__`,
which `multiprocessing` would try to import again. Everything listens on 127.0.0.1 only.
"""

import asyncio
import concurrent.futures
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import psutil
from dask.system import CPU_COUNT
from distributed import Client, KilledWorker, LocalCluster
from distributed.system import MEMORY_LIMIT

from app import job_worker
from app.job_worker import Failure, Outcome, Wish

ROOT = Path(__file__).resolve().parents[1]
LOOPBACK = "127.0.0.1"
SERVER_BYTES = 600 * 2**20  # what the server itself holds with torch and transformers loaded
WORKER_BYTES = 700 * 2**20  # a worker with torch, an optimiser and a lab-sized model
ANSWER_SECONDS = 0.1  # a worker answers within milliseconds; what takes longer is heard next time
FAILED_STARTS = 3  # workers that end before they report for duty: then something is wrong for good
log = logging.getLogger(__name__)

# No web pages, no sampling profiler, no spilling to disk, no second try of a run whose worker died;
# and rare self-observation, without which an idle scheduler takes 3 % of a core.
SETTINGS = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing-interval": "1s",
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "10s",
    "logging.distributed": "critical",
}


def worker_limit() -> int:
    """As many workers as cores, fewer where the memory (or its cgroup limit) is short."""
    spare_bytes = min(MEMORY_LIMIT - SERVER_BYTES, psutil.virtual_memory().available)
    return max(1, min(CPU_COUNT, spare_bytes // WORKER_BYTES))


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen
    name: str
    reported: bool = False


class Pool:
    """Carries runs to the workers of a cluster. Used by one thread.

    Each worker is asked by itself, and none is waited for: one that is frozen, or deep in a computation
    that lets nothing else happen, holds up nobody's news but its own.
    """

    def __init__(self, client: Client):
        self._client = client
        self._failed_starts = 0
        self._questions: dict[str, concurrent.futures.Future] = {}  # worker -> it has yet to answer
        self._places: dict[str, str] = {}  # job -> the worker that has told of it

    def submit(self, job: str, run_path: str, config: Any) -> concurrent.futures.Future:
        """The outcome of the run, done once it is in this process."""
        run = self._client.submit(job_worker.carry_out, job, run_path, config, key=job, pure=False)
        return self._in_background(self._client.gather(run, asynchronous=True))

    def exchange(self, orders: dict[str, tuple[Wish, int]]) -> dict[str, tuple[int, list]]:
        """Bring wishes to the workers, and back the events that the server does not hold yet.

        What a worker does not answer at once comes with a later exchange.
        """
        known = {job: self._places[job] for job in orders if job in self._places}
        ask = set(known.values()) if len(known) == len(orders) else set(self._client.nthreads())
        asked = [self._ask(worker, orders) for worker in ask - self._questions.keys()]
        concurrent.futures.wait(asked, timeout=ANSWER_SECONDS)
        news: dict[str, tuple[int, list]] = {}
        for worker in [one for one, question in self._questions.items() if question.done()]:
            told = self._questions.pop(worker).result().get(worker, {})
            known = {job: place for job, place in known.items() if place != worker}
            known |= dict.fromkeys(told, worker)
            news |= told
        self._places = known
        return news

    def collect(self, future: concurrent.futures.Future) -> Outcome:
        """The outcome of a run that is done."""
        try:
            outcome = future.result()
        except (KilledWorker, CancelledError):
            return Outcome("lost")
        except Exception as error:
            log.exception("A result did not come back")
            return Outcome("failed", error=Failure(type(error).__name__, str(error)))
        self._failed_starts = 0
        return outcome

    def close(self) -> None:
        for question in self._questions.values():
            question.cancel()
        self._client.close(timeout=1)

    def _ask(self, worker: str, orders: dict[str, tuple[Wish, int]]) -> concurrent.futures.Future:
        question = self._questions[worker] = self._in_background(
            self._client.run(
                job_worker.exchange, orders, workers=[worker], on_error="ignore", asynchronous=True
            )
        )
        return question

    def _in_background(self, coroutine: Coroutine) -> concurrent.futures.Future:
        return asyncio.run_coroutine_threadsafe(coroutine, self._client.loop.asyncio_loop)


class WorkerPool(Pool):
    """Starts, replaces and ends the workers of this machine."""

    def __init__(self, limit: int | None = None):
        self.limit = limit or worker_limit()
        self._scratch = Path(tempfile.mkdtemp(prefix="llm-lab-"))
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters, the job says
        with dask.config.set({**SETTINGS, "temporary-directory": str(self._scratch)}):
            self._cluster = LocalCluster(
                n_workers=0, processes=False, protocol="tcp://", host=LOOPBACK,
                dashboard_address=f"{LOOPBACK}:0", silence_logs=False,
            )  # fmt: skip
        super().__init__(Client(self._cluster))
        self._workers: list[_Worker] = []
        self._started = 0

    # Processes.

    def keep(self, wanted: int) -> None:
        """Have `wanted` workers at least (up to the limit), replacing those that died."""
        names = {state.name for state in self._cluster.scheduler.workers.values()}
        for worker in self._workers:
            worker.reported = worker.reported or worker.name in names
        dead = [worker for worker in self._workers if worker.process.poll() is not None]
        self._failed_starts += sum(not worker.reported for worker in dead)
        if self._failed_starts >= FAILED_STARTS:
            raise RuntimeError("the worker processes end before they are ready")
        self._workers = [worker for worker in self._workers if worker.process.poll() is None]
        while len(self._workers) < min(wanted, self.limit):
            self._workers.append(self._start_worker())

    def ready(self) -> int:
        """How many workers can take a run; one that has only just registered cannot yet."""
        return len(self._cluster.scheduler.running)

    def _start_worker(self) -> _Worker:
        self._started += 1
        name = f"worker-{self._started}"
        share_bytes = (MEMORY_LIMIT - SERVER_BYTES) // self.limit
        command = [
            sys.executable, "-m", "distributed.cli.dask_worker", self._cluster.scheduler_address,
            "--no-nanny", "--nthreads", "1", "--host", LOOPBACK, "--name", name,
            "--no-dashboard", "--dashboard-address", f"{LOOPBACK}:0", "--death-timeout", "30",
            "--local-directory", str(self._scratch), "--preload", job_worker.__name__,
            "--memory-limit", str(max(share_bytes, WORKER_BYTES)),
        ]  # fmt: skip
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "DASK_INTERNAL_INHERIT_CONFIG": dask.config.serialize(SETTINGS),
        }
        # A session of its own: Ctrl-C in the terminal is the server's to handle.
        process = subprocess.Popen(  # nosec B603 # our own words, no shell
            command, env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, start_new_session=True
        )
        return _Worker(process, name)

    def close(self) -> None:
        """End everything; no process and no file stays."""
        super().close()
        self._cluster.close(timeout=1)
        for worker in self._workers:
            worker.process.kill()
            worker.process.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)
