"""RoPE beyond its training: stretched angles, without and with a little more training."""

import numpy as np
import streamlit as st

from app.charts import positions_length as charts
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from app.provenance import ANALYTIC, MEASURED
from app.results import Recording
from labcore.architecture import positions_rescue as lab
from labcore.architecture.positions_length import LengthConfig
from labcore.architecture.positions_rescue import CURES, Progress, RescueConfig, RescueResult

DEFAULT = RescueConfig()
JUDGED_AT = 512  # letters at which the cures are compared in a prediction
FIRST_LENGTHS = 2


def draw(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("cure", options=CURES)
    page.job(lab.rescue, config, lambda view: picture(page, view, guess))
    draw_turns(page)
    offer_notebook(page, config)


def knobs(page: LabPage) -> RescueConfig:
    extra = page.slider("extra_steps", 0, 200, DEFAULT.extra_steps, 25)
    with st.expander(page.text("more"), key="positions-more-rescue"):
        steps = page.slider("steps", 50, 1000, DEFAULT.steps, 50)
        seed = page.number("seed", 0, 9999, 0)
    return RescueConfig((seed,), steps, extra)


def picture(page: LabPage, view: JobView | None, guess: Guess | None) -> None:
    """Two charts: the same weights under other angles, and after some steps on long texts."""
    recording = page.recording("rescue", RescueResult)
    live = live_curves(view.events) if view else {False: {}, True: {}}
    if not live[False]:
        draw_recorded(page, recording, guess)
        return
    for tuned in (False, True):
        if live[tuned]:
            chart(page, recording, tuned, live[tuned])
    page.caption("length.bands")
    if view.result is not None:
        place = int(np.searchsorted(view.result.lengths[:-1], JUDGED_AT))
        nats = view.result.nats[:, :, place].mean(axis=0)
        page.reveal(guess, view.result.cures[int(np.argmin(nats))])


def draw_recorded(page: LabPage, recording: Recording, guess: Guess | None) -> None:
    page.caption("length.recorded", seeds=len(recording.result.seeds))
    everything = guess is not None or page.toggle("show_all", False)
    chart(page, recording, False, None, None if everything else FIRST_LENGTHS)
    if everything:
        chart(page, recording, True, None)


def chart(
    page: LabPage, recording: Recording, tuned: bool, live: charts.Curves | None,
    first: int | None = None,
) -> None:  # fmt: skip
    result = recording.result
    nats = result.tuned_nats if tuned else result.nats
    figure = charts.against_length(
        "cure", nats[:, :, :first], result.cures, result.lengths[:first], result.floor_nats,
        page.text, live, mark=lab.LONG_LENGTH if tuned else lab.TRAINED_LENGTH,
    )  # fmt: skip
    source = MEASURED if live else recording.provenance
    page.figure(figure, source, "tuned" if tuned else "stretched")


def live_curves(events: tuple[Progress, ...]) -> dict[bool, charts.Curves]:
    """{after extra training or not: {cure: (lengths, nats)}}"""
    found = {False: {}, True: {}}
    for event in events:
        if event.nats is not None:
            found[event.tuned][event.cure] = (np.array(lab.LENGTHS), event.nats)
    return found


def draw_turns(page: LabPage) -> None:
    """What each cure does to each pair of channels."""
    lengths = [str(length) for length in lab.LENGTHS if length > lab.TRAINED_LENGTH]
    length = int(page.choice("turn_length", lengths, "512", label=str))
    model = LengthConfig().model("rope")
    trained = lab.turns(model.rope_theta, model.rope_dim, lab.TRAINED_LENGTH)["none"]
    stretched = lab.turns(model.rope_theta, model.rope_dim, length)
    page.figure(charts.turns(trained, stretched, length, page.text), ANALYTIC, "turns")


def offer_notebook(page: LabPage, config: RescueConfig) -> None:
    page.offer_notebook(
        "from labcore.architecture import positions_rescue as lab\n\n"
        f"result = lab.run(lab.{config!r})",
        "import pandas as pd\n\n"
        "pd.DataFrame(result.nats.mean(axis=0), result.cures, result.lengths)",
    )
