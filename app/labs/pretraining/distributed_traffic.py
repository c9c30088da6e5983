"""The third part: how many bytes travelled, from whom to whom, against the formula; and who holds what."""

import pandas as pd
import streamlit as st

from app.charts import distributed as charts
from app.labs.pretraining.distributed_knobs import follow, knobs
from app.page import LabPage
from app.provenance import Provenance
from labcore.distributed.parallel_run import RunConfig, RunResult
from labcore.distributed.parallel_study import Study

RECORDED = (2, 4)  # processes
HEADERS_SHARE = 0.02  # what message headers may add to the formula


def draw(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("zero", options=("less", "same", "more"))

    def finished(result: RunResult, source: Provenance) -> None:
        measured(page, result, source)

    follow(page, config, finished)
    if guess is None and not page.toggle("unveil", False):
        page.caption("hidden")
        return
    study = recorded(page, config)
    page.reveal(guess, zero2_beside_ddp(study))


def measured(page: LabPage, result: RunResult, source: Provenance) -> None:
    """One run: the matrix of who sent how much to whom, and the formula beside the sum."""
    sent, expected = result.measured_bytes, float(result.expected_bytes[-1])
    if result.config.processes == 1:
        st.markdown(page.text("traffic.alone"))
        return
    if not sent:
        st.info(page.text("traffic.uncounted"))
        return
    ratio = sent / expected
    why = "headers" if abs(ratio - 1) < HEADERS_SHARE else "more" if ratio > 1 else "less"
    total = page.text(
        "traffic.sum", sent=f"{sent:,.0f}", expected=f"{expected:,.0f}", ratio=f"{ratio:.4f}"
    )
    st.markdown(f"{total} {page.text(f'traffic.{why}')}")
    left, right = st.columns(2)
    with left:
        page.figure(charts.who(result.sent_bytes[-1], page.text), source, "who")
    with right:
        asked(page, result)


def asked(page: LabPage, result: RunResult) -> None:
    """Which collectives the engine called for."""
    st.markdown(f"**{page.text('asked')}**")
    rows = [
        (page.text(f"collective.{one.collective}"), one.count, one.payload_bytes)
        for one in result.asked
    ]
    columns = [page.text(f"column.{name}") for name in ("collective", "count", "payload")]
    st.dataframe(pd.DataFrame(rows, columns=columns), hide_index=True)
    page.caption("asked.about")


def zero2_beside_ddp(study: Study) -> str:
    """What a process of the textbook's ZeRO-2 sent, beside one of DDP."""
    ddp, zero2 = (float(study.sent_bytes[study.at(way=way)].mean()) for way in ("ddp", "zero2"))
    if abs(zero2 / ddp - 1) < HEADERS_SHARE:
        return "same"
    return "less" if zero2 < ddp else "more"


def recorded(page: LabPage, config: RunConfig) -> Study:
    """All ways beside each other, for as many processes as the knob says, or for two."""
    processes = config.processes if config.processes in RECORDED else RECORDED[0]
    st.subheader(page.text("all_ways", processes=processes), anchor=False)
    recording = page.recording("study", Study)
    study, source = recording.result, recording.provenance
    page.figure(charts.traffic(study, processes, page.text), source, "traffic")
    page.figure(charts.held(study, processes, page.text), source, "held")
    return study
