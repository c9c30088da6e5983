"""Part 1: a word that is decided by the word after it, under every objective."""

import pandas as pd
import streamlit as st

from app.charts import objectives as charts
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.pretraining import objective_world as lab
from labcore.pretraining.objective_kinds import KINDS, Objective
from labcore.pretraining.objective_world import WorldConfig, WorldResult
from labcore.text import measure_words

DEFAULT = WorldConfig()
SHARES = ("0.15", "0.3", "0.4", "0.5")
LENGTHS = ("1", "2", "3", "5")
EXAMPLES = 3  # phrases
NOUN = 19  # the noun that the answers open on: horse, bees


def draw(page: LabPage) -> None:
    examples = page.text("list.comma").join(phrases(page)[:EXAMPLES])
    st.markdown(page.text("measure.about", examples=examples))
    config = knobs(page)
    guess = page.predict("ceiling", options=("quarter", "half", "all"))
    page.job(lab.train_objectives, config, lambda view: picture(page, config, view, guess))
    offer_notebook(page, config)


def phrases(page: LabPage) -> list[str]:
    """The beginning of the first judged row, as it reads."""
    return measure_words.phrases(lab.judged()[0][0].tolist(), page.text.language)


def knobs(page: LabPage) -> WorldConfig:
    st.markdown(page.text("measure.pick"))
    with st.container(horizontal=True, key="objectives-pick"):
        on = [one.kind for one in DEFAULT.objectives]
        chosen = [kind for kind in KINDS if page.toggle(f"use_{kind}", kind in on)]
    with st.expander(page.text("more"), key="objectives-more"):
        left, right = st.columns(2)
        with left:
            share = page.choice("share", SHARES, SHARES[0], label=percent)
            length = page.choice("mean_length", LENGTHS, "3", label=str)
        with right:
            steps = page.slider("steps", 60, lab.MOST_STEPS, DEFAULT.steps, 60)
            seed = page.number("seed", 0, 9999, 0)
    objectives = tuple(objective(kind, float(share), float(length)) for kind in chosen)
    return WorldConfig(objectives, (seed,), steps)


def percent(share: str) -> str:
    return f"{100 * float(share):g} %"


def objective(kind: str, share: float, length: float) -> Objective:
    """Only what this kind has is set, so that equal questions are equal configs."""
    plain = Objective(kind)
    if kind == "masked":
        return Objective(kind, share)
    return Objective(kind, share, length) if kind == "span" else plain


def picture(page: LabPage, config: WorldConfig, view: JobView | None, guess: Guess | None) -> None:
    """What is measured so far; before any run the recorded seeds."""
    if view is None or not view.events:
        recording = page.recording("world", WorldResult)
        page.caption("measure.recorded", seeds=len(recording.result.seeds))
        finished(page, recording.result, recording.provenance, None)
    elif view.result is None:
        courses = charts.running(config.objectives, view.events)
        page.figure(charts.right(courses, config.steps, page.text), MEASURED, "right")
    else:
        finished(page, view.result, MEASURED, guess)


def finished(page: LabPage, result: WorldResult, source: Provenance, guess: Guess | None) -> None:
    courses, steps = charts.recorded(result), int(result.looks[-1])
    page.figure(charts.right(courses, steps, page.text), source, "right")
    reveal(page, result, guess)
    floors = result.floor_nats.tolist()
    page.figure(charts.above_floor(courses, floors, steps, page.text), source, "above")
    st.markdown(f"**{page.text('floors.title')}**")
    st.dataframe(account(page, result), hide_index=True)
    page.caption("floors.caption")
    answers(page, result, source)


def reveal(page: LabPage, result: WorldResult, guess: Guess | None) -> None:
    """The causal model's share of right measure words at the end, if one was trained."""
    causal = [number for number, one in enumerate(result.objectives) if one.kind == "causal"]
    if causal:
        page.reveal(guess, band(float(result.right[:, causal[0], -1].mean())))


def band(share: float) -> str:
    """The answer to how many measure words the left side tells.

    >>> band(0.26), band(0.5), band(1.0)
    ('quarter', 'half', 'all')
    """
    return "quarter" if share < 0.375 else "half" if share < 0.75 else "all"


def account(page: LabPage, result: WorldResult) -> pd.DataFrame:
    """Every objective's question, its exact floor, and what was reached: the mean over seeds."""
    rows = [
        {
            page.text("column.objective"): charts.name_of(objective, page.text),
            page.text("column.asked"): round(float(result.targets[number]), 1),
            page.text("column.read"): round(float(result.tokens[number]), 1),
            page.text("column.floor"): round(float(result.floor_nats[number]), 3),
            page.text("column.reached"): round(float(result.own_nats[:, number, -1].mean()), 3),
            page.text("column.gap"): round(float(result.measure_nats[:, number, -1].mean()), 3),
            page.text("column.parameters"): f"{int(result.parameters[number]):,}",
        }
        for number, objective in enumerate(result.objectives)
    ]
    return pd.DataFrame(rows)


def answers(page: LabPage, result: WorldResult, source: Provenance) -> None:
    """One noun: what each model would say before it."""
    language = page.text.language
    told = [noun for group in measure_words.NOUNS[language].values() for noun in group]
    places = [str(number) for number in range(len(told))]
    noun = page.choice("noun", places, str(NOUN), "select", label=lambda place: told[int(place)])
    page.figure(charts.beliefs(result, int(noun), language, page.text), source, "beliefs")


def offer_notebook(page: LabPage, config: WorldConfig) -> None:
    page.offer_notebook(
        "from labcore.pretraining import objective_world as lab\n"
        "from labcore.pretraining.objective_kinds import Objective\n\n"
        f"result = lab.run(lab.{config!r})",
        "import pandas as pd\n\n"
        "names = [objective.kind for objective in result.objectives]\n"
        "pd.DataFrame(result.right.mean(axis=0).T, result.looks, names)",
        "print(dict(zip(names, result.floor_nats.round(4))))\n"
        "print(dict(zip(names, result.own_nats[:, :, -1].mean(axis=0).round(4))))",
    )
