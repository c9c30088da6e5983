"""Part 5: whole answers that come overnight, single digits that never stopped getting better."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from app.charts import emergence as charts
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.pretraining import emergence as lab
from labcore.pretraining.emergence import EmergenceConfig, EmergenceResult, Look, Sizes

WIDTHS = tuple(str(width) for width in lab.WIDTHS)
HALF = 0.5  # right digits at which the guess is judged


def draw(page: LabPage) -> None:
    config = knobs(page)
    length = page.slider("length", 1, config.digits, config.digits)
    guess = page.predict("whole", options=("half", "tenth", "none"))
    page.job(lab.emerge, config, lambda view: show(page, config, length, view, guess))
    recording = page.recording("sizes", Sizes)
    st.subheader(page.text("sizes"), anchor=False)
    page.caption("sizes.about", steps=recording.result.steps, seeds=len(recording.result.seeds))
    shown = min(length, recording.result.digits)
    figure = charts.by_size(recording.result, shown, page.text)
    page.figure(figure, recording.provenance, "by_size")
    offer_notebook(page, config)


def knobs(page: LabPage) -> EmergenceConfig:
    left, right = st.columns(2)
    with left:
        digits = page.slider("digits", 1, lab.MOST_DIGITS, lab.DIGITS)
        steps = page.slider("answer_steps", 10, lab.MOST_STEPS, lab.STEPS, 10)
    with right:
        width = page.choice("width", WIDTHS, str(EmergenceConfig().width), style="slide", label=str)
        seed = page.number("answer_seed", 0, 9999, 0)
    return EmergenceConfig(digits, int(width), steps, seed)


def show(
    page: LabPage, config: EmergenceConfig, length: int, view: JobView | None, guess: Guess | None
) -> None:
    """The run as far as it is; before it the recorded default."""
    if view is None and config == EmergenceConfig():
        recording = page.recording("emergence", EmergenceResult)
        page.caption("job.recorded")
        finished(page, config, length, recording.result, recording.provenance)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        finished(page, config, length, view.result, MEASURED)
        reveal(page, view.result.looks, guess)
    elif view.events:
        page.figure(
            charts.scores(view.events, fitted(length, view.events), config.steps, page.text),
            MEASURED, "scores",
        )  # fmt: skip


def fitted(length: int, looks: Sequence[Look]) -> int:
    """The knob may have been turned since the run began."""
    return min(length, len(looks[0].scores.whole))


def finished(
    page: LabPage, config: EmergenceConfig, length: int, result: EmergenceResult, source: Provenance
) -> None:
    looks, length = result.looks, fitted(length, result.looks)
    steps = looks[-1].step
    page.figure(charts.scores(looks, length, steps, page.text), source, "scores")
    given, wanted, written = result.example
    st.markdown(
        page.text(
            "example", given=given, wanted=wanted, written=written,
            parameters=f"{result.parameters:,}",
        )
    )  # fmt: skip
    left, right = st.columns(2)
    with left:
        page.figure(charts.lengths(looks, steps, page.text), source, "lengths")
    with right:
        figure = charts.chances(looks, length, lab.PROBLEMS, steps, page.text)
        page.figure(figure, source, "chances")


def reveal(page: LabPage, looks: Sequence[Look], guess: Guess | None) -> None:
    """Scored where half of the digits are first right; a run that never gets there, or one with other
    answers than the question's, tells nothing."""
    if len(looks[0].scores.whole) != lab.DIGITS:
        return
    for look in looks:
        if look.scores.right.mean() >= HALF:
            page.reveal(guess, band(float(look.scores.whole[-1])))
            return


def band(share: float) -> str:
    """The answer to how many whole answers are right when half of the digits are.

    >>> band(0.4), band(0.1), band(0.002)
    ('half', 'tenth', 'none')
    """
    return "half" if share > 0.3 else "tenth" if share > 0.03 else "none"


def offer_notebook(page: LabPage, config: EmergenceConfig) -> None:
    shown = replace(config, steps=min(config.steps, 100), width=min(config.width, 32))
    page.offer_notebook(
        "from labcore.pretraining import emergence as lab\n\n"
        "# At most a hundred steps of a narrow model, so that it takes seconds.\n"
        f"result = lab.run(lab.{shown!r})",
        "import pandas as pd\n\n"
        "pd.DataFrame([\n"
        "    {'step': look.step, 'nats': look.scores.nats.mean(), 'right': look.scores.right.mean(),\n"
        "     'whole': look.scores.whole[-1], 'chance': look.scores.chance[-1]}\n"
        "    for look in result.looks\n"
        "])",
        "result.example",
    )
