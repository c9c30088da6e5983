"""What a learner has done, kept in the learner's own browser and nowhere else.

Progress is a plain table of marks, a name and a number between 0 and 1: `attention/opened`,
`attention/question/2`, `attention/prediction/drop`, `quiz/transformer`. Two tables are put together by
the larger mark of each name, so nothing is ever lost: two tabs, a second device or an old export can be
merged in any order. The server holds the table for as long as the session lives.
"""

import json
import re
from collections.abc import Mapping

import streamlit as st

from app.components import keeper
from labcore.errors import LabInputError

Marks = dict[str, float]

VERSION = 1
MOST_MARKS, MOST_BYTES = 2_000, 100_000
_NAME = re.compile(r"[a-z0-9_-]{1,40}(/[A-Za-z0-9_.-]{1,60}){1,3}")
_SLOT = "progress"


def marks() -> Marks:
    """The learner's table in this session."""
    return st.session_state.setdefault(_SLOT, {})


def note(name: str, mark: float = 1.0) -> None:
    """Remember that something was done (1), or how well."""
    take_in({name: float(mark)})


def take_in(told: Mapping[str, float]) -> bool:
    """Put an imported table to the learner's own; whether that changed anything."""
    before = marks()
    st.session_state[_SLOT] = merged(before, told)
    return st.session_state[_SLOT] != before


def keep(key: str) -> None:
    """Bring the session and the learner's browser to the same state. Call it once in a fragment or page."""
    take_in(sensible(keeper.mount(marks(), key)))


def merged(*tables: Mapping[str, float]) -> Marks:
    """The best mark of each name.

    >>> merged({"a/opened": 1, "quiz/a": 0.5}, {"quiz/a": 0.75})
    {'a/opened': 1, 'quiz/a': 0.75}
    """
    best: Marks = {}
    for table in tables:
        for name, mark in table.items():
            best[name] = max(mark, best.get(name, mark))
    return best


def valid(table: object) -> Marks:
    """The table if it is one, with names and numbers of the form that this module writes."""
    if not isinstance(table, dict) or len(table) > MOST_MARKS:
        raise LabInputError("progress", "…", "progress_file")
    for name, mark in table.items():
        if not _is_mark(name, mark):
            raise LabInputError("progress", str(name)[:40], "progress_file")
    return {name: float(mark) for name, mark in table.items()}


def sensible(table: object) -> Marks:
    """What of a browser's table is a mark: one that somebody spoilt must not cost the others."""
    if not isinstance(table, dict) or len(table) > MOST_MARKS:
        return {}
    return {name: float(mark) for name, mark in table.items() if _is_mark(name, mark)}


def _is_mark(name: object, mark: object) -> bool:
    number = isinstance(mark, int | float) and not isinstance(mark, bool)
    return bool(isinstance(name, str) and _NAME.fullmatch(name) and number and 0 <= mark <= 1)


def to_file(table: Marks) -> bytes:
    """An export: readable JSON, the same for the same progress."""
    return json.dumps(
        {
            "llm-principles-lab": "progress",
            "version": VERSION,
            "marks": dict(sorted(table.items())),
        },
        indent=1,
    ).encode()


def from_file(data: bytes) -> Marks:
    """What `to_file` wrote; anything else is a `LabInputError`."""
    try:
        if len(data) > MOST_BYTES:
            raise ValueError
        told = json.loads(data.decode("utf-8"))
        if told["llm-principles-lab"] != "progress" or told["version"] != VERSION:
            raise ValueError
        return valid(told["marks"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise LabInputError("progress", "…", "progress_file") from error


def share_done(table: Mapping[str, float], lab: str, questions: int) -> float | None:
    """How much of a lab is done: opened counts one, each question answered one. None before it is opened."""
    if f"{lab}/opened" not in table:
        return None
    answered = sum(f"{lab}/question/{number}" in table for number in range(1, questions + 1))
    return (1 + answered) / (1 + questions)
