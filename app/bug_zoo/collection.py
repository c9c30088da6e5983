"""What a learner has found, ward by ward, in the order of the chapters."""

import streamlit as st

from app import catalog
from app.bug_zoo import readings
from app.course import progress
from app.page import LabPage
from labcore.bugs import zoo
from labcore.bugs.case import Ward

COLUMNS = 3


def draw(page: LabPage) -> None:
    marks = {bug.id: progress.marks().get(f"zoo/{bug.id}") for bug in zoo.BUGS}
    found = sum(mark is not None for mark in marks.values())
    st.progress(found / len(marks), page.text("cards.count", found=found, count=len(marks)))
    st.caption(page.text("cards.about"))
    for chapter in catalog.CHAPTERS:
        wards = [ward for ward in zoo.WARDS if ward.chapter == chapter.id]
        if not wards:
            continue
        title = f"{chapter.icon} {chapter.prefix}{page.text(f'chapter.{chapter.id}')}"
        st.subheader(title, anchor=False)
        for left in range(0, len(wards), COLUMNS):
            for column, ward in zip(
                st.columns(COLUMNS), wards[left : left + COLUMNS], strict=False
            ):
                with column.container(border=True, height="stretch", key=f"zoo-card-{ward.id}"):
                    _card(page, ward, marks)


def _card(page: LabPage, ward: Ward, marks: dict[str, float | None]) -> None:
    """A ward's bugs: those found by name, the others as a number."""
    found = sum(marks[bug.id] is not None for bug in ward.bugs)
    st.button(
        f"**{page.text(f'option.ward.{ward.id}')}** · {found} / {len(ward.bugs)}",
        key=f"zoo.ward.{ward.id}", type="tertiary", icon=":material/stethoscope:",
        on_click=_go, args=(page, "play", "ward", ward.id),
    )  # fmt: skip
    with st.container(gap=None, key=f"zoo-cards-{ward.id}"):
        for bug in ward.bugs:
            if marks[bug.id] is None:
                continue
            star = " :orange[:material/star:]" if marks[bug.id] == 1 else ""
            st.button(
                f"{readings.name(page, bug.id)}{star}", key=f"zoo.card.{bug.id}", type="tertiary",
                icon=":material/bug_report:", on_click=_go, args=(page, "open", "bug", bug.id),
            )  # fmt: skip
        if found < len(ward.bugs):
            left = page.text("cards.unknown", count=len(ward.bugs) - found)
            st.caption(f":material/question_mark: {left}")


def _go(page: LabPage, part: str, knob: str, value: str) -> None:
    page.controls.set("part", part)
    page.controls.set(knob, value)
