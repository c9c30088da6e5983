"""The first part: start the processes, watch their curves, and read what came out."""

import numpy as np
import streamlit as st

from app.charts import distributed as charts
from app.job import JobView
from app.labs.pretraining.distributed_knobs import commands, follow, knobs, steps_seen
from app.page import LabPage
from app.provenance import MEASURED, Provenance
from labcore.distributed.parallel_run import RunConfig, RunResult

UNSEEN, SMALL = 0.01, 0.3  # nats between two curves: none to be seen, a little, much


def draw(page: LabPage) -> None:
    config = knobs(page)
    guess = None
    if config.training.bug != "none":
        guess = page.predict("curve", options=("unseen", "small", "large"))

    def running(view: JobView) -> None:
        live(page, config, view)

    def finished(result: RunResult, source: Provenance) -> None:
        numbers(page, result)
        figure = charts.losses(
            result.alone_nats, result.nats, result.rank_nats, len(result.nats), page.text
        )
        page.figure(figure, source, "losses")
        if result.config.training.bug != "none":
            page.reveal(guess, seen(result))

    follow(page, config, finished, running)
    commands(page, config.launch())


def seen(result: RunResult) -> str:
    """How far the bug moved the last loss: "unseen", "small" or "large"."""
    gap = abs(float(result.nats[-1] - result.alone_nats[-1]))
    return "unseen" if gap < UNSEEN else "small" if gap < SMALL else "large"


def live(page: LabPage, config: RunConfig, view: JobView) -> None:
    """The curves as far as all processes have come."""
    told = steps_seen(view)
    if told:
        ranks = np.array([event.rank_nats for event in told]).T
        figure = charts.losses(
            [event.alone_nats for event in told], [event.nats for event in told], ranks,
            config.training.steps, page.text,
        )  # fmt: skip
        page.figure(figure, MEASURED, "losses")


def numbers(page: LabPage, result: RunResult) -> None:
    """The verdict in a sentence, and the numbers that it rests on."""
    worst = float(result.gradient_apart.max())
    figures = {
        "gradient": share(worst),
        "weight": share(float(result.weight_apart.max())),
        "ranks": share(float(result.ranks_apart.max())),
        "loss": f"{result.nats[-1] - result.alone_nats[-1]:+.1e}",
        "sent": f"{result.measured_bytes / 1e3:,.1f} kB",
    }
    with st.container(horizontal=True, gap="medium", key="distributed-numbers"):
        for name, value in figures.items():
            st.metric(
                page.text(f"number.{name}"), value, width="content",
                help=page.text(f"number.{name}.help"),
            )  # fmt: skip
    key = "verdict.bug" if result.is_bug else "verdict.exact" if worst == 0 else "verdict.rounding"
    told = page.text(key, worst=share(worst), limit=share(result.rounding))
    (st.warning if result.is_bug else st.success)(told)


def share(value: float) -> str:
    """A share that may be anything from 0 to several hundred per cent.

    >>> share(0.0), share(2.9e-7), share(0.018), share(1.0)
    ('0', '2.9e-07', '1.8 %', '100 %')
    """
    if value == 0:
        return "0"
    return f"{100 * value:.3g} %" if value >= 0.001 else f"{value:.1e}"
