"""An agent that searches and calculates: one trace, and many."""

import streamlit as st

from app.charts import retrieval_agent as charts
from app.notebook import changed_fields
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.retrieval import agent as lab
from labcore.retrieval.agent import POISONS, AgentConfig
from labcore.retrieval.agent_study import AgentStudy
from labcore.retrieval.agent_text import AGENTS
from labcore.retrieval.agent_world import KINDS

DEFAULT = AgentConfig()


def experiment(page: LabPage) -> None:
    guess = page.predict("naive", options=("same", "some", "none"))
    config = knobs(page)
    trace = page.run(lab.run, config)
    st.text(trace.question)
    st.dataframe(charts.steps(trace, page.text), hide_index=True)
    st.markdown(
        page.text(
            f"trace.{trace.end}", answer=trace.answer or "–", truth=trace.truth,
            steps=len(trace.steps), fewest=trace.fewest + 1, repeated=trace.repeated,
        )
    )  # fmt: skip
    page.badge(COMPUTED)
    page.offer_notebook(
        "from labcore.retrieval import agent as lab\n\n"
        f"trace = lab.run(lab.AgentConfig({', '.join(changed_fields(config))}))",
        "for step in trace.steps:\n    print(step.text, '->', step.result, f'({step.fate})')\n"
        "print(trace.end, trace.truth)",
    )
    st.divider()
    recorded = page.recording("agent", AgentStudy)
    study = recorded.result
    page.reveal(guess, verdict(study))
    page.figure(charts.by_failure(study, page.text), recorded.provenance, "by_failure")
    page.figure(charts.by_steps(study, page.text), recorded.provenance, "by_steps")
    page.figure(charts.poisoned(study, page.text), recorded.provenance, "poisoned")


def knobs(page: LabPage) -> AgentConfig:
    left, right = st.columns(2)
    with left:
        kind = page.choice("kind", KINDS, DEFAULT.kind, style="pills")
        agent = page.choice("agent", AGENTS, DEFAULT.agent)
        poison = page.choice("poison", POISONS, DEFAULT.poison)
        trusted = page.toggle("trusted_only", False)
    with right:
        steps = page.slider("max_steps", *lab.LIMITS["max_steps"], DEFAULT.max_steps)
        failing = page.slider("failing", *lab.LIMITS["failing"], DEFAULT.failing, 0.1)
        seed = page.number("seed", 0, 9999, DEFAULT.seed)
    return AgentConfig(kind, agent, steps, round(failing, 2), poison, trusted, seed)


def verdict(study: AgentStudy) -> str:
    """The naive agent with a fifth of all calls failing, beside the careful one."""
    at = study.failures.tolist().index(0.2)
    careful, naive = (float(study.by_failure[name][:, at].mean()) for name in ("careful", "naive"))
    return "same" if naive > 0.9 * careful else "none" if naive < 0.1 * careful else "some"
