"""The text on which positional encodings are compared: micro-world stories, letter by letter.

Why this text: a letter is worth little without the letters before it *in their order*, so every encoding has
something to earn; the stories go on without end, so any length can be asked for; and the lowest possible
loss is known. English, where a letter is one byte; in Chinese a character is three of them.

Axes: N windows, T positions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from labcore.errors import LabInputError
from labcore.text.bpe import BPETokenizer
from labcore.text.stories import LANGUAGES
from labcore.text.world import MicroWorld, Story, sample_story, split_of
from labcore.training.objectives import Batch

STORIES = {"train": 1800, "held_out": 120}  # of about 240 letters
SEEDS = {"train": 0, "held_out": 1}


@dataclass(frozen=True, slots=True, eq=False)
class Letters:
    """Stories one after the other, each between <|bos|> <|en|> and <|eos|>, in bytes."""

    train: Tensor  # int64
    held_out: Tensor  # int64
    held_out_nats: np.ndarray  # each letter's cost to a reader who knows the rules


@lru_cache(maxsize=1)
def world_of_letters() -> MicroWorld:
    """The micro-world in bytes: a tokenizer without a single merge."""
    return MicroWorld(BPETokenizer())


@lru_cache(maxsize=2)
def letters(language: str) -> Letters:
    """The same text for every encoding, every seed and everybody."""
    if language not in LANGUAGES:
        raise LabInputError("language", language, "known_language")
    world = world_of_letters()
    train, held_out = (
        [world.story_ids(story) for story in told(language, split)] for split in STORIES
    )
    # <|bos|> and the language are certain here; the world would have tossed a coin for the latter.
    nats = [[0.0, 0.0, *world.sequence_nats(story)[1:]] for story in held_out]
    return Letters(in_a_row(train), in_a_row(held_out), np.concatenate(nats))


def in_a_row(stories: list[list[int]]) -> Tensor:
    return torch.tensor(list(chain.from_iterable(stories)))


def told(language: str, split: str) -> Iterator[Story]:
    """As many stories as the split has, the same ones each time."""
    rng, kept = torch.Generator().manual_seed(SEEDS[split]), 0
    while kept < STORIES[split]:
        story = sample_story(language, rng)
        if split_of(story.text) == split:
            kept += 1
            yield story


def windows(stream: Tensor, ends: Tensor, length: int) -> Batch:
    """The `length` tokens before each end, to be continued.  ends (N,) -> Batch of (N, T)

    The token at each end is the last target, so that longer windows with the same ends ask for the same
    letters with more before them.
    """
    rows = stream[ends[:, None] - length + torch.arange(length + 1)]  # (N, T + 1)
    return Batch(rows[:, :-1], rows[:, 1:], torch.ones(len(ends), length, dtype=torch.bool))


def random_windows(stream: Tensor, length: int, size: int, seed: int) -> Iterator[Batch]:
    """Training batches without end: windows that begin anywhere, also in the middle of a word."""
    rng = torch.Generator().manual_seed(seed)
    while True:
        yield windows(stream, torch.randint(length, len(stream), (size,), generator=rng), length)
