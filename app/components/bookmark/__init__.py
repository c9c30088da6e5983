"""Which run this tab of the browser looks at, so that a new session can be told where the old one was.

Invisible. A tab gets a new session when it is reloaded, when it was away for long, and when the server was
restarted under it; it forgets itself when it is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import streamlit as st

_bookmark = st.components.v2.component(
    "principles_bookmark",
    html="<span hidden></span>",
    js=(Path(__file__).parent / "bookmark.js").read_text(encoding="utf-8"),
)


def mount(
    place: str,
    looks_at: Mapping[str, str] | None,
    fresh: bool,
    on_return: Callable[[Mapping[str, str]], None],
) -> None:
    """Have the tab remember what `place` looks at; None: nothing.

    `fresh`: this session has not been at this place before. If the tab has, `on_return` gets what it looked
    at, before the page is drawn again.
    """
    key = f"{place}.bookmark"

    def returned() -> None:
        told = st.session_state[key].left
        if isinstance(told, dict):
            on_return(told)

    _bookmark(
        key=key, data={"place": place, "looks_at": looks_at, "fresh": fresh},
        on_left_change=returned, height=1,
    )  # fmt: skip
