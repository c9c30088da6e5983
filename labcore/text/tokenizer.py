"""What every tokenizer of the lab can do, and how one of its tokens is written on screen."""

from typing import Protocol

VISIBLE = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍"}


class Tokenizer(Protocol):
    """Text to ids and back.  The ids that a tokenizer lacks are None."""

    vocab_size: int
    bos_id: int | None
    eos_id: int | None
    pad_id: int | None
    mask_id: int | None

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, without special tokens."""
        ...

    def decode(self, ids: list[int]) -> str:
        """The text of `ids`; special tokens have none."""
        ...

    def token_bytes(self, token: int) -> bytes:
        """The bytes that one token stands for; empty for a special token."""
        ...

    def label(self, token: int) -> str:
        """One token as a person can read it."""
        ...


def label_bytes(data: bytes) -> str:
    """Bytes as a label: characters where they are whole, hexadecimal where they are not.

    A byte-level token may end in the middle of a character; the usual replacement sign would hide
    which bytes it holds.  Spaces and control characters become visible as well.

    >>> label_bytes(b" cat"), label_bytes("天".encode()[:2]), label_bytes(b"a\\xe5\\xa4")
    ('␣cat', '⟨E5 A4⟩', 'a⟨E5 A4⟩')
    """
    label, broken, rest = "", b"", data
    while rest:
        whole, bad, rest = _first_break(rest)
        if whole:
            label += _hexadecimal(broken) + "".join(map(_visible, whole))
            broken = b""
        broken += bad
    return label + _hexadecimal(broken)


def _first_break(data: bytes) -> tuple[str, bytes, bytes]:
    """Split into whole characters, the first bytes that form none, and what follows."""
    try:
        return data.decode(), b"", b""
    except UnicodeDecodeError as error:
        start, end = error.start, error.end
        return data[:start].decode(), data[start:end], data[end:]


def _hexadecimal(data: bytes) -> str:
    return f"⟨{data.hex(' ').upper()}⟩" if data else ""


def _visible(character: str) -> str:
    if character in VISIBLE:
        return VISIBLE[character]
    return character if character.isprintable() else _hexadecimal(character.encode())
