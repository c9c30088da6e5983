"""A learner's own documents: typed in, or files. What is no text, too large or too much is refused.

A file is bytes with a name. The bytes must be UTF-8 text; the name is only shown, never used as a path.
Nothing in a document is carried out: it is searched, shown as it is, and read by a model.
"""

import re
import unicodedata
from collections.abc import Sequence

from labcore.errors import LabInputError
from labcore.retrieval.library import Document

MOST_BYTES = 60_000  # of one file
MOST_CHARACTERS = 30_000  # of all documents together
MOST_DOCUMENTS = 60
MOST_TITLE = 60
ENDINGS = (".txt", ".md")
ORDERS = "\t\n\r"  # the control characters that a text may have


def read_file(name: str, data: bytes) -> Document:
    """One file as a document.

    Raises LabInputError("file", name, …): "text_ending", "too_many_bytes", "utf8_text", "empty_file".
    """
    title = safe_title(name)
    if not name.lower().endswith(ENDINGS):
        raise LabInputError("file", title, "text_ending", name=title)
    if len(data) > MOST_BYTES:
        raise LabInputError("file", title, "too_many_bytes", name=title, limit=MOST_BYTES)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise LabInputError("file", title, "utf8_text", name=title) from None
    if any(unicodedata.category(letter) == "Cc" and letter not in ORDERS for letter in text):
        raise LabInputError("file", title, "utf8_text", name=title)
    if not text.strip():
        raise LabInputError("file", title, "empty_file", name=title)
    return Document(title, text.strip())


def safe_title(name: str) -> str:
    """The last part of a file's name, without what cannot be seen.

    >>> safe_title("../../etc/passwd.txt"), safe_title("..\\\\x\\u202e.md")
    ('passwd.txt', 'x.md')
    """
    last = re.split(r"[/\\]", name)[-1]
    shown = "".join(letter for letter in last if unicodedata.category(letter)[0] != "C")
    return shown.strip()[:MOST_TITLE] or "?"


def read_typed(text: str) -> tuple[Document, ...]:
    """Documents typed into a box, an empty line between two of them; the first words are the title."""
    seen = "".join(
        letter for letter in text.replace("\r\n", "\n").replace("\r", "\n")
        if letter in ORDERS or unicodedata.category(letter) not in ("Cc", "Cs")
    )  # fmt: skip
    parts = (part.strip() for part in re.split(r"\n[ \t]*\n", seen))
    return tuple(Document(title_of(part), part) for part in parts if part)


def title_of(text: str) -> str:
    """The first line, cut short."""
    line = safe_title(text.splitlines()[0].lstrip("# ").replace("/", " ").replace("\\", " "))
    return line if len(line) <= 30 else line[:29].rstrip() + "…"


def checked(documents: Sequence[Document]) -> tuple[Document, ...]:
    """The documents, if there are some and not too many."""
    if not any(document.text.strip() for document in documents):
        raise LabInputError("own", "", "not_empty")
    if len(documents) > MOST_DOCUMENTS:
        raise LabInputError("own", len(documents), "at_most_documents", limit=MOST_DOCUMENTS)
    characters = sum(len(document.text) for document in documents)
    if characters > MOST_CHARACTERS:
        raise LabInputError("own", characters, "at_most_characters", limit=MOST_CHARACTERS)
    return tuple(document for document in documents if document.text.strip())
