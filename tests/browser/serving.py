"""A real server, and visitors to it whose network is closed."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, TimeoutError, expect

from app.catalog import ROOT

START_SECONDS = 120
PATIENCE_MS = 90_000  # a generous limit for a shared two-core machine, not an expectation
expect.set_options(timeout=PATIENCE_MS)

# A run goes on, a figure is on its way, or what an earlier run drew still stands there, faded.
BUSY = "[data-testid=stStatusWidget], [data-testid=stSkeleton], [data-stale=true]"
STYLED = "() => [...document.querySelectorAll('style')].some((s) => s.textContent.includes('A calm page'))"


def rest(page: Page) -> None:
    """Wait until the page has its styles and nothing on it is about to move."""
    page.wait_for_function(STYLED)
    page.wait_for_timeout(700)
    expect(page.locator(BUSY)).to_have_count(0)


@contextmanager
def serve(script: str, log: Path) -> Iterator[str]:
    """Streamlit with `script` on a free port of this machine; gives its address."""
    port = free_port()
    process = start(script, log, port)
    try:
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(script: str, log: Path, port: int) -> subprocess.Popen:
    """Streamlit with `script` on the port, once it answers; whoever starts it ends it."""
    command = [sys.executable, "-m", "streamlit", "run", script, "--server.port", str(port)]
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--server.address", "localhost"],
            cwd=ROOT, stdout=output, stderr=subprocess.STDOUT,
            env={
                **os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1",
                "LLM_LAB_DATABASE": f"sqlite:///{log.with_name('classes.sqlite3')}",
            },
        )  # fmt: skip
    try:
        _wait(f"http://localhost:{port}/_stcore/health", process, log)
    except RuntimeError:
        process.kill()
        process.wait()
        raise
    return process


def _wait(address: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the server did not start:\n{log.read_text()}")


class Visitors:
    """New visitors to one server. Their browsers may talk to it and to nothing else; `wrong` remembers
    every request that tried to leave the machine, and every script error."""

    def __init__(self, browser: Browser, server: str):
        self.browser, self.server = browser, server
        self.contexts: list = []
        self.wrong: list[str] = []

    def open(
        self, path: str, ready: str, width: int = 1280, height: int = 900, theme: str = "light",
        locale: str = "en-GB",
    ) -> Page:  # fmt: skip
        """The page at `path`, once something matches the selector `ready`."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, locale=locale,
            reduced_motion="reduce",
        )  # fmt: skip
        self.contexts.append(context)
        context.route("**/*", self._guard)
        page = context.new_page()
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.set_default_timeout(PATIENCE_MS)
        page.goto(self.server + path)
        try:
            page.locator(ready).first.wait_for()
        except TimeoutError as late:
            shown = page.inner_text("body")[:500]
            raise AssertionError(f"{path} shows {shown!r}; errors: {self.wrong}") from late
        return page

    def close(self) -> None:
        for context in self.contexts:
            context.close()
        assert not self.wrong, f"script errors, or requests that left the machine: {self.wrong}"

    def _guard(self, route) -> None:
        if route.request.url.startswith((self.server, "data:", "blob:")):
            route.continue_()
        else:
            self.wrong.append(route.request.url)
            route.abort()
