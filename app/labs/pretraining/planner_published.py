"""The planner held to what others measured and published."""

import streamlit as st

from app.charts import published_runs as charts
from app.page import LabPage
from app.provenance import ANALYTIC
from labcore.distributed.memory import OPTIMIZER_BYTES, zero_states
from labcore.distributed.published import compare

BILLIONS = (0.5, 500.0, 7.5)  # low, high, and the size in ZeRO's first figure
REPLICAS = ("1", "4", "16", "64", "256", "1024")


def draw(page: LabPage) -> None:
    rows = compare()
    page.figure(charts.utilisations(rows, page.text), ANALYTIC, "published")
    worst = max(rows, key=lambda row: abs(row.expected / row.published - 1))
    page.caption(
        "published.worst", runs=len(rows), title=worst.title,
        share=f"{100 * (worst.expected / worst.published - 1):+.0f}",
    )  # fmt: skip
    columns = st.columns(3)
    low, high, default = BILLIONS
    with columns[0]:
        billions = page.slider("billions", low, high, default, 0.5)
    with columns[1]:
        replicas = int(page.choice("replicas", REPLICAS, "64", "select", str))
    with columns[2]:
        optimizer = page.choice("zero_optimizer", tuple(OPTIMIZER_BYTES), "adamw", "select")
    states = [
        zero_states(billions * 1e9, stage, replicas, OPTIMIZER_BYTES[optimizer], 2)
        for stage in range(4)
    ]
    states = [tuple(float(size) for size in row) for row in states]
    guess = page.predict("states", low=0.0, high=100.0, step=1.0, unit="%")
    if guess is not None or page.toggle("unveil", False):
        page.reveal(guess, 100 * sum(states[1]) / sum(states[0]), tolerance=0.15)
        page.figure(charts.zero_bars(states, page.text), ANALYTIC, "zero")
    page.offer_notebook(
        "from labcore.distributed.published import compare\n\n"
        "for run in compare():\n"
        '    print(f"{run.title:<24}{run.devices:>7}{run.published:>8.1%}{run.expected:>8.1%}")',
        "from labcore.distributed.memory import zero_states\n\n"
        "for stage in range(4):\n"
        f"    sizes = zero_states({billions * 1e9:.4g}, stage, {replicas}, "
        f"{OPTIMIZER_BYTES[optimizer]}, 2)\n"
        "    print(stage, sum(sizes) / 1e9)",
    )
