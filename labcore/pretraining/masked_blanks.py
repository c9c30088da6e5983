"""Where a learner puts blanks: a text with words in brackets, as tokens some of which are hidden.

`The [grey] frog` hides a word that stays known; `The [] frog`, `[MASK]`, `____` or 【？】 leaves a blank
whose filling nobody knows. Brackets around part of a token hide the whole token.

Byte-level tokens never mix two words, so where a token stands follows from the bytes before it.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from labcore.text.tokenizer import Tokenizer

BRACKETS = re.compile(r"\[([^\[\]]*)\]|_{2,}|【[?？]?】")
UNKNOWN = ("", "?", "？", "mask")  # what in brackets stands for nothing


@dataclass(frozen=True, slots=True)
class Blanks:
    """A text as tokens; a blank of which nobody knows the word is the mask token itself."""

    ids: tuple[int, ...]
    hidden: tuple[int, ...]  # positions whose token is known, and not shown
    unknown: tuple[int, ...]  # positions of the mask token

    @property
    def gaps(self) -> tuple[int, ...]:
        return tuple(sorted((*self.hidden, *self.unknown)))


def read(text: str, tokenizer: Tokenizer) -> Blanks:
    """The tokens of a text with brackets."""
    ids: list[int] = []
    hidden: list[int] = []
    unknown: list[int] = []
    for number, (plain, spans) in enumerate(_segments(text)):
        if number:
            unknown.append(len(ids))
            ids.append(tokenizer.mask_id)
        at = 0
        for token in tokenizer.encode(plain):
            end = at + len(tokenizer.token_bytes(token))
            if any(at < stop and start < end for start, stop in spans):
                hidden.append(len(ids))
            ids.append(token)
            at = end
    return Blanks(tuple(ids), tuple(hidden), tuple(unknown))


def _segments(text: str) -> list[tuple[str, list[tuple[int, int]]]]:
    """The text between unknown blanks, each piece with the byte spans that its brackets held.

    subtle: a token carries the space before its word, so the space before an unknown blank goes with it.
    """
    segments, plain, spans, at = [], "", [], 0
    for found in BRACKETS.finditer(text):
        plain += text[at : found.start()]
        at = found.end()
        held = (found.group(1) or "").strip()
        if held.lower() in UNKNOWN:
            segments.append((plain.rstrip(" "), spans))
            plain, spans = "", []
        else:
            start = len(plain.encode(errors="replace"))
            plain += held
            spans.append((start, len(plain.encode(errors="replace"))))
    return [*segments, (plain + text[at:], spans)]


def write(ids: Collection[int], hidden: Collection[int], tokenizer: Tokenizer) -> str:
    """The text that `read` gives back as these tokens, brackets around the hidden ones.

    A character whose bytes are spread over tokens is put into brackets as a whole.
    """
    said, waiting, covered = "", b"", False
    for position, token in enumerate(ids):
        if token == tokenizer.mask_id:
            said += _bracketed(waiting, covered) + " []"
            waiting, covered = b"", False
            continue
        waiting += tokenizer.token_bytes(token)
        covered = covered or position in hidden
        if _whole(waiting):
            said += _bracketed(waiting, covered)
            waiting, covered = b"", False
    return (said + _bracketed(waiting, covered)).removeprefix(" ")


def toggled(text: str, position: int, tokenizer: Tokenizer) -> str:
    """The text with one token more hidden, or shown again; an unknown blank stays one."""
    blanks = read(text, tokenizer)
    if not 0 <= position < len(blanks.ids) or position in blanks.unknown:
        return text
    hidden = set(blanks.hidden) ^ {position}
    return write(blanks.ids, hidden, tokenizer)


def _whole(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _bracketed(data: bytes, covered: bool) -> str:
    text = data.decode(errors="replace")
    if not covered:
        return text
    word = text.lstrip(" ")
    return " " * (len(text) - len(word)) + f"[{word}]"
