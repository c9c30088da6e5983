"""A row of the tables beside this file: where a lab asks for a prediction and tells what came of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.page import LabPage


@dataclass(frozen=True)
class Asked:
    """`knobs` (and a button to `press`) under which `predict.<id>` of a lab is asked and revealed.

    `came_out`: what the page's background run comes out as, without taking time: the name of a recording
    of this very run, or a function that takes the page and gives the result. `prepare`: what else makes
    a run short, given the monkeypatch.
    """

    lab: str
    id: str
    knobs: Mapping[str, str] = field(default_factory=dict)
    press: str = ""
    came_out: str | Callable[[LabPage], Any] = ""
    prepare: Callable[[pytest.MonkeyPatch], None] = lambda monkeypatch: None

    def __str__(self) -> str:
        return f"{self.lab}-{self.id}"
