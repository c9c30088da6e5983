"""The whole life: train small and long, if the model is to be used."""

import streamlit as st

from app.charts import budget as charts
from app.charts.amounts import short
from app.page import LabPage
from app.provenance import ANALYTIC
from labcore.scaling import overtrain
from labcore.scaling.chinchilla import LOSS_LAWS
from labcore.scaling.overtrain import OvertrainConfig, OvertrainResult

REFERENCES = ("1", "3", "7", "13", "30", "70", "175", "400")  # billions of parameters
DEARNESS = ("1", "2", "5", "10", "50")
DEFAULT = OvertrainConfig()


def draw(page: LabPage) -> None:
    left, right = st.columns(2)
    with left:
        billions = page.choice("reference", REFERENCES, "13", "slide", lambda b: f"{b}B")
        exponent = page.slider("served", 9.0, 16.0, 12.3, 0.1, format="10^%.1f")
    with right:
        law = page.choice("loss_law", LOSS_LAWS, DEFAULT.law, "pills", law_name(page))
        dearness = page.choice("dearness", DEARNESS, "1", "slide", lambda times: f"{times} ×")
    config = OvertrainConfig(law, float(billions) * 1e9, 10.0**exponent, float(dearness))
    result = page.run(overtrain.run, config)
    guess = page.predict("cheapest", low=0.5, high=20.0, step=0.1, unit="B")
    page.reveal(guess, page.run(overtrain.run, DEFAULT).best.parameters / 1e9, tolerance=0.2)
    say(page, result)
    page.figure(charts.lifetime(result, page.text), ANALYTIC, "lifetime")
    left, right = st.columns(2)
    with left:
        page.figure(
            charts.ratio_by_demand(result, config.served, page.text), ANALYTIC, "ratio_by_demand"
        )
    with right:
        page.figure(
            charts.saved_by_demand(result, config.served, page.text), ANALYTIC, "saved_by_demand"
        )
    rows = page.run(overtrain.demands_of_landmarks, law)
    page.figure(charts.implied_demands(rows, page.text), ANALYTIC, "demands")
    never = [row.landmark.title for row in rows if row.served is None]
    page.caption("demands.never", models=page.text("list.comma").join(never))
    page.offer_notebook(
        "from labcore.scaling import overtrain\n"
        "from labcore.scaling.overtrain import OvertrainConfig\n\n"
        f"result = overtrain.run({config!r})\n"
        "print(result.best)\nprint(result.reference)",
        f"for row in overtrain.demands_of_landmarks({law!r}):\n"
        "    print(row.landmark.title, row.served)",
    )


def law_name(page: LabPage):
    return lambda law: page.text(f"option.law.{law}")


def say(page: LabPage, result: OvertrainResult) -> None:
    best, reference = result.best, result.reference
    st.markdown(
        page.text(
            "life.answer", nats=f"{result.loss_nats:.3f}", best=short(best.parameters),
            tokens=short(best.tokens), ratio=short(best.tokens_per_parameter),
            reference=short(reference.parameters), usual=short(reference.tokens),
            saved=f"{100 * (1 - best.flops / reference.flops):.0f}",
            flops=f"{reference.flops - best.flops:.1e}",
        )
    )  # fmt: skip
