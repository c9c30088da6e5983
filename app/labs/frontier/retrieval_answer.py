"""Answer with sources: the prompt, the answer, and the passages that bear it."""

import streamlit as st

from app.charts import retrieval_answers as charts
from app.labs.frontier.retrieval_knobs import find_config
from app.model_picker import is_here
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.errors import LabInputError
from labcore.retrieval import answering
from labcore.retrieval.answering import MOST_PASSAGE, MOST_PASSAGES, Answer, AnswerConfig
from labcore.retrieval.answering_study import AnsweringStudy
from labcore.retrieval.finding import METHODS

ASKED = "retrieval.asked"  # in the session: the config last asked


def experiment(page: LabPage) -> None:
    guess = page.predict("given", options=("most", "half", "few"))
    try:
        own_question(page)
    except LabInputError as error:
        page.error(error)
    st.divider()
    recorded = page.recording("answering", AnsweringStudy)
    study = recorded.result
    page.reveal(guess, verdict(study))
    page.figure(charts.accuracy(study, page.text), recorded.provenance, "accuracy")
    st.dataframe(charts.costs(study, page.text), hide_index=True)
    page.caption("costs.about")
    st.markdown(
        page.text("falsified", numbers=study.numbers, false=study.said_false, true=study.said_true)
    )
    with st.expander(page.text("examples")):
        st.dataframe(charts.examples(study, page.text), hide_index=True)


def own_question(page: LabPage) -> None:
    """Some seconds of a real model, so on request."""
    find = find_config(page, MOST_PASSAGES)
    left, right = st.columns(2)
    with left:
        methods = METHODS if find.meaning else METHODS[:1]
        method = page.choice(
            "method", methods, "minilm", label=lambda one: page.text(f"method.{one}")
        )
    with right:
        passages = page.slider("passages", 0, MOST_PASSAGES, 2)
    planted = page.text_area("planted", "", MOST_PASSAGE, lines=2)
    config = AnswerConfig(find, method, passages, planted)
    if not is_here(page, answering.MODEL, "writer"):
        return
    if st.button(page.text("ask"), icon=":material/chat:", key="retrieval.ask"):
        st.session_state[ASKED] = config
    page.offer_notebook(
        "from labcore.retrieval import answering as lab\n"
        "from labcore.retrieval.finding import FindConfig\n"
        "from labcore.retrieval.library import Document\n\n"
        f"result = lab.run(lab.{config!r})\nprint(result.prompt)",
        "print(result.text, result.borne)",
    )
    if st.session_state.get(ASKED) != config:
        return
    with st.spinner(page.text("answering")):
        draw(page, page.run(answering.run, config))


def draw(page: LabPage, result: Answer) -> None:
    """Everything that a document, a learner or the model wrote goes through `st.text` or a table."""
    with st.container(border=True):
        st.caption(page.text("prompt", tokens=result.prompt_tokens))
        st.text(result.prompt)
    with st.container(border=True):
        st.caption(page.text("answer", seconds=f"{result.seconds:.1f}"))
        st.text(result.text)
        if result.source:
            title = result.titles[result.source - 1] or page.text("planted.title")
            st.text(page.text("source", number=result.source, title=title))
        if result.wanted:
            st.caption(page.text("judged.right" if result.right else "judged.wrong"))
        page.badge(COMPUTED)
    if result.borne:
        st.dataframe(charts.borne(result, page.text), hide_index=True)
        page.caption("borne.about")


def verdict(study: AnsweringStudy) -> str:
    """How many answers are right when the right passage alone is given."""
    share = float(study.right["right"].mean())
    return "most" if share > 0.75 else "few" if share < 0.35 else "half"
