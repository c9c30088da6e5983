"""The table of contents: chapters and their labs, as plain tuples.

A lab stands here from the day it works. A chapter stands here from the first day.
Titles are words, not code: `assets/strings/<lang>/common.toml`, keys `chapter.<id>` and `lab.<id>`.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class LabSpec:
    id: str  # the value of ?lab=, the name of its strings and content files
    chapter: str

    def module(self) -> ModuleType:
        """The lab's screen: `experiment(page)` and `SHOWN`."""
        return import_module(f"app.labs.{self.chapter}.{self.id}")


@dataclass(frozen=True, slots=True)
class ChapterSpec:
    id: str  # the page's file name and its URL
    number: int
    icon: str  # a Material symbol; Streamlit carries the font
    labs: tuple[LabSpec, ...] = ()

    @property
    def prefix(self) -> str:
        """Its number before its title; the side road has none."""
        return f"{self.number} · " if self.number else ""

    @property
    def page(self) -> Path:
        return ROOT / "pages" / f"{self.id}.py"


def _chapter(number: int, id: str, icon: str, *labs: str) -> ChapterSpec:
    return ChapterSpec(id, number, f":material/{icon}:", tuple(LabSpec(lab, id) for lab in labs))


# What a learner should have seen before: earlier labs, named where one builds on them directly.
NEEDS: dict[str, tuple[str, ...]] = {
    "by_hand": ("dataflow",),
    "attention": ("by_hand",),
    "positions": ("attention",),
    "heads": ("attention",),
    "induction": ("attention", "positions"),
    "families": ("dataflow", "attention"),
    "depth": ("dataflow",),
    "training": ("positions", "families", "depth"),
    "objectives": ("families", "masked"),
    "monitor": ("depth", "training"),
    "clinic": ("monitor",),
    "traps": ("data", "training"),
    "scaling": ("training",),
    "budget": ("dataflow", "scaling"),
    "masked": ("families", "data"),
    "planner": ("dataflow", "training"),
    "distributed": ("training", "planner"),
    "lora": ("training",),
    "hf": ("sft", "lora"),
    "reward": ("training",),
    "rlhf": ("reward",),
    "sft": ("training", "data"),
    "dpo": ("training",),
    "safety": ("dataflow", "sft"),
    "pruning": ("heads", "training"),
    "quantisation": ("training",),
    "distillation": ("training",),
    "kv_cache": ("attention", "heads"),
    "flash": ("by_hand",),
    "decoding": ("training", "kv_cache"),
    "multimodal": ("attention", "training"),
    "tools": ("sft", "decoding"),
    "ecosystem": ("budget", "production"),
    "board": ("quantisation", "pruning", "distillation", "kv_cache"),
    "production": ("kv_cache",),
    "reasoning": ("training", "rlhf"),
    "retrieval": ("attention", "tools"),
    "guard": ("safety", "tools"),
}

# Where a lab's mathematics is shown by itself: labs of the page `foundations`.
MATHEMATICS: dict[str, tuple[str, ...]] = {
    "dataflow": ("matrices",),
    "by_hand": ("matrices", "gradients"),
    "heads": ("matrices",),
    "depth": ("gradients",),
    "training": ("gradients", "information"),
    "masked": ("probability",),
    "objectives": ("probability", "information"),
    "monitor": ("gradients",),
    "clinic": ("gradients",),
    "traps": ("gradients",),
    "scaling": ("information",),
    "lora": ("matrices",),
    "reward": ("probability", "gradients"),
    "rlhf": ("information",),
    "dpo": ("information",),
    "quantisation": ("matrices",),
    "pruning": ("matrices",),
    "distillation": ("information",),
    "decoding": ("probability",),
    "guard": ("probability",),
}

CHAPTERS: tuple[ChapterSpec, ...] = (
    # A side road, numbered 0: the mathematics, for whoever needs it.
    _chapter(0, "foundations", "functions", "matrices", "probability", "gradients", "information"),
    _chapter(
        1, "transformer", "account_tree",
        "dataflow", "by_hand", "attention", "positions", "heads", "induction", "families",
        "depth", "training",
    ),
    _chapter(
        2, "pretraining", "school",
        "data",
        "masked",
        "objectives",
        "monitor",
        "clinic",
        "traps",
        "scaling",
        "budget",
        "planner",
        "distributed",
    ),
    _chapter(
        3, "alignment", "tune",
        "sft",
        "lora",
        "hf",
        "reward",
        "rlhf",
        "dpo",
        "safety",
    ),
    _chapter(
        4, "inference", "speed",
        "quantisation",
        "pruning",
        "distillation",
        "kv_cache",
        "flash",
        "decoding",
        "board",
        "production",
    ),
    _chapter(
        5, "frontier", "rocket_launch",
        "multimodal",
        "tools",
        "reasoning",
        "retrieval",
        "guard",
        "ecosystem",
    ),
)  # fmt: skip

COURSE = tuple(chapter for chapter in CHAPTERS if chapter.number)  # without the side road

LABS: dict[str, LabSpec] = {lab.id: lab for chapter in CHAPTERS for lab in chapter.labs}


def after(lab: LabSpec) -> LabSpec | None:
    """The next lab of the course, on into the next chapter; None after the last."""
    order = list(LABS.values())
    return next(iter(order[order.index(lab) + 1 :]), None)


def used_by(mathematics: str) -> tuple[str, ...]:
    """The labs that name this one under `MATHEMATICS`."""
    return tuple(lab for lab, needed in MATHEMATICS.items() if mathematics in needed)


def chapter(id: str) -> ChapterSpec:
    return next(chapter for chapter in CHAPTERS if chapter.id == id)
