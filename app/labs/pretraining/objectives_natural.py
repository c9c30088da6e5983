"""Part 3: causal against masked on natural text, and what each can do afterwards with any sentence."""

import streamlit as st

from app import datasets
from app.charts import objectives_text as charts
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from app.provenance import COMPUTED, MEASURED, Provenance
from labcore.pretraining import objective_natural as lab
from labcore.pretraining import objective_own as own_text
from labcore.pretraining import sources
from labcore.pretraining.objective_natural import NaturalConfig, NaturalResult
from labcore.pretraining.training_text import TrainingTextConfig

DEFAULT = NaturalConfig()
KEPT = "kept"
SHARES = ("0.15", "0.3", "0.4")
AXES = ("steps", "answers")
TASKS = ("filled", "preferred", "attested")


def draw(page: LabPage) -> None:
    name, text = corpus(page)
    config = knobs(page, text)
    guess = page.predict("gaps", options=("left", "both", "rescored"))
    page.job(lab.train_on_text, config, lambda view: picture(page, name, view, guess))
    offer_notebook(page, config)


def corpus(page: LabPage) -> tuple[str, TrainingTextConfig]:
    """What to train on: a language's built-in text, or the dataset kept in the data lab."""
    languages = [name for name in lab.VOCAB_SIZE if name in sources.available()]
    here = "chinese" if page.text.language == "zh" and "chinese" in languages else "english"
    name = page.choice("source", (*languages, KEPT), here)
    recipe = datasets.kept()
    if name == KEPT and recipe is None:
        st.info(page.text("corpus.none.here"), icon=":material/bookmark:")
        name = here
    return name, lab.of_dataset(recipe) if name == KEPT else lab.natural(name)


def knobs(page: LabPage, text: TrainingTextConfig) -> NaturalConfig:
    with st.expander(page.text("more"), key="objectives-more-natural"):
        left, middle, right = st.columns(3)
        with left:
            share = page.choice(
                "natural_share", SHARES, SHARES[0], label=lambda s: f"{float(s):.0%}"
            )
        with middle:
            steps = page.slider("natural_steps", 50, lab.MOST_STEPS, DEFAULT.steps, 50)
        with right:
            seed = page.number("natural_seed", 0, 9999, 0)
    return NaturalConfig(text, float(share), (seed,), steps)


def picture(page: LabPage, name: str, view: JobView | None, guess: Guess | None) -> None:
    axis = page.choice("axis", AXES, AXES[0])
    if view is None or not view.events:
        language = name if name in lab.VOCAB_SIZE else "english"
        recording = page.recording(f"natural-{language}", NaturalResult)
        page.caption("natural.recorded", seeds=len(recording.result.seeds))
        finished(page, axis, recording.result, recording.provenance, guess)
    elif view.result is None:
        page.figure(
            charts.gaps(charts.natural_running(view.events), axis, page.text), MEASURED, "gaps"
        )
    else:
        finished(page, axis, view.result, MEASURED, guess)


def finished(
    page: LabPage, axis: str, result: NaturalResult, source: Provenance, guess: Guess | None
) -> None:
    courses = charts.natural_recorded(result)
    page.figure(charts.gaps(courses, axis, page.text), source, "gaps")
    page.caption("gaps.signal", causal=int(result.targets[0]), masked=int(result.targets[1]),
                 tokens=result.tokens)  # fmt: skip
    page.figure(charts.own_losses(courses, page.text), source, "own")
    page.figure(charts.outcome(result, "filled", page.text), source, "filled")
    if guess is not None:
        page.reveal(guess, best_way(result))
    left, right = st.columns(2)
    with left:
        page.figure(charts.outcome(result, "preferred", page.text), source, "preferred")
    with right:
        page.figure(charts.outcome(result, "attested", page.text), source, "attested")
    try_yourself(page, result)


def best_way(result: NaturalResult) -> str:
    """Which way of filling gaps got most of them right, over the seeds."""
    ways = result.outcomes[0].filled
    return max(ways, key=lambda way: sum(one.filled[way] for one in result.outcomes))


def try_yourself(page: LabPage, result: NaturalResult) -> None:
    """The learner's sentence under the two models on show."""
    st.subheader(page.text("own.title"), anchor=False)
    text = page.text_area("own", page.text("default.own"), own_text.MOST_CHARACTERS)
    tokens = len(own_text.labels(result, text))
    if tokens < own_text.LEAST_TOKENS:
        page.caption("own.short")
        return
    for kind in lab.KINDS:
        if chosen := page.clicked(f"own_{kind}"):
            page.controls.set("place", chosen["token"])
    left, right = st.columns(2)
    with left:
        place = page.slider("place", 0, tokens - 1, min(tokens - 1, tokens // 2))
    with right:
        seed = page.number("own_seed", 0, 9999, 0)
    own = own_text.read(result, own_text.Reading(text, place, seed))
    if own.dropped_tokens:
        page.caption("own.cut", most=own_text.MOST_TOKENS, dropped=own.dropped_tokens)
    page.figure(charts.candidates(own, page.text), COMPUTED, "candidates")
    for kind in lab.KINDS:
        page.figure(charts.own_tokens(own, kind, page.text), COMPUTED, f"own_{kind}")
    page.caption(
        "own.scores", causal=f"{own.causal_nats.sum():.1f}", masked=f"{own.masked_nats.sum():.1f}",
        passes=len(own.labels),
    )  # fmt: skip
    for kind, words in own.written.items():
        st.caption(page.text(f"own.goes_on.{kind}"))
        st.code(text.strip() + words, None, wrap_lines=True)


def offer_notebook(page: LabPage, config: NaturalConfig) -> None:
    page.offer_notebook(
        "from labcore.pretraining import objective_natural as lab\n"
        "from labcore.pretraining import objective_own\n\n"
        f"config = lab.NaturalConfig({recipe(config)}, share={config.share}, "
        f"seeds={config.seeds}, steps={config.steps})\nresult = lab.run(config)",
        "print(result.outcomes[0])",
        "import pandas as pd\n\n"
        'own = objective_own.read(result, objective_own.Reading("The value is returned.", 2))\n'
        "pd.DataFrame(own.shares, own.candidates)",
    )


def recipe(config: NaturalConfig) -> str:
    """The text as code; a kept dataset is left out, since its documents may be the learner's own."""
    for language in lab.VOCAB_SIZE:
        if config.text == lab.natural(language):
            return f"lab.natural({language!r})"
    return "lab.natural('english')"
