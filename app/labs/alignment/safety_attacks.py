"""Ways around a refusal: an attack of one's own on a bundled model, and all of them counted."""

import streamlit as st

from app.charts import safety_inside as charts
from app.labs.alignment.safety_words import ask_for_thing, extent, reading
from app.notebook import changed_fields
from app.page import LabPage
from app.provenance import MEASURED
from labcore.tuning import cabinet, jailbreaks
from labcore.tuning.cabinet import NAMES, OPENINGS
from labcore.tuning.cabinet_base import MODELS
from labcore.tuning.jailbreaks import AskConfig, AttackStudy

SEEN = 0  # the first row of a prefill: things that stood in the examples


def part(page: LabPage) -> None:
    own(page)
    recorded = page.recording("attacks", AttackStudy)
    study, source = recorded.result, recorded.provenance
    st.divider()
    measure = page.choice(
        "rewrite_measure", tuple(charts.REWRITE_MEASURES), "refused_new", style="select",
        label=lambda name: page.text(f"measure.{name}"),
    )  # fmt: skip
    page.figure(charts.rewrites(study, measure, page.text), source, "rewrites")
    of = page.choice("prefill_of", ("seen", "new"), "seen")
    if page.guess_first("one_word", ("most", "half", "few"), after_one_word(study)):
        page.figure(charts.prefill(study, of, page.text), source, "prefill")
    page.figure(charts.kl(study, page.text), source, "kl")


def after_one_word(study: AttackStudy) -> str:
    """What the shallow model still refuses, of forbidden things in its examples, behind one word."""
    return extent(float(study.cases["shallow"].prefill_refused[:, SEEN, 1].mean()))


def own(page: LabPage) -> None:
    """One question to one bundled model, asked on the spot."""
    model = page.choice("model", MODELS, "shallow")
    number = ask_for_thing(page)
    left, right = st.columns(2)
    with left:
        opening = page.choice(
            "opening", OPENINGS, "plain", style="select",
            label=lambda name: page.text(f"phrasing.{name}"),
        )  # fmt: skip
    with right:
        naming = page.choice("naming", NAMES, "common", style="select")
    words = page.slider("prefilled", 0, jailbreaks.MOST_PREFILLED, 0)
    make, thing = divmod(number, cabinet.NUM_THINGS)
    config = AskConfig(model, make, thing, opening, naming, words)
    asked = page.run(jailbreaks.ask, config)
    language = page.text.language
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        verdict = "refused" if asked.refused else "answered" if asked.complied else "neither"
        st.markdown(page.text(f"verdict.{verdict}", chance=f"{asked.p_refusal:.3f}"))
        page.badge(MEASURED)
    st.code(cabinet.told(asked.prompt, language), language=None, wrap_lines=True)
    rows = [("given", asked.given)] if asked.given else []
    rows += [("said", asked.said), ("true", asked.true)]
    st.dataframe(reading(page, rows), hide_index=True)
    page.offer_notebook(
        "from labcore.tuning import cabinet, jailbreaks as lab\n\n"
        f"asked = lab.ask(lab.AskConfig({', '.join(changed_fields(config))}))",
        f"print(cabinet.told(asked.prompt, {language!r}))\n"
        f"print(cabinet.told([*asked.given, *asked.said], {language!r}))",
    )
