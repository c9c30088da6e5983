"""A table whose cells hold a word and a shade: what a model would say, stage by stage.

Words reach the page as text nodes; the shade mixes the theme's own colours, so both themes fit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

FOLDER = Path(__file__).parent

_cells = st.components.v2.component(
    "principles_cells",
    html='<div class="cells"></div>',
    css=(FOLDER / "cells.css").read_text(encoding="utf-8"),
    js=(FOLDER / "cells.js").read_text(encoding="utf-8"),
)


def mount(table: dict[str, Any], key: str) -> dict[str, Any] | None:
    """Put the table on the page; returns {"row", "column"} of the cell clicked, or None.

    `table` comes from `charts.lens`.
    """
    state = _cells(
        key=key, data=table, default={"selection": None}, on_selection_change=lambda: None
    )
    return state.selection
