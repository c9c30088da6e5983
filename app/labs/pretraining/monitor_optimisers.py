"""Four optimisers over their learning rates: recorded with three seeds, and a run of the learner's own."""

from collections.abc import Sequence

import streamlit as st

from app.charts import monitor_studies as charts
from app.job import JobView
from app.labs.pretraining.monitor_knobs import called
from app.page import LabPage
from app.provenance import MEASURED
from app.results import Recording
from labcore.pretraining import optimiser_study as lab
from labcore.pretraining.optimiser_study import RATES, RateConfig, StudyResult
from labcore.training.rules import OPTIMISERS

POINTS = "monitor.optimiser.points"  # in the session: where the learner's runs ended
DEFAULT = RateConfig()


def draw(page: LabPage) -> None:
    recording = page.recording("optimisers", StudyResult)
    left, right = st.columns(2)
    with left:
        name = page.choice("tried", OPTIMISERS, DEFAULT.optimiser, label=called(page))
        seed = page.number("tried_seed", 0, 9999, 0)
    with right:
        rates = tuple(str(rate) for rate in RATES[name])
        rate = page.choice("tried_rate", rates, rates[2], style="slide", label=str)
    config = RateConfig(name, float(rate), seed=seed)
    guess = page.predict("sturdiest", options=OPTIMISERS)
    told = guess is not None or page.toggle("show_all", False)

    def picture(view: JobView | None) -> None:
        if view is not None and view.result is not None:
            points = st.session_state.setdefault(POINTS, {})
            ran = view.result.config
            points[ran.optimiser, ran.learning_rate, ran.seed] = view.result.final_nats
        pictures(page, recording, view, OPTIMISERS if told else (name,))

    page.job(lab.train_at, config, picture)
    if not told:
        page.caption("optimisers.first")
    page.reveal(guess, sturdiest(recording.result))
    page.offer_notebook(
        "from labcore.pretraining import optimiser_study as lab\n\n"
        f"result = lab.run(lab.{config!r})\nprint(result.final_nats, result.cpu_seconds)",
        "import pandas as pd\n\npd.Series(result.loss_nats)",
    )


def pictures(
    page: LabPage, recording: Recording, view: JobView | None, names: Sequence[str]
) -> None:
    """The recorded lines of these optimisers, and where the learner's own runs ended."""
    study: StudyResult = recording.result
    own = [
        (name, rate, nats)
        for (name, rate, _), nats in st.session_state.get(POINTS, {}).items()
    ]  # fmt: skip
    page.figure(charts.valleys(study, names, own, page.text), recording.provenance, "valleys")
    if view is not None and view.result is None and view.events:
        course = [event.step for event in view.events], [event.loss_nats for event in view.events]
        titles = page.text("axis.step"), page.text("axis.nats")
        lines = {page.text("series.train"): course}
        page.figure(charts.overlay(lines, *titles, page.text), MEASURED, "own_course")
    if view is not None and view.result is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            page.badge(MEASURED)
            st.markdown(page.text("own.ended", nats=f"{view.result.final_nats:.2f}"))
    if len(names) < len(OPTIMISERS):
        return
    st.dataframe(charts.optimiser_table(study, page.text), hide_index=True)
    page.caption("optimisers.table")
    page.figure(charts.best_courses(study, page.text), recording.provenance, "best_courses")


def sturdiest(study: StudyResult) -> str:
    """The optimiser with the widest range of good rates."""
    return max(study.optimisers, key=study.width)
