"""A published model's own tokenizer, with the few questions that every lab asks of a tokenizer.

The work is done by the `tokenizers` library from the model's `tokenizer.json`. What that library
does not tell is which bytes a token stands for; the three conventions in use are spelled out here.
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from labcore.errors import LabInputError
from labcore.text.tokenizer import label_bytes
from labcore.zoo import chat_template

ROLES = ("bos", "eos", "pad", "mask", "cls", "sep", "unk")
BLANK = "▁"  # U+2581, SentencePiece's blank


def gpt2_byte_of() -> dict[str, int]:
    """The byte behind each character of a byte-level BPE vocabulary (GPT-2).

    Bytes that print keep their own character; the other 68 are moved, in order, to U+0100 and on,
    so that a blank (0x20) is written "Ġ" (U+0120).
    """
    printing = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(0x100) if byte not in printing]
    moved = {chr(0x100 + index): byte for index, byte in enumerate(hidden)}
    return {chr(byte): byte for byte in printing} | moved


BYTE_OF = gpt2_byte_of()


class PublishedTokenizer:
    """The `Tokenizer` protocol over a model folder's `tokenizer.json` and `tokenizer_config.json`.

    `opening_ids` and `closing_ids` are what the model was trained to see around a text ([CLS] and
    [SEP] for BERT, nothing for SmolLM2). As with the lab's own tokenizer, a text can never produce
    a special token: "<|im_end|>" typed by a learner is ten characters.
    """

    def __init__(self, tokenizer: Tokenizer, settings: dict[str, Any]):
        tokenizer.no_truncation()  # MiniLM's file cuts at 128 tokens and pads up to them
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True  # in the library's words: "as ordinary text"
        self._tokenizer = tokenizer
        self._style = _style(json.loads(tokenizer.to_str()))
        added = tokenizer.get_added_tokens_decoder()
        self._added = {token: entry.content for token, entry in added.items()}
        self._special = {token: entry.content for token, entry in added.items() if entry.special}
        self._named = {role: _content(settings.get(f"{role}_token")) for role in ROLES}
        self._chat_template = _default_template(settings.get("chat_template"))
        self.opening_ids, self.closing_ids = _framing(tokenizer)

    @classmethod
    def from_folder(cls, folder: Path) -> "PublishedTokenizer":
        settings_path, template_path = (
            folder / "tokenizer_config.json",
            folder / "chat_template.jinja",
        )
        try:
            settings = {}
            if settings_path.exists():
                settings = json.loads(settings_path.read_text(encoding="utf-8"))
            if template_path.exists():
                settings["chat_template"] = template_path.read_text(encoding="utf-8")
            return cls(Tokenizer.from_file(str(folder / "tokenizer.json")), settings)
        except (
            Exception
        ) as error:  # the library raises nothing more precise for what it cannot read
            raise LabInputError("model_id", folder.name, "readable_tokenizer") from error

    @property
    def vocab_size(self) -> int:
        """How many tokens there are; a model's embedding may have a few rows to spare."""
        return self._tokenizer.get_vocab_size(with_added_tokens=True)

    @property
    def bos_id(self) -> int | None:
        """Stands before a text; BERT's [CLS] does."""
        return self._id("bos", "cls")

    @property
    def eos_id(self) -> int | None:
        """Ends a text or a turn; BERT's [SEP] does."""
        return self._id("eos", "sep")

    @property
    def pad_id(self) -> int | None:
        return self._id("pad")

    @property
    def mask_id(self) -> int | None:
        return self._id("mask")

    def encode(self, text: str) -> list[int]:
        """Text to ids.  A lone surrogate, which is no character, counts as U+FFFD."""
        well_formed = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return self._tokenizer.encode(well_formed, add_special_tokens=False).ids

    def decode(self, ids: Iterable[int]) -> str:
        """Ids to text; special tokens have none, half a character shows as U+FFFD."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=True)

    def token_bytes(self, token: int) -> bytes:
        """The bytes that a token stands for; none for a special token or a spare row."""
        if token < 0:
            raise LabInputError("token", token, "in_vocabulary", limit=self.vocab_size)
        written = self._tokenizer.id_to_token(token)
        if written is None or token in self._special:
            return b""
        if token in self._added:
            return self._added[token].encode()
        if self._style == "wordpiece":
            return written.removeprefix("##").encode()
        if self._style == "byte-level":
            return bytes(BYTE_OF[character] for character in written)
        if re.fullmatch("<0x[0-9A-F]{2}>", written):
            return bytes.fromhex(written[3:5])  # SentencePiece's byte fallback
        return written.replace(BLANK, " ").encode()

    def label(self, token: int) -> str:
        """The token as a person can read it; WordPiece keeps the "##" that says it goes on."""
        if token in self._special:
            return self._special[token]
        data = self.token_bytes(token)
        if not data:
            return f"⟨{token}⟩"
        goes_on = self._style == "wordpiece" and self._tokenizer.id_to_token(token) != data.decode()
        # A vocabulary may hold U+FFFD itself, which on screen means "broken".
        return ("##" if goes_on else "") + label_bytes(data).replace("\ufffd", "⟨EF BF BD⟩")

    def chat_prompt(self, user_text: str) -> str | None:
        """`user_text` as the first turn of a chat, up to where the model is to answer.

        For the eye; a model reads `chat_ids`. None if it has no chat template.
        """
        around = self._chat_frame(("user",), answering=True)
        return None if around is None else user_text.join(around)

    def chat_ids(self, user_text: str) -> list[int] | None:
        """The tokens of `chat_prompt`: special ones in the template, none in the learner's words."""
        return self.conversation_ids([("user", user_text)])

    def conversation_ids(self, turns: Sequence[tuple[str, str]]) -> list[int] | None:
        """The tokens of a conversation up to where the model is to speak; None without a template."""
        pieces = self.chat_pieces(turns, answering=True)
        return None if pieces is None else [token for _, ids in pieces for token in ids]

    def chat_pieces(
        self, turns: Sequence[tuple[str, str]], answering: bool = False
    ) -> list[tuple[str | None, list[int]]] | None:
        """A conversation as (role, ids), role None for what the template puts around the words.

        `turns` are (role, words); with `answering` it goes on to where the model is to speak.
        """
        around = self._chat_frame(tuple(role for role, _ in turns), answering)
        if around is None:
            return None
        first, *rest = around
        pieces: list[tuple[str | None, list[int]]] = [(None, self._template_ids(first))]
        for (role, words), after in zip(turns, rest, strict=True):
            pieces += [(role, self.encode(words)), (None, self._template_ids(after))]
        return pieces

    def _chat_frame(self, roles: Sequence[str], answering: bool) -> tuple[str, ...] | None:
        """What the template puts before, between and after the words; None if it cannot."""
        if self._chat_template is None:
            return None
        names = tuple((f"{role}_token", name) for role, name in self._named.items() if name)
        try:
            return chat_template.frame(self._chat_template, tuple(roles), answering, names)
        except chat_template.NoFrame:
            return None

    def _template_ids(self, text: str) -> list[int]:
        id_of = {name: token for token, name in self._special.items()}
        pieces = re.split("(" + "|".join(map(re.escape, id_of)) + ")", text) if id_of else [text]
        ids = []
        for piece in filter(None, pieces):
            ids += [id_of[piece]] if piece in id_of else self.encode(piece)
        return ids

    def _id(self, *roles: str) -> int | None:
        """The id of the first of these roles that the tokenizer fills."""
        for role in roles:
            name = self._named[role]
            token = None if name is None else self._tokenizer.token_to_id(name)
            if token is not None:
                return token
        return None


def _framing(tokenizer: Tokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The special tokens that the library puts before and after a text."""
    whole = tokenizer.encode("a")
    inside = [place for place, special in enumerate(whole.special_tokens_mask) if not special]
    return tuple(whole.ids[: inside[0]]), tuple(whole.ids[inside[-1] + 1 :])


def _style(specification: dict[str, Any]) -> str:
    """How the vocabulary writes bytes: "wordpiece", "byte-level" or "sentencepiece"."""
    if specification["model"]["type"] == "WordPiece":
        return "wordpiece"
    decoder = specification.get("decoder") or {}
    steps = {step["type"] for step in (decoder, *decoder.get("decoders", ())) if step}
    return "byte-level" if "ByteLevel" in steps else "sentencepiece"


def _content(token: Any) -> str | None:
    """A special token is published as a string or as a record of its properties."""
    return _text(token.get("content") if isinstance(token, dict) else token)


def _default_template(template: Any) -> str | None:
    """Some models publish several templates by name; a chat takes the default one."""
    if isinstance(template, list):
        template = {entry["name"]: entry["template"] for entry in template}.get("default")
    return _text(template)


def _text(given: Any) -> str | None:
    return given if isinstance(given, str) else None  # a file from outside may hold anything
