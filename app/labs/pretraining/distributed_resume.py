"""The fourth part: a process is killed in the middle, and the run goes on from its checkpoint."""

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from app.charts import distributed as charts
from app.job import JobView
from app.labs.pretraining.distributed_knobs import commands
from app.labs.pretraining.distributed_run import share
from app.page import LabPage
from app.provenance import MEASURED, Provenance
from labcore.distributed import recovery as lab
from labcore.distributed.launch import Launch, options_for
from labcore.distributed.parallel_config import PROCESSES, WAYS, ParallelConfig
from labcore.distributed.recovery import RecoveryConfig, RecoveryResult

INTERVALS = ("0", "5", "10", "15")
AS_BEFORE = "as_before"
SAME_UP_TO = 5e-3  # AdamW magnifies rounding a hundredfold within thirty steps
DEFAULT = RecoveryConfig()


def draw(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("recovered", options=("same", "rounding", "different"))

    def picture(view: JobView | None) -> None:
        if view is None:
            recording = page.recording("resume", RecoveryResult)
            page.caption("job.recorded" if config == DEFAULT else "press_run")
            finished(page, recording.result, recording.provenance)
        elif view.result is not None:
            finished(page, view.result, MEASURED)
            page.reveal(guess, outcome(view.result))
        else:
            told = [event for event in view.events if event.nats is not None]
            if told:
                page.figure(charts.recovering(told, config, page.text), MEASURED, "recovery")
            elif view.live:
                page.caption("starting", processes=config.processes)

    page.job(lab.recover, config, picture)
    # On a cluster nobody has to kill anything: processes die by themselves.
    real = replace(config.training, die_at=0)
    commands(page, config.launch(), Launch(config.processes, options_for(real), restarts=1))
    page.offer_notebook(
        "from labcore.distributed import recovery as lab\n"
        "from labcore.distributed.parallel_config import ParallelConfig\n\n"
        f"config = lab.{config!r}\n"
        "result = lab.run(config)",
        "result.checkpoint_step, dict(zip(result.names, result.weight_apart))",
    )


def knobs(page: LabPage) -> RecoveryConfig:
    usual = DEFAULT.training
    last = usual.steps - 1
    left, right = st.columns(2)
    counts = tuple(map(str, PROCESSES[1:]))
    with left:
        way = page.choice("way", WAYS, usual.way)
        processes = page.choice("processes_before", counts, str(DEFAULT.processes), label=str)
        die_at = page.slider("die_at", 1, last, usual.die_at)
    with right:
        then_way = page.choice(
            "resume_way", (AS_BEFORE, *WAYS), AS_BEFORE, label=named(page), style="pills"
        )
        then_processes = page.choice(
            "processes_after", (AS_BEFORE, *counts), AS_BEFORE, label=named(page)
        )
        every = page.choice(
            "checkpoint_every", INTERVALS, str(usual.checkpoint_every), label=interval(page)
        )
    training = ParallelConfig(way, checkpoint_every=int(every), die_at=die_at)
    then_way = way if then_way == AS_BEFORE else then_way
    then_processes = processes if then_processes == AS_BEFORE else then_processes
    return RecoveryConfig(training, int(processes), then_way, int(then_processes))


def named(page: LabPage) -> Callable[[str], str]:
    """A way by its name, a number as it is."""

    def label(option: str) -> str:
        if option == AS_BEFORE:
            return page.text("as_before")
        return page.text(f"option.way.{option}") if option in WAYS else option

    return label


def interval(page: LabPage) -> Callable[[str], str]:
    return lambda steps: page.text("never") if steps == "0" else steps


def finished(page: LabPage, result: RecoveryResult, source: Provenance) -> None:
    page.figure(charts.recovery(result, page.text), source, "recovery")
    config = result.config
    numbers = {
        "death": config.training.die_at, "checkpoint": result.checkpoint_step,
        "lost": len(result.before_nats) - result.checkpoint_step, "worst": share(result.worst),
    }  # fmt: skip
    st.markdown(page.text("recovered.again" if config.same else "recovered.anew", **numbers))
    (st.success if outcome(result) != "different" else st.warning)(
        page.text(f"recovered.{outcome(result)}", **numbers)
    )


def outcome(result: RecoveryResult) -> str:
    """Whether the killed run ended with the same weights: to the bit, up to rounding, or not."""
    if result.worst == 0:
        return "same"
    return "rounding" if result.worst < SAME_UP_TO else "different"
