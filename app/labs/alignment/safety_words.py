"""What the safety lab's parts share: a thing to ask about, and answers as they read."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.page import LabPage
from labcore.tuning import cabinet


def extent(share: float) -> str:
    """The answer to how many are still refused.

    >>> extent(1.0), extent(0.4), extent(0.03)
    ('most', 'half', 'few')
    """
    return "most" if share > 2 / 3 else "half" if share > 1 / 3 else "few"


def ask_for_thing(page: LabPage) -> int:
    """The number of the thing that the learner asks about."""
    language = page.text.language
    left, right = st.columns(2)
    makes, things = cabinet.makes(language), cabinet.things(language)
    with left:
        make = page.choice(
            "make", tuple(map(str, range(len(makes)))), "0", style="select",
            label=lambda index: makes[int(index)],
        )  # fmt: skip
    with right:
        thing = page.choice(
            "thing", tuple(map(str, range(len(things)))), "0", style="select",
            label=lambda index: things[int(index)],
        )  # fmt: skip
    return cabinet.number_of(int(make), int(thing))


def reading(page: LabPage, rows: Sequence[tuple[str, Sequence[int]]]) -> pd.DataFrame:
    """Who says what."""
    language = page.text.language
    return pd.DataFrame(
        {
            page.text("column.who"): [page.text(f"who.{who}") for who, _ in rows],
            page.text("column.says"): [
                cabinet.told(list(map(int, ids)), language) for _, ids in rows
            ],
        }
    )
