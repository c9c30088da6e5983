"""What a watched run reads: the micro-world, whose floor is known, or the learner's own dataset.

A step's batch follows from the seed and the step's number alone. So a run that is broken off and continued
needs no record of what it has read, and runs with one seed read the same text in the same order.

B batch, T positions.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import torch

from labcore.architecture.build_train_corpus import draw_story, world
from labcore.pretraining.corpus import LANGUAGES, Source, WorldText, pretraining_text
from labcore.pretraining.training_text import TrainingText
from labcore.text.bpe import BPETokenizer
from labcore.training.objectives import Batch, causal_batch, packed_batch

STORY_TOKENS = 32  # of each story; the shortest has more, so nothing is padding
HELD_OUT_ROWS = 64  # at most
APART = 1_000_003  # a prime: (seed, step) pairs get numbers of their own


@dataclass(frozen=True, slots=True, eq=False)
class MonitorText:
    tokenizer: BPETokenizer
    batch_at: Callable[[int], Batch]  # of a step, from 1
    held_out: Batch
    floor_nats: float | None  # lowest possible mean loss on `held_out`; None for natural text
    opening: list[int]  # what the model starts from when it speaks

    @property
    def uniform_nats(self) -> float:
        """The price of a guess that knows nothing: ln V."""
        return math.log(self.tokenizer.vocab_size)


def text_of(source: Source, batch_size: int, seed: int) -> MonitorText:
    text = pretraining_text(source)
    if isinstance(text, WorldText):
        languages, told = LANGUAGES[source.languages], source.told
        at = partial(stories_at, languages, told, batch_size, seed)
        rows = text.held_out[:HELD_OUT_ROWS]
        held_out = causal_batch(beginnings(rows), text.tokenizer.pad_id)
        return MonitorText(text.tokenizer, at, held_out, floor_nats(source), rows[0][:2])
    rows = range(min(HELD_OUT_ROWS, len(text.held_out)))
    held_out = packed_batch(text.held_out.rows(rows), text.apart)
    at = partial(rows_at, text, batch_size, seed)
    return MonitorText(text.tokenizer, at, held_out, None, [text.tokenizer.bos_id])


def beginnings(rows: Sequence[list[int]]) -> list[list[int]]:
    """So much of each story that 32 tokens are asked for."""
    return [row[: STORY_TOKENS + 1] for row in rows]


@lru_cache(maxsize=8)
def floor_nats(source: Source) -> float:
    """What the held-out beginnings leave to chance: mean of -ln q per token, q their true source."""
    known, nats = world(source.told), []
    for row in pretraining_text(source).held_out[:HELD_OUT_ROWS]:
        tag, *rest = known.sequence_nats(row)[:STORY_TOKENS]
        nats += [tag if source.languages == "both" else 0.0, *rest]
    return sum(nats) / len(nats)


@lru_cache(maxsize=1024)
def stories_at(
    languages: tuple[str, ...], told: str, batch_size: int, seed: int, step: int
) -> Batch:
    """New stories, told for this step alone."""
    rng = torch.Generator().manual_seed(APART * seed + step)
    rows = [draw_story(languages, told, "train", rng) for _ in range(batch_size)]
    return causal_batch(beginnings(rows), world().tokenizer.pad_id)


def rows_at(text: TrainingText, batch_size: int, seed: int, step: int) -> Batch:
    """Rows (step - 1)·B to step·B - 1 of a list that is shuffled anew for each epoch."""
    count, rows = len(text.train), []
    for number in range((step - 1) * batch_size, step * batch_size):
        epoch, place = divmod(number, count)
        rows.append(epoch_order(count, seed, epoch)[place])
    return packed_batch(text.train.rows(rows), text.apart)


@lru_cache(maxsize=64)
def epoch_order(count: int, seed: int, epoch: int) -> list[int]:
    rng = torch.Generator().manual_seed(APART * seed + epoch)
    return torch.randperm(count, generator=rng).tolist()
