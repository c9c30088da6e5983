"""The learner goes away in the middle of a run: it goes on for a while, and then nothing of them is left.

A real server, and a visitor to it that speaks the pages' protocol and hangs up.
"""

import asyncio
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.visitor import Visitor
from tests.browser.serving import free_port, start
from tests.faults.conftest import wait_until

GRACE_SECONDS = (
    2.0  # of a run that nobody watches, and of a session whose browser has gone; two minutes else
)
PAGE = """
import gc
import uuid
import weakref
from pathlib import Path

import streamlit as st
from cachetools import TTLCache

from app import jobs, running
from app.i18n import Words
from tests.app.toy_runs import Steps, beats

FOLDER, GRACE = Path({folder!r}), {grace}
storage = st.runtime.get_instance()._session_mgr._session_storage
if storage._cache.ttl != GRACE:
    storage._cache = TTLCache(128, GRACE)
jobs.JobManager.__init__.__defaults__ = (False, 1, GRACE, 60.0)


class Witness:
    pass


gc.collect()  # what only cycles hold goes now, and not some minutes later
if "witness" not in st.session_state:
    st.session_state["witness"] = Witness()
    file = FOLDER / f"session-{{uuid.uuid4()}}"
    file.touch()
    weakref.finalize(st.session_state["witness"], file.unlink)
config = Steps(100_000, 0.02, str(FOLDER / "beats"))
running.panel("training", Words("en", "training"), beats, config, lambda view: st.text(str(bool(view))))
"""


@pytest.fixture
def server(tmp_path):
    script = tmp_path / "page.py"
    script.write_text(PAGE.format(folder=str(tmp_path), grace=GRACE_SECONDS), encoding="utf-8")
    port = free_port()
    process = start(str(script), tmp_path / "log.txt", port)
    yield process.pid, f"ws://localhost:{port}"
    process.kill()
    process.wait()


def size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def grows(file: Path, within_seconds: float) -> bool:
    before = size(file)
    time.sleep(within_seconds)
    return size(file) > before


def test_a_run_goes_on_when_its_browser_closes_and_ends_after_its_grace_with_all_of_the_session(
    server, tmp_path
):
    pid, address = server
    process, beats = psutil.Process(pid), tmp_path / "beats"

    async def run_and_hang_up() -> None:
        visitor = Visitor(address, "", "")
        await visitor.open()
        await visitor.press("training.run")
        while not size(beats):
            await asyncio.sleep(0.05)
        await visitor.close()

    asyncio.run(run_and_hang_up())
    (session,) = tmp_path.glob("session-*")
    assert grows(beats, GRACE_SECONDS / 3)
    wait_until(lambda: not grows(beats, 0.5))
    threads, workers = process.num_threads(), process.children(recursive=True)
    assert len(workers) == 1

    async def look_in() -> None:
        visitor = Visitor(address, "", "")
        await visitor.open()
        await visitor.close()

    def gone() -> bool:
        """Streamlit looks for what has expired when another session leaves."""
        asyncio.run(look_in())
        return not session.exists()

    wait_until(gone)
    wait_until(lambda: process.num_threads() <= threads)
    assert process.children(recursive=True) == workers  # the worker waits for the next run
    assert not grows(beats, 0.5)
