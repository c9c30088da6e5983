"""This machine's own roof, measured, and two models under it."""

import numpy as np
import streamlit as st

from app.charts import production as charts
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.serving import machine_roof as lab
from labcore.serving.machine_roof import MachineConfig, MachineResult

DEFAULT = MachineConfig()
TWICE, TENFOLD = 2.0, 10.0  # a step's time to what the roof allows
SIDES = ("128", "256", "512", "1024")


def machine(page: LabPage) -> None:
    left, right = st.columns(2)
    with left:
        rounds = page.slider("rounds", 3, 15, DEFAULT.rounds)
    with right:
        side = page.choice("side", SIDES, str(DEFAULT.side), label=str)
    config = MachineConfig(rounds, int(side))
    guess = page.predict("above_roof", options=("near", "some", "far"))
    unveiled = guess is not None or page.toggle("unveil", False)
    page.job(lab.measure, config, lambda view: draw(page, config, view, guess, unveiled))
    page.offer_notebook(
        f"from labcore.serving import machine_roof as lab\n\nresult = lab.run(lab.{config!r})",
        "print(result.near.mean() / 1e9, result.far.mean() / 1e9, result.flops.mean() / 1e9)\n"
        "for step, took, roof in zip(lab.STEPS, result.measured.T, result.roof_far):\n"
        "    print(step, sorted(took)[len(took) // 2], roof)",
    )


def draw(
    page: LabPage, config: MachineConfig, view: JobView | None, guess: Guess | None, unveiled: bool
) -> None:
    if view is None and config == DEFAULT:
        kept = page.recording("machine", MachineResult)
        page.caption("job.recorded")
        outcome(page, kept.result, kept.provenance, guess, unveiled)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        outcome(page, view.result, MEASURED, guess, unveiled)
    elif view.events:
        last = view.events[-1]
        st.markdown(page.text("machine.so_far", far=span(last.far), flops=span(last.flops)))


def outcome(
    page: LabPage, result: MachineResult, source: Provenance, guess: Guess | None, unveiled: bool
) -> None:
    st.markdown(
        page.text(
            "machine.outcome", near=span(result.near), far=span(result.far), flops=span(result.flops),
            ridge=f"{np.median(result.flops) / np.median(result.far):.1f}",
        )
    )  # fmt: skip
    page.reveal(guess, smallest_step(result))
    if unveiled:
        page.figure(charts.machine(result, page.text), source, "machine")


def smallest_step(result: MachineResult) -> str:
    """How far one token of the bundled model is from what the far roof allows."""
    at = lab.STEPS.index(("world-decoder", "write", 1))
    times = float(np.median(result.measured[:, at]) / result.roof_far[at])
    return "near" if times < TWICE else "some" if times < TENFOLD else "far"


def span(rates: np.ndarray) -> str:
    """Billions a second: the median, and the lowest and highest round."""
    low, middle, high = (float(np.quantile(rates, q)) / 1e9 for q in (0, 0.5, 1))
    return f"{middle:,.1f} ({low:,.1f}–{high:,.1f})"
