"""Cleaning raw text: one way to write everything, then rules that decide what is worth reading.

Normalising changes a document, filtering judges it.  Every rule measures one number and compares it with
a limit, so that what was thrown away, and why, can be looked at again.  The rules are those that large
corpora are made with, in their simplest form: C4 (arXiv:1910.10683), Gopher (arXiv:2112.11446, appendix
A.1), FineWeb (arXiv:2406.17557).
"""

import html
import re
import unicodedata
from dataclasses import dataclass

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError

FORMS = ("NFC", "NFKC", "none")
LANGUAGES = ("both", "zh", "en")
HASH_BASE = 0x9E3779B97F4A7C15  # odd, its bits well mixed: 2^64 over the golden ratio
REPEATED_WINDOW = 8  # characters; what occurred before in windows of this length counts as repeated
HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>|<!--.*?-->", re.DOTALL)
INVISIBLE = re.compile(r"[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u200b-\u200f\u2060\ufeff]")
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
# Eight digits and more, perhaps in groups: telephone, messenger and account numbers.
LONG_NUMBER = re.compile(r"(?<![\w.])\+?\d(?:[ -]?\d){7,}(?![\w.])", re.ASCII)
PIECES_OF_WRONG_DECODING = re.compile(r"[\u0080-\u00ff]{2}")


@lab_config
class NormaliseConfig:
    form: str = "NFC"  # NFKC also folds ， into , and ① into 1
    repair: bool = True  # UTF-8 that was read as Latin-1
    markup: bool = True  # take HTML tags out, &amp; becomes &
    spaces: bool = True  # runs of blanks become one; invisible characters go
    private: bool = True  # e-mail addresses and long numbers become placeholders

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise LabInputError("form", self.form, "known_choice", allowed=FORMS)


def normalise(text: str, config: NormaliseConfig) -> tuple[str, tuple[str, ...]]:
    """The text in one way of writing, and the names of the steps that changed it.

    Decoding comes first and masking last: an address hides behind &#64; until entities are read.
    """
    steps = (
        ("repair", config.repair, repair),
        ("markup", config.markup, lambda text: html.unescape(TAG.sub(" ", text))),
        ("form", config.form != "none", lambda text: unicodedata.normalize(config.form, text)),
        ("spaces", config.spaces, tidy_spaces),
        ("private", config.private, hide_private),
    )
    changed = []
    for name, wanted, step in steps:
        after = step(text) if wanted else text
        if after != text:
            changed.append(name)
        text = after
    return text, tuple(changed)


def repair(text: str) -> str:
    """Undo UTF-8 read as Latin-1 ("ä½\\xa0å¥½" for "你好"); text that was right stays as it is.

    Two bytes in a row above 0x7F are rare in real Latin-1 text and certain in misread UTF-8; and only
    bytes that are valid UTF-8 can be read again.
    """
    if not PIECES_OF_WRONG_DECODING.search(text):
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def tidy_spaces(text: str) -> str:
    text = INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = re.sub(r"(?<=\S)[^\S\n]+", " ", text)  # indentation stays: in code it has a meaning
    text = re.sub(r"[^\S\n]+$", "", text, flags=re.MULTILINE)
    return re.sub(r"\n(?:[^\S\n]*\n)+", "\n\n", text).strip()


def hide_private(text: str) -> str:
    return LONG_NUMBER.sub("<number>", EMAIL.sub("<email>", text))


@lab_config
class FilterConfig:
    least_characters: int = 20
    most_symbols: float = 0.35  # share of marks among the characters that are not blank
    most_repeated: float = 0.4  # share of the text that occurred in it before
    languages: str = "both"
    blocked: tuple[str, ...] = ()  # phrases that no document may hold

    def __post_init__(self) -> None:
        if self.least_characters < 0:
            raise LabInputError("least_characters", self.least_characters, "at_least", limit=0)
        for name in ("most_symbols", "most_repeated"):
            if not 0 <= getattr(self, name) <= 1:
                raise LabInputError(name, getattr(self, name), "between", low=0, high=1)
        if self.languages not in LANGUAGES:
            raise LabInputError("languages", self.languages, "known_choice", allowed=LANGUAGES)


@dataclass(frozen=True, slots=True)
class Signals:
    """What the rules look at, measured on one document."""

    characters: int
    symbols: float
    repeated: float
    language: str  # "zh", "en" or "other"


def measure(text: str) -> Signals:
    return Signals(len(text), symbol_share(text), repeated_share(text), language_of(text))


def first_failed(text: str, signals: Signals, config: FilterConfig) -> str | None:
    """The first rule that a document breaks, None if it may stay."""
    folded = text.casefold()
    rules = (
        ("short", signals.characters < config.least_characters),
        ("symbols", signals.symbols > config.most_symbols),
        ("repeated", signals.repeated > config.most_repeated),
        ("language", config.languages not in ("both", signals.language)),
        ("blocked", any(phrase.casefold() in folded for phrase in config.blocked)),
    )
    return next((name for name, broken in rules if broken), None)


def symbol_share(text: str) -> float:
    """Marks, signs and emoji among the characters that are not blank; 1 where there is no other."""
    visible = [character for character in text if not character.isspace()]
    if not visible:
        return 1.0
    return sum(not character.isalnum() for character in visible) / len(visible)


def repeated_share(text: str, window: int = REPEATED_WINDOW) -> float:
    """Of all windows of `window` characters, the share that occurred earlier in the same text.

    >>> repeated_share("abcdefgh" * 2)  # 9 windows; the last starts the text again
    0.1111111111111111
    """
    if len(text) < window:
        return 0.0
    hashes = window_hashes(text, window)
    return 1 - len(np.unique(hashes)) / len(hashes)


def language_of(text: str) -> str:
    """By script: "zh" from three Han characters in ten letters on, else "en" if seven in ten are
    Latin, else "other".  No statistics of words: good enough to part two languages, no more.
    """
    letters = [character for character in text if character.isalpha()]
    if not letters:
        return "other"
    han = sum(1 for character in letters if HAN.match(character)) / len(letters)
    if han >= 0.3:
        return "zh"
    latin = sum(1 for character in letters if character < "\u0250") / len(letters)
    return "en" if latin >= 0.7 else "other"


def window_hashes(text: str, size: int) -> np.ndarray:
    """A 64-bit hash of every run of `size` characters; of a shorter text, of the whole.  -> (W,) uint64

    A polynomial in an odd number: equal runs have equal hashes, and others collide about once in
    2^64.  uint64 arithmetic wraps around by itself.
    """
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(
        points + np.uint64(1), min(size, len(points))
    )
    # subtle: from the first power on; a factor of 1 would leave a change in the low bits alone.
    powers = [pow(HASH_BASE, power, 2**64) for power in range(1, windows.shape[1] + 1)]
    return (windows * np.array(powers, np.uint64)).sum(axis=1, dtype=np.uint64)


def phrases(lines: str) -> tuple[str, ...]:
    """A learner's list, one phrase a line."""
    return tuple(dict.fromkeys(filter(None, map(str.strip, lines.splitlines()))))
