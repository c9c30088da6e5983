"""What is hidden together: single tokens, whole words, or spans of words.

A token is often a piece of a word, and a piece is easily guessed from its neighbour. Whole-word masking
(in BERT's code since 2019; for Chinese arXiv:1906.08101) hides all pieces of a word at once, SpanBERT
(arXiv:1907.10529) runs of words. Both spend the same budget of tokens as the plain rule.

A word is a space and what follows it without one, a run of letters, or one token of a language that
writes no spaces: Chinese words are those of the vocabulary. Whole-word masking for Chinese elsewhere asks
a segmenter.

B batch, T position.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from labcore.errors import LabInputError
from labcore.text.bpe import HAN
from labcore.text.masking import choose_tokens, wanted
from labcore.text.tokenizer import Tokenizer

UNITS = ("token", "word", "span")
SPAN_STOP = 0.2  # chance that a span ends after each of its words: SpanBERT's p
MOST_WORDS = 10  # of a span; what is left of the geometric distribution has a mean of 3.8 words
LETTER, JOINED, OTHER = range(3)  # how a token begins or ends; JOINED: amid a character's bytes
_HAN = re.compile(f"[{HAN}]")


def choose(
    unit: str, words: Tensor, maskable: Tensor, rate: float, generator: torch.Generator
) -> Tensor:
    """Which tokens of each row are chosen, the budget being `wanted(maskable, rate)`.  (B, T) bool

    `words` (B, T) numbers the words of each row.
    """
    if unit not in UNITS:
        raise LabInputError("unit", unit, "known_choice", allowed=UNITS)
    if unit == "token":
        return choose_tokens(maskable, rate, generator)
    pick = pick_words if unit == "word" else pick_spans
    chosen = torch.zeros_like(maskable)
    budgets = wanted(maskable, rate).int().tolist()
    for row, budget in enumerate(budgets):
        groups = grouped(words[row].tolist(), maskable[row].tolist())
        chosen[row, pick(groups, budget, generator)] = True
    return chosen


def pick_words(groups: list[list[int]], budget: int, generator: torch.Generator) -> list[int]:
    """Words in random order until the budget is spent; one too long for what is left is passed over."""
    picked: list[int] = []
    for number in torch.randperm(len(groups), generator=generator).tolist():
        word = groups[number]
        if len(picked) + len(word) <= budget or not picked:
            picked += word
    return picked


def pick_spans(groups: list[list[int]], budget: int, generator: torch.Generator) -> list[int]:
    """Runs of words from random places until the budget is spent; the last run is cut short."""
    picked: list[int] = []
    left = list(range(len(groups)))  # words not picked yet
    while left and len(picked) < budget:
        start = left[int(torch.randint(len(left), (), generator=generator))]
        length = 1 + int(span_lengths().multinomial(1, generator=generator))
        for number in range(start, min(start + length, len(groups))):
            if number in left and len(picked) < budget:
                picked += groups[number]
                left.remove(number)
    return picked


@lru_cache(maxsize=1)
def span_lengths() -> Tensor:
    """How likely a span of 1, 2, … MOST_WORDS words is, up to a factor: (1 − p)^(n − 1)."""
    return (1 - SPAN_STOP) ** torch.arange(MOST_WORDS)


def grouped(words: Sequence[int], maskable: Sequence[bool]) -> list[list[int]]:
    """The maskable positions of one row, word by word."""
    groups: dict[int, list[int]] = {}
    for position, (word, may) in enumerate(zip(words, maskable, strict=True)):
        if may:
            groups.setdefault(word, []).append(position)
    return list(groups.values())


def word_numbers(tokens: Tensor, tokenizer: Tokenizer) -> Tensor:
    """The word that each token belongs to, counted from 0 in each row.  (B, T) -> (B, T)"""
    begins, ends = edges(tokenizer)
    first, last = begins[tokens], ends[tokens]
    inside = (first[:, 1:] == LETTER) & (last[:, :-1] == LETTER)
    goes_on = torch.zeros_like(tokens, dtype=torch.bool)
    goes_on[:, 1:] = inside | (first[:, 1:] == JOINED)
    return (~goes_on).long().cumsum(dim=1) - 1


@lru_cache(maxsize=8)
def edges(tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    """How every token of a vocabulary begins and ends.  (V,), (V,)"""
    pieces = [tokenizer.token_bytes(token) for token in range(tokenizer.vocab_size)]
    return (
        torch.tensor([_begins(piece) for piece in pieces]),
        torch.tensor([_ends(piece) for piece in pieces]),
    )


def _begins(piece: bytes) -> int:
    if piece and 0x80 <= piece[0] < 0xC0:  # UTF-8: never the first byte of a character
        return JOINED
    text = piece.decode(errors="ignore")
    return LETTER if text and _is_letter(text[0]) else OTHER


def _ends(piece: bytes) -> int:
    text = piece.decode(errors="ignore")
    return LETTER if text and _is_letter(text[-1]) else OTHER


def _is_letter(character: str) -> bool:
    return character.isalnum() and not _HAN.match(character)
