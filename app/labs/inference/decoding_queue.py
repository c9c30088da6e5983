"""The queue: static against continuous batching on the same requests, and over all loads."""

import streamlit as st

from app.charts import queueing as charts
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.serving import queueing as lab
from labcore.serving.batching import POLICIES
from labcore.serving.queueing import LoadStudy, QueueConfig
from labcore.serving.step_costs import StepCosts

DEFAULT = QueueConfig()


def experiment(page: LabPage) -> None:
    costs = page.recording("costs", StepCosts)
    config = knobs(page, costs.result)
    result = page.run(lab.run, config)
    cost = config.cost
    st.markdown(
        page.text(
            "queue.outcome", rate=f"{result.per_second:.0f}", step=f"{1e3 * cost.step:.2f}",
            request=f"{1e3 * cost.per_request:.3f}", prompt=f"{1e3 * cost.per_prompt_token:.3f}",
        )
    )  # fmt: skip
    st.dataframe(charts.summary(result, page.text), hide_index=True)
    for policy in POLICIES:
        page.figure(charts.places(result, policy, page.text), COMPUTED, f"places_{policy}")
    st.divider()
    loads = page.recording("loads", LoadStudy)
    page.figure(charts.waiting(loads.result, page.text), loads.provenance, "waiting")
    page.figure(charts.rates(loads.result, page.text), loads.provenance, "rates")
    page.figure(charts.step_costs(costs.result, page.text), costs.provenance, "step_costs")
    page.offer_notebook(
        "from labcore.serving import queueing as lab, step_costs\n\n"
        "cost = step_costs.measure().cost  # of this machine",
        f"result = lab.run(lab.QueueConfig({config.load}, {config.places}, {config.answer_mean}, "
        f"{config.requests}, cost=cost, seed={config.seed}))\n"
        "for name, one in result.policies.items():\n"
        "    print(name, one.wait(0.5), one.wait(0.95), one.tokens_per_second, one.idle_share)",
    )


def knobs(page: LabPage, costs: StepCosts) -> QueueConfig:
    left, right = st.columns(2)
    with left:
        load = page.slider("load", 10, 120, 50, 5)
        places = page.slider("places", 1, 16, DEFAULT.places)
    with right:
        answer = page.slider("answer_mean", 4, 64, DEFAULT.answer_mean, 4)
        requests = page.slider("requests", 10, 80, DEFAULT.requests, 10)
    seed = page.number("queue_seed", 0, 9999, DEFAULT.seed)
    return QueueConfig(load / 100, places, answer, requests, cost=costs.cost, seed=seed)
