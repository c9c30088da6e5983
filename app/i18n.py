"""Words: every sentence the reader meets, in Chinese and in English.

Strings are `assets/strings/<lang>/<name>.toml` (flat keys), prose is `assets/content/<lang>/<path>.md`
cut into sections by `<!-- section: name -->`. A missing key raises: a silent fallback to the other
language would hide a hole until a learner falls into it.
"""

import re
import sys
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from app.catalog import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
LANGUAGE_NAMES = {"zh": "中文", "en": "English"}
_SECTION = re.compile(r"^<!-- section: (\w+) -->\s*$", re.MULTILINE)


@cache
def strings(language: Language, name: str) -> dict[str, str]:
    """All strings of one file; tables are flattened to dotted keys."""
    path = ROOT / "assets" / "strings" / language / f"{name}.toml"
    return dict(_flatten(tomllib.loads(path.read_text(encoding="utf-8"))))


def _flatten(table: dict, prefix: str = ""):
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@cache
def prose(language: Language, path: str) -> dict[str, str]:
    """The sections of `assets/content/<language>/<path>.md`, in their order."""
    text = (ROOT / "assets" / "content" / language / f"{path}.md").read_text(encoding="utf-8")
    parts = _SECTION.split(text)
    return {name: body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}


@dataclass(frozen=True, slots=True)
class Words:
    """Looks words up in one language: first in the lab's own file, then in those all labs share."""

    language: Language
    lab: str | None = None

    def __call__(self, key: str, **numbers: object) -> str:
        """The string under `key`, its `{placeholders}` filled in; KeyError if there is none."""
        found = self.find(key)
        if found is None:
            raise KeyError(f"no string {key!r} for lab {self.lab!r} in {self.language!r}")
        return found.format(**numbers) if numbers else found

    def find(self, key: str) -> str | None:
        """The raw string under `key`, or None where a string is optional (a knob's help)."""
        for name in (self.lab, "common", "errors"):
            if name and key in (table := strings(self.language, name)):
                return table[key]
        return None


def preferred(locale: str | None) -> Language:
    """The language a first visitor meets, from the browser's locale.

    >>> preferred("zh-CN"), preferred("de"), preferred(None)
    ('zh', 'en', 'en')
    """
    return "zh" if (locale or "").lower().startswith("zh") else "en"
