"""The field's words in both languages: read from one plain file, checked when read, found in a text.

A term has a name in each language, one sentence of meaning in each, and the labs that explain it. It is
found in a text by its name, or by the forms listed in `find_en` and `find_zh`, where the bare name would
catch other words too ("key", 头).
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlencode

from app import catalog
from app.catalog import ROOT
from app.i18n import Language

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = ROOT / "assets" / "reference" / "glossary.toml"
PAGE = "reference"  # the page's URL; relative, so that it holds under any prefix
_UNSAFE = re.compile(
    r"[\"|$`\[\]<>\\*\n]"
)  # would end a link's title, or a cell, or be markdown in it


@dataclass(frozen=True, slots=True)
class Term:
    id: str
    en: str
    zh: str
    meaning_en: str
    meaning_zh: str
    labs: tuple[str, ...]  # that explain it, the best one first
    find_en: tuple[str, ...] = ()  # how it is found in a text; empty: by its name
    find_zh: tuple[str, ...] = ()

    def name(self, language: Language) -> str:
        return self.en if language == "en" else self.zh

    def meaning(self, language: Language) -> str:
        return self.meaning_en if language == "en" else self.meaning_zh

    def forms(self, language: Language) -> tuple[str, ...]:
        """What stands for the term in a text. English words in small letters also stand in the plural."""
        if language == "zh":
            return self.find_zh or (self.zh,)
        found = self.find_en or (self.en,)
        plural = [f"{form}s" for form in found if re.search(r"[a-rt-z]$", form)]
        return tuple(dict.fromkeys([*found, *plural]))

    @property
    def chapter(self) -> str:
        return catalog.LABS[self.labs[0]].chapter


@cache
def terms() -> tuple[Term, ...]:
    """All terms, in the order of the file; ValueError names the term that is wrong."""
    return checked(tomllib.loads(FILE.read_text(encoding="utf-8"))["term"])


def checked(entries: Sequence[dict]) -> tuple[Term, ...]:
    """The entries as terms: known labs, safe sentences, and no name, id or form twice."""
    found: list[Term] = []
    taken: dict[tuple[str, str], str] = {}
    for entry in entries:
        lists = {key: tuple(value) for key, value in entry.items() if isinstance(value, list)}
        term = Term(**{**entry, **lists})
        unknown = [lab for lab in term.labs if lab not in catalog.LABS]
        if unknown or not term.labs:
            raise ValueError(f"{term.id}: labs {unknown or 'missing'}")
        for text in (term.en, term.zh, term.meaning_en, term.meaning_zh):
            if not text or _UNSAFE.search(text):
                raise ValueError(f"{term.id}: {text!r} cannot stand in a link's title")
        said = [("id", term.id), ("en.name", term.en.lower()), ("zh.name", term.zh.lower())]
        said += [(lang, form.lower()) for lang in ("en", "zh") for form in term.forms(lang)]
        for key in said:
            if taken.setdefault(key, term.id) != term.id or (
                key[0] == "id" and found_id(found, term)
            ):
                raise ValueError(f"{term.id}: {key[1]!r} already stands for {taken[key]}")
        found.append(term)
    return tuple(found)


def found_id(found: Sequence[Term], term: Term) -> bool:
    return any(one.id == term.id for one in found)


def by_id(id: str | None) -> Term | None:
    return next((term for term in terms() if term.id == id), None)


def matching(query: str, chapter: str | None = None) -> list[Term]:
    """Terms with `query` in a name, a form or a meaning, of either language; names first.

    `chapter`: only those whose first lab stands in it.
    """
    wanted = query.strip().lower()
    near: list[Term] = []
    far: list[Term] = []
    for term in terms():
        if chapter and term.chapter != chapter:
            continue
        names = (term.en, term.zh, *term.forms("en"), *term.forms("zh"))
        if any(wanted in name.lower() for name in names):
            near.append(term)
        elif wanted in f"{term.meaning_en}\n{term.meaning_zh}".lower():
            far.append(term)
    return near + far


def address(term: Term, language: Language) -> str:
    """Where the term stands in the glossary.

    >>> address(by_id("token"), "zh")
    'reference?lang=zh&section=glossary&term=token'
    """
    return f"{PAGE}?{urlencode({'lang': language, 'section': 'glossary', 'term': term.id})}"
