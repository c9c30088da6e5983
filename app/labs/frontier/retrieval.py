"""Retrieval: finding passages; answering, long prompts and the agent stand in modules of their own."""

import streamlit as st

from app.charts import retrieval as charts
from app.labs.frontier import retrieval_agent, retrieval_answer, retrieval_long
from app.labs.frontier.retrieval_knobs import asked, find_config
from app.notebook import changed_fields
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.errors import LabInputError
from labcore.frontier.bm25 import BM25
from labcore.retrieval import agent, chunking, embedding, finding, long_context, prompting
from labcore.retrieval.finding import METHODS, FindConfig, Finding
from labcore.retrieval.finding_study import FindingStudy
from labcore.retrieval.library import LANGUAGES

SHOWN = (
    chunking.chunked, BM25.scores, embedding.mean_pooled, finding.fused, finding.judgement,
    prompting.prompt_of, prompting.borne_by, long_context.around, agent.run_loop,
    agent.tool_caller,
)  # fmt: skip

PARTS = ("find", "answer", "long", "agent")


def experiment(page: LabPage) -> None:
    part = page.choice("part", PARTS, PARTS[0])
    page.caption(f"part.{part}")
    {
        "find": find,
        "answer": retrieval_answer.experiment,
        "long": retrieval_long.experiment,
        "agent": retrieval_agent.experiment,
    }[part](page)


def find(page: LabPage) -> None:
    guess = page.predict("fusion", options=("above", "between", "below"))
    try:
        config = find_config(page)
        result = page.run(finding.run, config)
    except LabInputError as error:
        page.error(error)
    else:
        draw(page, config, result)
        page.offer_notebook(
            "from labcore.retrieval import finding as lab\n\n"
            f"result = lab.run(lab.FindConfig({', '.join(changed_fields(config))}))",
            "for method, found in result.found.items():\n    print(method)\n    for one in found:\n"
            "        print('  ', round(one.score, 3), result.chunks[one.chunk].text)",
        )
        if config.library != "own":
            page.figure(
                charts.judged(page.run(finding.judge, asked(config)), page.text, config.top),
                COMPUTED, "judged",
            )  # fmt: skip
    st.divider()
    recorded = page.recording("finding", FindingStudy)
    study = recorded.result
    page.reveal(guess, compared(study))
    page.figure(charts.by_kind(study, page.text), recorded.provenance, "by_kind")
    page.caption("unknown", share=f"{study.unknown['zh']:.0%}")
    language = page.choice("study_library", LANGUAGES, LANGUAGES[0],
                           label=lambda one: page.text(f"option.library.{one}"))  # fmt: skip
    page.figure(charts.by_size(study, language, page.text), recorded.provenance, "by_size")


def draw(page: LabPage, config: FindConfig, result: Finding) -> None:
    """What is a learner's own goes through `st.text`, which renders nothing."""
    st.markdown(
        page.text("found.outcome", chunks=len(result.chunks), documents=len(result.documents))
    )
    if result.torn:
        page.caption("torn")
    for column, method in zip(st.columns(len(result.found)), result.found, strict=True):
        with column:
            st.markdown(f"**{page.text(f'method.{method}')}**")
            if not result.found[method]:
                page.caption("found.nothing")
            for place, one in enumerate(result.found[method], 1):
                with st.container(border=True):
                    mark = " ✓" if one.chunk in result.answering else ""
                    st.text(f"{place}. {charts.name_of(result, one.chunk)}{mark}")
                    st.text(result.chunks[one.chunk].text)
                    score = f"{one.score:.4f}" if method == "fused" else f"{one.score:.2f}"
                    shared = (
                        page.text("found.words", words=", ".join(one.words)) if one.words else ""
                    )
                    st.text(page.text("found.score", score=score) + shared)
    page.figure(charts.places(result, page.text), COMPUTED, "places")


def compared(study: FindingStudy) -> str:
    """English questions in other words: where the fusion ends, beside the two it is made of."""
    bm25, minilm, both = (float(study.by_kind["en-meaning"][METHODS.index(m)]) for m in METHODS)
    low, high = sorted((bm25, minilm))
    return "above" if both > high else "below" if both < low else "between"
