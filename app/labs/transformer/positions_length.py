"""All encodings trained on 64 letters and read far beyond: loss against length."""

import numpy as np
import streamlit as st

from app.charts import positions_length as charts
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED
from app.results import Recording
from labcore.architecture import positions_length as lab
from labcore.architecture.positions_length import ENCODINGS, LengthConfig, LengthResult, Progress

DEFAULT = LengthConfig()
FIRST_LENGTHS = 2  # of the recording, shown before a prediction is made


def draw(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("far", options=ENCODINGS)
    page.job(lab.compare, config, lambda view: picture(page, config, view, guess))
    offer_notebook(page, config)


def knobs(page: LabPage) -> LengthConfig:
    st.markdown(page.text("encodings.pick"))
    with st.container(horizontal=True, key="positions-encodings"):
        chosen = tuple(
            name for name in ENCODINGS if page.toggle(f"use_{name}", name in DEFAULT.encodings)
        )
    with st.expander(page.text("more"), key="positions-more-length"):
        left, right = st.columns(2)
        with left:
            steps = page.slider("steps", 50, 1000, DEFAULT.steps, 50)
            language = page.choice("language", ("en", "zh"), DEFAULT.language)
        with right:
            rates = ("0.001", "0.003", "0.006", "0.01")
            rate = page.choice("learning_rate", rates, str(DEFAULT.learning_rate), label=str)
            seed = page.number("seed", 0, 9999, 0)
        scaled = page.toggle("scale_embeddings", DEFAULT.scale_embeddings)
    return LengthConfig(
        chosen, (seed,), steps, learning_rate=float(rate), language=language,
        scale_embeddings=scaled,
    )  # fmt: skip


def picture(page: LabPage, config: LengthConfig, view: JobView | None, guess: Guess | None) -> None:
    """The recorded seeds; before them, once there is a run, its own curves."""
    recording = page.recording("length", LengthResult)
    if view is None or not view.events:
        draw_recorded(page, recording, guess)
        return
    live, losses = curves(view.events)
    recorded = recording.result
    figure = charts.against_length(
        "encoding", recorded.nats, recorded.encodings, recorded.lengths, recorded.floor_nats,
        page.text, live or None,
    )  # fmt: skip
    if live:
        page.figure(figure, MEASURED, "length")
        page.caption("length.bands")
    page.figure(charts.training(recorded, page.text, losses, config.steps), MEASURED, "training")
    if view.result is not None:
        finish(page, view.result, guess)


def draw_recorded(page: LabPage, recording: Recording, guess: Guess | None) -> None:
    """All six, three seeds each. What lies far out shows once a guess is locked, or on demand."""
    result = recording.result
    page.caption("length.recorded", seeds=len(result.seeds))
    all_lengths = guess is not None or page.toggle("show_all", False)
    shown = slice(None) if all_lengths else slice(FIRST_LENGTHS)
    figure = charts.against_length(
        "encoding", result.nats[:, :, shown], result.encodings, result.lengths[shown],
        result.floor_nats, page.text,
    )  # fmt: skip
    page.figure(figure, recording.provenance, "length")
    page.figure(charts.training(result, page.text), recording.provenance, "training")


def curves(events: tuple[Progress, ...]) -> tuple[charts.Curves, charts.Curves]:
    """What is measured so far: loss by length, and training loss by step.  {encoding: (x, nats)}"""
    by_length, by_step = {}, {}
    for event in events:
        if event.length is None:
            by_step.setdefault(event.encoding, []).append((event.step, event.loss_nats))
        else:
            by_length.setdefault(event.encoding, []).append((event.length, event.nats))
    return tuple(
        {name: tuple(np.array(column) for column in zip(*points, strict=True))
         for name, points in found.items()}
        for found in (by_length, by_step)
    )  # fmt: skip


def finish(page: LabPage, result: LengthResult, guess: Guess | None) -> None:
    """What the run showed, in a sentence per encoding, and how the guess fared."""
    lines = [
        page.text(
            "length.outcome", encoding=page.text(f"option.encoding.{name}"),
            near=f"{nats[0]:.2f}", far=f"{nats[-1]:.2f}", change=f"{nats[-1] - nats[0]:+.2f}",
        )
        for name, nats in zip(result.encodings, result.nats.mean(axis=0), strict=True)
    ]  # fmt: skip
    st.markdown("\n".join(f"- {line}" for line in lines))
    if len(result.encodings) > 1:
        page.reveal(guess, lab.ranking(result, int(result.lengths[-1]))[0])


def offer_notebook(page: LabPage, config: LengthConfig) -> None:
    page.offer_notebook(
        "from labcore.architecture import positions_length as lab\n\n"
        f"result = lab.run(lab.{config!r})",
        "import pandas as pd\n\n"
        "pd.DataFrame(result.nats.mean(axis=0), result.encodings, result.lengths)",
    )
