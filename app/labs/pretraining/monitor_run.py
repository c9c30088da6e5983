"""The live monitor: one run, all its signals, and what can be taken home of it."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app.charts import monitor as charts
from app.charts.monitor import Band
from app.job import JobView
from app.labs.pretraining import monitor_knobs as knobs
from app.labs.pretraining import monitor_session as session
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.pretraining import monitor as lab
from labcore.pretraining.monitor import Look, MonitorConfig, MonitorResult, Progress
from labcore.training.signals import RunLog, run_log


def draw(page: LabPage) -> None:
    config = knobs.read(page)
    guess = page.predict("final", low=0.0, high=8.0, step=0.05, unit=page.text("unit.nats"))
    page.job(lab.monitor, config, lambda view: picture(page, config, view, guess))
    if not session.taken_up():
        with st.expander(page.text("resume.title"), key="monitor-bring"):
            session.bring(page)
    page.offer_notebook(*notebook(config))


def picture(
    page: LabPage, config: MonitorConfig, view: JobView | None, guess: Guess | None
) -> None:
    """The run as far as it is; before any run, the recorded one of the default settings."""
    if view is None:
        if config == knobs.DEFAULT:
            recording = page.recording("default", MonitorResult)
            page.caption("job.recorded")
            finished(page, recording.result, recording.provenance, guess)
        else:
            page.caption("press_run")
    elif view.result is not None:
        finished(page, view.result, MEASURED, guess)
        page.reveal(guess, view.result.final_nats, tolerance=0.15)
        session.keep(view.result)
        take_home(page, view.result)
    elif view.events:
        log = log_so_far(view.events)
        looks = [event.look for event in view.events if event.look is not None]
        panels(page, view.events[0].config, log, looks, None, MEASURED, guess)


def finished(page: LabPage, result: MonitorResult, source: Provenance, guess: Guess | None) -> None:
    """In numbers, in panels, in the model's own words."""
    summary(page, result)
    panels(page, result.config, result.log, result.looks, result.flops_per_token, source, guess)
    if result.looks:
        samples(page, result.looks)


def summary(page: LabPage, result: MonitorResult) -> None:
    """The run in a row of numbers."""
    log, speed = result.log, float(np.median(result.log.tokens_per_second))
    floor = "–" if log.floor_nats is None else f"{result.final_nats - log.floor_nats:.2f}"
    numbers = {
        "held_out": f"{result.final_nats:.3g}",
        "above_floor": floor,
        "parameters": f"{result.parameters:,}",
        "memory": f"{result.memory_numbers / result.parameters:.2f} ×",
        "gflops": f"{speed * result.flops_per_token / 1e9:.1f}",
    }
    with st.container(horizontal=True, key="monitor-summary"):
        for name, value in numbers.items():
            st.metric(
                page.text(f"metric.{name}"), value, help=page.text.find(f"metric.{name}.help")
            )
    if result.diverged:
        st.warning(page.text("diverged"), icon=":material/trending_up:")


def panels(
    page: LabPage, config: MonitorConfig, log: RunLog, looks: Sequence[Look],
    flops_per_token: float | None, source: Provenance, guess: Guess | None = None,
    band: Band | None = None,
) -> None:  # fmt: skip
    """The loss large, the other signals two and two below it."""
    steps, text = int(max(config.steps, log.step[-1])), page.text
    expected = None if guess is None else guess.value
    page.figure(charts.losses(log, steps, text, expected, band), source, "losses")
    below = {
        "gradient": lambda: charts.gradient(log, steps, config.clip_norm, text, band),
        "rate": lambda: charts.rate(log, steps, text),
        "updates": lambda: charts.updates(log, steps, text, band),
        "activations": lambda: charts.activations(log, steps, text),
    }
    if looks:
        below |= {
            "entropies": lambda: charts.entropies(looks, steps, text),
            "dead": lambda: charts.dead(looks, steps, text),
        }
    below["speed"] = lambda: charts.speed(log, steps, flops_per_token, text)
    names = list(below)
    for pair in (names[at : at + 2] for at in range(0, len(names), 2)):
        for column, name in zip(st.columns(2), pair, strict=False):
            with column:
                page.figure(below[name](), source, name)


def samples(page: LabPage, looks: Sequence[Look]) -> None:
    """What the model says, now and earlier; its text is shown as text and nothing else."""
    steps = [str(look.step) for look in looks]
    moment = page.choice("moment", steps, steps[-1], style="slide", label=str)
    st.code(looks[steps.index(moment)].sample or " ", language=None, wrap_lines=True)


def log_so_far(events: Sequence[Progress]) -> RunLog:
    first = events[0]
    return run_log([event.step for event in events], first.floor_nats, first.uniform_nats)


def take_home(page: LabPage, result: MonitorResult) -> None:
    """The whole run as a file, and the way on from it."""
    data = result.checkpoint.tobytes()
    with st.container(horizontal=True, key="monitor-checkpoint"):
        st.download_button(
            page.text("resume.download", size=f"{len(data) / 1e6:.1f}"), data, on_click="ignore",
            file_name=f"run-step-{int(result.log.step[-1])}.safetensors",
            icon=":material/download:", key="monitor.download",
        )  # fmt: skip
        if st.button(
            page.text("resume.go_on"),
            icon=":material/resume:",
            key="monitor.go_on",
            help=page.text("resume.go_on.help"),
        ):
            session.take_up(data)
            st.rerun()


def notebook(config: MonitorConfig) -> Sequence[str]:
    """The same run with labcore alone."""
    changed = [f"    {field}," for field in changed_fields(config, leave_out=("checkpoint",))]
    settings = "\n".join(["config = lab.MonitorConfig(", *changed, ")"])
    return (
        f"from labcore.pretraining import monitor as lab\n{knobs.corpus_imports(config.corpus)}\n\n"
        f"{settings}\nresult = lab.run(config)",
        "import pandas as pd\n\nlog = result.log\n"
        "pd.DataFrame({\n"
        '    "step": log.step, "loss": log.loss_nats, "gradient": log.grad_norm,\n'
        '    "update": log.update_ratio, "rate": log.learning_rate,\n})',
        "from labcore.training.diagnosis import diagnose\n\n"
        "print(result.final_nats, log.floor_nats)\n"
        "for finding in diagnose(log)[:3]:\n    print(finding.fault, round(finding.strength, 2))",
    )
