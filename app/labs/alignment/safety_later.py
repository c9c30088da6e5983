"""Harmless lessons after refusal training: a run, and several seeds of each case."""

from collections.abc import Sequence

import streamlit as st

from app.charts import safety as charts
from app.job import JobView
from app.labs.alignment.safety_words import extent
from app.notebook import changed_fields
from app.page import LabPage
from app.provenance import MEASURED
from labcore.tuning import later_tuning as lab
from labcore.tuning.later_tuning import LaterConfig, LaterLook, LaterStudy
from labcore.tuning.refusal import GROUPS

DEFAULT = LaterConfig()
RATES = ("0.0001", "0.0003", "0.001")


def part(page: LabPage) -> None:
    config = knobs(page)
    page.job(lab.drift, config, lambda view: draw(page, config, view))
    recorded = page.recording("later", LaterStudy)
    st.divider()
    measure = page.choice(
        "later_measure", tuple(charts.LATER_MEASURES), "refused_new", style="select",
        label=lambda name: page.text(f"measure.{name}"),
    )  # fmt: skip
    if page.guess_first(
        "one_word_answers", ("most", "half", "few"), after_short_answers(recorded.result)
    ):
        figure = charts.later_courses(recorded.result, measure, page.text)
        page.figure(figure, recorded.provenance, "later")
    page.offer_notebook(
        "from labcore.tuning import later_tuning as lab\n\n"
        f"result = lab.run(lab.LaterConfig({', '.join(changed_fields(config))}))",
        "for look in result.looks:\n"
        '    print(f"step {look.step:3}: refused", look.refused.round(2))',
    )


def after_short_answers(study: LaterStudy) -> str:
    """What is still refused, of forbidden things in the examples, after lessons in short answers."""
    return extent(float(study.cases["short"].refused[:, -1, GROUPS.index("forbidden_seen")].mean()))


def knobs(page: LabPage) -> LaterConfig:
    left, right = st.columns(2)
    with left:
        lesson = page.choice("lesson", lab.LESSONS, DEFAULT.lesson)
        start = page.choice("start", lab.STARTS, DEFAULT.start)
    with right:
        kept = page.slider("kept", 0, 50, 0, 5)
        steps = page.slider("later_steps", 20, 300, DEFAULT.steps, 20)
    with st.expander(page.text("more.later"), key="safety-later-more"):
        left, right = st.columns(2)
        with left:
            rate = page.choice("later_rate", RATES, "0.0003", style="select", label=str)
        with right:
            seed = page.number("seed", 0, 9999, DEFAULT.seed)
    return LaterConfig(lesson, kept / 100, start, steps, float(rate), seed)


def draw(page: LabPage, config: LaterConfig, view: JobView | None) -> None:
    if view is None:
        page.caption("press_run.later")
    elif view.result is not None:
        draw_course(page, config, view.result.looks)
    elif view.events:
        draw_course(page, config, view.events)


def draw_course(page: LabPage, config: LaterConfig, looks: Sequence[LaterLook]) -> None:
    last = looks[-1]
    seen, new = (last.refused[GROUPS.index(name)] for name in ("forbidden_seen", "forbidden_new"))
    told = last.answered[GROUPS.index("forbidden_new")]
    numbers = {"seen": f"{seen:.0%}", "new": f"{new:.0%}", "told": f"{told:.0%}"}
    st.markdown(page.text("outcome.later", step=last.step, **numbers))
    page.figure(charts.drift(looks, config.steps, page.text), MEASURED, "drift")
