"""Four ways to tell the same passages, of which the teller knows one.

Telling a passage backwards, or swapping some words for others throughout, loses nothing: each is a
bijection of texts. So the lowest possible loss is the same number of nats for all four, and it is known.
All of them speak the teller's vocabulary: what no embedding has ever learnt, no companion of a block's
matrix can make up for.

Rows are `<|en|> passage <|eos|>`; the first token is given, the others are asked for.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from labcore.pretraining.small_world import PAD, endless_batches, floor_nats
from labcore.training.objectives import Batch, causal_batch, held_out_loss
from labcore.tuning import teller

TASKS = ("forwards", "backwards", "cipher", "both")  # "both": backwards and in cipher
OLD = "forwards"
SWAPPED = 40  # tokens that change places with each other in the cipher, in pairs


def retold(row: Sequence[int], task: str, key: Sequence[int]) -> list[int]:
    """A row as `task` tells it; `key[token]` is the token that the cipher writes in its place."""
    first, *middle, last = row  # <|en|> and <|eos|> stay where they are
    if task in ("backwards", "both"):
        middle = middle[::-1]
    if task in ("cipher", "both"):
        middle = [key[token] for token in middle]
    return [first, *middle, last]


@lru_cache(maxsize=1)
def cipher_key() -> tuple[int, ...]:
    """The commonest words change places: the 1st with the 21st, and so on.  (V,)"""
    known = teller.vocabulary()
    told = np.concatenate(teller.rows(teller.training_passages()))
    order = np.argsort(-np.bincount(told, minlength=known.size), kind="stable")
    words = [token for token in order.tolist() if is_word(known.label(token))][:SWAPPED]
    key = list(range(known.size))
    half = SWAPPED // 2
    for one, other in zip(words[:half], words[half:], strict=True):
        key[one], key[other] = other, one
    return tuple(key)


def is_word(label: str) -> bool:
    """Whether a token is a word with the space before it; in labels a space is ␣."""
    return label.startswith("␣") and label[1:].isalpha()


@lru_cache(maxsize=4)
def training_rows(task: str) -> list[list[int]]:
    return [retold(row, task, cipher_key()) for row in teller.rows(teller.training_passages())]


@lru_cache(maxsize=8)
def held_out(task: str, passages: int = teller.HELD_OUT) -> Batch:
    """The same passages for every task and every run."""
    told = teller.rows(teller.held_out_passages()[:passages])
    return causal_batch([retold(row, task, cipher_key()) for row in told], PAD)


@lru_cache(maxsize=2)
def lowest_nats(passages: int = teller.HELD_OUT) -> float:
    """What these passages leave to chance, whichever way they are told: nats per token."""
    return floor_nats(teller.held_out_passages()[:passages])


def losses(model: nn.Module, passages: int = teller.HELD_OUT) -> dict[str, float]:
    """Nats per token of every way of telling."""
    return {task: held_out_loss(model, [held_out(task, passages)]) for task in TASKS}


def batches(task: str, batch_size: int, generator: torch.Generator) -> Iterator[Batch]:
    return endless_batches(training_rows(task), batch_size, generator)
