"""The last stage: rows of equal length, masks between documents, and the dataset to take along."""

import streamlit as st

from app import datasets
from app.charts import data as charts
from app.labs.pretraining.data_knobs import Settings
from app.labs.pretraining.data_vocabulary import LEARNT
from app.page import LabPage
from app.provenance import COMPUTED, MEASURED
from labcore.pretraining import document_leak, packing_study, pipeline, training_text
from labcore.pretraining.packing_study import PackingConfig
from labcore.pretraining.vocabulary import VocabularyResult


def draw(page: LabPage, settings: Settings) -> None:
    merges = st.session_state.get(LEARNT)
    page.caption("pack.recorded" if merges is None else "pack.own")
    if merges is None:
        merges = page.recording("default", VocabularyResult).result.merges.tobytes()
    config = PackingConfig(merges, settings.pipeline, settings.row_tokens, settings.method)
    result = page.run(packing_study.run, config)
    tokens = sum(result.lengths.tolist())
    with st.container(horizontal=True, key="data-pack-metrics"):
        st.metric(page.text("metric.documents"), f"{len(result.lengths):,}")
        st.metric(page.text("metric.tokens"), f"{tokens:,}")
        chosen = result.reports[packing_study.METHODS.index(settings.method)]
        st.metric(page.text("metric.rows"), f"{chosen.rows:,}")
        st.metric(page.text("metric.wasted"), f"{chosen.wasted:.1%}")
    page.figure(charts.packing(result, page.text), COMPUTED, "packing")
    page.figure(charts.rows(result, page.text), COMPUTED, "rows")
    if settings.method != "pad":
        page.figure(charts.mask(result, page.text), COMPUTED, "mask")
    leak(page)
    take_home(page, settings)


def leak(page: LabPage) -> None:
    """What a neighbour does to a document, measured with the bundled decoder."""
    st.subheader(page.text("leak"), anchor=False)
    guess = page.predict("stranger", low=0.4, high=8.0, step=0.05, unit=page.text("unit.nats"))
    if not page.toggle("measure_leak", False):
        return
    result = page.run(document_leak.run, document_leak.LeakConfig())
    page.figure(charts.leak_price(result, page.text), MEASURED, "price")
    page.figure(charts.leak(result, page.text), MEASURED, "leak")
    page.reveal(guess, float(result.open_nats.mean()), tolerance=0.2)


def take_home(page: LabPage, settings: Settings) -> None:
    """The dataset as a file, its account, and as the text that the next labs train on."""
    st.subheader(page.text("take"), anchor=False)
    page.caption("take.about")
    result = page.run(pipeline.run, settings.pipeline)
    with st.container(horizontal=True, key="data-take"):
        st.download_button(
            page.text("take.data", documents=f"{len(result.dataset()):,}"),
            lambda: training_text.json_lines(result), file_name="dataset.jsonl",
            mime="application/x-ndjson", on_click="ignore", icon=":material/download:",
            key="data.download",
        )  # fmt: skip
        st.download_button(
            page.text("take.account"), lambda: training_text.account_json(settings.pipeline),
            file_name="dataset-account.json", mime="application/json", on_click="ignore",
            icon=":material/receipt_long:", key="data.account",
        )  # fmt: skip
        st.button(
            page.text("take.keep"), icon=":material/bookmark_add:", key="data.keep",
            on_click=datasets.keep, args=(settings.training_text(),),
        )  # fmt: skip
    if datasets.kept() == settings.training_text():
        page.caption("take.kept")
