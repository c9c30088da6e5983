"""The experts: a small mixture trained beside dense models, and what its routers do."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from app.charts import experts as charts
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.scaling import experts as lab
from labcore.scaling.experts import ExpertsConfig, ExpertsResult
from labcore.scaling.experts_text import TEXTS, tokens_per_step

COUNTS = ("4", "8", "16", "32")
WEIGHTS = ("0.001", "0.01", "0.05", "0.2")
LAYERS = ("1", "2")
DEFAULT = ExpertsConfig()
SLOWEST = ("dense", "moe", "wide")  # who may be named in the prediction


def draw(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("slowest", options=SLOWEST)
    page.job(lab.train_side_by_side, config, partial(show, page, config, guess, views(page)))
    page.offer_notebook(
        "from labcore.scaling import experts\n"
        "from labcore.scaling.experts import ExpertsConfig\n\n"
        f"result = experts.run({config!r})",
        "for name, right, seconds in zip(result.names, result.right, result.step_seconds):\n"
        "    print(name, right[:, -1], seconds)\n"
        "print(experts.experts_in_use(result.load)[:, :, -1])",
    )


@dataclass(frozen=True, slots=True)
class Views:
    """What is looked at, of a run that stays the same."""

    measure: str  # "right" or "nats"
    against: str  # of charts.AGAINST
    layer: int  # from 0
    whose: str  # routes


def views(page: LabPage) -> Views:
    columns = st.columns(4)
    with columns[0]:
        measure = page.choice("measure", ("right", "nats"), "right")
    with columns[1]:
        against = page.choice("against", charts.AGAINST, "step")
    with columns[2]:
        layer = page.choice("layer", LAYERS, "2", label=str)
    with columns[3]:
        whose = page.choice("whose", lab.ROUTED, "moe")
    return Views(measure, against, int(layer) - 1, whose)


def knobs(page: LabPage) -> ExpertsConfig:
    left, middle, right = st.columns(3)
    with left:
        text = page.choice("text", TEXTS, DEFAULT.text)
    with middle:
        experts = page.choice("experts", COUNTS, str(DEFAULT.experts), label=str)
    with right:
        weight = page.choice("balance", WEIGHTS, str(DEFAULT.balance), "slide", str)
    with st.expander(page.text("more"), key="budget-more"):
        first, second, third, fourth = st.columns(4)
        with first:
            chosen = page.slider("chosen", 1, 4, DEFAULT.chosen)
        with second:
            steps = page.slider("steps", 5, 500, DEFAULT.steps, 5)
        with third:
            seed = page.number("seed", 0, 9999, 0)
        with fourth:
            normalise = page.toggle("normalise", DEFAULT.normalise)
    return ExpertsConfig(
        text, int(experts), chosen, float(weight), normalise, steps, max(5, steps // 10), (seed,)
    )


def show(
    page: LabPage, config: ExpertsConfig, guess: Guess | None, view_of: Views, view: JobView | None
) -> None:
    """Recorded before a run, growing during it, measured after it."""
    if view is not None and view.result is not None:
        draw_result(page, view.result, MEASURED, view_of)
        page.reveal(guess, slowest(view.result))
    elif view is not None:
        if any(event.looks for event in view.events):
            course = charts.course_of(view.events, config.routed)
            draw_courses(page, course, MEASURED, view_of, lab.step_flops(config), None)
    else:
        recording = page.recording(config.text, ExpertsResult)
        result = recording.result
        page.caption("experts.recorded", seeds=len(result.seeds), experts=result.experts)
        draw_result(page, result, recording.provenance, view_of)


def slowest(result: ExpertsResult) -> str:
    """Whose steps took longest, of those that may be named."""
    spent = dict(zip(result.names, result.step_seconds.mean(axis=1), strict=True))
    return max(SLOWEST, key=spent.__getitem__)


def draw_courses(
    page: LabPage, shown: ExpertsResult | charts.Course, source: Provenance, view: Views,
    flops: np.ndarray, floor: float | None,
) -> None:  # fmt: skip
    figure = charts.courses(shown, view.measure, view.against, flops, floor, page.text)
    page.figure(figure, source, f"experts_{view.measure}")
    page.figure(charts.in_use(shown, view.layer, page.text), source, "in_use")
    for column, name in zip(st.columns(2), shown.routed, strict=False):
        with column:
            figure = charts.loads(shown, name, view.layer, shown.seeds[0], page.text)
            page.figure(figure, source, f"loads_{name}")


def draw_result(page: LabPage, result: ExpertsResult, source: Provenance, view: Views) -> None:
    st.dataframe(charts.summary(result, page.text), hide_index=True)
    flops = result.flops_per_token * tokens_per_step(result.text)
    draw_courses(page, result, source, view, flops, result.floor_nats)
    busiest = lab.busiest(result.load)[:, :, -1, view.layer].mean(axis=1)  # (R,)
    told = {name: f"{value:.1f}" for name, value in zip(result.routed, busiest, strict=True)}
    page.caption("loads.told", layer=view.layer + 1, **told)
    st.subheader(page.text("routes.title"), anchor=False)
    page.figure(charts.guesses(result, view.whose, page.text), source, "guesses")
    if result.text == "stories":
        figure = charts.by_language(result, view.whose, view.layer, page.text)
        page.figure(figure, source, "by_language")
    st.markdown(f"**{page.text('commonest.title', layer=view.layer + 1)}**")
    st.dataframe(charts.commonest(result, view.whose, view.layer, page.text), hide_index=True)
