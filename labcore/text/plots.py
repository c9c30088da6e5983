"""What a plot is: an event per line, told in English and in Chinese.

A plot is a row of beats; a beat is a row of lines, of which one happens, whatever the language.  Both
languages of a line tell the same event, so that a story's translation is another telling of the same
decisions.  Wordings in parentheses are free in each language (`grammar.py` explains the notation); they
are what makes translation uncertain.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One event in both languages; `weight` against the other lines of its beat."""

    en: str
    zh: str
    weight: float = 1.0


Beat = tuple[Line, ...]
Plot = tuple[Beat, ...]
