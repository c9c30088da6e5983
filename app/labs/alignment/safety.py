"""Safety alignment: refusals taught, weighed, attacked, looked into and lost, and a self-critique."""

from collections.abc import Sequence

import streamlit as st

from app.charts import safety as charts
from app.job import JobView
from app.labs.alignment import (
    safety_attacks,
    safety_constitution,
    safety_direction,
    safety_later,
    safety_tradeoff,
)
from app.labs.alignment.safety_words import ask_for_thing, reading
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.tuning import cabinet, jailbreaks, refusal, refusal_direction, refusal_tradeoff
from labcore.tuning.cabinet import PHRASINGS, REWRITES
from labcore.tuning.refusal import GROUPS, Look, RefusalConfig, RefusalResult

SHOWN = (
    cabinet.kind_of, refusal.refusal_behind, refusal.examples, refusal_tradeoff.mistakes,
    jailbreaks.prefilled, refusal_direction.difference_of_means,
    refusal_direction.ablate,
)  # fmt: skip

PARTS = {
    "train": None, "tradeoff": safety_tradeoff.part, "attacks": safety_attacks.part,
    "direction": safety_direction.part, "later": safety_later.part,
    "constitution": safety_constitution.part,
}  # fmt: skip
RATES = ("0.0001", "0.0003", "0.001")
DEFAULT = RefusalConfig()
ADVERSARIAL = ("none", "story", "story+homework", "all")


def experiment(page: LabPage) -> None:
    part = page.choice("part", tuple(PARTS), "train", style="pills")
    page.caption(f"part.{part}")
    (PARTS[part] or train)(page)


def train(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("borderline", options=("few", "third", "most"))
    page.job(refusal.align, config, lambda view: draw(page, config, view, guess))
    page.offer_notebook(*notebook(config))


def knobs(page: LabPage) -> RefusalConfig:
    left, right = st.columns(2)
    with left:
        refusals = page.slider("refusals", 1, 20, DEFAULT.refusals)
        borderline = page.slider("borderline", 0, 100, round(100 * DEFAULT.borderline), 5)
    with right:
        deep = page.choice("depth", ("shallow", "deep"), "shallow") == "deep"
        rewrites = page.choice("rewrites", ADVERSARIAL, "none")
    with st.expander(page.text("more"), key="safety-more"):
        left, middle, right = st.columns(3)
        with left:
            rate = page.choice("learning_rate", RATES, "0.0003", style="select", label=str)
        with middle:
            steps = page.slider("steps", 20, 300, DEFAULT.steps, 20)
        with right:
            seed = page.number("seed", 0, 9999, DEFAULT.seed)
    shown = {"none": (), "all": REWRITES}.get(rewrites, tuple(rewrites.split("+")))
    return RefusalConfig(refusals, borderline / 100, deep, shown, steps, float(rate), seed)


def draw(page: LabPage, config: RefusalConfig, view: JobView | None, guess: Guess | None) -> None:
    """The run as far as it is; before it, the recorded default."""
    if view is None and config == DEFAULT:
        recorded = page.recording("default", RefusalResult)
        page.caption("job.recorded")
        draw_course(page, config, recorded.result.looks, recorded.provenance)
        draw_ends(page, recorded.result, recorded.provenance)
    elif view is not None and view.result is not None:
        draw_course(page, config, view.result.looks, MEASURED)
        page.reveal(guess, extent(view.result.looks[-1]))
        draw_ends(page, view.result, MEASURED)
    else:
        if view is None:
            page.caption("press_run")
        elif view.events:
            draw_course(page, config, view.events, MEASURED)
        with page.controls.aside():  # a link's question waits for the model that it is put to
            question(page)


def extent(look: Look) -> str:
    """How many new borderline things are refused."""
    share = look.refused[GROUPS.index("borderline_new")]
    return "few" if share < 0.1 else "third" if share < 0.6 else "most"


def draw_course(
    page: LabPage, config: RefusalConfig, looks: Sequence[Look], source: Provenance
) -> None:
    last = looks[-1]
    share = {
        name: f"{last.refused[GROUPS.index(name)]:.0%}"
        for name in ("forbidden_seen", "forbidden_new", "borderline_new")
    }
    st.markdown(page.text("outcome", step=last.step, **share))
    page.figure(charts.course(looks, config.steps, page.text), source, "course")
    page.figure(charts.ends(last.refused, last.answered, page.text), source, "ends")


def draw_ends(page: LabPage, result: RefusalResult, source: Provenance) -> None:
    page.figure(charts.phrasings(result, page.text), source, "phrasings")
    st.markdown(f"**{page.text('ask')}**")
    number, phrasing = question(page)
    language = page.text.language
    st.markdown(page.text("group.of", group=page.text(f"group.{GROUPS[result.group[number]]}")))
    form = tuple(PHRASINGS).index(phrasing)
    st.code(cabinet.asked(number, PHRASINGS[phrasing], language), language=None, wrap_lines=True)
    true = cabinet.true_answer(number, PHRASINGS[phrasing])
    rows = [("true", true), ("likeliest", result.replies[form, number])]
    if phrasing == "plain":
        rows += [("sample.before", one) for one in result.samples[0, number]]
        rows += [("sample.after", one) for one in result.samples[1, number]]
    st.dataframe(reading(page, rows), hide_index=True)
    chance = result.p_refusal[form, number]
    page.caption("ask.about", chance=f"{chance:.3f}")


def question(page: LabPage) -> tuple[int, str]:
    """What is asked of the trained model, and how."""
    number = ask_for_thing(page)
    phrasing = page.choice(
        "phrasing", tuple(PHRASINGS), "plain", style="select",
        label=lambda name: page.text(f"phrasing.{name}"),
    )  # fmt: skip
    return number, phrasing


def notebook(config: RefusalConfig) -> Sequence[str]:
    return (
        "from labcore.tuning import refusal as lab\n\n"
        f"result = lab.run(lab.RefusalConfig({', '.join(changed_fields(config))}))",
        "for look in result.looks:\n"
        "    shares = dict(zip(lab.GROUPS, look.refused.round(2), strict=True))\n"
        '    print(f"step {look.step:3}: refused {shares}")',
    )
