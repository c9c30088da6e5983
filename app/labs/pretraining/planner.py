"""Parallel training planner: the best plan and why, a plan of one's own, schedules, published runs."""

from app.labs.pretraining import planner_own, planner_plan, planner_published, planner_timeline
from app.page import LabPage
from labcore.distributed.communication import ring_seconds
from labcore.distributed.memory import layer_activations, zero_states
from labcore.distributed.search import candidates, judge
from labcore.distributed.simulation import simulate
from labcore.distributed.step_time import step_time

SHOWN = (zero_states, layer_activations, ring_seconds, step_time, candidates, judge, simulate)

PARTS = {
    "plan": planner_plan.draw,
    "own": planner_own.draw,
    "timeline": planner_timeline.draw,
    "published": planner_published.draw,
}


def experiment(page: LabPage) -> None:
    part = page.choice("part", tuple(PARTS), "plan")
    PARTS[part](page)
