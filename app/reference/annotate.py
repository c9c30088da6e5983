"""Terms of the glossary marked in a text: the first time each of them stands in the running prose.

A mark is a markdown link, `[term](reference?… "meaning")`: its title is the tooltip, the keyboard reaches it,
and on a phone, where nothing hovers, it leads to the glossary. Everything that is no running prose is left
alone: formulas, code, headings, links, comments and anything in square brackets.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache, lru_cache

from app import i18n
from app.i18n import Language
from app.reference import glossary
from app.reference.glossary import Term

PROTECTED = (
    r"```.*?```"  # a block of code
    r"|\$\$.*?\$\$|(?<!\\)\$(?:[^$\n]|\n(?!\s*\n))+\$"  # formulas
    r"|`[^`\n]+`"
    r"|^\#{1,6}[ \t][^\n]*$"  # headings
    r"|<!--.*?-->|<[a-zA-Z/][^>\n]*>"
    r"|!?\[(?:[^\[\]]|\[[^\[\]]*\])*\]\([^)]*\)|\[[^\[\]\n]*\]"  # links, and brackets of any kind
    r"|https?://\S+|:[a-z]+(?:/[a-z_]+)?:"  # addresses, icons
)
_PROTECTED = re.compile(PROTECTED, re.DOTALL | re.MULTILINE)


def annotate(
    text: str, language: Language, terms: Sequence[Term], address: Callable[[Term, Language], str]
) -> str:
    """`text` with the first occurrence of each term made a link to `address(term, language)`."""
    pattern, named = _finder(language, tuple(terms))
    plain = _PROTECTED.sub(lambda found: " " * len(found[0]), text)  # what stars may be counted in
    pieces: list[str] = []
    marked: set[str] = set()
    end = 0
    for found in pattern.finditer(text):
        if found.lastgroup is None:
            continue
        term = named[found.lastgroup]
        span = None if term.id in marked else _around_stars(plain, *found.span())
        if span is None or span[0] < end:
            continue
        pieces += [text[end : span[0]], "[", text[span[0] : span[1]], "]"]
        pieces.append(f'({address(term, language)} "{term.meaning(language)}")')
        marked.add(term.id)
        end = span[1]
    return "".join([*pieces, text[end:]])


@lru_cache(maxsize=8)
def _finder(language: Language, terms: tuple[Term, ...]) -> tuple[re.Pattern, dict[str, Term]]:
    """One pattern for what is protected and for every form of every term, the longest first.

    The forms are sorted by the letter they begin with: so most letters of a text cost a single look.
    """
    forms = [(form, term) for term in terms for form in term.forms(language)]
    forms.sort(key=lambda one: -len(one[0]))
    named = {f"t{number}": term for number, (_, term) in enumerate(forms)}
    groups: dict[str, list[str]] = {}
    for number, (form, _) in enumerate(forms):
        groups.setdefault(form[0].lower(), []).append(f"(?P<t{number}>{written(form)})")
    parts = [rf"(?=[`$\#<!\[h:])(?:{PROTECTED})"]
    for first, group in groups.items():
        border = f"(?<!{BORDER})" if LETTER.match(first) else ""
        begin = "".join(map(re.escape, dict.fromkeys((first, first.upper()))))
        parts.append(f"(?=[{begin}]){border}(?:{'|'.join(group)})")
    return re.compile("|".join(parts), re.DOTALL | re.MULTILINE), named


LETTER = re.compile("[A-Za-z0-9]")
BORDER = r"[A-Za-z0-9_\-–]"  # beside one of these a word is only a part of another


def written(form: str) -> str:
    """A form as it may stand in a text. Latin letters end at a word's border and may be written large,
    but for abbreviations (LoRA, DP), which are taken as they are; a space may be the end of a line."""
    text = r"(?:[ ]|\n[ \t]*)".join(map(re.escape, form.split(" ")))
    if not re.search(r"[A-Z]", form[1:]):
        text = f"(?i:{text})"
    return f"{text}(?!{BORDER})" if LETTER.match(form[-1]) else text


def _around_stars(plain: str, start: int, end: int) -> tuple[int, int] | None:
    """What becomes a link: the match, with the stars that make it bold, if they enclose it and nothing else.

    None if a star touches it on one side only: `**[` behind a Chinese letter, or `)**` before one, would
    no longer be bold.
    """
    before = len(plain[:start]) - len(plain[:start].rstrip("*"))
    after = len(plain[end:]) - len(plain[end:].lstrip("*"))
    if not before and not after:
        return start, end
    if before != after:
        return None
    paragraph = plain.rfind("\n\n", 0, start) + 1
    runs = re.findall(rf"(?<!\*)\*{{{before}}}(?!\*)", plain[paragraph : start - before])
    return None if len(runs) % 2 else (start - before, end + after)


@cache
def annotated(language: Language, path: str, section: str) -> str:
    """A section of the content with its terms marked; worked out once for each process."""
    return mark(i18n.prose(language, path)[section], language)


def mark(text: str, language: Language) -> str:
    """`text` with all terms of the glossary marked; the first call of a process learns the patterns."""
    return annotate(text, language, glossary.terms(), glossary.address)
