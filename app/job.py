"""One background run as the server sees it: its place, its events, its watchers, its end."""

import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from app.job_worker import Failure, Outcome, Wish
from labcore.errors import LabInputError

ANYONE = "anyone"  # the watcher of a script or a test that is alone
PRESENT_SECONDS = 15.0  # who looked this lately is here; a closed tab must not forbid a pause
State = Literal["queued", "running", "paused", "stopped", "finished", "failed", "lost"]


@dataclass(frozen=True, slots=True)
class JobView:
    """A job at one moment.

    `queue_place`: 1 is next; None when not queued. `events`: all so far, in order. `progress`: 0 to 1,
    from the last event's `share`; None if it has none. `error`: why it failed. "lost": the process that
    ran it died, most likely for want of memory; it may be asked for again.
    """

    state: State
    queue_place: int | None
    events: tuple
    progress: float | None
    result: Any
    error: LabInputError | Failure | None
    seconds_running: float  # without the time in the queue and in pauses
    watchers: int

    @property
    def live(self) -> bool:
        """Whether there is more to come, so that the page should look again."""
        return self.state in ("queued", "running", "paused")


@dataclass(slots=True)
class Shared:
    """What all jobs of a manager have in common. `lock` guards the queue and every job."""

    lock: Any = field(default_factory=threading.RLock)
    wake: threading.Event = field(default_factory=threading.Event)  # there is something to see to
    queue: "deque[Job]" = field(default_factory=deque)


class Job:
    """A run that was asked for. Made by `JobManager.submit`; safe to use from any thread.

    No other job of any server has the same `id`.
    """

    def __init__(self, id: str, run_path: str, config: Any, shared: Shared):
        self.id, self.run_path, self.config = id, run_path, config
        self.outcome: Outcome | None = None
        self.future: Any = None
        self._shared = shared
        self._wish: Wish = "run"
        self._events: list = []
        self._seen: dict[str, float] = {}  # watcher -> when it last looked
        self._ran_seconds = 0.0
        self._clock: float | None = None  # since when it has been running without a break
        self._paused_at: float | None = None

    # What pages call.

    def snapshot(self, watcher: str = ANYONE) -> JobView:
        """The job as it stands; also tells that `watcher` is still looking."""
        with self._shared.lock:
            self.watch(watcher)
            outcome = self.outcome or Outcome("stopped")
            state = self._state()
            place = self._shared.queue.index(self) + 1 if state == "queued" else None
            return JobView(
                state, place, tuple(self._events), self._progress(state), outcome.result,
                outcome.error, self._seconds(), len(self._seen),
            )  # fmt: skip

    def watch(self, watcher: str = ANYONE) -> None:
        """Say that `watcher`, a session, wants this run."""
        with self._shared.lock:
            self._seen[watcher] = time.monotonic()

    def leave(self, watcher: str = ANYONE) -> None:
        """Look no longer, and let the run go on for as long as a run may go unwatched."""
        with self._shared.lock:
            if len(self._seen) > 1:
                self._seen.pop(watcher, None)

    def pause(self, watcher: str = ANYONE) -> bool:
        """Halt the run after its present step, keeping its worker; False if others watch it too."""
        with self._shared.lock:
            if self._state() != "running" or self.watchers(PRESENT_SECONDS) - {watcher}:
                return False
            self._halt_clock()
            self._wish, self._paused_at = "pause", time.monotonic()
        self._shared.wake.set()
        return True

    def resume(self, watcher: str = ANYONE) -> bool:
        """Go on after a pause; anybody who watches may."""
        with self._shared.lock:
            self.watch(watcher)
            if self._state() != "paused":
                return False
            self._go_on()
        self._shared.wake.set()
        return True

    def stop(self, watcher: str = ANYONE) -> bool:
        """Give the run up; False if others still watch, for whom it goes on.

        A run that has begun keeps its events, and is "stopped" once its present step is done.
        """
        with self._shared.lock:
            if self._seen.keys() - {watcher}:
                self._seen.pop(watcher, None)
                return False
            self.cancel()
        self._shared.wake.set()
        return True

    # What the manager calls.

    @property
    def must_run_again(self) -> bool:
        """Whether whoever asks for this run now should get a new one."""
        if self.outcome is not None:
            return self.outcome.state != "finished"
        return self._wish == "stop"

    def watchers(self, within_seconds: float) -> set[str]:
        """Who has looked lately."""
        since = time.monotonic() - within_seconds
        with self._shared.lock:
            return {watcher for watcher, looked in self._seen.items() if looked >= since}

    def start(self, future: Any = None) -> None:
        with self._shared.lock:
            self.future, self._clock = future, time.monotonic()

    def order(self) -> tuple[Wish, int]:
        """What the worker should hear: what is wanted, and how many events have come."""
        with self._shared.lock:
            return self._wish, len(self._events)

    def add_events(self, first: int, events: Iterable) -> None:
        """Put the events from number `first` on in their place."""
        with self._shared.lock:
            self._events[first:] = events

    def end(self, outcome: Outcome) -> None:
        with self._shared.lock:
            if outcome.first is not None:
                self.add_events(outcome.first, outcome.events)
            self._halt_clock()
            self.outcome, self.future = outcome, None

    def cancel(self) -> None:
        """Stop, whoever watches: at once in the queue, after the present step when running."""
        with self._shared.lock:
            if self in self._shared.queue:
                self._shared.queue.remove(self)
                self.end(Outcome("stopped"))
            elif self.outcome is None:
                self._wish = "stop"

    def end_pause(self, longer_than_seconds: float) -> None:
        with self._shared.lock:
            paused_at = self._paused_at
            if paused_at is not None and time.monotonic() - paused_at > longer_than_seconds:
                self._go_on()

    # Inside; the lock is held.

    def _state(self) -> State:
        if self.outcome is not None:
            return self.outcome.state
        if self._wish == "pause":
            return "paused"
        return "queued" if self in self._shared.queue else "running"

    def _progress(self, state: State) -> float | None:
        if state == "finished":
            return 1.0
        return getattr(self._events[-1], "share", None) if self._events else None

    def _go_on(self) -> None:
        self._wish, self._paused_at, self._clock = "run", None, time.monotonic()

    def _halt_clock(self) -> None:
        self._ran_seconds, self._clock = self._seconds(), None

    def _seconds(self) -> float:
        return self._ran_seconds + (time.monotonic() - self._clock if self._clock else 0.0)
