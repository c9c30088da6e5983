"""One browser component that draws attention grids, token rows and matrices from bytes.

Its JavaScript is a handful of plain files, joined here into one module.  It loads nothing from anywhere, and
it never builds HTML from data: tokens reach the page as text nodes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

FOLDER = Path(__file__).parent
SCRIPTS = (
    "payload.js",
    "colours.js",
    "grid.js",
    "heads.js",
    "tokens.js",
    "main.js",
)  # in this order


def script() -> str:
    """The component's one JavaScript module."""
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)


_canvas = st.components.v2.component(
    "principles_canvas",
    html='<div class="canvas-figure"></div>',
    css=(FOLDER / "canvas.css").read_text(encoding="utf-8"),
    js=script(),
)


def mount(payload: bytes, key: str) -> dict[str, Any] | None:
    """Put the component on the page; returns what the learner has clicked, or None.

    `payload` comes from `charts.payload.Canvas.pack`.
    """
    state = _canvas(
        key=key, data=payload, default={"selection": None}, on_selection_change=lambda: None
    )
    return state.selection
