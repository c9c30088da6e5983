"""The map of open models: read from plain files, checked when read, filtered by what one needs.

Each model names where its facts stand; a fact that is not stated there is None and never a guess.
"""

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from labcore.errors import LabInputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "ecosystem"
ATTENTION = ("mha", "gqa", "mla", "sliding")
KINDS = ("open", "conditions", "research")


@dataclass(frozen=True, slots=True)
class Licence:
    id: str
    name: str
    kind: str  # open: no conditions but to keep the notice; conditions; research
    commercial: bool
    restricted_use: bool  # a list of purposes that are forbidden
    source: str
    most_users: int | None = None  # monthly, beyond which the maker has to be asked


@dataclass(frozen=True, slots=True)
class OpenModel:
    name: str
    maker: str
    date: str  # "2024-04", or "2019" where only the year is known
    parameters: float
    context: int  # tokens
    attention: str
    licence: Licence
    sources: tuple[str, ...]
    active: float | None = None  # parameters that a token meets; None: all of them
    tokens: float | None = None  # of pre-training; None: not published
    preset: str | None = None  # of `model.presets`, where the cache can be worked out

    @property
    def year(self) -> float:
        """The date as a number; a year alone stands in its middle."""
        year, _, month = self.date.partition("-")
        return int(year) + ((int(month) - 0.5) / 12 if month else 0.5)


@lru_cache(maxsize=8)
def read(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def licences() -> dict[str, Licence]:
    return {id: Licence(id, **facts) for id, facts in read("licences").items() if id != "checked"}


@lru_cache(maxsize=1)
def models() -> tuple[OpenModel, ...]:
    """All of them, oldest first."""
    found = []
    for facts in read("models")["model"]:
        facts = {
            **facts,
            "licence": licences()[facts["licence"]],
            "sources": tuple(facts["sources"]),
        }
        if facts["attention"] not in ATTENTION:
            raise LabInputError("attention", facts["attention"], "known_choice", allowed=ATTENTION)
        found.append(OpenModel(**facts))
    return tuple(sorted(found, key=lambda one: (one.year, one.parameters)))


def checked() -> str:
    """The day on which the facts were last looked up."""
    return read("models")["checked"]


def chosen(
    everything: Sequence[OpenModel], kinds: Collection[str], attention: Collection[str],
    since: int, largest: float, mixtures: bool,
) -> list[OpenModel]:  # fmt: skip
    """Those under a licence of these kinds, with one of these attentions, from that year on, no larger than
    this in all their parameters; with `mixtures` only those that have experts."""
    return [
        one
        for one in everything
        if one.licence.kind in kinds
        and one.attention in attention
        and one.year >= since
        and one.parameters <= largest
        and (one.active is not None or not mixtures)
    ]
