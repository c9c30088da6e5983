"""From what a learner typed to the tokens that a model reads, cut to what a picture can show.

Text may be anything: empty, 100,000 characters, emoji, right to left. Only emptiness is an error; what
is too long is cut, and the cut is counted so that the page can say so.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from labcore.errors import LabInputError
from labcore.text.bpe import HAN
from labcore.text.tokenizer import Tokenizer
from labcore.zoo.cards import LoadedModel

MAX_TOKENS = 64  # in one picture, special tokens included
MAX_CHARACTERS = 2000  # tokenised at most: 64 tokens of ordinary text are some 300 characters
HAN_CHARACTER = re.compile(f"[{HAN}]")
# subtle: a token of the lab's alphabet begins with the space before the word; the mask hides both.
MASK = re.compile(r"\s*(?:\[MASK\]|<mask>|【[?？]】)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Prompt:
    """The tokens of one text, as the model reads them."""

    ids: tuple[int, ...]  # (T,)
    labels: tuple[str, ...]  # (T,) readable, bytes of a split character as ⟨E5 A4⟩
    pieces: tuple[bytes, ...]  # (T,) the bytes behind each label; b"" for a special token
    dropped_tokens: int = 0  # cut off the end
    dropped_characters: int = 0  # beyond MAX_CHARACTERS, never tokenised


def read_for(loaded: LoadedModel, text: str, target: str = "") -> tuple[Prompt, Prompt | None]:
    """What the model reads: its tokens, and for an encoder-decoder the encoder's input beside them.

    `target` is what a translator has written so far; empty, only the tokens that say "begin".
    """
    kind = loaded.card.kind
    begin, end = frame(loaded, text)
    if kind == "decoder":
        return read_text(text, loaded.tokenizer, begin), None
    context = read_text(text, loaded.tokenizer, begin, end)
    if kind == "encoder":
        return context, None
    start = start_tokens(loaded.tokenizer, loaded.card.family)
    if not target.strip():
        return as_prompt(start, loaded.tokenizer), context
    return read_text(target, loaded.tokenizer, start, field="target"), context


def frame(loaded: LoadedModel, text: str) -> tuple[list[int], list[int]]:
    """The special tokens between which the model was trained to see a text.

    A bundled model's text begins with its language, after <|bos|> except at a translator's source,
    which is always English.
    """
    tokenizer = loaded.tokenizer
    if loaded.card.family != "lab":
        return list(tokenizer.opening_ids), list(tokenizer.closing_ids)
    if loaded.card.kind == "encoder_decoder":
        return present(tokenizer.special_id("<|en|>")), present(tokenizer.eos_id)
    language = tokenizer.special_id(f"<|{language_of(text)}|>")
    return present(tokenizer.bos_id, language), present(tokenizer.eos_id)


def start_tokens(tokenizer: Tokenizer, family: str) -> list[int]:
    """What a translation begins with: T5's padding token, the lab's <|bos|> <|zh|>."""
    if family != "lab":
        return present(tokenizer.pad_id)
    return present(tokenizer.bos_id, tokenizer.special_id("<|zh|>"))


def language_of(text: str) -> str:
    """Chinese if there is a Chinese character in it, else English: all that the bundled models know."""
    return "zh" if HAN_CHARACTER.search(text) else "en"


def read_text(
    text: str,
    tokenizer: Tokenizer,
    before: Sequence[int] = (),
    after: Sequence[int] = (),
    field: str = "text",
) -> Prompt:
    """Tokenise `text` between special tokens; a mask mark in it becomes the tokenizer's mask token.

    Raises LabInputError(field, text, "not_empty") if nothing but white space was typed.
    """
    ids = encode_with_masks(text[:MAX_CHARACTERS], tokenizer) if text.strip() else []
    if not ids:
        raise LabInputError(field, text[:MAX_CHARACTERS], "not_empty")
    room = MAX_TOKENS - len(before) - len(after)
    prompt = as_prompt([*before, *ids[:room], *after], tokenizer)
    return replace(
        prompt,
        dropped_tokens=max(0, len(ids) - room),
        dropped_characters=max(0, len(text) - MAX_CHARACTERS),
    )


def as_prompt(ids: Sequence[int], tokenizer: Tokenizer) -> Prompt:
    """Ids with the labels and bytes behind them."""
    return Prompt(
        ids=tuple(ids),
        labels=tuple(tokenizer.label(token) for token in ids),
        pieces=tuple(tokenizer.token_bytes(token) for token in ids),
    )


def encode_with_masks(text: str, tokenizer: Tokenizer) -> list[int]:
    """Ids of the bare text, with [MASK] or 【?】 as the mask token where the tokenizer has one."""
    if tokenizer.mask_id is None:
        return tokenizer.encode(text)
    ids = []
    for index, piece in enumerate(MASK.split(text)):
        ids += ([tokenizer.mask_id] if index else []) + tokenizer.encode(piece)
    return ids


def present(*tokens: int | None) -> list[int]:
    """Those special tokens that the tokenizer has."""
    return [token for token in tokens if token is not None]
