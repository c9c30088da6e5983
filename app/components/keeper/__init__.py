"""A table of marks that outlives the session: it is kept in the learner's own browser.

Invisible. What the browser holds and what the session holds are put together by the larger number; the
browser tells the session only what it did not know, so the two settle at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

_keeper = st.components.v2.component(
    "principles_keeper",
    html="<span hidden></span>",
    js=(Path(__file__).parent / "keeper.js").read_text(encoding="utf-8"),
)


def mount(marks: Mapping[str, float], key: str) -> dict[str, float] | None:
    """Bring both sides to the same state; returns what the browser has told, or None before it has."""
    state = _keeper(
        key=key, data=dict(marks), default={"marks": None}, on_marks_change=lambda: None, height=1
    )
    return state.marks
