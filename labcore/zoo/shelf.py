"""Models in memory: loaded once for the whole process, put back when nobody asks for them.

Thirty learners on one server read the same weights. A model that was not asked for in a quarter of
an hour is let go, and of the large ones only the most recently asked for stay.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from labcore.zoo.cards import LoadedModel

IDLE_SECONDS = 15 * 60
LARGE_PARAMETERS = 20_000_000  # about 80 MB in fp32: everything bundled is far below
LARGE_HELD = 3


@dataclass(slots=True, eq=False)
class _Place:
    """One name's place on the shelf. Its lock is held while the model loads."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    loaded: LoadedModel | None = None
    asked_at: float = 0.0


class Shelf:
    """Loaded models by name. Letting go means forgetting: whoever still holds a model keeps it."""

    def __init__(
        self,
        idle_seconds: float = IDLE_SECONDS,
        large_held: int = LARGE_HELD,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.idle_seconds, self.large_held, self.clock = idle_seconds, large_held, clock
        self._places: dict[str, _Place] = {}
        self._guard = threading.Lock()  # of the dictionary and the timer, never held while loading
        self._timer: threading.Timer | None = None

    def get(
        self,
        name: str,
        make: Callable[[], LoadedModel],
        on_wait: Callable[[], None] = lambda: None,
    ) -> LoadedModel:
        """The model `name`; `make()` loads it if it is not here. A second caller waits for the first.

        `on_wait()` is called once if somebody else is loading this very model.
        """
        with self._guard:
            place = self._places.setdefault(name, _Place())
        if not place.lock.acquire(blocking=False):
            on_wait()
            place.lock.acquire()
        try:
            loaded = place.loaded = place.loaded or make()
            place.asked_at = self.clock()
        finally:
            place.lock.release()
        self.release_idle()
        return loaded

    def release_idle(self) -> list[str]:
        """Let go of what nobody asked for lately and of surplus large models; say which."""
        with self._guard:
            released = [name for name in self._idle() + self._surplus() if self._forget(name)]
            self._watch()
        return released

    def names(self) -> list[str]:
        """The models in memory now."""
        with self._guard:
            return [name for name, place in self._places.items() if place.loaded]

    def _idle(self) -> list[str]:
        oldest = self.clock() - self.idle_seconds
        return [n for n, place in self._places.items() if place.loaded and place.asked_at <= oldest]

    def _surplus(self) -> list[str]:
        large = [
            (place.asked_at, name)
            for name, place in self._places.items()
            if place.loaded and place.loaded.card.parameters > LARGE_PARAMETERS
        ]
        return [name for _, name in sorted(large, reverse=True)[self.large_held :]]

    def _forget(self, name: str) -> bool:
        place = self._places[name]
        held, place.loaded = place.loaded, None
        return held is not None

    def _watch(self) -> None:
        """See that somebody looks again after the idle time, even if nothing is ever loaded."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if any(place.loaded for place in self._places.values()):
            self._timer = threading.Timer(self.idle_seconds, self.release_idle)
            self._timer.daemon = True
            self._timer.start()
