"""The second part: the bundled story teller is tuned, and asked a question of the learner's own."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.charts import sft as charts
from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import COMPUTED, MEASURED, Provenance
from labcore.tuning import sft as lab
from labcore.tuning import sft_ask
from labcore.tuning.sft import Look, SFTConfig, SFTResult
from labcore.tuning.world_assistant import TEMPLATES

RATES = ("0.0003", "0.001", "0.002", "0.004")
DEFAULT = SFTConfig()
TUNED = "sft.tuned"  # in the session: the settings of the last run and its weights
FORGOT_NATS = 0.1  # less is not worth a word


def draw(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("forgets", options=("better", "same", "worse"))
    page.job(lab.tune, config, lambda view: course(page, config, view, guess))
    own_question(page, config)
    page.offer_notebook(*notebook(config))


def knobs(page: LabPage) -> SFTConfig:
    left, right = st.columns(2)
    with left:
        taught = page.choice("taught", tuple(lab.TAUGHT), DEFAULT.taught)
        replay = page.slider("replay", 0, 20, 0, 5)
    with right:
        mask_prompt = page.toggle("run_mask", DEFAULT.mask_prompt)
        train_end = page.toggle("train_end", DEFAULT.train_end)
        asked_with = page.choice("asked_with", tuple(TEMPLATES), DEFAULT.asked_with)
    with st.expander(page.text("more"), key="sft-more"):
        left, middle, right = st.columns(3)
        with left:
            rate = page.choice("learning_rate", RATES, "0.001", style="select", label=str)
        with middle:
            steps = page.slider("steps", 50, 400, DEFAULT.steps, 50)
        with right:
            seed = page.number("seed", 0, 9999, DEFAULT.seed)
    return SFTConfig(
        taught, mask_prompt, train_end, replay / 100, asked_with=asked_with,
        learning_rate=float(rate), steps=steps, seed=seed,
    )  # fmt: skip


def course(page: LabPage, config: SFTConfig, view: JobView | None, guess: Guess | None) -> None:
    """The run as far as it is; before it, the recorded default."""
    if view is None and config == DEFAULT:
        recorded = page.recording("default", SFTResult)
        page.caption("job.recorded")
        pictures(page, config, recorded.result.looks, recorded.provenance, recorded.result)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        # Kept apart from the run, so that its owner can ask it questions outside the picture.
        st.session_state[TUNED] = (config, view.result.weights)
        pictures(page, config, view.result.looks, MEASURED, view.result)
        page.reveal(guess, verdict(view.result.looks))
    elif view.events:
        pictures(page, config, view.events, MEASURED, None)


def pictures(
    page: LabPage, config: SFTConfig, looks: Sequence[Look], source: Provenance,
    result: SFTResult | None,
) -> None:  # fmt: skip
    first, last = looks[0], looks[-1]
    numbers = {
        "right": f"{last.right:.0%}", "stopped": f"{last.stopped:.0%}",
        "old": f"{first.story_nats:.2f}", "new": f"{last.story_nats:.2f}",
    }  # fmt: skip
    st.markdown(page.text("outcome", step=last.step, **numbers))
    page.figure(charts.learnt(looks, config, page.text), source, "learnt")
    # The same held-out stories in every run: a run under way need not work their entropy out again.
    floor = page.recording("default", SFTResult).result.floor_nats
    page.figure(charts.forgotten(looks, floor, config, page.text), source, "forgotten")
    left, right = st.columns(2)
    with left:
        page.figure(charts.tasks(looks, page.text), source, "tasks")
    with right:
        page.figure(charts.loss(looks, config, page.text), source, "loss")
    if result:
        st.markdown(f"**{page.text('answers')}**")
        answer_table(charts.answers(result.shown, page.text))
        page.caption("answers.about", tokens=f"{result.tokens_asked:.1f}")


def answer_table(table: pd.DataFrame) -> None:
    """Four columns of sentences that fit beside each other, on several lines where need be."""
    widths = dict(zip(table.columns, (230, 200, 180, 130), strict=True))
    st.dataframe(
        table, hide_index=True, row_height=76, height=min(600, 40 + 76 * len(table)),
        column_config={
            name: st.column_config.TextColumn(width=width) for name, width in widths.items()
        },
    )  # fmt: skip


def verdict(looks: Sequence[Look]) -> str:
    """What became of the stories."""
    change = looks[-1].story_nats - looks[0].story_nats
    return "same" if abs(change) < FORGOT_NATS else "worse" if change > 0 else "better"


def own_question(page: LabPage, config: SFTConfig) -> None:
    """The learner's question to the model as it was, and as the last run of these settings left it."""
    tuned_as, weights = st.session_state.get(TUNED, (None, b""))
    weights = weights if tuned_as == config else b""
    st.markdown(f"**{page.text('own')}**")
    prompt = page.text_area("prompt", page.text("prompt.example"), sft_ask.MOST_CHARACTERS, lines=3)
    result = page.run(sft_ask.run, sft_ask.AskConfig(prompt, weights, config.asked_with))
    if result.unknown:
        page.caption("own.unknown", words=", ".join(f"“{word}”" for word in result.unknown))
    page.caption("own.about")
    left, right = st.columns(2)
    with left.container(border=True):
        st.caption(page.text("column.before"))
        st.text(said(page, result.before, result.stopped[0]))
    with right.container(border=True):
        st.caption(page.text("column.after"))
        st.text(
            said(page, result.after, result.stopped[1]) if weights else page.text("own.not_yet")
        )
    page.badge(COMPUTED)


def said(page: LabPage, answer: str, stopped: bool) -> str:
    return answer if stopped else f"{answer} {page.text('own.cut')}"


def notebook(config: SFTConfig) -> Sequence[str]:
    return (
        "from labcore.tuning import sft as lab\n\n"
        f"result = lab.run(lab.SFTConfig({', '.join(changed_fields(config))}))",
        "for look in result.looks:\n"
        '    print(f"step {look.step:3}: {look.right:.0%} right, {look.stopped:.0%} end, "\n'
        '          f"stories {look.story_nats:.2f} nats (at best {result.floor_nats:.2f})")',
        "from labcore.tuning import sft_ask\n\n"
        'sft_ask.run(sft_ask.AskConfig("Lily had a red hat. What colour is the hat?", result.weights))',
    )
