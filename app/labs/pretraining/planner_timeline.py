"""Pipeline schedules, pass by pass: predict the bubble, then see it."""

from dataclasses import replace

import streamlit as st

from app.charts import pipeline as charts
from app.page import LabPage
from app.provenance import ANALYTIC, COMPUTED
from labcore.distributed import simulation as lab
from labcore.distributed.schedules import SCHEDULES
from labcore.distributed.simulation import PipelineConfig, Timeline
from labcore.errors import LabInputError

DEFAULT = PipelineConfig()
MOST_STAGES, MOST_MICRO_BATCHES, MOST_CHUNKS = 12, 32, 4


def draw(page: LabPage) -> None:
    schedule = page.choice("pipeline", SCHEDULES, DEFAULT.schedule, label=name_of(page))
    config = knobs(page, schedule)
    guess = page.predict("bubble", low=0.0, high=100.0, step=1.0, unit="%")
    try:
        timeline = page.run(lab.simulate, config)
    except LabInputError as error:
        page.error(error)
        return
    page.figure(charts.gantt(timeline, config, page.text), COMPUTED, "gantt")
    if guess is None and not page.toggle("unveil_bubble", False):
        page.caption("bubble.hidden")
        page.offer_notebook(*notebook(config))
        return
    page.reveal(guess, 100 * timeline.bubble_share, tolerance=0.15)
    say_bubble(page, config, timeline)
    simulated = {
        other: run.bubble_share
        for other in SCHEDULES
        if (run := simulated_or_none(page, config, other))
    }
    figure = charts.bubble_curve(config, simulated, SCHEDULES, page.text)
    page.figure(figure, ANALYTIC, "bubble")
    page.offer_notebook(*notebook(config))


def name_of(page: LabPage):
    return lambda schedule: page.text(f"option.schedule.{schedule}")


def knobs(page: LabPage, schedule: str) -> PipelineConfig:
    columns = st.columns(3)
    with columns[0]:
        stages = page.slider("stages", 1, MOST_STAGES, DEFAULT.stages)
    with columns[1]:
        micro_batches = page.slider("micro_batches", 1, MOST_MICRO_BATCHES, DEFAULT.micro_batches)
    with columns[2]:
        chunks = DEFAULT.chunks
        if schedule == "interleaved":
            chunks = page.slider("pieces", 2, MOST_CHUNKS, DEFAULT.chunks)
    with st.expander(page.text("times"), key="planner-times"):
        page.caption("times.about")
        columns = st.columns(4)
        times = {}
        for column, name in zip(columns, ("forward_ms", "backward_ms", "weight_ms"), strict=False):
            with column:
                times[name] = page.slider(name, 1.0, 40.0, getattr(DEFAULT, name), 1.0)
        with columns[3]:
            times["hop_ms"] = page.slider("hop_ms", 0.0, 20.0, DEFAULT.hop_ms, 0.5)
    return PipelineConfig(schedule, stages, micro_batches, chunks, **times)


def simulated_or_none(page: LabPage, config: PipelineConfig, schedule: str) -> Timeline | None:
    """Another schedule at the same place, unless it cannot be run there."""
    try:
        return page.run(lab.simulate, replace(config, schedule=schedule))
    except LabInputError:
        return None


def say_bubble(page: LabPage, config: PipelineConfig, timeline: Timeline) -> None:
    """Both definitions, the formula, and what the stages hold."""
    figures = {
        "idle": f"{100 * timeline.bubble_share:.1f} %",
        "over_work": f"{100 * timeline.bubble_over_work:.1f} %",
        "formula": f"{100 * lab.bubble_formula(config):.1f} %",
        "total": f"{timeline.total_ms:,.0f} ms",
        "held": f"{timeline.held[0]:.3g} / {timeline.held[-1]:.3g}",
    }
    with st.container(horizontal=True, gap="medium", key="planner-bubble"):
        for name, value in figures.items():
            st.metric(
                page.text(f"bubble.{name}"), value, width="content",
                help=page.text(f"bubble.{name}.help"),
            )  # fmt: skip
    if abs(timeline.bubble_share - lab.bubble_formula(config)) > 0.001:
        page.caption("bubble.differs.hop" if config.hop_ms else "bubble.differs")


def notebook(config: PipelineConfig) -> tuple[str, ...]:
    return (
        "from labcore.distributed import simulation\n\n"
        f"config = simulation.{config!r}\n"
        "timeline = simulation.simulate(config)\n"
        "timeline.bubble_share, simulation.bubble_formula(config)",
        "for stage in range(config.stages):\n"
        "    mine = timeline.stage == stage\n"
        '    print(stage, " ".join(f"{kind}{number + 1}" for kind, number in\n'
        "          zip(timeline.kind[mine], timeline.micro_batch[mine])))",
    )
