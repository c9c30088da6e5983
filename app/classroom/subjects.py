"""What a poll asks: a lab's prediction, a lab's statement, or a question that the teacher typed.

Of the first two only the place is stored, so everybody reads them in their own language. The third is plain
text, and is shown as nothing else.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache

from app import catalog, i18n, practice
from app.i18n import Words
from labcore.errors import LabInputError

KINDS = ("prediction", "statement", "own")
QUESTION_LIMIT, CHOICE_LIMIT = 300, 120  # characters
FEWEST_CHOICES, MOST_CHOICES = 2, 6
VERDICTS = ("true", "false")


@dataclass(frozen=True, slots=True)
class Subject:
    kind: str
    lab: str = ""
    item: str = ""  # the prediction's id, or the statement's number from 1
    text: str = ""  # the teacher's own question
    options: tuple[str, ...] = ()  # and its choices

    def __post_init__(self):
        if self.kind == "own":
            _check_own(self.text, self.options)
        elif self.kind == "prediction":
            if self.item not in predictions(self.lab):
                raise LabInputError("question", self.item, "known_question")
        elif self.kind != "statement" or not _is_statement(self.lab, self.item):
            raise LabInputError("question", self.item, "known_question")

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @property
    def is_plain(self) -> bool:
        """Whether the words are the teacher's, and so no markdown."""
        return self.kind == "own"

    def question(self, words: Words) -> str:
        if self.kind == "own":
            return self.text
        if self.kind == "statement":
            return self._asked(words).text
        return Words(words.language, self.lab)(f"predict.{self.item}")

    def choices(self, words: Words) -> list[str]:
        if self.kind == "own":
            return list(self.options)
        if self.kind == "statement":
            return [words(f"question.{verdict}") for verdict in VERDICTS]
        read = Words(words.language, self.lab)
        return [
            read(f"predict.{self.item}.{option}") for option in predictions(self.lab)[self.item]
        ]

    def count(self) -> int:
        return len(self.choices(Words("en")))

    def truth(self) -> int | None:
        """The choice that is right, where that does not take an experiment to find out."""
        return VERDICTS.index(self._asked(Words("en")).kind) if self.kind == "statement" else None

    def why(self, words: Words) -> str | None:
        """What is said when the result is shown."""
        if self.kind == "statement":
            return self._asked(words).answer
        if self.kind == "prediction":
            return Words(words.language, self.lab)(f"predict.{self.item}.why")
        return None

    def _asked(self, words: Words) -> practice.Asked:
        return practice.statements(catalog.LABS[self.lab], words.language)[int(self.item) - 1]


def own(question: str, lines: str) -> Subject:
    """The teacher's question; each line that is not empty is a choice."""
    choices = [line.strip() for line in lines.splitlines() if line.strip()]
    return Subject("own", text=question.strip(), options=tuple(choices))


def from_json(stored: str) -> Subject | None:
    """What `to_json` wrote; None if its lab no longer asks that."""
    try:
        told = json.loads(stored)
        return Subject(**{**told, "options": tuple(told["options"])})
    except (LabInputError, ValueError, TypeError, KeyError):
        return None


@cache
def predictions(lab: str) -> dict[str, tuple[str, ...]]:
    """A lab's predictions with choices, and their choices. One that asks for a number cannot be a poll."""
    if lab not in catalog.LABS:
        return {}
    keys = list(i18n.strings("en", lab))
    ids = [found[1] for key in keys if (found := re.fullmatch(r"predict\.(\w+)", key))]
    choices = {
        id: tuple(
            key.removeprefix(f"predict.{id}.")
            for key in keys
            if key.startswith(f"predict.{id}.") and not key.endswith(".why")
        )
        for id in ids
    }
    return {id: options for id, options in choices.items() if len(options) >= FEWEST_CHOICES}


def _is_statement(lab: str, number: str) -> bool:
    known = lab in catalog.LABS and number.isascii() and number.isdecimal()
    return known and 1 <= int(number) <= len(practice.statements(catalog.LABS[lab], "en"))


def _check_own(text: str, options: Sequence[str]) -> None:
    if not text:
        raise LabInputError("question", text, "not_empty")
    if len(text) > QUESTION_LIMIT:
        raise LabInputError("question", len(text), "at_most_characters", limit=QUESTION_LIMIT)
    if not FEWEST_CHOICES <= len(options) <= MOST_CHOICES:
        limits = {"low": FEWEST_CHOICES, "high": MOST_CHOICES}
        raise LabInputError("choices", len(options), "choices_between", **limits)
    if max(map(len, options)) > CHOICE_LIMIT:
        raise LabInputError(
            "choices", max(map(len, options)), "at_most_characters", limit=CHOICE_LIMIT
        )
