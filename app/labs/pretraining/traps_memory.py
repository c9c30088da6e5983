"""Part 4: planted PINs, from never to sixty-four times; what the model knows of each, and what cures it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import streamlit as st

from app.charts import memory as charts
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.errors import LabInputError
from labcore.pretraining import memorisation as lab
from labcore.pretraining.memorisation import (
    CURES,
    PLANTED,
    Look,
    MemoryConfig,
    MemoryResult,
    Study,
)
from labcore.pretraining.small_world import LANGUAGES

STUDY_ARMS = ("alone", "alone_documents", "inside_documents", "inside_sentences")
MUCH_NATS = 0.1


def draw(page: LabPage) -> None:
    guess = page.predict("rest", options=("alike", "worse", "better"))
    try:
        config = knobs(page)
    except LabInputError as error:
        page.error(error)
        return
    page.job(lab.memorise, config, lambda view: show(page, config, view, guess))
    recorded(page, guess)
    offer_notebook(page, config)


def knobs(page: LabPage) -> MemoryConfig:
    left, right = st.columns(2)
    with left:
        pin = page.text_area("pin", "4831", 8, lines=1)
        copies = page.slider("copies", 0, lab.MOST_COPIES, 8)
    with right:
        planted = page.choice("planted", PLANTED, "alone")
        cure = page.choice("cure", CURES, "none")
    with st.expander(page.text("more"), key="traps-memory-more"):
        first, second, third = st.columns(3)
        with first:
            language = page.choice("language", LANGUAGES, page.text.language)
        with second:
            steps = page.slider("memory_steps", 25, lab.MOST_STEPS, lab.STEPS, 25)
        with third:
            seed = page.number("memory_seed", 0, 9999, 0)
    return MemoryConfig(language, pin.strip(), copies, planted, cure, steps, seed=seed)


def show(page: LabPage, config: MemoryConfig, view: JobView | None, guess: Guess | None) -> None:
    """The run as far as it is; before it the recorded default."""
    if view is None and config == lab.DEFAULTS.get(config.language):
        recording = page.recording(f"memory-{config.language}", MemoryResult)
        page.caption("job.recorded")
        finished(page, config, recording.result, recording.provenance)
    elif view is None:
        page.caption("memory.press_run")
    elif view.result is not None:
        finished(page, config, view.result, MEASURED)
    elif view.events:
        course(page, config, view.events, None, MEASURED)


def course(
    page: LabPage, config: MemoryConfig, looks: Sequence[Look], floor: float | None,
    source: Provenance,
) -> None:  # fmt: skip
    secrets = lab.secrets_of(config)
    page.figure(charts.exposures(looks, secrets, config.steps, page.text), source, "exposures")
    page.figure(charts.rest(looks, floor, config.steps, page.text), source, "rest")


def finished(page: LabPage, config: MemoryConfig, result: MemoryResult, source: Provenance) -> None:
    own = result.secrets[0]
    last = result.looks[-1]
    key = "own.known" if last.written[0] == own.pin else "own.unknown"
    st.markdown(
        page.text(
            key, pin=own.pin, rank=f"{int(last.rank[0]):,}", written=last.written[0],
            bits=f"{result.exposure[-1, 0]:.1f}", copies=int(result.copies_left[0]),
            documents=f"{result.documents:,}", parameters=f"{result.parameters:,}",
        )
    )  # fmt: skip
    course(page, config, result.looks, result.floor_nats, source)
    st.markdown(f"**{page.text('secrets.title')}**")
    table = charts.secrets_table(result, config.language, page.text)
    st.dataframe(table, hide_index=True, height="content")
    page.caption("secrets.caption")


def recorded(page: LabPage, guess: Guess | None) -> None:
    """Dose and response over seeds, the cures, and their price."""
    recording = page.recording("memory", Study)
    study = recording.result
    st.subheader(page.text("study.memory"), anchor=False)
    page.figure(charts.doses(study, STUDY_ARMS, page.text), recording.provenance, "doses")
    page.figure(charts.price(study, page.text), recording.provenance, "price")
    page.reveal(guess, band(rise(study)))


def rise(study: Study) -> float:
    """Nats by which planted secrets raise the loss on the rest; mean over seeds."""
    alone, clean = (study.held_out_nats[study.arms.index(arm)] for arm in ("alone", "nowhere"))
    return float(np.mean(alone - clean))


def band(difference: float) -> str:
    """The answer to what becomes of the loss on the rest.

    >>> band(0.02), band(0.3), band(-0.2)
    ('alike', 'worse', 'better')
    """
    if abs(difference) <= MUCH_NATS:
        return "alike"
    return "worse" if difference > 0 else "better"


def offer_notebook(page: LabPage, config: MemoryConfig) -> None:
    shown = replace(config, steps=min(config.steps, 100))
    page.offer_notebook(
        "from labcore.pretraining import memorisation as lab\n\n"
        f"# At most a hundred steps, so that it takes seconds.\n"
        f"result = lab.run(lab.{shown!r})",
        "import pandas as pd\n\n"
        "pd.DataFrame({\n"
        '    "copies": [secret.copies for secret in result.secrets],\n'
        '    "rank": result.looks[-1].rank,\n'
        '    "exposure": result.exposure[-1].round(1),\n'
        '}).sort_values("rank")',
        "[(look.step, look.held_out_nats) for look in result.looks], result.floor_nats",
    )
