"""A small world with a register of facts, and questions that take several look-ups and a sum.

Islands own things: "Oru has 47 boats". The numbers are drawn anew for every world, so they cannot be
learned by heart: whoever wants to know must look. Every question has a checker, since the facts are known.

What an agent reads and writes is one text of words; digits stand alone.

    how many more boats does Oru have than Tavi ?
    search Oru boats ;         result Oru has 4 7 boats ;
    search Tavi boats ;        result error ;
    search Tavi boats ;        result Tavi has 1 2 boats ;
    calculate 4 7 - 1 2 ;      result 3 5 ;
    answer 3 5 ;
"""

import re
from collections.abc import Sequence

import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError

NAMES = tuple(
    ["Oru", "Tavi", "Miro", "Sel", "Pano", "Kest", "Luma", "Dren", "Hala", "Bova", "Nira", "Quil"]
)
THINGS = tuple(["boats", "goats", "wells", "mills", "bells", "kites"])
KINDS = ("one", "more", "both", "three")
LARGEST = 99
ERROR = "error"
WORDS = (
    "·", ";", "?", "+", "-", *"0123456789", "search", "calculate", "answer", "result", ERROR,
    *["how", "many", "more", "does", "do", "have", "has", "than", "and", "together"], *NAMES, *THINGS,
)  # fmt: skip
PAD = 0
END = ";"
ID = {word: number for number, word in enumerate(WORDS)}
WHOLE_WORDS = re.compile(r"[A-Za-z]+|\d|[?;+-]")
Facts = dict[tuple[str, str], int]


@lab_config
class Task:
    kind: str
    names: tuple[str, ...]
    thing: str

    def __post_init__(self):
        if self.kind not in KINDS:
            raise LabInputError("kind", self.kind, "known_choice", allowed=KINDS)

    @property
    def text(self) -> str:
        first, *others = self.names
        return {
            "one": f"how many {self.thing} does {first} have ?",
            "more": f"how many more {self.thing} does {first} have than {''.join(others[:1])} ?",
            "both": f"how many {self.thing} do {' and '.join(self.names)} have together ?",
            "three": f"how many {self.thing} do {' and '.join(self.names)} have together ?",
        }[self.kind]

    @property
    def calls(self) -> int:
        """How many tool calls it takes if none fails."""
        return len(self.names) + (self.kind != "one")


def draw_facts(generator: torch.Generator) -> Facts:
    """A world: how many of each thing every island has."""
    values = torch.randint(1, LARGEST + 1, (len(NAMES), len(THINGS)), generator=generator)
    return {
        (name, thing): int(values[row, column])
        for row, name in enumerate(NAMES)
        for column, thing in enumerate(THINGS)
    }


def documents_of(facts: Facts) -> tuple[str, ...]:
    """The register, one line for each fact."""
    return tuple(f"{name} has {count} {thing}" for (name, thing), count in facts.items())


def draw_task(facts: Facts, generator: torch.Generator, kind: str = "") -> Task:
    """A question about this world; "more" asks for the larger one first."""
    if not kind:
        kind = KINDS[int(torch.randint(len(KINDS), (1,), generator=generator))]
    count = {"one": 1, "three": 3}.get(kind, 2)
    thing = THINGS[int(torch.randint(len(THINGS), (1,), generator=generator))]
    names = [NAMES[n] for n in torch.randperm(len(NAMES), generator=generator)[:count].tolist()]
    if kind == "more":
        names.sort(key=lambda name: -facts[name, thing])
    return Task(kind, tuple(names), thing)


def truth_of(task: Task, facts: Facts) -> int:
    """The checker: what the answer must be."""
    counts = [facts[name, task.thing] for name in task.names]
    return counts[0] - counts[1] if task.kind == "more" else sum(counts)


def expression_of(task: Task, facts: Facts) -> str:
    sign = "-" if task.kind == "more" else "+"
    return sign.join(str(facts[name, task.thing]) for name in task.names)


def words_in(text: str) -> list[str]:
    """A text as words of this world; what it does not know is left out.

    >>> words_in("Oru has 47 boats!")
    ['Oru', 'has', '4', '7', 'boats']
    """
    return [word for word in WHOLE_WORDS.findall(text) if word in ID]


def ids_of(words: Sequence[str]) -> list[int]:
    return [ID[word] for word in words]
