"""A run is a generator: it yields an event per step worth watching and returns its result."""

from collections.abc import Callable, Generator
from typing import TypeVar

Event = TypeVar("Event")
Result = TypeVar("Result")


def drain(
    events: Generator[Event, None, Result], on_event: Callable[[Event], None] = lambda _: None
) -> Result:
    """Run `events` to its end, show each event to `on_event`, and give back the result.

    Live and batch are therefore one run: the page watches the same generator that a test drains.
    """
    while True:
        try:
            event = next(events)
        except StopIteration as stop:
            return stop.value
        on_event(event)
