"""Documents, and questions of which one knows where the answer stands.

The bundled library tells of a town that does not exist, in two languages, so that no model can know the
answers from its training. Each document has two questions: one in its own words, one in other words. The
evidence of a question is a piece of the document, letter by letter.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tomllib

from labcore.errors import LabInputError

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "retrieval"
LANGUAGES = ("en", "zh")
KINDS = ("words", "meaning")  # asked in the document's own words, or in others


@dataclass(frozen=True, slots=True)
class Document:
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    answer: str  # what a right answer has in it
    evidence: str  # where that stands, word by word
    document: int  # in which document
    kind: str


@dataclass(frozen=True, slots=True)
class Library:
    documents: tuple[Document, ...]
    questions: tuple[Question, ...]


@cache
def bundled(language: str) -> Library:
    """The library that comes with the lab."""
    if language not in LANGUAGES:
        raise LabInputError("library", language, "known_choice", allowed=LANGUAGES)
    entries = tomllib.loads((ASSETS / f"{language}.toml").read_text(encoding="utf-8"))["document"]
    return Library(
        tuple(Document(entry["title"], entry["text"]) for entry in entries),
        tuple(
            Question(*entry[kind], number, kind)
            for number, entry in enumerate(entries)
            for kind in KINDS
        ),
    )
