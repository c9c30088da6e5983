"""This machine's own roof, measured, and two models under it."""

import numpy as np
import streamlit as st

from app.charts import production as charts
from app.job import JobView
from app.page import LabPage
from app.provenance import MEASURED, Provenance
from labcore.serving import machine_roof as lab
from labcore.serving.machine_roof import MachineConfig, MachineResult

DEFAULT = MachineConfig()
SIDES = ("128", "256", "512", "1024")


def machine(page: LabPage) -> None:
    left, right = st.columns(2)
    with left:
        rounds = page.slider("rounds", 3, 15, DEFAULT.rounds)
    with right:
        side = page.choice("side", SIDES, str(DEFAULT.side), label=str)
    config = MachineConfig(rounds, int(side))
    page.job(lab.measure, config, lambda view: draw(page, config, view))
    page.offer_notebook(
        f"from labcore.serving import machine_roof as lab\n\nresult = lab.run(lab.{config!r})",
        "print(result.near.mean() / 1e9, result.far.mean() / 1e9, result.flops.mean() / 1e9)\n"
        "for step, took, roof in zip(lab.STEPS, result.measured.T, result.roof_far):\n"
        "    print(step, sorted(took)[len(took) // 2], roof)",
    )


def draw(page: LabPage, config: MachineConfig, view: JobView | None) -> None:
    if view is None and config == DEFAULT:
        kept = page.recording("machine", MachineResult)
        page.caption("job.recorded")
        outcome(page, kept.result, kept.provenance)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        outcome(page, view.result, MEASURED)
    elif view.events:
        last = view.events[-1]
        st.markdown(page.text("machine.so_far", far=span(last.far), flops=span(last.flops)))


def outcome(page: LabPage, result: MachineResult, source: Provenance) -> None:
    st.markdown(
        page.text(
            "machine.outcome", near=span(result.near), far=span(result.far), flops=span(result.flops),
            ridge=f"{np.median(result.flops) / np.median(result.far):.1f}",
        )
    )  # fmt: skip
    page.figure(charts.machine(result, page.text), source, "machine")


def span(rates: np.ndarray) -> str:
    """Billions a second: the median, and the lowest and highest round."""
    low, middle, high = (float(np.quantile(rates, q)) / 1e9 for q in (0, 0.5, 1))
    return f"{middle:,.1f} ({low:,.1f}–{high:,.1f})"
