"""The fifth part: a real pipeline, timed. Does a finer cut always shorten the wait?"""

import streamlit as st

from app.charts import distributed_pipeline as charts
from app.charts.pipeline import gantt
from app.job import JobView
from app.labs.pretraining.distributed_knobs import FOLDER
from app.labs.pretraining.distributed_run import share
from app.page import LabPage
from app.provenance import MEASURED, Provenance
from labcore.distributed import real_pipeline as lab
from labcore.distributed.launch import local_arguments, spelled
from labcore.distributed.real_pipeline import RealPipelineConfig, RealPipelineResult

USUAL_CUT = "4"
DEFAULT = RealPipelineConfig()
SLOWER = 1.1  # times the best: what is told as longer


def draw(page: LabPage) -> None:
    left, right = st.columns(2)
    with left:
        schedule = page.choice("schedule", lab.SCHEDULES, DEFAULT.schedule)
    with right:
        repeats = page.slider("repeats", 1, lab.MOST_REPEATS, DEFAULT.repeats)
    config = RealPipelineConfig(schedule, repeats)
    guess = page.predict("finest", options=("shorter", "same", "longer"))

    def picture(view: JobView | None) -> None:
        if view is None:
            recording = page.recording(f"pipeline-{schedule}", RealPipelineResult)
            page.caption("job.recorded")
            finished(page, recording.result, recording.provenance)
        elif view.result is not None:
            finished(page, view.result, MEASURED)
            page.reveal(guess, against_four(view.result))
        else:
            told = [event for event in view.events if event.micro_batches]
            if told:
                page.figure(charts.so_far(told, page.text), MEASURED, "step_time")
            elif view.live:
                page.caption("starting", processes=lab.STAGES)

    page.job(lab.time_it, config, picture)
    page.caption("command.pipeline")
    here = spelled(local_arguments(config.launch(), FOLDER))
    st.code(f"mkdir {FOLDER}\n{here}", language="bash", wrap_lines=True)
    page.offer_notebook(
        f"from labcore.distributed import real_pipeline as lab\n\nresult = lab.run(lab.{config!r})",
        "import pandas as pd\n\n"
        "pd.DataFrame({\n"
        '    "ms": result.best_ms, "idle": result.best_idle, "formula": result.formula,\n'
        "}, index=result.micro_batches)",
    )


def finished(page: LabPage, result: RealPipelineResult, source: Provenance) -> None:
    best = int(result.best_ms.argmin())
    st.markdown(
        page.text(
            "pipeline.sum", best=result.micro_batches[best], milliseconds=f"{result.best_ms[best]:,.0f}",
            finest=result.micro_batches[-1], ratio=f"{result.finest_against_best:.1f}",
            apart=share(result.gradients_apart),
        )
    )  # fmt: skip
    left, right = st.columns(2)
    with left:
        page.figure(charts.step_time(result, page.text), source, "step_time")
    with right:
        page.figure(charts.idle(result, page.text), source, "idle")
    page.part(draw_timeline, page, result, source)


def draw_timeline(page: LabPage, result: RealPipelineResult, source: Provenance) -> None:
    """Who computed when, with one of the cuts."""
    cuts = [str(cut) for cut in result.micro_batches]
    cut = page.choice("cut", cuts, USUAL_CUT, style="slide", label=str)
    timeline = result.fastest[cuts.index(cut)].timeline
    page.figure(
        gantt(timeline, lab.as_planned(result.config, int(cut)), page.text), source, "gantt"
    )


def against_four(result: RealPipelineResult) -> str:
    """The finest cut beside that into four: "shorter", "same" or "longer"."""
    ratio = result.best_ms[-1] / result.best_ms[result.micro_batches.index(int(USUAL_CUT))]
    return "longer" if ratio > SLOWER else "shorter" if ratio < 1 / SLOWER else "same"
