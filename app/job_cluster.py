"""The worker processes: a Dask scheduler in this process, and single-threaded workers beside it.

The scheduler lives in the server, so that nothing outlives the server: a worker that loses its scheduler
ends by itself, even after `kill -9`. Workers are started by `subprocess`: Streamlit replaces `__main__`,
which `multiprocessing` would try to import again. Everything listens on 127.0.0.1 only.
"""

import logging
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import psutil
from dask.system import CPU_COUNT
from distributed import Client, Future, KilledWorker, LocalCluster
from distributed.system import MEMORY_LIMIT

from app import job_worker
from app.job_worker import Failure, Outcome, Wish

ROOT = Path(__file__).resolve().parents[1]
LOOPBACK = "127.0.0.1"
SERVER_BYTES = 600 * 2**20  # what the server itself holds with torch and transformers loaded
WORKER_BYTES = 700 * 2**20  # a worker with torch, an optimiser and a lab-sized model
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
    """Carries runs to the workers of a cluster. Used by one thread."""

    _client: Client
    _failed_starts = 0

    def submit(self, job: str, run_path: str, config: Any) -> Future:
        return self._client.submit(job_worker.carry_out, job, run_path, config, key=job, pure=False)

    def exchange(self, orders: dict[str, tuple[Wish, int]]) -> dict[str, tuple[int, list]]:
        """Bring wishes to the workers, and back the events that the server does not hold yet."""
        answers = self._client.run(job_worker.exchange, orders, on_error="ignore")
        return {job: news for answer in answers.values() for job, news in answer.items()}

    def collect(self, future: Future) -> Outcome:
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
        self._client = Client(self._cluster)
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
        self._client.close(timeout=1)
        self._cluster.close(timeout=1)
        for worker in self._workers:
            worker.process.kill()
            worker.process.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)
