"""The one model that this server offers to other programs on its machine, started and stopped from a page.

It is shared by all sessions, as a port of the machine is. Nobody asked it for a quarter of an hour: it is
stopped; and it never outlives the server.
"""

import threading

import streamlit as st

from labcore.serving import endpoint_process
from labcore.serving.endpoint_process import Running

IDLE_SECONDS = 900.0


class Shelf:
    """Place for one running endpoint. Safe to use from any thread."""

    def __init__(self):
        self._lock = threading.Lock()
        self._running: Running | None = None
        self._timer: threading.Timer | None = None

    def now(self) -> Running | None:
        """The endpoint that runs, if one does; looking counts as use."""
        with self._lock:
            if self._running and not self._running.alive:
                self._running = None
            if self._running:
                self._wind()
            return self._running

    def start(self, model: str, form: str, max_batch: int) -> None:
        """Start one in place of whatever ran before. RuntimeError if it does not come up."""
        with self._lock:
            self._end()
            self._running = endpoint_process.start(model, form, max_batch, queue_limit=32)
            self._wind()

    def stop(self) -> None:
        with self._lock:
            self._end()

    def _wind(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = threading.Timer(IDLE_SECONDS, self.stop)
        self._timer.daemon = True
        self._timer.start()

    def _end(self) -> None:
        if self._timer:
            self._timer.cancel()
        if self._running:
            self._running.stop()
        self._running = None


@st.cache_resource(max_entries=1, show_spinner=False, on_release=Shelf.stop)
def shelf() -> Shelf:
    return Shelf()
