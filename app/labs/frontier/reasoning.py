"""Reasoning and planning: thinking in steps; the other parts stand in modules of their own."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from app.charts import reasoning as charts
from app.job import JobView
from app.labs.frontier import reasoning_cost, reasoning_search, reasoning_votes
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.frontier import voting
from labcore.reasoning import chains, game24, grid, search24, step_search, think, value24, verifiers
from labcore.reasoning.chains import TASKS
from labcore.reasoning.think import ThinkConfig, Thinking
from labcore.reasoning.think_study import LengthStudy

SHOWN = (
    chains.running_sums, chains.worked, think.cut_short, think.change_step, verifiers.step_labels,
    verifiers.chain_scores, voting.weighted_majority, step_search.search_steps, game24.moves,
    value24.worth, search24.best_first, search24.beam, grid.priority, grid.best_first,
)  # fmt: skip

PARTS = ("steps", "votes", "search", "cost")
NEARLY_ALL = 0.9
DEFAULT = ThinkConfig()


def experiment(page: LabPage) -> None:
    part = page.choice("part", PARTS, PARTS[0])
    page.caption(f"part.{part}")
    {
        "steps": steps,
        "votes": reasoning_votes.experiment,
        "search": reasoning_search.experiment,
        "cost": reasoning_cost.experiment,
    }[part](page)


def steps(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("direct", options=("guess", "some", "all"))
    page.job(think.learn, config, lambda view: draw(page, config, view, guess))
    st.divider()
    recorded = page.recording("lengths", LengthStudy)
    page.figure(charts.by_length(recorded.result, page.text), recorded.provenance, "by_length")
    page.figure(
        charts.faithful_by_length(recorded.result, page.text), recorded.provenance,
        "faithful_by_length",
    )  # fmt: skip
    page.offer_notebook(*notebook(config))


def knobs(page: LabPage) -> ThinkConfig:
    left, right = st.columns(2)
    with left:
        task = page.choice("task", TASKS, DEFAULT.task)
        digits = page.slider("digits", 2, 16, DEFAULT.digits)
    with right:
        updates = page.slider("updates", 20, 400, DEFAULT.steps, 20)
        seed = page.number("seed", 0, 9999, DEFAULT.seed)
    return ThinkConfig(task, digits, updates, seed=seed)


def draw(page: LabPage, config: ThinkConfig, view: JobView | None, guess: Guess | None) -> None:
    if view is None and config == DEFAULT:
        recorded = page.recording("think", Thinking)
        page.caption("job.recorded")
        page.reveal(guess, verdict(recorded.result))
        draw_result(page, recorded.result, recorded.provenance)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        if replace(config, seed=DEFAULT.seed) == DEFAULT:  # the run that the guess is about
            page.reveal(guess, verdict(view.result))
        draw_result(page, view.result, MEASURED)
    elif view.events:
        figure = charts.learning(view.events, 1 / chains.modulus_of(config.task), page.text)
        page.figure(figure, MEASURED, "learning")


def draw_result(page: LabPage, result: Thinking, source: Provenance) -> None:
    st.markdown(
        page.text(
            "outcome", direct=f"{result.accuracy['direct'][-1]:.0%}",
            chain=f"{result.accuracy['chain'][-1]:.0%}", guess=f"{result.guess:.0%}",
            questions=f"{result.questions:,}", direct_tokens=f"{result.tokens['direct']:,}",
            chain_tokens=f"{result.tokens['chain']:,}",
        )
    )  # fmt: skip
    page.figure(charts.learned(result, page.text), source, "learning")
    left, right = st.columns(2)
    with left:
        page.figure(charts.allowed(result, page.text), source, "allowed")
    with right:
        page.figure(charts.faithful(result, page.text), source, "faithful")


def verdict(result: Thinking) -> str:
    """How far the model without steps has come: no further than guessing, nearly to the end, between."""
    reached = float(result.accuracy["direct"][-1])
    if reached >= NEARLY_ALL:
        return "all"
    return "guess" if reached < result.guess + 0.1 else "some"


def notebook(config: ThinkConfig) -> Sequence[str]:
    return (
        "from labcore.events import drain\nfrom labcore.reasoning import think as lab\n\n"
        f"result = drain(lab.learn(lab.ThinkConfig({', '.join(changed_fields(config))})))\n"
        'for way in ("direct", "chain"):\n    print(way, result.accuracy[way])',
        'print("steps allowed", result.allowed)\n'
        'print("answers that follow a changed step", result.step_changed["follows"])',
    )
