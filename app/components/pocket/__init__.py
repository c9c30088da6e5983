"""What a learner's own browser keeps for a class: a random token, and a teacher's key.

Invisible. The server proposes a token; a browser that has one already for this class answers with that, so
a second tab or a reload is the same learner and not another one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

_pocket = st.components.v2.component(
    "principles_pocket",
    html="<span hidden></span>",
    js=(Path(__file__).parent / "pocket.js").read_text(encoding="utf-8"),
)


def mount(code: str, token: str, key: str | None, slot: str) -> Any:
    """What the browser keeps for the class `code`, as it told it; None before it has.

    `token`: to be kept if there is none yet. `key`: the teacher's, to be kept from now on.
    """
    heard = (st.session_state.get(slot) or {}).get("kept")
    state = _pocket(
        key=slot, data={"code": code, "token": token, "key": key, "heard": heard},
        default={"kept": None}, on_kept_change=lambda: None, height=1,
    )  # fmt: skip
    return state.kept
