"""Part 2: one sentence under every objective: what is shown, what is asked, who sees whom."""

import streamlit as st

from app.charts import objectives as charts
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.pretraining import objective_views as lab
from labcore.pretraining.objective_kinds import KINDS, Objective
from labcore.pretraining.objective_views import ViewsConfig, ViewsResult

FIRST_PREFIX = 5
FIRST_SHARE, FIRST_LENGTH = 0.3, 1.5  # more than BERT's and T5's: a sentence is short


def draw(page: LabPage) -> None:
    text = page.text_area("sentence", page.text("default.sentence"), lab.MOST_CHARACTERS)
    kind = page.choice("objective", KINDS, "span")
    objective, seed = knobs(page, kind)
    result = page.run(lab.run, ViewsConfig(text, objective, seed))
    if result.dropped_words:
        page.caption("views.cut", most=lab.MOST_WORDS, dropped=result.dropped_words)
    told(page, kind, result)
    page.figure(charts.looks(result, page.text), COMPUTED, "looks")
    page.caption(f"views.{kind}")
    every = {
        other: page.run(lab.run, ViewsConfig(text, objective_of(objective, other), seed))
        for other in KINDS
    }
    page.figure(charts.signals(every, page.text), COMPUTED, "signals")
    page.offer_notebook(
        "from labcore.pretraining import objective_views as lab\n"
        "from labcore.pretraining.objective_kinds import Objective\n\n"
        f"result = lab.run(lab.{ViewsConfig(text, objective, seed)!r})",
        "import pandas as pd\n\n"
        "rows = [f'{i} {read} → {asked}' for i, (read, asked) in "
        "enumerate(zip(result.read, result.asked))]\n"
        "columns = [f'{i} {read}' for i, read in enumerate(result.read)]\n"
        "pd.DataFrame(result.allowed.astype(int), rows, columns)",
    )


def knobs(page: LabPage, kind: str) -> tuple[Objective, int]:
    """Only what the objective has; the others keep what they were set to."""
    left, middle, right = st.columns(3)
    share, length, prefix, seed = FIRST_SHARE, FIRST_LENGTH, FIRST_PREFIX, 0
    with left:
        if kind in ("masked", "span"):
            share = page.slider("hidden", 0.05, 0.6, FIRST_SHARE, 0.05)
        elif kind == "prefix":
            prefix = page.slider("prefix", 1, lab.MOST_WORDS, FIRST_PREFIX)
    with middle:
        if kind == "span":
            length = page.slider("length", 1.0, 5.0, FIRST_LENGTH, 0.5)
    with right:
        if kind in ("masked", "span"):
            seed = page.number("draw", 0, 9999, 0)
    return Objective(kind, share, length, prefix), seed


def objective_of(objective: Objective, kind: str) -> Objective:
    return Objective(kind, objective.share, objective.mean_length, objective.prefix)


def told(page: LabPage, kind: str, result: ViewsResult) -> None:
    """Input and target as running text; the learner's words, so as text and nothing else."""
    split = result.encoder_tokens
    with st.container(horizontal=True, key="objectives-told"):
        for key, words in (
            ("encoder", result.read[:split]),
            ("reads", result.read[split:]),
            ("asked", [word for word in result.asked if word]),
        ):
            if words:
                title = page.text(f"told.{key}")
                st.code(f"{title}{page.text('colon')}{' '.join(words)}", None, wrap_lines=True)
