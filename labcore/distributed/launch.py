"""Processes of one's own, started by torchrun and gone when nobody listens any more.

The command is the one for a cluster; here it differs in two things. The processes find each other by
files instead of a TCP port, for torchrun's store listens on every network interface and trusts whoever
calls. And they talk over the loopback interface only.

Nothing outlives the launcher: it ends the processes when its generator is closed, and if it is killed
itself, its end of their standard input closes, at which each of them leaves.
"""

import json
import os
import queue
import re
import shlex
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path

import psutil

import labcore
from labcore.configs import lab_config
from labcore.distributed.meeting import LEASH
from labcore.distributed.parallel_config import PROCESSES, ParallelConfig
from labcore.errors import LabInputError

ROOT = Path(labcore.__file__).resolve().parents[1]
RECIPE = "labcore.recipes.pretrain"
LOOPBACK = "lo" if sys.platform != "darwin" else "lo0"
LOOK_SECONDS = 0.5  # without news; a page can stop a run this often
SILENCE_SECONDS = 300.0  # after which processes are given up; imports on a busy machine are slow
PIPE_BYTES = (
    4096  # a small pipe: when nobody reads, the first process soon waits, and the others with it
)
TIDY_SECONDS = 10.0  # what torchrun gets to end its processes itself
DEFAULT = ParallelConfig()


@lab_config
class Launch:
    """What is to be started: how many processes, with which options, and how often again."""

    processes: int = 2  # p
    options: tuple[str, ...] = ()  # of the module
    restarts: int = 0  # times that torchrun starts all processes again after one has died
    module: str = RECIPE  # what each process runs

    def __post_init__(self):
        if self.processes not in PROCESSES:
            raise LabInputError("processes", self.processes, "known_choice", allowed=PROCESSES)


def options_for(*configs: ParallelConfig) -> tuple[str, ...]:
    """The recipe's options for these runs: one value where all agree, else a value for each run."""
    options: list[str] = []
    for field in fields(ParallelConfig):
        values = [str(getattr(config, field.name)) for config in configs]
        values = values[:1] if len(set(values)) == 1 else values
        if field.name in ("way", "steps") or values != [str(getattr(DEFAULT, field.name))]:
            options += [f"--{field.name.replace('_', '-')}", *values]
    return tuple(options)


def local_arguments(launch: Launch, folder: str) -> list[str]:
    """What torchrun is told here: meet by files in the folder."""
    return [
        "--nnodes", "1", "--nproc-per-node", str(launch.processes),
        *(["--max-restarts", str(launch.restarts)] if launch.restarts else []),
        "--rdzv-backend", "c10d", "--rdzv-conf", "store_type=file",
        "--rdzv-endpoint", f"{folder}/agents", "--log-dir", f"{folder}/logs",
        "-m", launch.module, *launch.options, "--out", f"{folder}/runs",
        "--init-method", f"file:{folder}/processes",
    ]  # fmt: skip


def cluster_arguments(launch: Launch, nodes: int, per_node: int) -> list[str]:
    """What torchrun is told on each of several machines: meet at the first one's port."""
    return [
        "--nnodes", str(nodes), "--nproc-per-node", str(per_node),
        *(["--max-restarts", str(launch.restarts)] if launch.restarts else []),
        "--rdzv-backend", "c10d", "--rdzv-id", "first-run", "--rdzv-endpoint", "node0:29500",
        "-m", launch.module, *launch.options, "--out", "/shared/first-run",
    ]  # fmt: skip


def spelled(arguments: Sequence[str]) -> str:
    return shlex.join(["torchrun", *arguments])


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder for one launch, or for several that go on from each other's checkpoints."""
    with tempfile.TemporaryDirectory(
        prefix="llm-lab-torchrun-", ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def lines(launch: Launch, folder: Path) -> Generator[dict | None, None, None]:
    """Start the processes and yield what they report; None when there has been no news for a while.

    Ends when they have ended; RuntimeError with their last words if that was no success.
    """
    with (folder / "errors.txt").open("w+", encoding="utf-8") as errors:
        yield from follow(start(launch, folder, errors), folder, room=8)


def follow(
    process: subprocess.Popen, folder: Path, room: int = 0, ask: Callable[[], None] = lambda: None
) -> Generator[dict | None, None, None]:
    """What a process tells, line by line, as `lines` does; it is ended when nobody listens any more.

    `room`: lines that may wait, after which the process is held back; 0 for any number. `ask` is called
    when the next line is wanted.
    """
    news: queue.Queue[str | None] = queue.Queue(maxsize=room)
    reader = threading.Thread(target=_read, args=(process, news), daemon=True)
    reader.start()
    silent_seconds = 0.0
    try:
        while True:
            try:
                line = news.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                silent_seconds += LOOK_SECONDS
                if silent_seconds >= SILENCE_SECONDS:
                    raise TimeoutError("the processes have fallen silent") from None
                yield None
                continue
            silent_seconds = 0.0
            if line is None:
                break
            if line.startswith("{"):
                yield json.loads(line)
            ask()
        if process.wait():
            raise RuntimeError(last_words(folder))
    finally:
        end(process)
        while reader.is_alive():  # it may be waiting for room in the queue
            with suppress(queue.Empty):
                news.get(timeout=0.1)


def start(launch: Launch, folder: Path, errors) -> subprocess.Popen:
    """torchrun is `python -m torch.distributed.run`; the environment keeps it on this machine."""
    for old in (*folder.glob("agents"), *folder.glob("processes*")):
        old.unlink()  # where an earlier launch met
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": LOOPBACK,
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",  # else torchrun opens a port all the same
        LEASH: "1",
    }
    command = [sys.executable, "-m", "torch.distributed.run", *local_arguments(launch, str(folder))]
    return subprocess.Popen(  # nosec B603 # options are a checked config's fields, no shell
        command, cwd=ROOT, env=environment, text=True, encoding="utf-8", pipesize=PIPE_BYTES,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
    )  # fmt: skip


def _read(process: subprocess.Popen, news: queue.Queue) -> None:
    """In a thread: lines into the queue, None at their end. A full queue holds the processes back."""
    with suppress(ValueError, OSError):  # closed by `end`
        for line in process.stdout:
            news.put(line)
    news.put(None)


def end(torchrun: subprocess.Popen) -> None:
    """End torchrun and everything that it started; returns when none of them is left."""
    family = []
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(torchrun.pid).children(recursive=True)
    torchrun.stdin.close()  # the leash: each process leaves by itself
    if torchrun.poll() is None:
        torchrun.terminate()
        with suppress(subprocess.TimeoutExpired):
            torchrun.wait(TIDY_SECONDS)
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    torchrun.kill()
    torchrun.wait()
    psutil.wait_procs(family, timeout=TIDY_SECONDS)


def last_words(folder: Path) -> str:
    """The first exception that the processes wrote to standard error; torchrun's own is its consequence."""
    told = (folder / "errors.txt").read_text(encoding="utf-8", errors="replace")
    causes = re.findall(r"^(?:\[rank\d+\]: )?([\w.]*Error\b.*)$", told, re.MULTILINE)
    causes = [cause for cause in causes if "ChildFailedError" not in cause]
    return causes[0][:300] if causes else "the processes ended early"
