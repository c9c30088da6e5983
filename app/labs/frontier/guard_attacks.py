"""Attacks and false alarms: three guards, two exams, disguises, and an attacker who tries again."""

from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from app.charts import guard as charts
from app.charts.curves import Series, curve
from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import COMPUTED, MEASURED, Provenance
from labcore.guard import adaptive, rates
from labcore.guard import study as lab
from labcore.guard.adaptive import STACKS, AdaptiveConfig
from labcore.guard.classifiers import GUARDS
from labcore.guard.study import EXAMS, LANGUAGES, Seeds, Study, StudyConfig

DEFAULT = StudyConfig()


def experiment(page: LabPage) -> None:
    guess = page.predict("forms", options=("most", "half", "few"))
    left, right = st.columns(2)
    with left:
        language = page.choice("language", LANGUAGES, page.text.language)
        guard = page.choice("guard", GUARDS, "ngrams")
        exam = page.choice("exam", tuple(EXAMS), "known")
        alarms = page.slider("alarms", 1, 40, 10)
    with right:
        look_alikes = page.slider("look_alikes", 0, 100, 100, 10)
        disguised = page.toggle("disguised", DEFAULT.disguised)
        steps = page.slider("steps", 50, 500, DEFAULT.steps, 50)
        seed = page.number("seed", 0, 9999, DEFAULT.seed)
    config = StudyConfig(language, look_alikes / 100, disguised, steps, seed)

    def draw(view: JobView | None) -> None:
        if view is None and config == StudyConfig(language):
            recorded = page.recording(f"study-{language}", Seeds)
            page.caption("study.recorded")
            page.reveal(guess, verdict(recorded.result.studies))
            draw_study(
                page, recorded.result.studies, guard, exam, alarms / 100, recorded.provenance
            )
        elif view is None:
            page.caption("study.press_run")
        elif view.result is not None:
            show_own(page, config, view.result, guess)
            draw_study(page, [view.result], guard, exam, alarms / 100, MEASURED)
        elif view.events:
            figure = curve(
                [Series(page.text("series.loss"), [e.step for e in view.events],
                        [e.loss_nats for e in view.events], "train")],
                x_title=page.text("axis.updates"), y_title=page.text("axis.loss"),
                alt=page.text("alt.loss", loss=f"{view.events[-1].loss_nats:.2f}"),
            )  # fmt: skip
            page.figure(figure, MEASURED, "loss")

    page.job(lab.learn_guards, config, draw)
    st.divider()
    tries(page, language)
    page.offer_notebook(*notebook(config, guard))


def show_own(page: LabPage, config: StudyConfig, result: Study, guess: Guess | None) -> None:
    if replace(config, seed=0) == StudyConfig(config.language):  # the run that the guess is about
        page.reveal(guess, verdict([result]))


def verdict(studies: list[Study]) -> str:
    """What the n-gram guard stops on new forms: more than two thirds, more than a third, less."""
    judged = [lab.judge(one, "ngrams", False, "new", 0.1).recall["plain"] for one in studies]
    reached = float(np.mean(judged))
    return "most" if reached > 2 / 3 else "half" if reached > 1 / 3 else "few"


def draw_study(
    page: LabPage, studies: list[Study], guard: str, exam: str, alarms: float, source: Provenance
) -> None:
    as_is, undone = (
        [lab.judge(one, guard, read, exam, alarms) for one in studies] for read in (False, True)
    )
    areas = [one.area for one in as_is]
    st.markdown(
        page.text(
            "study.outcome", guard=page.text(f"guard.{guard}"), exam=page.text(f"exam.{exam}"),
            recall=f"{np.mean([one.recall['plain'] for one in as_is]):.0%}",
            alarms=f"{np.mean([list(one.alarms.values()) for one in as_is]):.0%}",
            look_alike=f"{np.mean([one.alarms['look_alike'] for one in as_is]):.0%}",
            low=f"{min(areas):.2f}", high=f"{max(areas):.2f}",
        )
    )  # fmt: skip
    page.caption(f"guard.{guard}.about")
    page.figure(charts.recall(as_is, undone, page.text), source, "recall")
    judged = {
        name: [lab.judge(one, guard, read, which, alarms) for one in studies]
        for name, read, which in (
            ("known", False, "known"),
            ("new", False, "new"),
            ("new_undone", True, "new"),
        )
    }
    page.figure(charts.alarms(judged, page.text), source, "alarms")
    lines = {
        (name, which): rates.roc(*lab.plain_and_harmless(studies[0], name, False, which))[1:]
        for name in GUARDS
        for which in EXAMS
    }
    page.figure(charts.roc(lines, page.text, alarms), source, "roc")


def tries(page: LabPage, language: str) -> None:
    """An attacker against a stack of two layers."""
    st.markdown(f"**{page.text('tries.title')}**")
    page.caption("tries.about")
    left, right = st.columns(2)
    with left:
        layers = tuple(name for name in STACKS if page.toggle(f"stack_{name}", True))
        undo = page.toggle("undo", True)
    with right:
        threshold = page.slider("line", 5, 95, 50, 5)
        most = page.slider("tries", 1, 32, 16)
    config = AdaptiveConfig(language, layers, undo, threshold / 100, most)
    result = page.run(adaptive.search, config)
    page.figure(charts.tries(result, page.text), COMPUTED, "tries")
    shown = [n for n in np.flatnonzero(result.first > 0)][:4]
    if shown:
        page.caption("tries.examples")
        st.dataframe(
            pd.DataFrame(
                {
                    page.text("column.try"): [int(result.first[n]) for n in shown],
                    page.text("column.asked"): [result.requests[n] for n in shown],
                    page.text("column.passed"): [result.winners[n] for n in shown],
                }
            ),
            hide_index=True,
        )


def notebook(config: StudyConfig, guard: str) -> tuple[str, str]:
    return (
        "from labcore.events import drain\nfrom labcore.guard import study as lab\n\n"
        f"result = drain(lab.learn_guards(lab.StudyConfig({', '.join(changed_fields(config))})))",
        f"for exam in lab.EXAMS:\n    print(exam, lab.judge(result, {guard!r}, False, exam, 0.1))",
    )
