"""The first three stages: where text comes from, how it is written, which rules it must pass."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd
import streamlit as st

from app.charts import data as charts
from app.labs.pretraining.data_knobs import STEPS, Settings
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.pretraining import pipeline, planted
from labcore.pretraining.pipeline import PipelineResult

SNIPPET = 220  # characters of a document in a table
ROWS_SHOWN = 40
BORDERLINE = 8  # documents nearest to a limit
SIGNALS = {
    "characters": ("least_characters", "short"),
    "symbols": ("most_symbols", "symbols"),
    "repeated": ("most_repeated", "repeated"),
}


def source(page: LabPage, settings: Settings) -> None:
    """What comes in, and at a glance what will become of it."""
    result = page.run(pipeline.run, settings.pipeline)
    size = sum(len(document.text.encode(errors="replace")) for document in result.documents)
    with st.container(horizontal=True, key="data-source-metrics"):
        st.metric(page.text("metric.documents"), f"{len(result.documents):,}")
        st.metric(page.text("metric.kilobytes"), f"{size / 1000:,.0f}")
        left = len(result.dataset())
        st.metric(page.text("metric.left"), f"{left:,}")
    page.figure(charts.funnel(result, page.text), COMPUTED, "funnel")
    if settings.pipeline.source.planted:
        page.figure(charts.planted_fate(result, planted.KINDS, page.text), COMPUTED, "planted")
    page.caption("examples.source")
    examples(page, result, range(len(result.documents)), raw=True)


def normalise(page: LabPage, settings: Settings) -> None:
    """What each step touched, and one document before and after."""
    result = page.run(pipeline.run, settings.pipeline)
    page.figure(charts.changed(result, STEPS, page.text), COMPUTED, "changed")
    touched = sorted({step for changes in result.changes for step in changes}, key=STEPS.index)
    if not touched:
        page.caption("normalise.nothing")
        return
    step = page.choice("step", touched, touched[0], label=lambda name: page.text(f"knob.{name}"))
    numbers = [n for n, changes in enumerate(result.changes) if step in changes]
    which = page.slider("example", 1, len(numbers), 1)
    number = numbers[which - 1]
    before, after = st.columns(2)
    with before:
        st.caption(page.text("before"))
        st.code(visible(result.documents[number].text), language=None, wrap_lines=True)
    with after:
        st.caption(page.text("after"))
        st.code(visible(result.texts[number]), language=None, wrap_lines=True)


def visible(text: str) -> str:
    """As much of a text as a column holds, with what cannot be seen written out."""
    cut = text[: 3 * SNIPPET] + (" …" if len(text) > 3 * SNIPPET else "")
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in cut) or " "


def filtering(page: LabPage, settings: Settings) -> None:
    """How the measured signals lie about their limits, and who fell on the wrong side."""
    result = page.run(pipeline.run, settings.pipeline)
    stage = result.stage("filter")
    say_stage(page, result, "filter")
    name = page.choice("signal", tuple(SIGNALS), "symbols")
    knob, _ = SIGNALS[name]
    groups: dict[str, list[float]] = {"zh": [], "en": [], "other": [], "planted": []}
    for number in stage.entered.tolist():
        group = "planted" if result.documents[number].planted else result.signals[number].language
        groups[group].append(getattr(result.signals[number], name))
    values = {group: np.array(numbers) for group, numbers in groups.items() if numbers}
    if values:
        limit = getattr(settings.pipeline.filter, knob)
        page.figure(charts.signal_histogram(values, limit, name, page.text), COMPUTED, "signal")
        page.caption("borderline")
        examples(page, result, closest(result, name, limit), signals=True)
    page.caption("dropped.all")
    dropped_by_rule(page, result, "filter")


def closest(result: PipelineResult, name: str, limit: float) -> list[int]:
    """The natural documents nearest to the limit: where the rule is least sure of itself."""
    natural = [
        n for n in result.stage("filter").entered.tolist() if not result.documents[n].planted
    ]
    distance = {n: abs(getattr(result.signals[n], name) - limit) for n in natural}
    return sorted(sorted(natural, key=distance.__getitem__)[:BORDERLINE],
                  key=lambda n: getattr(result.signals[n], name))  # fmt: skip


def dropped_by_rule(page: LabPage, result: PipelineResult, name: str) -> None:
    """The documents that fell, most frequent reason first."""
    stage = result.stage(name)
    counts = Counter(stage.reasons)
    if not counts:
        page.caption("dropped.none")
        return
    rules = [rule for rule, _ in counts.most_common()]
    rule = page.choice(
        "rule", rules, rules[0],
        label=lambda rule: f"{page.text(f'rule.{rule}')} ({counts[rule]})",
    )  # fmt: skip
    fell = zip(stage.dropped.tolist(), stage.reasons, strict=True)
    examples(page, result, [n for n, why in fell if why == rule], signals=name == "filter")


def say_stage(page: LabPage, result: PipelineResult, name: str) -> None:
    """In, kept, dropped; and of the planted flaws, how many fell here."""
    stage = result.stage(name)
    flaws = sum(bool(result.documents[n].planted) for n in stage.dropped.tolist())
    with st.container(horizontal=True, key=f"data-{name}-metrics"):
        st.metric(page.text("metric.entered"), f"{len(stage.entered):,}")
        st.metric(page.text("metric.kept"), f"{len(stage.kept):,}")
        st.metric(page.text("metric.dropped"), f"{len(stage.dropped):,}")
        st.metric(page.text("metric.flaws"), f"{flaws:,}", help=page.text("metric.flaws.help"))


def examples(
    page: LabPage, result: PipelineResult, numbers: Iterable[int], raw: bool = False,
    signals: bool = False,
) -> None:  # fmt: skip
    """Documents as a table: a cell is text and nothing else, whatever stands in it."""
    shown = list(numbers)[:ROWS_SHOWN]
    table = {
        page.text("column.number"): shown,
        page.text("column.kind"): [kind(page, result, n) for n in shown],
        page.text("column.text"): [
            (result.documents[n].text if raw else result.texts[n])[:SNIPPET] for n in shown
        ],
    }
    if signals:
        for name in SIGNALS:
            values = [getattr(result.signals[n], name) for n in shown]
            table[page.text(f"signal.{name}")] = np.round(values, 3)
    st.dataframe(
        pd.DataFrame(table), hide_index=True,
        column_config={page.text("column.text"): st.column_config.TextColumn(width="large")},
    )  # fmt: skip


def kind(page: LabPage, result: PipelineResult, number: int) -> str:
    """Where a document comes from, or which flaw was planted in it."""
    document = result.documents[number]
    if document.planted:
        return page.text(f"planted.{document.planted}")
    return page.text(f"option.source.{document.source}")
