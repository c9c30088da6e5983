"""The forms of a word: how an entry of the lexicon reads where a sentence wants it.

An entry has a column per form and language, "language.form"; some forms are made by rule: `a` (English
article), `He` (a capital on `he`).  Column `weight` makes an entry more or less likely.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Entry = Mapping[str, str]

PRONOUNS = {
    "she": {"en.he": "she", "en.him": "her", "en.his": "her", "zh.他": "她"},
    "he": {"en.he": "he", "en.him": "him", "en.his": "his", "zh.他": "他"},
}


@dataclass(frozen=True, eq=False)
class Variable:
    """Something that a story decides once: who, where, which colour.

    `differs_from` names variables over the same table whose value it may not share.
    """

    name: str
    entries: tuple[Entry, ...]
    differs_from: tuple[str, ...] = ()

    def values(self, memory: Mapping[str, int]) -> list[tuple[float, int]]:
        """Each value's number with its probability, given what has been decided."""
        taken = {memory[name] for name in self.differs_from}
        weights = {
            value: float(entry.get("weight", 1))
            for value, entry in enumerate(self.entries)
            if value not in taken
        }
        total = sum(weights.values())
        return [(weight / total, value) for value, weight in weights.items()]


def form(entry: Entry, wanted: str, language: str) -> str:
    """One form of an entry; `wanted` is "" for the plain word."""
    column = f"{language}.{wanted}" if wanted else language
    if column in entry:
        return entry[column]
    if wanted == "a":
        return "an" if entry["en"][0] in "aeiou" else "a"
    lower = form(entry, wanted.lower(), language)
    return lower[0].upper() + lower[1:]


def table(columns: str, *rows: str) -> tuple[Entry, ...]:
    names = [name.strip() for name in columns.split("|")]
    entries = []
    for row in rows:
        cells = [cell.strip() for cell in row.split("|")]
        entry = dict(zip(names, cells, strict=True))
        entry |= PRONOUNS.get(entry.pop("pronoun", ""), {})
        entries.append(entry)
    return tuple(entries)
