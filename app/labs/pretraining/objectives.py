"""Training objectives: what a model is asked decides what it learns and what its loss means."""

from app.labs.pretraining import (
    objectives_measure,
    objectives_natural,
    objectives_units,
    objectives_views,
)
from app.page import LabPage
from labcore.pretraining import objective_kinds, objective_tasks, objective_units
from labcore.pretraining import objective_world as world
from labcore.text import measure_words, spans
from labcore.training import objectives

SHOWN = (
    objective_kinds.ask,
    measure_words.hidden_nats,
    world.fill,
    world.rescore,
    objectives.prefix_batch,
    spans.draw_spans,
    spans.corrupt,
    objective_tasks.fill_by_rescoring,
    objective_tasks.pseudo_nats,
    objective_units.perplexity,
    objective_units.bits_per_byte,
)

PARTS = {
    "measure": objectives_measure.draw,
    "views": objectives_views.draw,
    "natural": objectives_natural.draw,
    "bytes": objectives_units.draw,
}


def experiment(page: LabPage) -> None:
    part = page.choice("part", tuple(PARTS), "measure")
    PARTS[part](page)
