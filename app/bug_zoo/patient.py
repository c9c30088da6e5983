"""The game: a patient with a hidden bug, tests to choose, a name to give, and evidence for every answer."""

from typing import Any

import streamlit as st

from app.bug_zoo import readings
from app.course import progress
from app.page import LabPage
from labcore.bugs import zoo
from labcore.bugs.case import HEALTHY, Ward

LATER = 0.5  # the mark of a bug that was named at a later try


def draw(page: LabPage) -> None:
    ids = tuple(ward.id for ward in zoo.WARDS)
    ward = zoo.ward_of(page.choice("ward", ids, ids[0], style="pills"))
    with st.container(horizontal=True, vertical_alignment="bottom", width=440, key="zoo-patient"):
        number = page.number("patient", 1, zoo.LAST_PATIENT, 1)
        st.button(
            page.text("next"), icon=":material/arrow_forward:", key="zoo.next",
            on_click=page.controls.set, args=("patient", number % zoo.LAST_PATIENT + 1),
            disabled=page.controls.fixed("patient"),
        )  # fmt: skip
    st.markdown(page.text(f"ward.{ward.id}.about"))
    st.caption(page.text("play.about", number=number))
    bug = zoo.hidden(ward.id, number)
    sheet = _sheet(ward, number)
    _tests(page, ward, bug, number, sheet)
    _naming(page, ward, bug, number, sheet)


def _sheet(ward: Ward, number: int) -> dict[str, Any]:
    """What has been done with this patient in this session: tests run, names given, whether it is solved."""
    fresh = {"run": [], "named": [], "open": False}
    return st.session_state.setdefault(f"zoo.{ward.id}.{number}", fresh)


def _tests(page: LabPage, ward: Ward, bug: str, number: int, sheet: dict[str, Any]) -> None:
    st.subheader(page.text("play.tests"), anchor=False)
    for left in range(0, len(ward.tests), 2):
        for column, test in zip(st.columns(2), ward.tests[left : left + 2], strict=False):
            with column.container(border=True, height="stretch", key=f"zoo-test-{test.id}"):
                readings.heading(page, test)
                if test.id not in sheet["run"]:
                    st.button(
                        page.text("run"), key=f"zoo.run.{test.id}", icon=":material/play_arrow:",
                        on_click=sheet["run"].append, args=(test.id,),
                    )  # fmt: skip
                    continue
                with st.spinner(page.text("running")):
                    reading = readings.read(ward.id, test.id, bug, number)
                readings.verdict(page, test, reading)
                readings.curve(page, test, {"patient": reading})
    st.caption(page.text("play.used", used=len(sheet["run"]), count=len(ward.tests)))


def _naming(page: LabPage, ward: Ward, bug: str, number: int, sheet: dict[str, Any]) -> None:
    """The suspects, one to be named; then what the evidence says to it."""
    st.subheader(page.text("play.name"), anchor=False)
    suspects = (*(one.id for one in ward.bugs), HEALTHY)
    named = st.radio(
        page.text("play.name"), suspects, index=None, label_visibility="collapsed",
        format_func=lambda id: readings.name(page, id), disabled=sheet["open"],
        captions=[readings.what(page, id) for id in suspects],
        key=f"zoo.name.{ward.id}.{number}@{page.text.language}",
    )  # fmt: skip
    with st.container(horizontal=True, key="zoo-say"):
        st.button(
            page.text("play.say"), type="primary", icon=":material/stethoscope:", key="zoo.say",
            disabled=sheet["open"] or named is None or not sheet["run"],
            on_click=_say, args=(ward, bug, sheet, named),
        )  # fmt: skip
        if sheet["named"] and not sheet["open"]:
            st.button(
                page.text("play.give_up"), type="tertiary", key="zoo.give_up",
                on_click=sheet.update, kwargs={"open": True},
            )  # fmt: skip
    if not sheet["run"]:
        st.caption(page.text("play.first"))
    _answer(page, ward, bug, number, sheet)


def _say(ward: Ward, bug: str, sheet: dict[str, Any], named: str) -> None:
    sheet["named"].append(named)
    if named == bug:
        sheet["open"] = True
        mark = 1.0 if len(sheet["named"]) == 1 else LATER
        progress.note(f"zoo/{_mark(ward, bug)}", mark)


def _mark(ward: Ward, bug: str) -> str:
    """A healthy patient is another one in each ward."""
    return f"{HEALTHY}-{ward.id}" if bug == HEALTHY else bug


def _answer(page: LabPage, ward: Ward, bug: str, number: int, sheet: dict[str, Any]) -> None:
    last = sheet["named"][-1] if sheet["named"] else None
    if last is not None and last != bug:
        st.info(_refuted(page, ward, bug, last, number, sheet), icon=":material/search:")
    if not sheet["open"]:
        return
    told = {"name": readings.name(page, bug)}
    if last == bug:
        first = len(sheet["named"]) == 1
        st.success(
            page.text("right.first" if first else "right", **told), icon=":material/check_circle:"
        )
    else:
        st.markdown(f"**{page.text('answer', **told)}**")
    with st.container(border=True, key="zoo-explained"):
        readings.explain(page, ward, bug)
        if bug != HEALTHY:
            st.button(
                page.text("explain.open"), icon=":material/compare:", key="zoo.open",
                on_click=_side_by_side, args=(page, bug),
            )  # fmt: skip


def _side_by_side(page: LabPage, bug: str) -> None:
    page.controls.set("part", "open")
    page.controls.set("bug", bug)


def _refuted(
    page: LabPage, ward: Ward, bug: str, named: str, number: int, sheet: dict[str, Any]
) -> str:
    """A test that tells the bug named from the one that is there, those already run before others."""
    tests = sorted(ward.tests, key=lambda test: test.id not in sheet["run"])
    for test in tests:
        there, here = (readings.read(ward.id, test.id, one, number) for one in (named, bug))
        if there.verdict != here.verdict:
            return page.text(
                "wrong", name=readings.name(page, named), test=page.text(f"test.{test.id}"),
                wrong=readings.number(there.measured), right=readings.number(here.measured),
            )  # fmt: skip
    raise AssertionError(f"no test of {ward.id} tells {named} from {bug}")
