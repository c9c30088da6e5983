"""A number's bits in several formats; a click flips one.

The three fields have a colour each, a 1 is filled and a 0 is not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

FOLDER = Path(__file__).parent

_bits = st.components.v2.component(
    "principles_bits",
    html='<div class="bits"></div>',
    css=(FOLDER / "bits.css").read_text(encoding="utf-8"),
    js=(FOLDER / "bits.js").read_text(encoding="utf-8"),
)


def mount(spec: dict[str, Any], key: str) -> dict[str, Any] | None:
    """Put the rows of bits on the page; returns {"format", "bits"} after a flip, or None.

    `spec` comes from `charts.number_formats`.
    """
    state = _bits(key=key, data=spec, default={"selection": None}, on_selection_change=lambda: None)
    return state.selection
