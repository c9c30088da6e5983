"""A run that breaks off: what must be in the file so that nothing is lost."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app.charts import monitor_studies as charts
from app.job import JobView
from app.labs.pretraining.monitor_knobs import called
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.pretraining import resume_study as lab
from labcore.pretraining.optimiser_study import StudyResult
from labcore.pretraining.resume_study import WAYS, ResumeConfig, ResumeResult
from labcore.training.rules import OPTIMISERS

DEFAULT = ResumeConfig()
LIKE_NATS = 0.1  # how far two ends may be apart and still be called alike


def draw(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("memory", options=("nothing", "bump", "ruin"))
    page.job(lab.resume_study, config, lambda view: picture(page, view, guess))
    page.offer_notebook(
        f"from labcore.pretraining import resume_study as lab\n\nresult = lab.run(lab.{config!r})",
        "import pandas as pd\n\n"
        'pd.DataFrame({"weights apart": result.apart, "held-out nats": result.final_nats[:-1]},\n'
        "             index=lab.WAYS)",
    )


def knobs(page: LabPage) -> ResumeConfig:
    left, right = st.columns(2)
    with left:
        optimiser = page.choice("resumed", OPTIMISERS, DEFAULT.optimiser, label=called(page))
        seed = page.number("resumed_seed", 0, 9999, 0)
    with right:
        steps = page.slider("resumed_steps", 40, 160, DEFAULT.steps, 10)
        stop = page.slider("broken_at", 10, steps - 10, DEFAULT.stop_after, 5)
    return ResumeConfig(optimiser, best_rate(page, optimiser), steps, stop, seed)


def best_rate(page: LabPage, optimiser: str) -> float:
    """Where this optimiser did best in the recorded study."""
    return page.recording("optimisers", StudyResult).result.best_rate(optimiser)


def picture(page: LabPage, view: JobView | None, guess: Guess | None) -> None:
    if view is None:
        recording = page.recording("resume", ResumeResult)
        page.caption("job.recorded")
        told = WAYS if guess is not None or page.toggle("show_ways", False) else ("all",)
        if len(told) < len(WAYS):
            page.caption("resume.first")
        finished(page, recording.result, recording.provenance, told)
    elif view.result is not None:
        finished(page, view.result, MEASURED)
        page.reveal(guess, harm(view.result))
    elif view.events:
        lines = {}
        for event in view.events:
            lines.setdefault(event.way, []).append((event.step, event.loss_nats))
        curves = {
            way: tuple(np.array(c) for c in zip(*points, strict=True))
            for way, points in lines.items()
        }
        ran = view.events[0].config
        figure = charts.broken_off(curves, ran.stop_after, ran.steps, page.text)
        page.figure(figure, MEASURED, "broken")


def finished(
    page: LabPage, result: ResumeResult, source: Provenance, ways: Sequence[str] = WAYS
) -> None:
    """The curves of these ways of going on, and what they come to."""
    steps = len(result.unbroken_nats)
    every = charts.courses_of(result)
    lines = {way: every[way] for way in ("unbroken", *ways)}
    page.figure(charts.broken_off(lines, result.stop_after, steps, page.text), source, "broken")
    told = [
        page.text(
            f"way.{way}", apart=f"{apart:.2g}", nats=f"{nats:.2f}",
            whole=f"{result.final_nats[-1]:.2f}",
        )
        for way, apart, nats in zip(WAYS, result.apart, result.final_nats, strict=False)
        if way in ways
    ]  # fmt: skip
    told.append(
        page.text(
            "way.file",
            size=f"{result.file_bytes / 1e6:.2f}",
            share=f"{100 * result.memory_bytes / result.file_bytes:.0f}",
        )
    )
    st.markdown("\n".join(f"- {line}" for line in told))


def harm(result: ResumeResult) -> str:
    """What losing the memory did: nothing, a bump that is made up for by the end, or worse."""
    way = WAYS.index("no_memory")
    after = slice(result.stop_after, result.stop_after + 10)
    bump = float(np.nanmax(result.loss_nats[way, after] - result.unbroken_nats[after]))
    left = float(result.final_nats[way] - result.final_nats[-1])
    if bump <= LIKE_NATS:
        return "nothing"
    return "bump" if left <= LIKE_NATS else "ruin"
