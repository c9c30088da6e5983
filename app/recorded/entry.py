"""One recording: whose it is, and what makes it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    lab: str
    name: str
    make: Callable[[], Any]
    seed: int
