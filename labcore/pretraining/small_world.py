"""Passages of the micro-world in a vocabulary of nothing but what occurs in them.

The bundled models share 1,920 tokens; a few thousand passages use 400 of them in one language, 830 in both.
With the rest left out a training step takes half the time, and the exact floor stays what it is.

Every row opens with its language (`<|en|>` or `<|zh|>`), which nobody is asked to guess.

V tokens of the small vocabulary.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from labcore.architecture.build_train_corpus import world
from labcore.text.world import Story, sample_story, split_of
from labcore.training.objectives import Batch, causal_batch, shuffled

LANGUAGES = ("en", "zh")
HELD_OUT_SEED = 1234  # apart from the run's seed, so that two runs are judged on the same text
PAD = 0  # any token will do: nothing is asked where it stands


@lru_cache(maxsize=16)
def passages(
    languages: tuple[str, ...], size: int, seed: int, split: str = "train"
) -> tuple[Story, ...]:
    """`size` different passages of one split, the languages taking turns."""
    rng = torch.Generator().manual_seed(seed)
    told: dict[str, Story] = {}
    while len(told) < size:
        story = sample_story(languages[len(told) % len(languages)], rng, "passages")
        if split_of(story.text) == split:
            told.setdefault(story.text, story)
    return tuple(told.values())


@lru_cache(maxsize=2**14)
def row(story: Story) -> tuple[int, ...]:
    """`<|en|> passage <|eos|>` in the tokens of the bundled models."""
    return tuple(world("passages").story_ids(story)[1:])


@lru_cache(maxsize=16)
def floor_nats(stories: tuple[Story, ...]) -> float:
    """What these passages leave to chance: the mean of −ln q per token, q their true source."""
    whole = world("passages")
    nats = [whole.sequence_nats(whole.story_ids(story))[1:] for story in stories]
    return float(np.mean(np.concatenate(nats)))


@dataclass(frozen=True, slots=True, eq=False)
class SmallVocabulary:
    """The tokens that occur in some rows, counted from 0."""

    tokens: np.ndarray  # (V,) ids of the world's tokenizer, ascending

    @classmethod
    def of(cls, rows: Iterable[Sequence[int]]) -> "SmallVocabulary":
        return cls(np.unique(np.concatenate([np.asarray(ids) for ids in rows])))

    @property
    def size(self) -> int:
        return len(self.tokens)

    def narrow(self, ids: Sequence[int]) -> list[int]:
        """The world's ids -> the small vocabulary's."""
        places = np.searchsorted(self.tokens, ids)
        if not (self.tokens[places] == ids).all():
            raise ValueError("a token that did not occur")
        return places.tolist()

    def label(self, token: int) -> str:
        return world("passages").tokenizer.label(int(self.tokens[token]))


def endless_batches(
    rows: Sequence[Sequence[int]], batch_size: int, rng: torch.Generator
) -> Iterator[Batch]:
    """The rows in a new order each epoch, rows of like length together."""
    for chosen in shuffled([len(ids) for ids in rows], batch_size, rng):
        yield causal_batch([rows[number] for number in chosen], PAD)
