"""Part 4: perplexity and bits per byte: the same text under several vocabularies."""

import pandas as pd
import streamlit as st

from app.charts import objectives_text as charts
from app.job import JobView
from app.labs.pretraining import objectives_natural
from app.page import LabPage
from app.prediction import Guess
from app.provenance import ANALYTIC, COMPUTED, MEASURED, Provenance
from labcore.pretraining import objective_units as lab
from labcore.pretraining.objective_units import UnitsConfig, UnitsResult

DEFAULT = UnitsConfig()
SIZES = (str(lab.BYTES), "512", "1024", "2048")
AXES = ("steps", "read")


def draw(page: LabPage) -> None:
    page.figure(charts.exact(lab.exact(page.text.language), page.text), ANALYTIC, "exact")
    st.subheader(page.text("units.title"), anchor=False)
    config = knobs(page)
    guess = page.predict("units", options=("small", "large"))
    page.job(lab.train_vocabularies, config, lambda view: picture(page, config, view, guess))
    offer_notebook(page, config)


def knobs(page: LabPage) -> UnitsConfig:
    _, text = objectives_natural.corpus(page)

    def name(size: str) -> str:
        return charts.size_name(int(size), page.text)

    left, right = st.columns(2)
    with left:
        first = page.choice("first", SIZES, SIZES[0], label=name)
    with right:
        second = page.choice("second", SIZES, "1024", label=name)
    with st.expander(page.text("more"), key="objectives-more-units"):
        left, right = st.columns(2)
        with left:
            steps = page.slider("units_steps", 50, lab.MOST_STEPS, DEFAULT.steps, 50)
        with right:
            seed = page.number("units_seed", 0, 9999, 0)
    sizes = tuple(sorted({int(first), int(second)}))
    return UnitsConfig(text.pipeline, sizes, (seed,), steps)


def picture(page: LabPage, config: UnitsConfig, view: JobView | None, guess: Guess | None) -> None:
    axis = page.choice("units_axis", AXES, AXES[0])
    if view is None or not view.events:
        recording = page.recording("units", UnitsResult)
        page.caption("units.recorded", seeds=len(recording.result.seeds))
        finished(page, axis, recording.result, recording.provenance, None)
    elif view.result is None:
        curves(page, charts.units_running(config.sizes, view.events), axis, MEASURED)
    else:
        finished(page, axis, view.result, MEASURED, guess)


def curves(page: LabPage, courses: list, axis: str, source: Provenance) -> None:
    for column, unit in zip(st.columns(2), ("perplexity", "bits_per_byte"), strict=True):
        with column:
            page.figure(charts.in_units(courses, unit, axis, page.text), source, unit)


def finished(
    page: LabPage, axis: str, result: UnitsResult, source: Provenance, guess: Guess | None
) -> None:
    curves(page, charts.units_recorded(result), axis, source)
    if len(result.sizes) > 1:
        page.reveal(guess, lower_perplexity(result))
    st.dataframe(account(page, result), hide_index=True)
    page.caption("units.caption")
    own(page, result)


def lower_perplexity(result: UnitsResult) -> str:
    """Which end of the row of vocabularies has the lower perplexity."""
    small, large = (result.loss(0, number).perplexity for number in (0, -1))
    return "small" if small < large else "large"


def account(page: LabPage, result: UnitsResult) -> pd.DataFrame:
    """The first seed's losses at the end, in every unit."""
    rows = []
    for number, size in enumerate(result.sizes):
        loss = result.loss(0, number)
        rows.append(
            {
                page.text("column.vocabulary"): charts.size_name(size, page.text),
                page.text("column.bytes_per_token"): round(loss.bytes / loss.tokens, 2),
                page.text("column.nats_per_token"): round(loss.nats_per_token, 3),
                page.text("column.perplexity"): round(loss.perplexity, 2),
                page.text("column.bits_per_byte"): round(loss.bits_per_byte, 3),
                page.text("column.parameters"): f"{int(result.parameters[number]):,}",
            }
        )
    return pd.DataFrame(rows)


def own(page: LabPage, result: UnitsResult) -> None:
    """The learner's text under each vocabulary on show."""
    st.subheader(page.text("score.title"), anchor=False)
    text = page.text_area("scored", page.text("default.scored"), lab.MOST_OWN_CHARACTERS)
    if not text.strip():
        page.caption("score.empty")
        return
    for one, size in zip(lab.score(result, text), result.sizes, strict=True):
        title = page.text(
            "score.line", size=charts.size_name(size, page.text), tokens=len(one.labels),
            nats=f"{one.loss.nats_per_token:.2f}", perplexity=f"{one.loss.perplexity:.1f}",
            bits=f"{one.loss.bits_per_byte:.2f}",
        )  # fmt: skip
        page.figure(charts.scored(one, size, page.text), COMPUTED, f"scored_{size}", title=title)


def offer_notebook(page: LabPage, config: UnitsConfig) -> None:
    page.offer_notebook(
        "from labcore.pretraining import objective_units as lab\n\n"
        f"config = lab.UnitsConfig(sizes={config.sizes}, seeds={config.seeds}, steps={config.steps})\n"
        "result = lab.run(config)",
        "for number, size in enumerate(result.sizes):\n"
        "    loss = result.loss(0, number)\n"
        "    print(size, loss.nats_per_token, loss.perplexity, loss.bits_per_byte)",
        'for one in lab.score(result, "The value is returned."):\n    print(one.labels, one.loss)',
    )
