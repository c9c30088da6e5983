"""Self-critique by a principle: recorded questions step by step, counted, and one of the learner's own."""

from collections.abc import Mapping, Sequence

import streamlit as st

from app.charts import safety_inside as charts
from app.job import JobView
from app.page import LabPage
from labcore.tuning import constitution as lab
from labcore.tuning.constitution import ConstitutionStudy, CritiqueConfig, Stage
from labcore.tuning.principles import PRINCIPLES


def part(page: LabPage) -> None:
    left, right = st.columns(2)
    with left:
        mode = page.choice("mode", ("recorded", "own"), "recorded")
    with right:
        # The model was trained in English: in Chinese it says next to nothing, which is also worth seeing.
        language = page.choice("asked_in", lab.LANGUAGES, "en")
    if mode == "own":
        own(page, language)
        return
    recorded = page.recording("constitution", ConstitutionStudy)
    principle = page.choice("principle", tuple(PRINCIPLES), "short")
    figure = charts.kept(recorded.result, language, principle, page.text)
    page.figure(figure, recorded.provenance, "kept")
    rows = recorded.result.of(language, principle)
    index = page.choice(
        "question", tuple(map(str, range(len(rows)))), "0", style="select",
        label=lambda number: rows[int(number)].question,
    )  # fmt: skip
    row = rows[int(index)]
    parts = {
        "question": row.question, "rule": PRINCIPLES[principle].rule[language],
        "answer": row.texts["answer"], "critique": row.texts["critique"],
    }  # fmt: skip
    for stage in (*lab.STAGES, "again", "direct"):
        prompt = lab.prompt_of(stage, language, **parts)
        judged = None if stage == "critique" else row.keeps[stage]
        show(page, stage, prompt, row.texts[stage], judged, row.answers)
    offer(page, CritiqueConfig(row.question, principle, language=language))


def own(page: LabPage, language: str) -> None:
    """The pipeline on a question of the learner's, as a background run."""
    choices = (*PRINCIPLES, lab.OWN)
    principle = page.choice(
        "own_principle", choices, "short", label=lambda p: page.text(f"option.principle.{p}")
    )
    question = page.text_area("own_question", lab.QUESTIONS[language][0], lab.MOST_CHARACTERS)
    rule = ""
    if principle == lab.OWN:
        rule = page.text_area("rule", page.text("default.rule"), lab.MOST_CHARACTERS)
    config = CritiqueConfig(question, principle, rule, language)
    page.job(lab.critique, config, lambda view: draw(page, view))
    offer(page, config)


def draw(page: LabPage, view: JobView | None) -> None:
    if view is None:
        page.caption("press_run.own")
        return
    stages: Sequence[Stage] = view.result.stages if view.result is not None else view.events
    for stage in stages:
        show(page, stage.name, stage.prompt, stage.text, stage.keeps, {})


def show(
    page: LabPage, name: str, prompt: str, text: str, keeps: bool | None, about: Mapping[str, bool]
) -> None:
    """What the model read and what it said; plain text, as somebody may have typed it."""
    with st.container(border=True):
        verdict = "" if keeps is None else page.text("keeps.yes" if keeps else "keeps.no")
        if keeps and about.get(name) is False:
            verdict = page.text("keeps.empty")
        st.markdown(f"**{page.text(f'stage.{name}')}** {verdict}")
        with st.expander(page.text("prompt.read")):
            st.code(prompt, language=None, wrap_lines=True)
        st.text(text or "…")


def offer(page: LabPage, config: CritiqueConfig) -> None:
    page.offer_notebook(
        "from labcore.tuning import constitution as lab\n\n"
        f"config = lab.CritiqueConfig({config.question!r}, {config.principle!r}, {config.rule!r}, "
        f"{config.language!r})\nresult = lab.run(config)",
        'for stage in result.stages:\n    print(stage.name, "|", stage.text)',
    )
