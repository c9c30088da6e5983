"""Routes through the labs, as plain tuples, and where a learner stands on one.

The beginner's route is the course in its order; the mathematics (`foundations`) is a side road off it.
The others leave out what their reader can do without, or put first what they came for.
A lab's own needs (`catalog.NEEDS`) come before it on every route; a test holds it.
"""

from collections.abc import Mapping, Sequence

from app import catalog, practice
from app.course import progress

ROUTES: dict[str, tuple[str, ...]] = {
    "beginner": tuple(lab.id for chapter in catalog.COURSE for lab in chapter.labs),
    "architecture": (
        "dataflow", "by_hand", "attention", "positions", "heads", "induction", "families", "depth",
        "training", "scaling", "budget", "flash", "kv_cache",
    ),
    "engineering": (
        "dataflow", "by_hand", "attention", "positions", "heads", "families", "depth", "training",
        "monitor", "clinic", "data", "planner", "distributed", "quantisation", "pruning",
        "distillation", "kv_cache", "flash", "decoding", "board", "production",
    ),
    "applications": (
        "dataflow", "by_hand", "attention", "positions", "heads", "families", "depth", "training",
        "data", "sft", "lora", "hf", "dpo", "safety", "kv_cache", "decoding", "multimodal",
        "tools", "retrieval", "guard",
    ),
}  # fmt: skip


def standing(lab: str, marks: Mapping[str, float]) -> str:
    """`new`, `begun` or `done`."""
    share = progress.share_done(marks, lab, practice.count(lab))
    return "new" if share is None else "done" if share == 1 else "begun"


def next_on(route: Sequence[str], marks: Mapping[str, float]) -> str | None:
    """The first lab of the route that is not done; None at its end."""
    return next((lab for lab in route if standing(lab, marks) != "done"), None)


def for_weak(chapters: Sequence[str]) -> tuple[str, ...]:
    """The labs of these chapters, in the order of the course."""
    return tuple(lab.id for lab in catalog.LABS.values() if lab.chapter in chapters)
