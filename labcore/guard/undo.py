"""Undoing disguises: the readings under which a guard looks at a text.

Nobody knows which disguise was used, so all that can be undone is undone, and the guard takes the highest
score over all readings. That is the price, too: a harmless text has as many readings in which it may look
bad.

Sources: Unicode normalisation form NFKC (UAX 15); confusable letters (UTS 39).
"""

import base64
import binascii
import re
import unicodedata

from labcore.guard.disguise import LOOK_ALIKE

LATIN = {other: letter for letter, other in LOOK_ALIKE.items()}
INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
UNLEET = str.maketrans("431057", "aeiost")
BASE64 = re.compile(r"[A-Za-z0-9+/]{12,}={0,2}")
PIECES = re.compile(r"[\n.!?。！？]+")
MOST_SIGNS = 4000
MOST_READINGS = 24


def canonical(text: str) -> str:
    """Wide forms narrow, invisible signs away, look-alikes Latin, lower case."""
    text = INVISIBLE.sub("", unicodedata.normalize("NFKC", text[:MOST_SIGNS]))
    return "".join(LATIN.get(sign, sign) for sign in text).lower()


def joined(text: str) -> str:
    """Letters that stand alone, put together again: "o p e n  i t" becomes "open it"."""
    if len(re.findall(r"(?<!\S)\S(?!\S)", text)) < len(text.split()) * 0.7:
        return text
    return re.sub(r"[^\S\n]{2,}", " ", re.sub(r"(?<=\S) (?=\S)", "", text))


def decoded(text: str) -> list[str]:
    """What stands in base64, where that gives readable UTF-8."""
    found = []
    for run in BASE64.findall(text)[:4]:
        try:
            raw = base64.b64decode(run + "=" * (-len(run) % 4), validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            continue
        # Signs of no width and line breaks are not printable; a text may hold both.
        if INVISIBLE.sub("", raw).replace("\n", "").isprintable():
            found.append(raw)
    return found


def readings(text: str) -> list[str]:
    """The text as it stands and every way it can be read, each once, at most `MOST_READINGS`."""
    waiting, found = [text[:MOST_SIGNS]], []
    while waiting and len(found) < MOST_READINGS:
        one = waiting.pop(0)
        if not one.strip() or one in found:
            continue
        found.append(one)
        plain = unicodedata.normalize("NFKC", one)
        waiting += decoded(INVISIBLE.sub("", "".join(LATIN.get(s, s) for s in plain)))
        tidy = joined(canonical(one))
        waiting.append(tidy)
        if re.search(r"[a-z][431057]|[431057][a-z]", tidy):
            waiting.append(tidy.translate(UNLEET))
        pieces = [piece.strip() for piece in PIECES.split(tidy) if piece.strip()]
        waiting += pieces[-6:] if len(pieces) > 2 else []
    return found
