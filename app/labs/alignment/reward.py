"""A reward model: label pairs yourself, train one, look for its shortcuts, ask it what nobody labelled."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from app.charts import reward as charts
from app.job import JobView
from app.labs.alignment import reward_label, reward_strangers, reward_study
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.tuning import reward as lab
from labcore.tuning.preferences import fitted_worths, preference_chance
from labcore.tuning.reward import Look, RewardConfig, RewardResult
from labcore.tuning.reward_exam import calibrate
from labcore.tuning.reward_model import KINDS, RewardModel, bradley_terry_loss, reading
from labcore.tuning.reward_training import found_worths

SHOWN = (
    preference_chance, fitted_worths, bradley_terry_loss, RewardModel.forward, reading, found_worths,
    calibrate, lab.flattened,
)  # fmt: skip

PARTS = ("label", "train", "study", "strangers")
PAIRS = ("250", "500", "1000", "2000", "4000", "8000")
DEFAULT = RewardConfig()
LEARNT_SHARE = 0.5  # of what was planted: less does not count as learnt


def experiment(page: LabPage) -> None:
    part = page.choice("part", PARTS, PARTS[0])
    page.caption(f"part.{part}")
    draw_part = {
        "label": reward_label.draw,
        "train": train,
        "study": reward_study.draw,
        "strangers": reward_strangers.draw,
    }
    draw_part[part](page)


def train(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("learnt", options=("right", "marks", "both", "neither"))
    page.job(lab.train, config, lambda view: draw(page, config, view, guess))
    page.offer_notebook(*notebook(config))


def knobs(page: LabPage) -> RewardConfig:
    kind = page.choice("kind", KINDS, DEFAULT.kind)
    left, middle, right = st.columns(3)
    with left:
        worth = page.slider("right", -2.0, 6.0, DEFAULT.right, 0.5)
    with middle:
        marks = page.slider("marks", -2.0, 2.0, DEFAULT.marks, 0.25)
    with right:
        digits = page.slider("digits", -2.0, 2.0, DEFAULT.digits, 0.25)
    left, right = st.columns(2)
    with left:
        slips = page.slider("slips", 0, 50, 0, 5)
    with right:
        pairs = page.choice("pairs", PAIRS, str(DEFAULT.pairs), style="slide", label=str)
    with st.expander(page.text("more"), key="reward-more"):
        left, middle, right = st.columns(3)
        with left:
            fans = page.slider("fans", 0, 50, 0, 1)
        with middle:
            epochs = page.slider("epochs", 1, 6, DEFAULT.epochs)
        with right:
            seed = page.number("seed", 0, 9999, DEFAULT.seed)
    return RewardConfig(
        kind, worth, marks, digits, slips / 100, fans / 100, int(pairs), epochs, seed
    )


def draw(page: LabPage, config: RewardConfig, view: JobView | None, guess: Guess | None) -> None:
    """The run as far as it is; before it, the recorded default of either kind."""
    if view is None and config == replace(DEFAULT, kind=config.kind):
        recorded = page.recording(config.kind, RewardResult)
        page.caption("job.recorded")
        draw_result(page, recorded.result, recorded.provenance)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        page.reveal(guess, learnt(view.result))
        draw_result(page, view.result, MEASURED)
    elif view.events:
        draw_course(page, view.events, None, MEASURED)


def draw_result(page: LabPage, result: RewardResult, source: Provenance) -> None:
    exam, planted = result.exam, result.planted
    st.markdown(
        page.text(
            "outcome", right=f"{exam.found[0]:.2f}", marks=f"{exam.found[1]:.2f}",
            planted_right=f"{planted[0]:g}", planted_marks=f"{planted[1]:g}",
            accuracy=f"{exam.accuracy:.1%}", best=f"{exam.best_accuracy:.1%}",
            error=f"{exam.calibration.error:.1%}",
        )
    )  # fmt: skip
    page.figure(charts.worths(result, page.text), source, "worths")
    left, right = st.columns(2, gap="medium")
    with left:
        page.figure(charts.dependence(exam, page.text), source, "dependence")
    with right:
        page.figure(charts.kinds(exam, page.text), source, "kinds")
    draw_course(page, result.looks, result, source)
    page.figure(charts.calibration(exam.calibration, page.text), source, "calibration")


def draw_course(
    page: LabPage, looks: Sequence[Look], result: RewardResult | None, source: Provenance
) -> None:
    exam = result.exam if result else None
    left, right = st.columns(2, gap="medium")
    with left:
        page.figure(charts.loss(looks, exam, page.text), source, "loss")
    with right:
        page.figure(charts.accuracy(looks, exam, page.text), source, "accuracy")


def learnt(result: RewardResult) -> str:
    """Of being right and of marks: what the model pays for at least half as much as the rater does."""
    right, marks = (
        bool(planted) and found / planted >= LEARNT_SHARE
        for planted, found in zip(result.planted[:2], result.exam.found[:2], strict=True)
    )
    return {(1, 1): "both", (1, 0): "right", (0, 1): "marks", (0, 0): "neither"}[right, marks]


def notebook(config: RewardConfig) -> Sequence[str]:
    return (
        "from labcore.tuning import reward as lab\n\n"
        f"result = lab.run(lab.RewardConfig({', '.join(changed_fields(config))}))",
        "exam = result.exam\n"
        'for cause, *worths in zip(("right", "marks", "digits"), result.planted, result.fitted,'
        " exam.found):\n"
        '    print(cause, "planted {:.2f}, in the pairs {:.2f}, found {:.2f}".format(*worths))\n'
        'print(f"pair accuracy {exam.accuracy:.3f}, best possible {exam.best_accuracy:.3f}")',
    )
