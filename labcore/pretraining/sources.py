"""Where the raw text of the data pipeline comes from: built-in text, the micro-world, a learner's own.

Beside them stand documents with flaws put in on purpose (`planted`).  Each says what it is, so that
every stage can be judged by what it should have found.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.text import corpora
from labcore.text.cleaning import language_of
from labcore.text.world import stories

SOURCES = ("mixed", "english", "chinese", "world", "own")
KILOBYTES = (10, 400)
SECTION_CHARACTERS = 800  # a reference topic is a small book; its sections make better documents
OWN_TEXT_LIMIT = 400_000  # characters


@dataclass(frozen=True, slots=True)
class Document:
    text: str
    source: str  # "english", "chinese", "world", "own", or "planted"
    planted: str = ""  # the flaw: see `planted.KINDS`
    origin: int | None = None  # the document that it was made from
    edited: float = 0.0  # share of its characters that were replaced


@lab_config
class SourceConfig:
    source: str = "mixed"
    kilobytes: int = 150  # of each language
    own: tuple[str, ...] = ()  # a learner's documents, for source "own"
    planted: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise LabInputError("source", self.source, "known_choice", allowed=SOURCES)
        low, high = KILOBYTES
        if not low <= self.kilobytes <= high:
            raise LabInputError("kilobytes", self.kilobytes, "between", low=low, high=high)
        if self.source == "own" and not self.own:
            raise LabInputError("own_text", "", "not_empty")
        characters = sum(map(len, self.own))
        if characters > OWN_TEXT_LIMIT:
            raise LabInputError("own_text", characters, "at_most", limit=OWN_TEXT_LIMIT)


def available() -> tuple[str, ...]:
    """The sources that need nothing that is not installed."""
    if corpora.has_chinese_reviews():
        return SOURCES
    return tuple(name for name in SOURCES if name not in ("mixed", "chinese"))


def gather(config: SourceConfig) -> list[Document]:
    """The documents of a source in a random order, without the planted ones."""
    rng = torch.Generator().manual_seed(config.seed)
    if config.source == "own":
        return [Document(text, "own") for text in config.own]
    budget = config.kilobytes * 1000
    drawn = []
    if config.source in ("mixed", "english"):
        drawn += [Document(text, "english") for text in _some(_sections(), budget, rng)]
    if config.source in ("mixed", "chinese"):
        drawn += [Document(text, "chinese") for text in _some(_reviews(), budget, rng)]
    if config.source == "world":
        told = [story.text for story in stories(budget // 150, config.seed)]
        for language in ("en", "zh"):
            mine = [text for text in told if language_of(text) == language]
            drawn += [Document(text, "world") for text in _some(mine, budget, rng)]
    order = torch.randperm(len(drawn), generator=rng).tolist()
    return [drawn[at] for at in order]


def _some(texts: Sequence[str], budget_bytes: int, rng: torch.Generator) -> list[str]:
    """Texts in random order until the budget is spent, or all of them."""
    chosen, spent = [], 0
    for at in torch.randperm(len(texts), generator=rng).tolist():
        if spent >= budget_bytes:
            break
        chosen.append(texts[at])
        spent += len(texts[at].encode(errors="replace"))
    return chosen


@lru_cache(maxsize=1)
def _reviews() -> list[str]:
    return corpora.chinese_reviews()


@lru_cache(maxsize=1)
def _sections() -> list[str]:
    """Paragraphs of Python's reference topics, joined until a section has 800 characters."""
    cut = []
    for topic in corpora.python_topics():
        section = ""
        for paragraph in topic.split("\n\n"):
            section += paragraph + "\n\n"
            if len(section) >= SECTION_CHARACTERS:
                cut.append(section.strip())
                section = ""
        if section.strip():
            cut.append(section.strip())
    return cut


def documents_in(text: str) -> tuple[str, ...]:
    """A learner's text as documents: JSON lines with a field "text", or paragraphs between blank lines."""
    lines = [line for line in text.splitlines() if line.strip()]
    if lines and all(line.lstrip().startswith("{") for line in lines):
        try:
            rows = [json.loads(line) for line in lines]
        except (ValueError, RecursionError):
            rows = []
        told = [row.get("text") for row in rows if isinstance(row, dict)]
        if told and all(isinstance(one, str) for one in told):
            return tuple(one for one in told if one.strip())
    return tuple(part.strip() for part in re.split(r"\n\s*\n", text) if part.strip())
