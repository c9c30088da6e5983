"""Long context or retrieval: everything into the prompt, or only what was found."""

import streamlit as st

from app.charts import retrieval_answers as charts
from app.model_picker import is_here
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.retrieval import answering, embedding, long_context
from labcore.retrieval.finding import METHODS
from labcore.retrieval.library import bundled
from labcore.retrieval.long_context import LongConfig
from labcore.retrieval.long_study import LongStudy

DEFAULT = LongConfig()
ASKED = "retrieval.long.asked"


def experiment(page: LabPage) -> None:
    guess = page.predict("depth", options=("first", "middle", "last", "nowhere"))
    recorded = page.recording("long", LongStudy)
    page.reveal(guess, weakest(recorded.result))
    page.figure(charts.depth(recorded.result, page.text), recorded.provenance, "depth")
    st.dataframe(charts.lengths(recorded.result, page.text), hide_index=True)
    page.caption("lengths.about", questions=recorded.result.right.shape[2])
    st.divider()
    config = knobs(page)
    page.offer_notebook(
        f"from labcore.retrieval import long_context as lab\n\nresult = lab.run(lab.{config!r})",
        "for one in (result.long, result.found):\n"
        "    print(one.text, one.right, one.prompt_tokens, one.seconds)",
    )
    here = [is_here(page, answering.MODEL, "writer"), is_here(page, embedding.MODEL, "model")]
    if not all(here):
        return
    if st.button(page.text("long.ask"), icon=":material/chat:", key="retrieval.long.ask"):
        st.session_state[ASKED] = config
    if st.session_state.get(ASKED) != config:
        return
    with st.spinner(page.text("answering")):
        result = page.run(long_context.run, config)
    st.markdown(page.text("long.outcome", place=result.place, count=config.documents,
                          wanted=result.wanted))  # fmt: skip
    st.dataframe(charts.compared(result.long, result.found, page.text), hide_index=True)
    page.badge(COMPUTED)


def knobs(page: LabPage) -> LongConfig:
    questions = [question.text for question in bundled("en").questions]
    question = page.choice(
        "long_question", [str(n) for n in range(len(questions))], str(DEFAULT.question),
        style="select", label=lambda one: questions[int(one)],
    )  # fmt: skip
    left, middle, right = st.columns(3)
    with left:
        documents = page.slider("documents", 1, 24, DEFAULT.documents)
    with middle:
        depth = page.slider("depth", 0.0, 1.0, DEFAULT.depth, 0.25)
    with right:
        method = page.choice(
            "method", METHODS, "minilm", label=lambda one: page.text(f"method.{one}")
        )
    return LongConfig(int(question), documents, depth, method)


def weakest(study: LongStudy) -> str:
    """Where the longest prompt is read worst: at its beginning, its end, or between; "nowhere" if alike."""
    by_depth = study.right[-1].mean(axis=1)
    places = {"first": by_depth[0], "middle": by_depth[1:-1].mean(), "last": by_depth[-1]}
    if max(places.values()) - min(places.values()) < 0.2:
        return "nowhere"
    return min(places, key=lambda name: places[name])
