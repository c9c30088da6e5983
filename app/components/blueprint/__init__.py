"""A Transformer as a picture that opens: the residual stream as a rail, blocks beside it, matrices inside.

Its HTML, CSS and JavaScript are plain files that load nothing from anywhere. Every word and number comes
from Python as data and reaches the page as a text node.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

FOLDER = Path(__file__).parent

_blueprint = st.components.v2.component(
    "principles_blueprint",
    html=(FOLDER / "blueprint.html").read_text(encoding="utf-8"),
    css=(FOLDER / "blueprint.css").read_text(encoding="utf-8"),
    js=(FOLDER / "blueprint.js").read_text(encoding="utf-8"),
)


def mount(sheet: dict[str, Any], key: str) -> dict[str, Any] | None:
    """Put the picture on the page; returns what the learner has clicked, or None.

    `sheet` comes from `charts.blueprint.sheet`. Selects {"step": id} or {"layer": number}.
    """
    state = _blueprint(
        key=key, data=sheet, default={"selection": None}, on_selection_change=lambda: None
    )
    return state.selection
