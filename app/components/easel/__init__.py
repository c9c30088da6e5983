"""A sheet of 24 × 24 squares to draw on: colours, a brush, and the four shapes as stamps.

What comes back is one digit for each square, a place in the palette; it is checked again on the server.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

FOLDER = Path(__file__).parent

_easel = st.components.v2.component(
    "principles_easel",
    html='<div class="easel"></div>',
    css=(FOLDER / "easel.css").read_text(encoding="utf-8"),
    js=(FOLDER / "easel.js").read_text(encoding="utf-8"),
)


def mount(sheet: dict[str, Any], key: str) -> str | None:
    """Put the easel on the page; returns the squares as digits once something was drawn, or None.

    `sheet`: `side`, `cells` to begin with, `palette` of CSS colours, the paper last, and `words`.
    """
    state = _easel(
        key=key, data=sheet, default={"selection": None}, on_selection_change=lambda: None
    )
    return state.selection
