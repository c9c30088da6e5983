"""The knobs that the first three parts share, the run behind them, and its command."""

from collections.abc import Callable

import streamlit as st

from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.provenance import MEASURED, Provenance
from labcore.distributed import parallel_run as lab
from labcore.distributed.launch import Launch, cluster_arguments, local_arguments, spelled
from labcore.distributed.parallel_config import (
    BUGS,
    PRECISIONS,
    PROCESSES,
    RATES,
    REDUCE_SCATTERS,
    WAYS,
    ParallelConfig,
)
from labcore.distributed.parallel_run import RunConfig, RunResult

LEAST_STEPS, MOST_STEPS = 3, 60
FOLDER = "first-run"
CLUSTER = (2, 8)  # nodes, processes on each
DEFAULT = RunConfig()

Finished = Callable[[RunResult, Provenance], None]


def knobs(page: LabPage) -> RunConfig:
    usual = DEFAULT.training
    left, right = st.columns([3, 2])
    with left:
        way = page.choice("way", WAYS, usual.way)
        bug = page.choice("bug", BUGS[way], usual.bug, style="select")
    with right:
        counts = tuple(map(str, PROCESSES))
        processes = page.choice("processes", counts, str(DEFAULT.processes), label=str)
        seed = page.number("seed", 0, 9999, usual.seed)
    with st.expander(page.text("more"), key="distributed-more"):
        left, middle, right = st.columns(3)
        with left:
            steps = page.slider("steps", LEAST_STEPS, MOST_STEPS, usual.steps)
        with middle:
            precision = page.choice("precision", tuple(PRECISIONS), usual.precision)
            optimizer = page.choice("optimizer", tuple(RATES), usual.optimizer)
        with right:
            reduce_scatter = usual.reduce_scatter
            if way in ("zero2", "zero3"):
                reduce_scatter = page.choice("reduce_scatter", REDUCE_SCATTERS, reduce_scatter)
    training = ParallelConfig(way, steps, bug, precision, optimizer, reduce_scatter, seed=seed)
    return RunConfig(training, int(processes))


def follow(
    page: LabPage, config: RunConfig, finished: Finished,
    running: Callable[[JobView], None] = lambda view: None,
) -> None:  # fmt: skip
    """The run with its buttons: what `running` draws of it, then what `finished` draws of its result.

    Before any run the recorded default stands there.
    """

    def picture(view: JobView | None) -> None:
        if view is None:
            recording = page.recording("default", RunResult)
            page.caption("job.recorded" if config == DEFAULT else "press_run")
            finished(recording.result, recording.provenance)
        elif view.result is not None:
            finished(view.result, MEASURED)
        else:
            if view.live and not steps_seen(view):
                page.caption("starting", processes=config.processes)
            running(view)

    page.job(lab.compare, config, picture)
    page.offer_notebook(*notebook(config))


def steps_seen(view: JobView) -> list[lab.Progress]:
    return [event for event in view.events if event.nats is not None]


def commands(page: LabPage, launch: Launch, on_cluster: Launch | None = None) -> None:
    """The line that is run here, and the same recipe's line for a cluster."""
    page.caption("command.here")
    here = spelled(local_arguments(launch, FOLDER))
    st.code(f"mkdir {FOLDER}\n{here}", language="bash", wrap_lines=True)
    page.caption("command.cluster", nodes=CLUSTER[0], per_node=CLUSTER[1])
    there = spelled(cluster_arguments(on_cluster or launch, *CLUSTER))
    st.code(there, language="bash", wrap_lines=True)


def notebook(config: RunConfig) -> tuple[str, ...]:
    training = ", ".join(changed_fields(config.training))
    return (
        "from labcore.distributed import parallel_run as lab\n"
        "from labcore.distributed.parallel_config import ParallelConfig\n\n"
        f"config = lab.RunConfig(ParallelConfig({training}), {config.processes})\n"
        "result = lab.run(config)",
        "import pandas as pd\n\n"
        "pd.DataFrame({\n"
        '    "gradient": result.gradient_apart.max(axis=0),\n'
        '    "weights": result.weight_apart.max(axis=0),\n'
        "}, index=result.names)",
        "result.measured_bytes, result.expected_bytes[-1], result.sent_bytes[-1]",
    )
