"""What it costs: all ways over the tokens that they spend, and where more of them do not help."""

import numpy as np
import streamlit as st

from app.charts import reasoning_votes as charts
from app.page import LabPage
from labcore.reasoning import step_search
from labcore.reasoning.cost_study import CurvesStudy, StepStudy, tokens
from labcore.reasoning.step_search import StepSearchConfig
from labcore.reasoning.writers import WRITERS

QUESTIONS = 20


def experiment(page: LabPage) -> None:
    writer = page.choice("cost_writer", WRITERS, "half")
    votes, steps = (
        page.recording(f"votes-{writer}", CurvesStudy),
        page.recording("steps", StepStudy),
    )
    budget = page.slider("tokens", 50, 1600, 400, 50)
    reached = within(votes.result, steps.result, writer, budget)
    if reached:
        best = max(reached, key=reached.get)
        st.markdown(
            page.text(
                "cost.outcome", budget=budget, best=page.text(f"way.{best}"),
                reached=f"{reached[best]:.0%}", majority=f"{reached['majority']:.0%}",
                greedy=f"{votes.result.greedy.mean():.0%}",
            )
        )  # fmt: skip
    config = knobs(page, writer)
    own = page.run(step_search.accuracy, config)
    st.markdown(
        page.text(
            "cost.own", tokens=2 * config.tokens, own=f"{own:.0%}", questions=config.questions
        )
    )  # fmt: skip
    figure = charts.cost(votes.result, steps.result, writer, (2 * config.tokens, own), page.text)
    page.figure(figure, votes.provenance, "cost")
    page.caption(f"cost.{writer}")
    page.offer_notebook(
        "from labcore.reasoning import step_search as lab\n\n"
        f"config = lab.{config!r}\n"
        "print(2 * config.tokens, 'tokens,', lab.accuracy(config), 'right')",
    )


def knobs(page: LabPage, writer: str) -> StepSearchConfig:
    """A search over steps to try at once, on a few questions."""
    left, middle, right = st.columns(3)
    with left:
        beams = page.slider("beams", 1, 8, 2)
    with middle:
        tries = page.slider("tries", 1, 8, 4)
    with right:
        seed = page.number("cost_seed", 0, 9999, 0)
    return StepSearchConfig(writer, "process", beams, tries, QUESTIONS, seed)


def within(study: CurvesStudy, steps: StepStudy, writer: str, budget: int) -> dict[str, float]:
    """What each way reaches with the most that it can do for so many tokens."""
    reached = {}
    for way in charts.DRAWN_WAYS:
        fits = np.flatnonzero(tokens(way, study.counts) <= budget)
        if len(fits):
            reached[way] = float(study.accuracy[way].mean(axis=0)[fits[-1]])
    fits = np.flatnonzero(steps.tokens <= budget)
    if len(fits):
        reached["steps"] = float(steps.accuracy[writer].mean(axis=0)[fits[-1]])
    return reached
