"""The training monitor: watch a run, find its fault, compare optimisers, break off and go on, search."""

from app.labs.pretraining import (
    monitor_compare,
    monitor_faults,
    monitor_optimisers,
    monitor_resume,
    monitor_run,
    monitor_search,
)
from app.page import LabPage
from labcore.pretraining import hyper_search
from labcore.training import faults, loop, optimiser, resume, rules, schedule, signals

SHOWN = (
    loop.update,
    loop.gradient,
    rules.sgd,
    rules.adamw,
    rules.lion,
    rules.muon,
    rules.orthogonal,
    optimiser.Optimiser.step,
    schedule.learning_rate,
    signals.moved,
    faults.batches,
    resume.restore,
    hyper_search.search,
)

PARTS = {
    "run": monitor_run.draw,
    "faults": monitor_faults.draw,
    "optimisers": monitor_optimisers.draw,
    "resume": monitor_resume.draw,
    "search": monitor_search.draw,
    "compare": monitor_compare.draw,
}


def experiment(page: LabPage) -> None:
    part = page.choice("part", tuple(PARTS), "run", style="pills")
    page.caption(f"part.{part}.about")
    PARTS[part](page)
