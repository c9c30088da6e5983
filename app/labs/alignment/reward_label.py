"""Part one: the learner is the rater."""

from dataclasses import replace

import streamlit as st

from app.charts import reward_study as charts
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.tuning import reward_labels as lab
from labcore.tuning.preferences import CAUSES, Rater
from labcore.tuning.reward_labels import LabelConfig, Labels

# The knobs of the next part, in whose steps a learner's worths are handed on: lowest, highest, step.
KNOBS = {"right": (-2.0, 6.0, 0.5), "marks": (-2.0, 2.0, 0.25), "digits": (-2.0, 2.0, 0.25)}
ENOUGH = 12  # choices, before which a warning stands beside the worths


def draw(page: LabPage) -> None:
    config = page.controls.kept("labels", LabelConfig(), decoded, encoded)
    result = page.run(lab.run, config)
    ask(page, config, result)
    if config.choices:
        say(page, config, result)
    page.offer_notebook(
        f"from labcore.tuning import reward_labels as lab\n\nresult = lab.run(lab.{config!r})",
        "print(result.worths, result.errors)  # being right, a mark, a digit\n"
        'print(f"{result.hits} of {result.told} choices foretold from those before")',
    )


def encoded(config: LabelConfig) -> str:
    return f"{config.seed}.{config.choices}"


def decoded(raw: str) -> LabelConfig:
    seed, _, choices = raw.partition(".")
    return LabelConfig(choices, int(seed))


def ask(page: LabPage, config: LabelConfig, result: Labels) -> None:
    """The next pair, and what can be said of it."""
    done = len(config.choices)
    st.progress(done / lab.PAIRS, page.text("progress", done=done, pairs=lab.PAIRS))
    if done < lab.PAIRS:
        st.markdown(page.text("which", sum=result.asked[done]))
        for column, name, answer in zip(
            st.columns(2), ("first", "second"), result.answers[done], strict=True
        ):
            column.metric(page.text(f"answer.{name}"), answer or "–", border=True)
    with st.container(horizontal=True, key="reward-buttons"):
        for choice, icon, key in (
            (lab.FIRST, "arrow_back", "Left"), (lab.SAME, "drag_handle", "Down"),
            (lab.SECOND, "arrow_forward", "Right"),
        ):  # fmt: skip
            if done < lab.PAIRS:
                button(page, f"choose.{choice}", icon, config.choices + choice, config, key)
        if done:
            button(page, "undo", "undo", config.choices[:-1], config)
        if done < lab.PAIRS:
            finished = lab.finished_by(Rater(), config)
            button(page, "finish", "smart_toy", finished, config)
        if done:
            st.button(
                page.text("fresh"), key="reward.fresh", icon=":material/refresh:", type="tertiary",
                on_click=page.controls.set,
                args=("labels", LabelConfig("", (config.seed + 1) % (lab.MOST_SEED + 1))),
            )  # fmt: skip


def button(
    page: LabPage, name: str, icon: str, choices: str, config: LabelConfig, key: str | None = None
) -> None:
    st.button(
        page.text(name), key=f"reward.{name}", icon=f":material/{icon}:", shortcut=key,
        type="secondary" if key else "tertiary",
        on_click=page.controls.set, args=("labels", replace(config, choices=choices)),
    )  # fmt: skip


def say(page: LabPage, config: LabelConfig, result: Labels) -> None:
    """What the choices so far tell about whoever made them."""
    own, all_choices = config.own, len(config.choices)
    whose = "you" if own == all_choices else "mixed" if own else "rater"
    numbers = dict(zip(CAUSES, (f"{worth:.1f}" for worth in result.worths), strict=True))
    st.markdown(page.text(f"seems.{whose}", own=own, others=all_choices - own, **numbers))
    if all_choices < ENOUGH:
        page.caption("few", enough=ENOUGH)
    planted = Rater().worths.tolist() if whose == "rater" else None
    page.figure(charts.own_worths(result, planted, page.text), COMPUTED, "own_worths")
    if result.told:
        st.markdown(page.text("foretold", told=result.told, hits=result.hits))
        figure = charts.foretold(result, config.choices, page.text)
        page.figure(figure, COMPUTED, "foretold")
    st.button(
        page.text("hand_on"), key="reward.hand_on", icon=":material/model_training:",
        on_click=hand_on, args=(page, result),
    )  # fmt: skip


def hand_on(page: LabPage, result: Labels) -> None:
    """These worths become the rater's of the next part, to the nearest step of its knobs."""
    for worth, (knob, (low, high, step)) in zip(result.worths, KNOBS.items(), strict=True):
        page.controls.set(knob, min(max(round(worth / step) * step, low), high))
    page.controls.set("part", "train")
