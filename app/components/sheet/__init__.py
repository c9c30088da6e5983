"""A worksheet of small matrices: numbers to edit, numbers that follow, and how each came about.

Pointing at a number lights up the numbers that it is made of and tells its arithmetic. What a learner
types is checked in the browser and again on the server; words reach the page as text nodes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

FOLDER = Path(__file__).parent

_sheet = st.components.v2.component(
    "principles_sheet",
    html='<div class="sheet"></div>',
    css=(FOLDER / "sheet.css").read_text(encoding="utf-8"),
    js=(FOLDER / "sheet.js").read_text(encoding="utf-8"),
)


def mount(sheet: dict[str, Any], key: str) -> dict[str, Any] | None:
    """Put the sheet on the page; returns {"matrix", "values"} of the matrix last edited, or None.

    `sheet` comes from `charts.by_hand`.
    """
    state = _sheet(
        key=key, data=sheet, default={"selection": None}, on_selection_change=lambda: None
    )
    return state.selection
