"""What a watched run reads: the micro-world, whose floor is known, or the learner's own dataset.

A step's batch follows from the seed and the step's number alone. So a run that is broken off and continued
needs no record of what it has read, and runs with one seed read the same text in the same order.

R rows, B batch, T positions.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import torch

from labcore.architecture import depth_training
from labcore.architecture.build_train_corpus import draw_story, world
from labcore.pretraining.training_text import TrainingText, TrainingTextConfig, training_text
from labcore.text.bpe import BPETokenizer
from labcore.training.objectives import Batch, causal_batch, packed_batch

LANGUAGES = depth_training.LANGUAGES
PROBE_ROWS = 16  # of held-out text, on which the inside of the model is looked at
HELD_OUT_ROWS = 64  # at most
APART = 1_000_003  # a prime: (seed, step) pairs get numbers of their own


@dataclass(frozen=True, slots=True, eq=False)
class MonitorText:
    tokenizer: BPETokenizer
    batch_at: Callable[[int], Batch]  # of a step, from 1
    held_out: Batch
    floor_nats: float | None  # lowest possible mean loss on such text; None for natural text
    opening: list[int]  # what the model starts from when it speaks

    @property
    def uniform_nats(self) -> float:
        """The price of a guess that knows nothing: ln V."""
        return math.log(self.tokenizer.vocab_size)


def text_of(corpus: TrainingTextConfig | None, batch_size: int, seed: int) -> MonitorText:
    """None is the micro-world: stories in both languages, each cut to its first 32 tokens."""
    if corpus is None:
        held_out = depth_training.held_out()
        return MonitorText(
            world().tokenizer, partial(stories_at, batch_size, seed), held_out,
            depth_training.floor_nats(), held_out.tokens[0, :2].tolist(),
        )  # fmt: skip
    text = training_text(corpus)
    held_out = packed_batch(text.held_out.rows(range(min(HELD_OUT_ROWS, len(text.held_out)))))
    at = partial(rows_at, text, batch_size, seed)
    return MonitorText(text.tokenizer, at, held_out, None, [text.tokenizer.bos_id])


@lru_cache(maxsize=1024)
def stories_at(batch_size: int, seed: int, step: int) -> Batch:
    """New stories, told for this step alone."""
    rng = torch.Generator().manual_seed(APART * seed + step)
    rows = [draw_story(LANGUAGES, "stories", "train", rng) for _ in range(batch_size)]
    return depth_training.beginnings(causal_batch(rows, world().tokenizer.pad_id))


def rows_at(text: TrainingText, batch_size: int, seed: int, step: int) -> Batch:
    """Rows number (step - 1)·B … step·B - 1 of a list that is shuffled anew for each epoch."""
    numbers = range((step - 1) * batch_size, step * batch_size)
    rows = [shuffled_row(len(text.train), seed, number) for number in numbers]
    return packed_batch(text.train.rows(rows), text.apart)


def shuffled_row(count: int, seed: int, number: int) -> int:
    """Which of `count` rows stands at place `number`, epochs one after the other."""
    epoch, place = divmod(number, count)
    return epoch_order(count, seed, epoch)[place]


@lru_cache(maxsize=64)
def epoch_order(count: int, seed: int, epoch: int) -> list[int]:
    rng = torch.Generator().manual_seed(APART * seed + epoch)
    return torch.randperm(count, generator=rng).tolist()
