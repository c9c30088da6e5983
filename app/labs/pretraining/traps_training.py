"""Part 2: one small decoder trained in fp32 and with fewer bits."""

from dataclasses import replace

import numpy as np
import streamlit as st

from app.charts import precision as charts
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from app.results import Recording
from labcore.pretraining import precision_runs as lab
from labcore.pretraining.low_precision import DTYPES, ROUNDINGS, SCALE_HIGH, Recipe
from labcore.pretraining.precision_runs import (
    RECIPES,
    SMALL,
    PrecisionConfig,
    PrecisionResult,
    Study,
)

COMPARED: dict[str, tuple[tuple[str, int], ...]] = {
    "bf16": (("fp32", 0), ("master", 0), ("bf16", 0), ("stochastic", 0)),
    "fp16": (("fp32", 0), ("fp16", 0), ("fp16_weights", 0), ("fp16_master", 0)),
    "underflow": (("fp32", 0), ("fp16_master", SMALL), ("fp16_dynamic", SMALL)),
}
TO_RUN = {
    "bf16": ("fp32", "master", "bf16", "stochastic", "own"),
    "fp16": ("fp16", "fp16_weights", "fp16_master", "own"),
    "underflow": ("fp16_master", "fp16_dynamic", "own"),
}
FIRST = {"bf16": "bf16", "fp16": "fp16", "underflow": "fp16_master"}
WATCHED = {"bf16": "lost", "fp16": "lost", "underflow": "zeros"}
HIGHEST = {"bf16": 6.0, "fp16": 6.0, "underflow": 9.0}  # nats on show
RATES = ("0.0003", "0.001", "0.003", "0.01")
LIKE_NATS, MUCH_NATS = 0.05, 1.0
NOTICED = 0.001  # share of lost updates; even fp32 loses some in a million


def draw(page: LabPage) -> None:
    recording = page.recording("precision", Study)
    compared = page.choice("compared", tuple(COMPARED), "bf16")
    page.caption(f"compared.{compared}")
    guess = page.predict("few_bits", options=("like", "worse", "broken"))
    config = knobs(page, compared)
    page.job(
        lab.train_in, config, lambda view: show(page, recording, compared, config, view, guess)
    )
    offer_notebook(page, config)


def knobs(page: LabPage, compared: str) -> PrecisionConfig:
    """A recipe of the comparison, or one's own."""
    name = page.choice("recipe", TO_RUN[compared], FIRST[compared], style="pills")
    recipe, shrink = RECIPES.get(name), SMALL if compared == "underflow" else 0
    if recipe is None:
        recipe = own_recipe(page)
        shrink = page.slider("shrink", 0, lab.MOST_SHRINK, 0)
    with st.expander(page.text("more"), key="traps-training-more"):
        first, second, third = st.columns(3)
        with first:
            rate = page.choice("rate", RATES, "0.003", style="slide", label=str)
        with second:
            steps = page.slider("steps", 10, lab.MOST_STEPS, lab.STEPS, 10)
        with third:
            seed = page.number("seed", 0, 9999, 0)
    return PrecisionConfig(recipe, float(rate), shrink, steps, seed)


def own_recipe(page: LabPage) -> Recipe:
    left, middle, right = st.columns(3)
    with left:
        compute = page.choice("compute", tuple(DTYPES), "bf16", label=str)
        dynamic = page.toggle("dynamic", False)
    with middle:
        weights = page.choice("weights", tuple(DTYPES), "bf16", label=str)
        rounding = page.choice("rounding", ROUNDINGS, "nearest")
    with right:
        moments = page.choice("moments", tuple(DTYPES), "fp32", label=str)
        scale = 0 if dynamic else page.slider("scale", 0, SCALE_HIGH, 0)
    return Recipe(compute, weights, moments, rounding, scale, dynamic)


def show(
    page: LabPage, recording: Recording, compared: str, config: PrecisionConfig,
    view: JobView | None, guess: Guess | None,
) -> None:  # fmt: skip
    study, arms = recording.result, COMPARED[compared]
    course = None
    if view is not None and view.result is not None:
        course = charts.course_of_result(view.result)
    elif view is not None and view.events:
        course = charts.course_of_events(view.events)
    page.figure(
        charts.losses(study, arms, course, HIGHEST[compared], page.text),
        recording.provenance,
        "losses",
    )
    if view is not None and view.result is not None:
        outcome(page, study, config, view.result, guess)
    what = WATCHED[compared]
    page.figure(charts.vanishing(study, arms, what, course, page.text), recording.provenance, what)
    st.markdown(f"**{page.text('summary')}**")
    st.dataframe(charts.summary(study, arms, page.text), hide_index=True)
    page.caption("summary.caption")


def outcome(
    page: LabPage, study: Study, config: PrecisionConfig, result: PrecisionResult,
    guess: Guess | None,
) -> None:  # fmt: skip
    """The learner's own run in a sentence, beside fp32 after as many steps; and the guess."""
    course = np.median(study.held_out_nats[study.arms.index(("fp32", 0))], axis=0)
    end, last = float(result.held_out_nats[-1]), result.look_steps[-1]
    fp32 = float(np.interp(last, study.look_steps, course))
    if result.diverged:
        st.warning(
            page.text("outcome.broke", step=len(result.lost), scale=int(result.scale[-1])),
            icon=":material/trending_up:",
        )
    else:
        key = "outcome.lost" if np.nanmean(result.lost) > NOTICED else "outcome.kept"
        st.markdown(
            page.text(
                key, end=f"{end:.3f}", fp32=f"{fp32:.3f}", lost=f"{np.nanmean(result.lost):.0%}",
                low=f"{result.gains[0]:.4g}", high=f"{result.gains[1]:.4g}",
                bytes=result.bytes_per_parameter, parameters=f"{result.parameters:,}",
                skipped=result.skipped,
            )
        )  # fmt: skip
    comparable = config.rate == PrecisionConfig().rate and last <= study.look_steps[-1]
    if comparable:
        page.reveal(guess, verdict(end, fp32, result.diverged))


def verdict(end: float, fp32: float, diverged: bool) -> str:
    """How a run ended beside fp32.

    >>> verdict(2.46, 2.45, False), verdict(2.8, 2.45, False), verdict(7.3, 2.45, False)
    ('like', 'worse', 'broken')
    """
    if diverged or not end < fp32 + MUCH_NATS:
        return "broken"
    return "like" if end < fp32 + LIKE_NATS else "worse"


def offer_notebook(page: LabPage, config: PrecisionConfig) -> None:
    shown = replace(config, steps=min(config.steps, 100))
    page.offer_notebook(
        "from labcore.pretraining import precision_runs as lab\n"
        "from labcore.pretraining.low_precision import Recipe\n\n"
        f"# At most a hundred steps, so that it takes seconds.\nconfig = lab.{shown!r}\n"
        "few, full = lab.run(config), lab.run(lab.PrecisionConfig(lab.RECIPES['fp32'], "
        "config.rate, config.shrink, config.steps, config.seed))",
        "print(few.held_out_nats[-1], full.held_out_nats[-1], few.gains, full.gains)",
        "import pandas as pd\n\n"
        'pd.DataFrame({"lost": few.lost, "zeros": few.zeros, "scale": few.scale})',
    )
