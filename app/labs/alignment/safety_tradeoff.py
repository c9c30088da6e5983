"""Refusing too much against refusing too little: a threshold, and what was in the examples."""

import streamlit as st

from app.charts import safety as charts
from app.page import LabPage
from labcore.tuning.refusal_tradeoff import ALLOWED, GROUPS_OF_CASES, TradeOffStudy


def part(page: LabPage) -> None:
    recorded = page.recording("tradeoff", TradeOffStudy)
    study, source = recorded.result, recorded.provenance
    left, right = st.columns(2)
    with left:
        varied = page.choice("varied", tuple(GROUPS_OF_CASES), "borderline")
        allowed = page.choice("allowed", tuple(ALLOWED), "all")
    with right:
        percent = page.slider("threshold", 1, 99, 50)
    names = GROUPS_OF_CASES[varied]
    threshold = percent / 100
    figure = charts.trained_points(study, names, allowed, threshold, page.text)
    page.figure(figure, source, "trained_points")
    with st.container():
        case = page.choice(
            "case", names, "borderline-0.25", style="select",
            label=lambda name: page.text(f"case.{name}"),
        )  # fmt: skip
    figure = charts.threshold_curves(study, case, allowed, threshold, page.text)
    page.figure(figure, source, "threshold_curves")
    page.figure(charts.areas(study, names, allowed, page.text), source, "areas")
    page.offer_notebook(
        "from labcore.events import drain\n"
        "from labcore.tuning import cabinet, refusal\n"
        "from labcore.tuning.cabinet_base import load_cabinet\n"
        "from labcore.tuning.refusal_tradeoff import CASES, mistakes\n\n"
        f"config = CASES[{case!r}]\nresult = refusal.run(config)",
        "forbidden = result.p_refusal[0][result.group == refusal.GROUPS.index('forbidden_new')]\n"
        "allowed = result.p_refusal[0][result.group == refusal.GROUPS.index('borderline_new')]\n"
        f"print('over- and under-refusal:', mistakes(forbidden, allowed, {threshold}))",
    )
