"""What the small mixture learns: a table of facts, which asks for memory, and stories, which ask for little.

A fact is three tokens: one of S names, one of S properties, and the value that a drawn table holds for this
pair. Names and properties come in any order, so nothing but the value can be known, and only the value is
asked for. There is no rule to find: a model knows as many facts as it has room for. The floor is 0 nats.

Stories are the beginnings of the bilingual micro-world's. They follow a grammar, which needs little room.

Axes: S names, B rows, T tokens of a row.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.architecture.build_train_corpus import world, world_corpus
from labcore.architecture.depth_training import LANGUAGES, beginnings, floor_nats, held_out
from labcore.architecture.depth_training import TOKENS as STORY_TOKENS
from labcore.text.masking import IGNORE
from labcore.training.objectives import Batch

TEXTS = ("facts", "stories")
NAMES = 40  # S, hence 1,600 facts
FACTS_PER_ROW = 16
FACT_ROWS, STORY_ROWS = 24, 16  # per step
ANSWER = 1  # the value is asked for at the second of the three tokens


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    batches: Iterator[Batch]  # without end
    judged: Batch  # every fact once; or held-out stories
    vocab_size: int
    floor_nats: float
    label: Callable[[int], str]  # of a token


def tokens_per_step(name: str) -> int:
    return FACT_ROWS * FACTS_PER_ROW * 3 if name == "facts" else STORY_ROWS * STORY_TOKENS


def text_of(name: str, seed: int) -> Text:
    """A text to learn; the seed draws the table of facts, and in which order things are told."""
    if name == "facts":
        table = torch.randint(NAMES, (NAMES, NAMES), generator=torch.Generator().manual_seed(seed))
        return Text(facts(table, seed), every_fact(table), 3 * NAMES, 0.0, fact_label)
    stories = map(beginnings, world_corpus("decoder", LANGUAGES, STORY_ROWS, seed).batches)
    tokenizer = world().tokenizer
    return Text(stories, held_out(), tokenizer.vocab_size, floor_nats(), tokenizer.label)


def facts(table: Tensor, seed: int) -> Iterator[Batch]:
    """Rows of facts drawn at random.  (S, S) -> batches of (B, T)"""
    rng = torch.Generator().manual_seed(seed + 1)  # apart from the table's
    while True:
        who, what = torch.randint(NAMES, (2, FACT_ROWS, FACTS_PER_ROW), generator=rng)
        yield told(table, who, what)


def told(table: Tensor, who: Tensor, what: Tensor) -> Batch:
    """Name, property, value; name, property, value …  (B, facts) each -> (B, T = 3 · facts)"""
    value = table[who, what]
    triples = torch.stack([who, what + NAMES, value + 2 * NAMES], dim=-1)
    targets = torch.full_like(triples, IGNORE)
    targets[..., ANSWER] = triples[..., ANSWER + 1]
    tokens = triples.flatten(1)
    return Batch(tokens, targets.flatten(1), torch.ones_like(tokens, dtype=torch.bool))


def every_fact(table: Tensor) -> Batch:
    """The whole table, each fact once, shuffled always alike."""
    order = torch.randperm(NAMES**2, generator=torch.Generator().manual_seed(0))
    pairs = order.view(-1, FACTS_PER_ROW)
    return told(table, pairs // NAMES, pairs % NAMES)


def fact_label(token: int) -> str:
    """
    >>> fact_label(0), fact_label(50), fact_label(119)
    ('name 0', 'property 10', 'value 39')
    """
    return f"{('name', 'property', 'value')[token // NAMES]} {token % NAMES}"


def chinese(batch: Batch) -> np.ndarray:
    """Which rows of stories are told in Chinese.  -> (B,) bool"""
    tag = world().tokenizer.special_id("<|zh|>")
    return (batch.tokens[:, 1] == tag).numpy()
