"""What a test has read, in words and as a curve; and what a bug is, with its code and its threads."""

from collections.abc import Callable
from textwrap import dedent

import streamlit as st

from app import catalog, provenance, results
from app.chapter import source
from app.charts import bug_zoo as charts
from app.page import LabPage
from labcore.bugs import zoo
from labcore.bugs.case import HEALTHY, Reading, Test, Ward

ICONS = {"equality": "balance", "floor": "vertical_align_bottom", "curve": "show_chart"}
COLOURS = {"equality": "blue", "floor": "violet", "curve": "orange"}


def read(ward: str, test: str, bug: str, seed: int) -> Reading:
    """One test of one patient, shared by everybody who asks for the same."""
    return results.cached(zoo.examine, zoo.Examination(ward, test, bug, seed))


def number(value: float) -> str:
    """>>> number(0.0127), number(1.0), number(14.08)
    ('0.0127', '1', '14.1')
    """
    if 0 < abs(value) < 0.001:
        return f"{value:.2g}".replace("e-", "e\u2011")  # a hyphen at which no line is broken
    return f"{value:.3g}"


def in_health(page: LabPage, reading: Reading) -> str:
    """The range of a healthy patient, in words."""
    low, high = reading.lowest, reading.highest
    if f"{low:.6g}" == f"{high:.6g}":
        return page.text("range.exactly", high=number(high))
    if high - low < 0.01 * abs(high):  # a floor that must be met to the digit
        return page.text("range.exactly", high=f"{(low + high) / 2:.4f}")
    if low == 0:
        return page.text("range.most", high=number(high))
    return page.text("range.between", low=number(low), high=number(high))


def heading(page: LabPage, test: Test) -> None:
    """A test's name, what kind of evidence it gives, and what it compares."""
    kind = page.text(f"kind.{test.kind}")
    badge = f":{COLOURS[test.kind]}-badge[:material/{ICONS[test.kind]}: {kind}]"
    st.markdown(f"**{page.text(f'test.{test.id}')}** {badge}")
    st.caption(page.text(f"test.{test.id}.about"))


def verdict(page: LabPage, test: Test, reading: Reading) -> None:
    """The number, the range of health, and what that means."""
    meaning = page.text.find(f"verdict.{test.kind}.{reading.verdict}")
    meaning = meaning or page.text(f"verdict.{reading.verdict}")
    fine = reading.verdict == "within"
    show, icon = (st.success, "check_circle") if fine else (st.warning, "warning")
    told = page.text(
        "reading", measured=number(reading.measured), range=in_health(page, reading),
        meaning=meaning,
    )  # fmt: skip
    show(told, icon=f":material/{icon}:")


def curve(page: LabPage, test: Test, lines: dict[str, Reading]) -> None:
    """The curves of a test, if it has any; `lines` by the key of their name."""
    if all(len(reading.x) for reading in lines.values()):
        figure = charts.curves(test.id, lines, page.text)
        page.figure(figure, provenance.MEASURED, key=test.id, title=page.text(f"test.{test.id}"))


def name(page: LabPage, bug: str) -> str:
    return page.text("healthy" if bug == HEALTHY else f"option.bug.{bug}")


def what(page: LabPage, bug: str) -> str:
    return page.text("healthy.what" if bug == HEALTHY else f"bug.{bug}.what")


def explain(page: LabPage, ward: Ward, bug: str) -> None:
    """The whole story: what it does and why it hides, both versions of the code, threads, the lab."""
    if bug == HEALTHY:
        st.markdown(page.text("healthy.story"))
        return
    found = ward.bug(bug)
    st.markdown(f"{what(page, bug)}\n\n{page.text(f'bug.{bug}.story')}")
    left, right = st.columns(2)
    with left:
        st.caption(f":material/check_circle: {page.text('explain.healthy_code')}")
        st.code(code(found.shown or ward.parts[found.part]), language="python", wrap_lines=True)
    with right:
        st.caption(f":material/bug_report: {page.text('explain.broken_code')}")
        st.code(code(found.broken), language="python", wrap_lines=True)
    threads = " · ".join(f"[{thread}]({address(thread)})" for thread in found.threads)
    st.markdown(f":material/forum: {page.text('explain.threads')}: {threads}")
    with st.container(horizontal=True, vertical_alignment="center", key=f"zoo-lab-{bug}"):
        st.caption(page.text("explain.lab"), width="content")
        if st.button(
            page.text(f"lab.{found.lab}"), icon=":material/science:", type="tertiary",
            key=f"zoo.lab.{bug}",
        ):  # fmt: skip
            spec = catalog.LABS[found.lab]
            query = {"lang": page.text.language, "lab": found.lab}
            st.switch_page(catalog.chapter(spec.chapter).page, query_params=query)


def code(function: Callable) -> str:
    """What runs, moved to the margin where it is a method."""
    return dedent(source(function))


def address(thread: str) -> str:
    """Where a thread can be read; pull requests are found under issues as well.

    >>> address("karpathy/nanoGPT#240")
    'https://github.com/karpathy/nanoGPT/issues/240'
    """
    repository, _, number = thread.partition("#")
    return f"https://github.com/{repository}/issues/{number}"
