"""What "Build and train your own" trains on: the micro-world, or a text that the learner typed.

A corpus gives endless training batches, held-out batches, and the lowest possible loss on exactly these
held-out batches; of natural text that is not known.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice, repeat

import torch

from labcore import shipped
from labcore.errors import LabInputError
from labcore.text.bpe import BPETokenizer
from labcore.text.world import MicroWorld, sample_pair, sample_story, split_of
from labcore.training import checkpoints
from labcore.training.objectives import (
    IGNORE,
    Batch,
    causal_batch,
    masked_batch,
    shuffled,
    translation_batch,
)

LANGUAGES = {"world-zh": ("zh",), "world-en": ("en",), "world-both": ("en", "zh")}
CORPORA = (*LANGUAGES, "own")
HIDDEN_SHARE = 0.3  # of an encoder's tokens; twice BERT's, for more to learn from in a short run
PASSAGES_PER_STORY = 4  # about as many tokens
HELD_OUT_ROWS = 64
HELD_OUT_SEED = 1234  # apart from the run's seed, so that two runs are judged on the same text
POOL_BATCHES = 8  # told ahead of training, so that a batch can be of like lengths
PROBE_TOKENS = 40
OWN_TEXT_LIMIT = 20_000  # characters
OWN_ROW_TOKENS = 48
OWN_ROWS_LEAST = 4

Row = list[int] | tuple[list[int], list[int]]  # a text, or a source and its translation
Ask = Callable[[Sequence[Row]], Batch]


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    tokenizer: BPETokenizer
    batches: Iterator[Batch]
    held_out: Batch
    floor_nats: float | None  # lowest possible mean loss on `held_out`
    probe: Batch  # (1, T): the beginning of the first held-out text; with gaps for an encoder
    opening: list[int]  # what a writer starts from: <|bos|>, and the language if there is a tag


@lru_cache(maxsize=2)
def world(corpus: str = "stories") -> MicroWorld:
    """The micro-world in the tokens of the bundled models, read rather than learnt again."""
    path = shipped.whole(checkpoints.ASSETS / "world-decoder" / "tokenizer.json")
    return MicroWorld(BPETokenizer.load(path), corpus)


def world_corpus(kind: str, languages: tuple[str, ...], batch_size: int, seed: int) -> Corpus:
    """Stories in these languages; for an encoder passages of them, four in the place of a story; for an
    encoder-decoder passages to translate."""
    rng, draw = torch.Generator().manual_seed(seed), drawing(kind, languages)
    if kind == "encoder":
        batch_size *= PASSAGES_PER_STORY
    pool = batch_size * POOL_BATCHES
    pools = ([draw("train", rng) for _ in range(pool)] for _ in repeat(None))
    ask = asking(kind, world().tokenizer, rng)
    return Corpus(
        world().tokenizer, batches(pools, batch_size, ask, rng), *held_out_of(kind, languages)
    )


@lru_cache(maxsize=16)
def held_out_of(
    kind: str, languages: tuple[str, ...]
) -> tuple[Batch, float | None, Batch, list[int]]:
    """The last four fields of a `Corpus`: the same for every run, so worked out once."""
    rng, draw = torch.Generator().manual_seed(HELD_OUT_SEED), drawing(kind, languages)
    rows = [draw("held_out", rng) for _ in range(HELD_OUT_ROWS)]
    ask = asking(kind, world().tokenizer, rng)
    batch, probe = ask(rows), ask([beginning(rows[0])])
    return batch, floor(kind, languages, rows, batch), probe, batch.tokens[0, :2].tolist()


def own_corpus(kind: str, text: str, batch_size: int, seed: int) -> Corpus:
    """The learner's text in rows of equal length; every tenth row is held out."""
    tokenizer, rng = world().tokenizer, torch.Generator().manual_seed(seed)
    ids = tokenizer.encode(text)
    starts = range(0, len(ids), OWN_ROW_TOKENS)
    rows = [[tokenizer.bos_id, *ids[at : at + OWN_ROW_TOKENS]] for at in starts]
    if len(rows) < OWN_ROWS_LEAST:
        least = OWN_ROW_TOKENS * (OWN_ROWS_LEAST - 1) + 1
        raise LabInputError("own_text", len(ids), "at_least_tokens", limit=least)
    held_out_rng = torch.Generator().manual_seed(HELD_OUT_SEED)
    held_out_rows = rows[1::10][:HELD_OUT_ROWS]
    ask_held_out = asking(kind, tokenizer, held_out_rng)
    kept = [row for at, row in enumerate(rows) if at % 10 != 1]
    return Corpus(
        tokenizer,
        batches(repeat(kept), batch_size, asking(kind, tokenizer, rng), rng),
        ask_held_out(held_out_rows),
        floor_nats=None,
        probe=ask_held_out([beginning(held_out_rows[0])]),
        opening=[tokenizer.bos_id],
    )


