"""Part 4: an encoder-decoder learns to translate, and its cross-attention where to look."""

import streamlit as st

from app.charts import cross_alignment as charts
from app.job import JobView
from app.page import LabPage
from app.prediction import Guess
from app.provenance import COMPUTED, MEASURED, Provenance
from labcore.architecture import cross_alignment
from labcore.architecture import families_alignment as lab
from labcore.architecture.cross_alignment import Alignment, FinishedConfig, PairReading
from labcore.architecture.families_alignment import AlignmentConfig, AlignmentResult, Look, Study

DEFAULT = AlignmentConfig()
RATES = ("0.001", "0.003", "0.005", "0.01", "0.03")
LOOKS = 14  # in the course of a run


def draw(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("when", options=("early", "middle", "late"))
    page.job(lab.learn_to_translate, config, lambda view: show(page, config, view, guess))
    page.offer_notebook(*notebook(config))


def knobs(page: LabPage) -> AlignmentConfig:
    columns = st.columns([2, 3, 2])
    with columns[0]:
        sources = page.choice("sources", lab.SOURCES, DEFAULT.sources)
    with columns[1]:
        steps = page.slider("steps", 50, 1500, DEFAULT.steps, 50)
    with columns[2]:
        seed = page.number("seed", 0, 9999, DEFAULT.seed)
    with st.expander(page.text("more"), key="families-more"):
        left, right = st.columns(2)
        with left:
            layers = page.choice("num_layers", ("1", "2"), str(DEFAULT.num_layers), label=str)
            heads = page.choice(
                "num_heads", ("1", "2", "4", "8"), str(DEFAULT.num_heads), label=str
            )
        with right:
            width = page.choice(
                "hidden_size", ("32", "64", "96"), str(DEFAULT.hidden_size), label=str
            )
            rate = page.choice(
                "learning_rate", RATES, str(DEFAULT.learning_rate), style="select", label=str
            )
    return AlignmentConfig(
        sources, int(layers), int(heads), int(width), float(rate), steps,
        look_every=max(10, steps // LOOKS), seed=seed,
    )  # fmt: skip


def show(page: LabPage, config: AlignmentConfig, view: JobView | None, guess: Guess | None) -> None:
    """The recorded runs, and over them the learner's own as far as it is."""
    recording = page.recording("study", Study)
    study, source = recording.result, recording.provenance
    looks: list[Look] = []
    result = study.first
    if view is None:
        page.caption("press_run_over")
    else:
        looks = [event.look for event in view.events if event.look]
        if view.result is not None:
            looks, result, source = view.result.looks, view.result, MEASURED
    draw_course(page, study, looks, config.steps, source if view is None else MEASURED)
    if view is not None and view.result is None:
        return
    if result.diverged:
        st.warning(page.text("diverged"), icon=":material/trending_up:")
    truth = when(result)
    if truth:
        page.reveal(guess, truth)
    draw_walk(page, result, source)


def draw_course(
    page: LabPage, study: Study, looks: list[Look], steps: int, source: Provenance
) -> None:
    floors, chance = study.first.floors, study.first.chance
    figure = charts.losses(study, floors, looks, steps, page.text)
    page.figure(figure, source, "losses")
    measure = page.choice("measure", ("hits", "mass"), "hits")
    figure = charts.found(study, measure, chance, looks, steps, page.text)
    page.figure(figure, source, "found")


def when(result: AlignmentResult) -> str | None:
    """How low the loss was when half of the words were first found; None if they never were."""
    for look in result.looks:
        if look.alignment.joint_hits[-1] >= 0.5:
            nats = look.validation_nats
            return "early" if nats > 3 else "middle" if nats > 1 else "late"
    return None


def draw_walk(page: LabPage, result: AlignmentResult, source: Provenance) -> None:
    """One held-out pair: the maps of this run step by step, or those of the finished translator."""
    st.subheader(page.text("walk.title"), anchor=False)
    left, right = st.columns(2)
    with left:
        whose = page.choice("whose", ("run", "bundled"), "run")
    if whose == "run":
        reading, alignment = result.reading, result.looks[-1].alignment
        say_pair(page, reading)
        with right:
            layer = page.slider("layer", 0, len(reading.cross) - 1, len(reading.cross) - 1)
        page.figure(charts.walk(result, layer, page.text), source, "walk")
    else:
        with right:
            probe = page.slider("probe", 1, cross_alignment.PROBES, cross_alignment.PROBE + 1)
        page.model("world-translator")
        finished = page.run(cross_alignment.finished, FinishedConfig(probe - 1))
        reading, alignment, source = finished.reading, finished.alignment, COMPUTED
        say_pair(page, reading)
        say_finished(page, finished)
        layer = page.slider("cross_layer", 0, len(reading.cross) - 1, len(reading.cross) - 1)
        page.figure(charts.heads(reading, layer, page.text), source, "heads")
    draw_beside(page, reading, alignment, source)


def say_finished(page: LabPage, finished: cross_alignment.FinishedResult) -> None:
    st.markdown(
        page.text(
            "finished", steps=f"{finished.steps:,}", need=f"{100 * finished.need_hits:.0f}",
            first=f"{100 * finished.alignment.joint_hits[0]:.0f}",
            last=f"{100 * finished.alignment.joint_hits[-1]:.0f}",
        )
    )  # fmt: skip


def say_pair(page: LabPage, reading: PairReading) -> None:
    """Source, one true translation, and what the model writes; the world's words, shown as text."""
    st.code(
        f"{reading.source}\n{reading.reference}\n{page.text('pair.written')} {reading.written}",
        language=None, wrap_lines=True,
    )  # fmt: skip
    page.caption("pair.possible" if reading.possible else "pair.wrong")


def draw_beside(
    page: LabPage, reading: PairReading, alignment: Alignment, source: Provenance
) -> None:
    """The grammar's answer, the attention's, and that of hiding each source token in turn."""
    st.subheader(page.text("beside.title"), anchor=False)
    what = page.choice("beside", ("truth", "need"), "truth")
    left, right = st.columns(2)
    with left:
        page.figure(charts.beside(reading, "attention", page.text), source, "attention")
    with right:
        page.figure(charts.beside(reading, what, page.text), source, what)
    page.figure(charts.head_table(alignment, page.text), source, "head_table")


def notebook(config: AlignmentConfig) -> tuple[str, ...]:
    return (
        "from labcore.architecture import families_alignment as lab\n\n"
        "# A short run; the page's takes a minute at most.\n"
        f"config = lab.AlignmentConfig(sources={config.sources!r}, steps=60, look_every=20,"
        f" seed={config.seed})\nresult = lab.run(config)\nprint(result.floors, result.chance)",
        "import pandas as pd\n\npd.DataFrame(\n"
        '    {"step": [look.step for look in result.looks],\n'
        '     "held-out nats": [look.validation_nats for look in result.looks],\n'
        '     "true sources found": [look.alignment.joint_hits[-1] for look in result.looks]}\n)',
        "from labcore.architecture import cross_alignment\n\n"
        "finished = cross_alignment.finished(cross_alignment.FinishedConfig())\n"
        "finished.alignment.hits.round(2)",
    )
