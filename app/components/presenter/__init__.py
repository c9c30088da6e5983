"""A lab on a projector: one figure or one page of text at a time, turned by keys or a presenter's remote.

The page is drawn whole; the browser shows one slide of it and hides the rest, so turning a slide asks the
server for nothing. At the end of a stage the browser presses the lab's own stage button, as a hand would.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

FOLDER = Path(__file__).parent
KEY = "presenter"  # the container that the bar stands in

_presenter = st.components.v2.component(
    "principles_presenter",
    html='<div class="bar" role="toolbar" popover="manual"></div>',
    css=(FOLDER / "presenter.css").read_text(encoding="utf-8"),
    js=(FOLDER / "presenter.js").read_text(encoding="utf-8"),
)


def mount(show: dict[str, Any], on_leave: Callable[[], None]) -> None:
    """`show`: the lab, its title, its slides as [container key, label], and the words of the bar."""
    with st.container(key=KEY):
        _presenter(key=f"{KEY}.bar", data=show, on_leave_change=on_leave)
