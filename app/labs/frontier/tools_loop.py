"""The loop step by step: calls, results, failures, refusals, and what ends it."""

import streamlit as st

from app.charts import tools as charts
from app.notebook import changed_fields
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.frontier import tool_loop as lab
from labcore.frontier.tool_loop import LoopConfig, LoopStudy, Trace

DEFAULT = LoopConfig()
LYING = 0.25  # what the guess is about
ICONS = {"": "check", "failed": "error", "wrong": "warning", "refused": "block"}


def experiment(page: LabPage) -> None:
    config = knobs(page)
    trace = page.run(lab.run, config)
    show(page, trace)
    kept = page.recording("loop", LoopStudy)
    page.figure(charts.loop_study(kept.result, page.text), kept.provenance, "loop_study")
    guess = page.predict("lies", low=0.0, high=100.0, step=1.0, unit="%")
    if guess is not None or page.toggle("unveil_lies", False):
        page.reveal(guess, round(100 * right_despite(kept.result), 1))
        page.figure(charts.wrong_results(kept.result, page.text), kept.provenance, "wrong_results")
    page.offer_notebook(
        "from labcore.frontier import tool_loop as lab\n\n"
        f"trace = lab.run(lab.LoopConfig({', '.join(changed_fields(config))}))",
        "for step in trace.steps:\n    print(step)\nprint(trace.end, trace.answer, trace.right)",
    )


def right_despite(study: LoopStudy) -> float:
    """The share of right answers when a quarter of all results are wrong."""
    return float(study.right_wrong[study.wrong.tolist().index(LYING)])


def knobs(page: LabPage) -> LoopConfig:
    one, two, three = st.columns(3)
    with one:
        first = page.number("first", 10, 99, DEFAULT.first)
        failing = page.slider("failing", 0.0, 1.0, 0.0, 0.05)
    with two:
        second = page.number("second", 10, 99, DEFAULT.second)
        wrong = page.slider("wrong", 0.0, 1.0, 0.0, 0.05)
    with three:
        third = page.number("third", 10, 999, DEFAULT.third)
        calls = page.slider("most_calls", 1, 12, DEFAULT.most_calls)
    left, right = st.columns(2)
    with left:
        allowed = page.toggle("allow_product", True)
    with right:
        seed = page.number("loop_seed", 0, 9999, 0)
    return LoopConfig(first, second, third, failing, wrong, calls, allow_product=allowed, seed=seed)


def show(page: LabPage, trace: Trace) -> None:
    """The trace as it came, then what ended it."""
    st.markdown(f"**{page.text('figure.trace')}**")
    page.badge(COMPUTED)
    st.code(trace.question, language=None)
    for number, step in enumerate(trace.steps, start=1):
        with st.container(border=True):
            st.caption(f"{number} · {page.text(f'kind.{step.kind}')}")
            st.code(step.wrote, language=None)
            if step.kind == "call" and step.result:
                fault = page.text(f"fault.{step.fault or 'none'}", result=step.result)
                st.markdown(f":material/{ICONS[step.fault]}: {fault}")
    right = page.text("loop.right" if trace.right else "loop.not_right")
    said = page.text(f"end.{trace.end}", answer=trace.answer, right=right)
    show_end = st.success if trace.right else st.info
    show_end(said, icon=":material/flag:")
