"""The sweep: losses of several sizes, the law through them, and what its answer owes to choices."""

import os

import streamlit as st

from app.charts import scaling as charts
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.scaling import law, sweep
from labcore.scaling.answers import COUNTS, READINGS, Answers, Asking, question
from labcore.scaling.law import FORMS, Fit
from labcore.scaling.runs import held_out_text
from labcore.scaling.sweep import SweepConfig, SweepResult

AXES = ("tokens", "compute")
HEIGHTS = ("loss", "known", "fitted")
EXPONENTS = ("1.0", "1.1", "1.3", "1.6", "2.0")
BUDGETS = ("5", "15", "30")  # gigaFLOPs of the largest
NEARLY_ALL, HALF = 0.8, 0.45  # of tenfold compute, as powers: 10^0.8 = 6.3, 10^0.45 = 2.8


def draw(page: LabPage) -> None:
    asking = ask(page)
    left, right = st.columns(2)
    with left:
        axis = page.choice("axis", AXES, "tokens")
    with right:
        height = page.choice("height", HEIGHTS, "loss")
    guess = page.predict("without", options=("same", "text", "size"))
    config = own_sweep(page)

    def picture(view: JobView | None) -> None:
        result, source = shown(page, view)
        if result is None:
            if view.events:
                floor = held_out_text(config.exponent)[1]
                page.figure(charts.so_far(view.events, floor, page.text), MEASURED, "so_far")
            return
        fit = page.run(law.fit, question(result, asking))
        figure = charts.losses(
            result, fit.law, axis, height, asking.count, asking.reading, page.text
        )
        page.figure(figure, source, "losses")
        say(page, result, fit, asking, guess)

    page.job(sweep.sweep, config, picture)
    recorded(page)
    offer_notebook(page, config, asking)


def ask(page: LabPage, form: bool = True) -> Asking:
    """How the points are to be read; several parts of the lab ask it."""
    left, middle, right = st.columns(3)
    with left:
        count = page.choice("count", COUNTS, "blocks")
    with middle:
        reading = page.choice("reading", READINGS, "annealed")
    with right:
        chosen = page.choice("form", FORMS, "free") if form else "free"
    return Asking(count, reading, chosen)


def own_sweep(page: LabPage) -> SweepConfig:
    """What Run trains: four sizes, four budgets, one seed, on a text of the learner's choice."""
    st.markdown(page.text("live.about"))
    left, middle, right = st.columns(3)
    with left:
        exponent = page.choice("exponent", EXPONENTS, "1.1", style="slide", label=str)
    with middle:
        budget = page.choice(
            "budget", BUDGETS, "30", label=lambda g: page.text("budget", gigaflops=g)
        )
    with right:
        seed = page.number("seed", 0, 9999, 0)
    where = os.environ.get(sweep.ADDRESS, "")
    page.caption("where.dask" if where else "where.here", setting=sweep.ADDRESS)
    return sweep.doublings(float(budget), seed, float(exponent))


def shown(page: LabPage, view: JobView | None) -> tuple[SweepResult | None, Provenance]:
    """The learner's sweep once it is done, before it the one that came with the lab."""
    if view is not None:
        return view.result, MEASURED
    recording = page.recording("sweep", SweepResult)
    page.caption("job.recorded")
    return recording.result, recording.provenance


def say(page: LabPage, result: SweepResult, fit: Fit, asking: Asking, guess: Guess | None) -> None:
    """The law in numbers, and how sure they are."""
    numbers = {
        "E": f"{fit.law.E:.2f}", "floor": f"{result.floor_nats:.2f}",
        "alpha": f"{fit.law.alpha:.2f}", "beta": f"{fit.law.beta:.2f}", "A": f"{fit.law.A:.3g}",
        "B": f"{fit.law.B:.3g}", "error": f"{100 * fit.error:.1f}",
        "exponent": f"{fit.law.size_exponent:.2f}", "factor": f"{10**fit.law.size_exponent:.1f}",
    }  # fmt: skip
    st.markdown(page.text(f"summary.{asking.form}", **numbers))
    if len(set(result.seed.tolist())) > 1:
        spans = {
            name: "–".join(f"{end:.2f}" for end in fit.interval(constant))
            for name, constant in (("E", "E"), ("alpha", "alpha"), ("beta", "beta"))
        }
        page.caption("summary.intervals", **spans)
    if asking.form == "none":
        page.reveal(guess, band(fit.law.size_exponent))


def band(exponent: float) -> str:
    """What the law does with more compute, as an answer to the question.

    >>> band(0.95), band(0.55), band(0.4)
    ('size', 'same', 'text')
    """
    return "size" if exponent > NEARLY_ALL else "same" if exponent > HALF else "text"


def recorded(page: LabPage) -> None:
    """What the recorded sweep says about fits in general."""
    sweeps, found = page.recording("sweep", SweepResult), page.recording("answers", Answers)
    st.subheader(page.text("answers.title"), anchor=False)
    page.caption("answers.about")
    for column, which in zip(st.columns(2), ("E", "size_exponent"), strict=True):
        with column:
            figure = charts.answers(found.result, which, page.text)
            page.figure(figure, found.provenance, f"answers_{which}")
    left, right = st.columns(2)
    with left:
        figure = charts.landings(found.result.landings, found.result.floor_nats, page.text)
        page.figure(figure, found.provenance, "landings")
    with right:
        page.figure(charts.schedules(sweeps.result, page.text), sweeps.provenance, "schedules")


def offer_notebook(page: LabPage, config: SweepConfig, asking: Asking) -> None:
    page.offer_notebook(
        "from labcore.scaling import law, sweep\n"
        "from labcore.scaling.answers import Asking, question\n\n"
        f"result = sweep.run(sweep.{config!r})\n"
        f"fit = law.fit(question(result, {asking!r}))",
        'print(fit.law, f"off by {fit.error:.2%}, floor {result.floor_nats:.3f} nats")\n'
        "print(fit.law.optimal(1e12))",
        "import pandas as pd\n\n"
        'pd.DataFrame({"N": result.blocks, "D": result.tokens, "nats": result.annealed_nats})',
    )
