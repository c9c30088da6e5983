"""A bug in the open: the same tests on a healthy patient and on one that has it."""

import streamlit as st

from app.bug_zoo import readings
from app.page import LabPage
from labcore.bugs import zoo
from labcore.bugs.case import HEALTHY

SEED = 0


def draw(page: LabPage) -> None:
    ids = tuple(bug.id for bug in zoo.BUGS)
    bug = page.choice("bug", ids, ids[0], style="select")
    ward = zoo.home_of(bug)
    st.markdown(page.text(f"ward.{ward.id}.about"))
    st.caption(page.text("open.about"))
    with st.spinner(page.text("running")):
        both = {
            test.id: tuple(readings.read(ward.id, test.id, one, SEED) for one in (HEALTHY, bug))
            for test in ward.tests
        }
    columns = (*(page.text(f"open.{key}") for key in ("test", "healthy", "sick")), "")
    rows = [f"| {' | '.join(columns)} |", "|---|---|---|---|"]
    for test in ward.tests:
        healthy, sick = both[test.id]
        tells = sick.verdict != "within"
        seen = page.text("open.tells" if tells else "open.blind")
        mark = f":orange[:material/warning: {seen}]" if tells else f":gray[{seen}]"
        cells = (page.text(f"test.{test.id}"), readings.number(healthy.measured))
        rows.append(f"| {' | '.join((*cells, readings.number(sick.measured), mark))} |")
    st.markdown("\n".join(rows))
    st.caption(page.text("open.map"))
    for test in ward.tests:
        healthy, sick = both[test.id]
        if len(sick.x) and sick.verdict != "within":
            st.caption(page.text(f"test.{test.id}.about"))
            readings.curve(page, test, {"healthy": healthy, "sick": sick})
    with st.container(border=True, key="zoo-explained"):
        readings.explain(page, ward, bug)
