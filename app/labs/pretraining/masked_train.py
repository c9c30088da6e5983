"""Part 3: an encoder learns to fill gaps, before the learner's eyes and under the learner's rule."""

import streamlit as st

from app.charts import masked_training as charts
from app.charts.masked_training import Course
from app.job import JobView
from app.labs.pretraining import corpus_knob, masked_rule
from app.labs.pretraining.data import told
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.pretraining import masked_train as lab
from labcore.pretraining.corpus import WorldTextConfig
from labcore.pretraining.masked_train import MaskedConfig, MaskedResult

DEFAULT = MaskedConfig()
STEPS = ("50", "100", "200", "400", "800", "1600")
RATES = ("0.001", "0.002", "0.003", "0.005", "0.01")


def draw(page: LabPage) -> None:
    config = settings(page)
    guess = page.predict("final", low=0.3, high=6.0, step=0.05, unit=page.text("unit.nats"))
    page.job(lab.pretrain, config, lambda view: picture(page, config, view, guess))
    page.offer_notebook(*notebook(config))


def settings(page: LabPage) -> MaskedConfig:
    source = corpus_knob.pick(page)
    rule = masked_rule.pick_rule(page)
    with st.expander(page.text("more"), key="masked-more"):
        steps = page.choice("steps", STEPS, str(DEFAULT.steps), style="slide", label=str)
        rate = page.choice("peak", RATES, str(DEFAULT.learning_rate), style="slide", label=str)
        seed = page.number("seed", 0, 9999, 0)
    return MaskedConfig(source, rule, int(steps), float(rate), seed)


def picture(page: LabPage, config: MaskedConfig, view: JobView | None, guess: Guess | None) -> None:
    """The course so far; before any run of one's own, the recorded default."""
    if view is None:
        if config == DEFAULT:
            recording = page.recording("default", MaskedResult)
            page.caption("job.recorded")
            finished(page, recording.result, recording.provenance, guess)
        else:
            page.caption("press_run")
    elif view.result is not None:
        finished(page, view.result, MEASURED, guess)
        page.reveal(guess, float(view.result.gap_nats[-1]), tolerance=0.15)
    elif view.events:
        course = charts.course_of_events(view.events)
        total = round(view.events[-1].step / view.events[-1].share)
        drawn(page, course, total, None, MEASURED, guess)
        if view.events[-1].diverged:
            st.warning(page.text("diverged"), icon=":material/trending_up:")


def finished(page: LabPage, result: MaskedResult, source: Provenance, guess: Guess | None) -> None:
    course = charts.course_of_result(result)
    drawn(page, course, len(result.loss_nats), result.constant_nats, source, guess)
    if result.diverged:
        st.warning(page.text("diverged"), icon=":material/trending_up:")
    with st.container(horizontal=True, key="masked-train-metrics"):
        st.metric(page.text("metric.questions"), f"{result.questions.mean():.0f}")
        st.metric(page.text("metric.read"), f"{result.tokens.mean():.0f}")
        asked = result.questions.sum() / result.sequences.sum()
        st.metric(page.text("metric.per_sequence"), f"{asked:.1f}")
        st.metric(page.text("metric.parameters"), f"{result.parameters:,}")
    probe(page, result, course, source)


def drawn(
    page: LabPage, course: Course, total: int, constant: float | None, source: Provenance,
    guess: Guess | None,
) -> None:  # fmt: skip
    point = None if guess is None else (total, guess.value)
    page.figure(charts.losses(course, total, constant, page.text, point), source, "losses")
    if len(course.look_steps):
        page.figure(charts.exams(course, total, page.text), source, "exams")


def probe(page: LabPage, result: MaskedResult, course: Course, source: Provenance) -> None:
    """Texts that it has never seen, with gaps; what it put into them on the way."""
    st.subheader(page.text("probe.title"), anchor=False)
    truths = []
    for labels, gaps in zip(result.probe, result.probe_gaps, strict=True):
        shown = [f"[{label}]" if place in gaps else label for place, label in enumerate(labels)]
        st.code(" ".join(shown), language=None, wrap_lines=True)
        truths += [labels[place] for place in gaps]
    names = [f"{number} {label}" for number, label in enumerate(truths, start=1)]
    page.figure(charts.gaps(course, names, page.text), source, "gaps")


def notebook(config: MaskedConfig) -> tuple[str, ...]:
    if isinstance(config.source, WorldTextConfig):
        imports = "from labcore.pretraining.corpus import WorldTextConfig\n"
    else:
        imports = (
            "from labcore.pretraining.pipeline import (\n"
            "    ContaminationConfig, FilterConfig, NearConfig, NormaliseConfig,\n"
            "    PipelineConfig, SourceConfig,\n)\n"
            "from labcore.pretraining.training_text import TrainingTextConfig\n"
        )
    return (
        "from labcore.pretraining import masked_train as lab\n"
        "from labcore.pretraining.masked_rule import Rule\n"
        "from labcore.pretraining.masked_train import MaskedConfig\n"
        f"{imports}\nresult = lab.run({told(config)})",
        "import pandas as pd\n\npd.DataFrame(\n"
        '    {"step": result.look_steps, "gaps": result.gap_nats, "plain": result.plain_nats,\n'
        '     "swapped": result.swapped_nats}\n)',
        "print(result.floor_nats, result.constant_nats, result.seconds)",
    )