def drawing(kind: str, languages: tuple[str, ...]) -> Callable[[str, torch.Generator], Row]:
    """What draws a row of one split for a model of this kind."""
    if kind == "encoder_decoder":
        return draw_pair
    return partial(draw_story, languages, "passages" if kind == "encoder" else "stories")


def draw_story(
    languages: Sequence[str], corpus: str, split: str, rng: torch.Generator
) -> list[int]:
    """The ids of a new story or passage of one split, in one of the languages."""
    while True:
        language = languages[int(torch.randint(len(languages), (), generator=rng))]
        story = sample_story(language, rng, corpus)
        if split_of(story.text) == split:
            return world().story_ids(story)


def draw_pair(split: str, rng: torch.Generator) -> tuple[list[int], list[int]]:
    """The ids of a new passage of one split, in English and in Chinese."""
    while True:
        pair = sample_pair(rng)
        if split_of(pair.en) == split:
            return world().pair_ids(pair)


def asking(kind: str, tokenizer: BPETokenizer, rng: torch.Generator) -> Ask:
    """What is asked of a model of this kind, as a function from rows to a batch."""
    if kind == "decoder":
        return lambda rows: causal_batch(rows, tokenizer.pad_id)
    if kind == "encoder_decoder":
        return lambda rows: translation_batch(*zip(*rows, strict=True), tokenizer.pad_id)
    fixed = {tokenizer.special_id(name) for name in tokenizer.special_tokens}

    mask_id, pad_id = tokenizer.mask_id, tokenizer.pad_id
    return lambda rows: masked_batch(rows, fixed, mask_id, pad_id, HIDDEN_SHARE, rng)


def batches(
    pools: Iterator[list[Row]], batch_size: int, ask: Ask, rng: torch.Generator
) -> Iterator[Batch]:
    """Each pool of rows in batches of like length, one pool after the other, without end."""
    for rows in pools:
        cuts = math.ceil(len(rows) / batch_size)
        for numbers in islice(shuffled(list(map(_length, rows)), batch_size, rng), cuts):
            yield ask([rows[number] for number in numbers])


def beginning(row: Row) -> Row:
    """As much of a text as a map can show; a passage to translate is short enough."""
    return row if isinstance(row, tuple) else row[:PROBE_TOKENS]


def _length(row: Row) -> int:
    return sum(map(len, row)) if isinstance(row, tuple) else len(row)


def floor(kind: str, languages: Sequence[str], rows: list[Row], batch: Batch) -> float:
    """The lowest possible mean loss on held-out rows, in nats per target."""
    if kind == "encoder_decoder":
        return world().translation_floor(rows).nats_per_token
    if kind == "encoder":
        asked = [set(targets.nonzero().flatten().tolist()) for targets in batch.targets != IGNORE]
        return world("passages").masked_floor(rows, asked).nats_per_token
    nats = [world().sequence_nats(row) for row in rows]
    if len(languages) == 1:  # the tag after <|bos|>, an even bet in the world, is now certain
        nats = [[0.0, *row[1:]] for row in nats]
    return sum(map(sum, nats)) / sum(map(len, nats))
