"""Curves of equal compute: the best size for a budget, with and without a law, by two ways of counting."""

import streamlit as st

from app.charts import scaling_budget as charts
from app.labs.pretraining.scaling_sweep import ask
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.scaling import isoflop, law, sweep
from labcore.scaling.answers import COUNTS, Asking, question
from labcore.scaling.isoflop import IsoFlop
from labcore.scaling.law import FORMS
from labcore.scaling.sweep import SweepResult

ABOUT = 30.0  # gigaFLOPs: the budget that the prediction asks about
ALIKE, HALVED = 0.8, 0.4  # how many tokens per parameter are left, as a share


def draw(page: LabPage) -> None:
    asking = ask(page, form=False)
    guess = page.predict("counted", options=("same", "less", "quarter"))
    recording = page.recording("sweep", SweepResult)
    result, source = recording.result, recording.provenance
    budgets = sweep.RECORDED.gigaflops
    found = {count: isoflop.curves(result, budgets, count, asking.reading) for count in COUNTS}
    page.figure(charts.isoflop(found[asking.count], page.text), source, "isoflop")
    say(page, found[asking.count])
    laws = {
        form: page.run(law.fit, question(result, Asking(asking.count, asking.reading, form))).law
        for form in FORMS
    }
    page.figure(charts.best_sizes(found[asking.count], laws, page.text), COMPUTED, "best_sizes")
    both = COUNTS if asking.count == "all" else COUNTS[:1]
    page.figure(
        ratio_figure(page, result, {count: found[count] for count in both}, asking),
        COMPUTED,
        "ratios",
    )
    if asking.count == "all":
        page.reveal(guess, band(ratio_at(found["all"]) / ratio_at(found["blocks"])))
    offer_notebook(page, asking)


def ratio_figure(page: LabPage, result: SweepResult, found: dict[str, IsoFlop], asking: Asking):
    laws = {
        count: page.run(law.fit, question(result, Asking(count, asking.reading))).law
        for count in found
    }
    return charts.ratios(found, laws, page.text)


def ratio_at(found: IsoFlop) -> float:
    """Tokens per parameter at the budget asked about; the nearest bracketed one."""
    near = abs(found.gigaflops - ABOUT)
    near[~found.bracketed] = float("inf")
    return float(found.tokens_per_parameter[near.argmin()])


def band(share: float) -> str:
    """
    >>> band(0.9), band(0.5), band(0.2)
    ('same', 'less', 'quarter')
    """
    return "same" if share > ALIKE else "less" if share > HALVED else "quarter"


def say(page: LabPage, found: IsoFlop) -> None:
    """The power by which the best size grows, with its spread over seeds."""
    seeds = found.exponent_by_seed
    st.markdown(
        page.text(
            "isoflop.summary", exponent=f"{found.exponent:.2f}", low=f"{min(seeds):.2f}",
            high=f"{max(seeds):.2f}", factor=f"{10**found.exponent:.1f}",
            bracketed=int(found.bracketed.sum()), budgets=len(found.gigaflops),
        )
    )  # fmt: skip


def offer_notebook(page: LabPage, asking: Asking) -> None:
    page.offer_notebook(
        "from labcore.scaling import isoflop, sweep\n\n"
        "config = sweep.SweepConfig()\n"
        "result = sweep.run(config)  # half a minute on one core",
        f"found = isoflop.curves(result, config.gigaflops, {asking.count!r}, {asking.reading!r})\n"
        "print(found.best, found.tokens_per_parameter, found.exponent)",
    )
