"""Vote and verify: many chains for one question, and what choosing among them brings over many."""

import streamlit as st

from app.charts import reasoning_votes as charts
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from app.provenance import ANALYTIC, COMPUTED, MEASURED
from labcore.errors import LabInputError
from labcore.reasoning import vote, vote_curves
from labcore.reasoning.cost_study import CASES, CurvesStudy
from labcore.reasoning.vote import VoteConfig, Votes
from labcore.reasoning.vote_curves import CurvesConfig
from labcore.reasoning.writers import WRITERS

TEMPERATURES = ("0.5", "1.0", "1.5")
QUESTION_LIMIT = 60
DEFAULT = VoteConfig()
FEW, MANY = 8, 64  # chains between which the prediction asks


def experiment(page: LabPage) -> None:
    left, right = st.columns(2)
    with left:
        writer = page.choice("writer", WRITERS, DEFAULT.writer)
        question = page.text_area("question", DEFAULT.question, QUESTION_LIMIT, lines=1)
    with right:
        temperature = float(
            page.choice("temperature", TEMPERATURES, "1.0", style="slide", label=str)
        )
        samples = page.slider("samples", 1, 128, DEFAULT.samples)
    seed = page.number("votes_seed", 0, 9999, DEFAULT.seed)
    try:
        config = VoteConfig(question, writer, temperature, samples, seed)
    except LabInputError as error:
        page.error(error)
    else:
        draw_votes(page, page.run(vote.run, config))
        page.offer_notebook(*notebook(config))
    st.divider()
    st.markdown(f"**{page.text('many')}**")
    guess = page.predict("outcome", options=("rises", "level", "falls"))
    over = CurvesConfig(writer, temperature, seed=seed)
    page.job(vote_curves.ask, over, lambda view: draw_curves(page, over, view, guess))
    st.divider()
    right_chance = page.slider("right_chance", 0, 100, 60, 1)
    page.figure(charts.condorcet(right_chance / 100, page.text), ANALYTIC, "condorcet")


def draw_votes(page: LabPage, result: Votes) -> None:
    st.markdown(
        page.text(
            "votes.outcome", truth=result.truth, chains=len(result.written),
            right=int((result.answers == result.truth).sum()),
            lucky=int(((result.answers == result.truth) & ~result.valid.all(axis=1)).sum()),
        )
    )  # fmt: skip
    left, right = st.columns([3, 2], gap="medium")
    with left:
        page.figure(charts.votes(result, page.text), COMPUTED, "votes")
    with right:
        st.dataframe(charts.choices(result, page.text), hide_index=True)
        page.caption("choices.about")
    page.figure(charts.chains(result, page.text), COMPUTED, "chains")


def draw_curves(
    page: LabPage, config: CurvesConfig, view: JobView | None, guess: Guess | None
) -> None:
    case = case_of(config)
    if view is not None and view.result is not None:
        one = view.result
        draw_numbers(page, one.valid_steps, one.lucky)
        page.figure(charts.curves_now(one, page.text), MEASURED, "curves_now")
        page.figure(
            charts.questions(one.right_share, one.wrong_share, page.text), MEASURED, "questions"
        )
    elif view is not None:
        return
    elif case is None:
        page.caption("votes.press_run")
    else:
        recorded = page.recording(f"votes-{case}", CurvesStudy)
        study = recorded.result
        if case == "half":
            page.reveal(guess, course(study))
        draw_numbers(page, study.valid_steps.mean(), study.lucky.mean())
        page.figure(charts.curves(study, page.text), recorded.provenance, "curves")
        figure = charts.questions(study.right_share[0], study.wrong_share[0], page.text)
        page.figure(figure, recorded.provenance, "questions")


def draw_numbers(page: LabPage, valid: float, lucky: float) -> None:
    st.markdown(page.text("many.outcome", valid=f"{valid:.0%}", lucky=f"{lucky:.0%}"))


def case_of(config: CurvesConfig) -> str | None:
    """Which recording these knobs ask for; its seeds are 0, 1 and 2, whatever the knob says."""
    names = {case: name for name, case in CASES.items()}
    return names.get((config.writer, config.temperature)) if config.seed == 0 else None


def course(study: CurvesStudy) -> str:
    """What becomes of the outcome verifier's choice between few chains and many."""
    counts, reached = study.counts.tolist(), study.accuracy["outcome"].mean(axis=0)
    change = float(reached[counts.index(MANY)] - reached[counts.index(FEW)])
    return "rises" if change > 0.03 else "falls" if change < -0.03 else "level"


def notebook(config: VoteConfig) -> tuple[str, ...]:
    return (
        "from labcore.reasoning import vote as lab\n\n"
        f"result = lab.run(lab.{config!r})\n"
        'print("right answer", result.truth, "votes", result.counts)',
        "for way, answer in result.chosen.items():\n    print(way, answer)",
    )
