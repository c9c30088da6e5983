"""Inside a worker process: walk one run's generator, hand over its events, obey pause and stop.

Dask loads this module into every worker (`--preload`). A run puts its events on a ledger; the server
fetches what is new with `exchange` and brings its orders along, so that a step costs one append to a
list, however fast the run is, and an event never waits for the step after it.
"""

import importlib
import logging
import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from labcore.errors import LabInputError, no_room

PAUSE_LOOK_SECONDS = 1.0  # a run that pauses looks this often whether its server is still there
MAX_EVENTS = 20_000  # what a page can still draw, and an end to a run that yields without measure

Wish = Literal["run", "pause", "stop"]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """What a learner is told of an exception: its type and its message. The traceback is logged."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. `events` are those from number `first` on; None: none came back."""

    state: Literal["finished", "stopped", "failed", "lost"]
    result: Any = None
    error: LabInputError | Failure | None = None
    first: int | None = None
    events: tuple = ()


@dataclass(slots=True)
class Ledger:
    """What a run has yielded so far, and what it has been told."""

    given_up: Callable[[], bool] = lambda: False  # whether nobody is left to tell it anything
    events: list = field(default_factory=list)
    fetched: int = 0  # how many events the server says that it holds
    stopped: bool = False
    may_go_on: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.may_go_on.set()

    def obey(self, wish: Wish) -> None:
        self.stopped = self.stopped or wish == "stop"
        if wish == "pause" and not self.stopped:
            self.may_go_on.clear()
        else:
            self.may_go_on.set()


_ledgers: dict[str, Ledger] = {}  # the runs that are under way in this process


def carry_out(job: str, run_path: str, config: Any) -> Outcome:
    """Do a whole run; the task that Dask carries to a worker."""
    ledger = _ledgers[job] = Ledger(given_up=partial(_is_given_up, job))
    try:
        return walk(run_path, config, ledger)
    finally:
        del _ledgers[job]


def _is_given_up(job: str) -> bool:
    """Whether the server that asked for the run has gone; Dask then wants it no more, but cannot end it."""
    from distributed import get_worker  # a worker has it; the first page need not wait for it

    task = get_worker().state.tasks.get(job)
    return task is None or task.state == "cancelled"


def exchange(orders: dict[str, tuple[Wish, int]]) -> dict[str, tuple[int, list]]:
    """Pass on wishes and fetch news: {job: (wish, events held)} -> {job: (first, events from there)}.

    Runs in the worker's event loop, beside the run. Jobs of other workers are left out of the answer.
    """
    news = {}
    for job, (wish, held) in orders.items():
        if ledger := _ledgers.get(job):
            ledger.obey(wish)
            ledger.fetched = held
            news[job] = held, ledger.events[held:]
    return news


def walk(run_path: str, config: Any, ledger: Ledger) -> Outcome:
    """Step through the generator `module:function`(config) until it ends, fails or is stopped."""
    state, result, error = "failed", None, None
    try:
        state, result = _step_through(resolve(run_path)(config), ledger)
    except LabInputError as refused:
        error = refused
    except Exception as broken:
        log.exception("The run %s failed", run_path)
        error = Failure(type(broken).__name__, str(broken))
        if no_room(broken):
            error = LabInputError("run", type(broken).__name__, "server_disk_full")
    return Outcome(state, result, error, ledger.fetched, tuple(ledger.events[ledger.fetched :]))


def _step_through(steps: Generator, ledger: Ledger) -> tuple[str, Any]:
    while True:
        try:
            event = next(steps)
        except StopIteration as end:
            return "finished", end.value
        ledger.events.append(event)
        if len(ledger.events) > MAX_EVENTS:
            raise OverflowError(f"a run may yield {MAX_EVENTS} events at most")
        while not ledger.may_go_on.wait(PAUSE_LOOK_SECONDS):
            if ledger.given_up():
                break
        if ledger.stopped or ledger.given_up():
            steps.close()
            return "stopped", None


def resolve(run_path: str) -> Callable[[Any], Generator]:
    """`"labcore.architecture.build_train:train"` -> the function."""
    module, _, name = run_path.partition(":")
    return getattr(importlib.import_module(module), name)


def path_of(run: str | Callable[[Any], Generator]) -> str:
    """The other way round; a path passes as it is."""
    return run if isinstance(run, str) else f"{run.__module__}:{run.__qualname__}"


def dask_setup(worker: Any) -> None:
    """Called by Dask before the worker reports for duty: import what every run needs, and warm it up."""
    import torch

    torch.set_num_threads(1)  # a second thread per worker fights the other workers for the cores
    _limit_memory(worker.memory_manager.memory_limit)
    weight = torch.zeros(1, requires_grad=True)
    weight.sum().backward()
    torch.optim.AdamW([weight]).step()  # the first step of a process alone takes two seconds


def _limit_memory(limit_bytes: int) -> None:
    """Let a run that asks for too much fail by itself, before the system ends the whole server."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    with suppress(ValueError, OSError):  # a system that allows less already
        resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))


def dask_teardown(worker: Any) -> None:
    """Called when the server has gone: a run that is under way ends at its next step."""
    for ledger in _ledgers.values():
        ledger.obey("stop")
