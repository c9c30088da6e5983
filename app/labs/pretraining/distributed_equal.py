"""The second part: is it the same training? Tensor by tensor, then every way and every bug."""

import streamlit as st

from app.charts import distributed as charts
from app.labs.pretraining.distributed_knobs import follow, knobs
from app.labs.pretraining.distributed_run import numbers, share
from app.page import LabPage
from app.provenance import Provenance
from labcore.distributed.parallel_run import RunResult, rounding
from labcore.distributed.parallel_study import Study


def draw(page: LabPage) -> None:
    config = knobs(page)

    def finished(result: RunResult, source: Provenance) -> None:
        numbers(page, result)
        figure = charts.by_tensor(
            result.names, result.gradient_apart, result.weight_apart, result.rounding, page.text
        )
        page.figure(figure, source, "by_tensor")

    follow(page, config, finished)
    every_way(page)


def every_way(page: LabPage) -> None:
    """Recorded: all ways and bugs, three seeds, beside what their loss curves would have shown."""
    st.subheader(page.text("every"), anchor=False)
    recording = page.recording("study", Study)
    study, source = recording.result, recording.provenance
    page.figure(charts.by_case(study, rounding("float32"), page.text), source, "by_case")
    page.figure(charts.loss_gaps(study, page.text), source, "loss_gaps")
    hidden, shown = (
        study.at(way="ddp", bug="not_averaged", optimizer=optimizer)
        for optimizer in ("adamw", "sgd")
    )
    page.caption(
        "not_averaged", adamw=share(float(study.weight_apart[hidden].mean())),
        sgd=share(float(study.weight_apart[shown].mean())),
        adamw_loss=f"{study.loss_apart[hidden].mean():+.1e}",
        sgd_loss=f"{study.loss_apart[shown].mean():+.2f}",
    )  # fmt: skip
