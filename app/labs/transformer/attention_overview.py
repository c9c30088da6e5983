"""All heads of a model at once: what each scores, which earned a label, and a test without meaning."""

import numpy as np
import streamlit as st

from app.charts import attention as charts
from app.labs.transformer.attention_place import Place, band
from app.page import LabPage
from app.provenance import COMPUTED, MEASURED
from labcore.architecture import head_probes

SPREAD = "spread"


def draw(page: LabPage, place: Place) -> None:
    """The score map, the list of labels, and the hard test where the model can take it."""
    heads = place.heads
    measure = page.choice("measure", (*heads.scores, SPREAD), first(heads), style="pills")
    values = heads.entropy if measure == SPREAD else heads.scores[measure]
    if np.isnan(values).all():
        page.caption("measure.too_few")
    else:
        title = page.text(f"option.measure.{measure}")
        page.figure(charts.score_map(values, title, page.text), COMPUTED, "scores")
    page.caption("labelled.count", count=len(heads.labels), heads=heads.entropy.size)
    if heads.labels:
        st.dataframe(
            charts.labelled(heads, page.text), hide_index=True, height=240,
            key="attention.figure.labels", on_select="rerun", selection_mode="single-row",
        )  # fmt: skip
        page.caption("labelled.choose")
    if heads.kind == "self" and heads.causal:
        hard_test(page, place)


def first(heads) -> str:
    """The pattern of the head that the lab opens on, else the spread."""
    earned = {(label.layer, label.head): label.pattern for label in heads.labels}
    return earned.get(heads.opening, SPREAD)


def hard_test(page: LabPage, place: Place) -> None:
    """Random repeated tokens: predict how many heads still copy, then run."""
    st.markdown(f"**{page.text('probe.title')}** {page.text('probe.about')}")
    config = head_probes.ProbeConfig(place.config.model)
    guess = page.predict("probe", options=("none", "few", "some", "most"))
    ran = "attention.probed"
    if st.button(page.text("probe.run"), key="attention.probe", icon=":material/casino:"):
        st.session_state[ran] = config
    if st.session_state.get(ran) != config:
        return
    with st.spinner(page.text("probe.running")):
        result = page.run(head_probes.probe, config)
    figure = charts.score_map(
        result.scores["induction"], page.text("option.measure.induction"), page.text
    )
    page.figure(figure, MEASURED, "probe")
    copying = sum(label.pattern == "induction" for label in result.labels)
    total = place.heads.entropy.size
    page.reveal(guess, band(copying / total))
    page.caption("probe.count", count=copying, heads=total)
