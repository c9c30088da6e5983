"""A small model learns to answer, and another one to call, before one's eyes."""

import streamlit as st

from app.charts import tools as charts
from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.frontier import learn_to_call as lab
from labcore.frontier.learn_to_call import LearnConfig, LearnStudy, Learnt

DEFAULT = LearnConfig()


def experiment(page: LabPage) -> None:
    left, right = st.columns(2)
    with left:
        task = page.choice("task", tuple(lab.SIGNS), DEFAULT.task)
        digits = page.slider("digits", 2, 4, DEFAULT.digits)
    with right:
        steps = page.slider("updates", 25, 500, DEFAULT.steps, 25)
        seed = page.number("learn_seed", 0, 9999, DEFAULT.seed)
    config = LearnConfig(task, digits, steps, seed=seed)
    guess = page.predict("direct", low=0.0, high=100.0, step=1.0, unit="%")
    page.job(lab.learn, config, lambda view: draw(page, config, view, guess))
    st.divider()
    shown = page.choice(
        "studied", tuple(lab.SIGNS), DEFAULT.task, label=lambda t: page.text(f"option.task.{t}")
    )
    kept = page.recording("learn", LearnStudy)
    page.figure(charts.learn_study(kept.result, shown, page.text), kept.provenance, "learn_study")
    page.offer_notebook(
        "from labcore.events import drain\nfrom labcore.frontier import learn_to_call as lab\n\n"
        f"result = drain(lab.learn(lab.LearnConfig({', '.join(changed_fields(config))})))",
        "for way in lab.WAYS:\n    print(way, result.right[way], result.well_formed[way])\n"
        "print(result.samples)",
    )


def draw(page: LabPage, config: LearnConfig, view: JobView | None, guess: Guess | None) -> None:
    if view is None and config == DEFAULT:
        kept = page.recording("learnt", Learnt)
        page.caption("job.recorded")
        outcome(page, kept.result, kept.provenance, guess)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        outcome(page, view.result, MEASURED, guess if config.task == DEFAULT.task else None)
    elif view.events:
        page.figure(charts.learning(view.events, page.text), MEASURED, "learnt")


def outcome(page: LabPage, result: Learnt, source: Provenance, guess: Guess | None) -> None:
    st.markdown(
        page.text(
            "learn.outcome", direct=f"{100 * result.right['direct'][-1]:.1f}",
            formed=f"{100 * result.well_formed['direct'][-1]:.0f}",
            call=f"{100 * result.right['call'][-1]:.1f}",
        )
    )  # fmt: skip
    page.reveal(guess, round(100 * float(result.right["direct"][-1]), 1), tolerance=2.0)
    page.figure(charts.learnt(result, page.text), source, "learnt")
    st.dataframe(
        [{page.text("column.question"): question, page.text("learner.direct"): said,
          page.text("learner.call"): wrote, page.text("column.carried_out"): lab.run_call(wrote)}
         for question, said, wrote in result.samples],
        hide_index=True,
    )  # fmt: skip
