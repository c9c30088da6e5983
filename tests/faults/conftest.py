"""What the tests of faults share: a disk that is really full, and a count of what a fault leaves behind."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import streamlit as st

from tests.labcore.zoo.conftest import fake_hub, tiny_bert  # noqa: F401 (fixtures)

PATIENCE_SECONDS = 60


class Disk:
    """A disk of a few MB: a tmpfs where this system lets us mount one, else a limit on the size of files."""

    def __init__(self, folder: Path, megabytes: int = 4):
        folder.mkdir()
        self.folder, self._limits = folder, None
        options = f"size={megabytes}m"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True
        )
        self.mounted = done.returncode == 0

    def fill(self, leave_bytes: int = 0) -> None:
        """Leave so much room; what is written beyond that fails in the operating system itself."""
        if self.mounted:
            with (self.folder / "filler").open("wb", buffering=0) as filler:
                try:
                    while filler.write(bytes(4096)):
                        pass
                except OSError:
                    filler.truncate(max(0, filler.tell() - leave_bytes))
        else:
            import resource

            self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (max(leave_bytes, 1), self._limits[1]))

    def free(self) -> None:
        (self.folder / "filler").unlink(missing_ok=True)
        if self._limits:
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)
            self._limits = None

    def close(self) -> None:
        self.free()
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk")
    yield disk
    disk.close()


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "gave up waiting"
        time.sleep(0.02)


def children() -> set[int]:
    """The processes that this one has started and that still run."""
    return {
        child.pid
        for child in psutil.Process().children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE
    }


def threads() -> set[threading.Thread]:
    """Those of this process, without the ones by which a test's own server answers, and Dask's one
    thread for packing and unpacking, which serves whoever comes as long as the process lives."""
    others = ("process_request_thread", "Dask-Offload")
    return {one for one in threading.enumerate() if not any(name in one.name for name in others)}


@contextmanager
def nothing_stays() -> Iterator[None]:
    """When the block has ended, every process and thread that began in it ends too, soon."""
    processes, before = children(), threads()
    yield
    try:
        wait_until(lambda: not children() - processes)
        wait_until(lambda: not threads() - before)
    except AssertionError:
        left = [thread.name for thread in threads() - before]
        raise AssertionError(f"left behind: {children() - processes}, {left}") from None


@pytest.fixture
def forget_streamlit() -> Iterator[None]:
    yield
    st.cache_resource.clear()
    st.cache_data.clear()
