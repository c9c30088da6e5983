"""Part 3: gradients of many micro-batches against one big batch, and what a wrong mean teaches."""

from dataclasses import replace

import streamlit as st

from app.charts import accumulation as charts
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from app.provenance import COMPUTED, MEASURED, Provenance
from labcore.pretraining import accumulation_runs as runs
from labcore.pretraining import mean_of_means as lab
from labcore.pretraining.accumulation_runs import AccumulationConfig, Study
from labcore.pretraining.mean_of_means import MIXES, BatchConfig

KNOWN = {replace(batch, seed=0): name for name, batch in runs.ARMS.items()}
MUCH_NATS = 0.1


def draw(page: LabPage) -> None:
    batch = knobs(page)
    result = page.run(lab.run, batch)
    st.markdown(
        page.text(
            "errors", tokens=f"{result.errors['tokens']:.1e}", means=f"{result.errors['means']:.2g}",
            bf16=f"{result.errors['bf16']:.1e}", cosine=f"{result.cosines['means']:.2f}",
        )
    )  # fmt: skip
    page.figure(charts.weights(result, page.text), COMPUTED, "weights")
    st.subheader(page.text("taught"), anchor=False)
    st.markdown(page.text("taught.about", short=batch.short, long=batch.long))
    guess = page.predict("curve", options=("higher", "alike", "lower"))
    config = AccumulationConfig(
        batch, page.slider("batch_steps", 10, runs.MOST_STEPS, runs.STEPS, 10)
    )
    page.job(runs.train_both, config, lambda view: show(page, config, view, guess))
    recorded(page)
    offer_notebook(page, config)


def knobs(page: LabPage) -> BatchConfig:
    left, right = st.columns(2)
    with left:
        short = page.slider("short", lab.SHORTEST, 48, 8)
        long = page.slider("long", 48, lab.LONGEST, 64)
        mix = page.choice("mix", MIXES, "sorted")
    with right:
        micro_batches = page.slider("micro_batches", 2, lab.MOST_MICRO_BATCHES, 4, 2)
        rows = page.slider("rows", 1, lab.MOST_ROWS, 4)
        seed = page.number("batch_seed", 0, 9999, 0)
    return BatchConfig(short, long, micro_batches, rows, mix, seed)


def show(
    page: LabPage, config: AccumulationConfig, view: JobView | None, guess: Guess | None
) -> None:
    """The learner's run; before it, a recorded one of the same kind."""
    taught = [lab.end_probability(config.batch, rule) for rule in lab.RULES]
    if view is not None and (view.result is not None or view.events):
        looks = view.result.looks if view.result is not None else view.events
        floor = view.result.floor_nats if view.result is not None else None
        pictures(page, looks, taught, config.steps, floor, MEASURED)
        if view.result is not None:
            outcome(page, view.result, guess)
        return
    recording = page.recording("accumulation", Study)
    arm = KNOWN.get(replace(config.batch, seed=0))
    if arm is None:
        page.caption("press_run")
        return
    page.caption("accumulation.recorded", seeds=len(recording.result.seeds))
    looks = charts.recorded_looks(recording.result, arm)
    steps = int(recording.result.steps[-1])
    pictures(page, looks, taught, steps, recording.result.floor_nats, recording.provenance)


def pictures(
    page: LabPage, looks: list, taught: list[float], steps: int, floor: float | None,
    source: Provenance,
) -> None:  # fmt: skip
    left, right = st.columns(2)
    with left:
        figure = charts.courses(looks, "reported_nats", None, steps, page.text)
        page.figure(figure, source, "reported_nats")
    with right:
        page.figure(charts.ends(looks, taught, steps, page.text), source, "ends")
    figure = charts.courses(looks, "held_out_nats", floor, steps, page.text)
    page.figure(figure, source, "held_out_nats")


def outcome(page: LabPage, result: runs.AccumulationResult, guess: Guess | None) -> None:
    tokens, means = result.written_short
    st.markdown(
        page.text("written", tokens=f"{tokens:.0%}", means=f"{means:.0%}", count=runs.WRITTEN)
    )
    reported = result.looks[-1].reported_nats
    page.reveal(guess, band(float(reported[1] - reported[0])))


def band(difference: float) -> str:
    """The answer to how the wrong run's loss curve looks beside the right one's.

    >>> band(-0.07), band(0.3), band(-0.5)
    ('alike', 'higher', 'lower')
    """
    if abs(difference) <= MUCH_NATS:
        return "alike"
    return "higher" if difference > 0 else "lower"


def recorded(page: LabPage) -> None:
    """Three ways of filling micro-batches, three seeds each."""
    recording = page.recording("accumulation", Study)
    st.markdown(f"**{page.text('study.accumulation')}**")
    page.badge(recording.provenance)
    st.dataframe(charts.summary(recording.result, page.text), hide_index=True)
    page.caption("study.accumulation.caption", seeds=len(recording.result.seeds))


def offer_notebook(page: LabPage, config: AccumulationConfig) -> None:
    shown = replace(config, steps=min(config.steps, 60))
    page.offer_notebook(
        "from labcore.pretraining import mean_of_means as lab\n\n"
        f"batch = lab.{config.batch!r}\n"
        "result = lab.run(batch)\nresult.errors",
        "from labcore.pretraining import accumulation_runs as runs\n"
        "from labcore.pretraining.mean_of_means import BatchConfig\n\n"
        f"# At most sixty steps, so that it takes seconds.\n"
        f"trained = runs.run(runs.{shown!r})\n"
        "[(look.step, look.ends.round(2)) for look in trained.looks], trained.taught",
    )
