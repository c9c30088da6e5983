"""Stages that compare texts: exact duplicates, near duplicates, and leaks from a test."""

from collections import Counter

import pandas as pd
import streamlit as st

from app.charts import data as charts
from app.labs.pretraining import data_clean
from app.labs.pretraining.data_clean import SNIPPET, kind
from app.labs.pretraining.data_knobs import Settings
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.pretraining import near_study, pipeline
from labcore.pretraining.pipeline import PipelineResult
from labcore.text.dedup import candidate_probability, steepest_similarity

MOST_PAIRS = 200  # in the table
AT_HALF = 0.5  # the similarity that the prediction asks about


def exact(page: LabPage, settings: Settings) -> None:
    """Groups of equal texts."""
    result = page.run(pipeline.run, settings.pipeline)
    data_clean.say_stage(page, result, "exact")
    groups = Counter(result.twins.values())
    if not groups:
        page.caption("dropped.none")
        return
    page.caption("exact.groups")
    shown = [first for first, _ in groups.most_common(data_clean.ROWS_SHOWN)]
    copies = {first: [n for n, head in result.twins.items() if head == first] for first in shown}
    st.dataframe(
        pd.DataFrame(
            {
                page.text("column.copies"): [groups[first] + 1 for first in shown],
                page.text("column.kinds"): [
                    ", ".join(dict.fromkeys(kind(page, result, n) for n in [first, *copies[first]]))
                    for first in shown
                ],
                page.text("column.kept"): [result.texts[first][:SNIPPET] for first in shown],
                page.text("column.example"): [
                    result.documents[copies[first][0]].text[:SNIPPET] for first in shown
                ],
            }
        ),
        hide_index=True,
    )


def near(page: LabPage, settings: Settings) -> None:
    """The S-curve with the real pairs on it, what other choices would find, and the pairs."""
    config = settings.pipeline
    result = page.run(pipeline.run, config)
    data_clean.say_stage(page, result, "near")
    if not config.near.bands:
        page.caption("near.off")
        return
    guess = page.predict("half", low=0.0, high=1.0, step=0.01)
    bands, rows = config.near.bands, config.near.rows
    truth = float(candidate_probability(AT_HALF, bands, rows))
    page.reveal(guess, truth, tolerance=0.15)
    study = page.run(near_study.run, config)
    page.caption(
        "near.cost", documents=f"{study.documents:,}", pairs=f"{study.all_pairs:,}",
        met=f"{len(result.near.pairs):,}", rise=f"{steepest_similarity(bands, rows):.2f}",
    )  # fmt: skip
    page.figure(
        charts.s_curve(study, bands, rows, config.near.threshold, page.text), COMPUTED, "s_curve"
    )
    page.figure(charts.choices(study, page.text), COMPUTED, "choices")
    pairs_table(page, result, config.near.threshold)


def pairs_table(page: LabPage, result: PipelineResult, threshold: float) -> None:
    """Every candidate pair, the most alike first, with the estimate beside the exact value."""
    found = result.near
    order = (-found.similarities).argsort(kind="stable")[:MOST_PAIRS]
    if not len(order):
        page.caption("near.none")
        return
    page.caption("near.pairs")
    pairs = found.pairs[order].tolist()
    st.dataframe(
        pd.DataFrame(
            {
                page.text("column.similarity"): found.similarities[order].round(3),
                page.text("column.estimate"): found.estimates[order].round(3),
                page.text("column.verdict"): [
                    page.text("near.same" if found.similarities[n] >= threshold else "near.other")
                    for n in order
                ],
                page.text("column.replaced"): [
                    100 * max(result.documents[n].edited for n in pair) or None for pair in pairs
                ],
                page.text("column.first"): [result.texts[left][:SNIPPET] for left, _ in pairs],
                page.text("column.second"): [result.texts[right][:SNIPPET] for _, right in pairs],
            }
        ),
        hide_index=True,
    )


def contamination(page: LabPage, settings: Settings) -> None:
    """Which documents share a run of words with the test, and what a longer or shorter run would find."""
    config = settings.pipeline
    result = page.run(pipeline.run, config)
    data_clean.say_stage(page, result, "contamination")
    if not result.items:
        page.caption("contamination.off")
        return
    page.caption(
        "contamination.items", items=len(result.items),
        met=len({item for hit in result.hits.values() for item in hit.items}),
    )  # fmt: skip
    if config.contamination.evaluation == "humaneval" and config.source.planted:
        sweep = page.run(pipeline.sweep_grams, config)
        gram = config.contamination.gram
        page.figure(charts.gram_sweep(sweep, gram, page.text), COMPUTED, "sweep")
    if not result.hits:
        page.caption("dropped.none")
        return
    hits = sorted(result.hits.items(), key=lambda hit: -hit[1].shared)
    st.dataframe(
        pd.DataFrame(
            {
                page.text("column.kind"): [kind(page, result, n) for n, _ in hits],
                page.text("column.item"): [result.items[hit.items[0]].name for _, hit in hits],
                page.text("column.shared"): [hit.shared for _, hit in hits],
                page.text("column.run"): [hit.example for _, hit in hits],
                page.text("column.text"): [result.texts[n][:SNIPPET] for n, _ in hits],
            }
        ),
        hide_index=True,
    )
