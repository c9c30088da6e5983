"""What a run of this chapter is pre-trained on: the micro-world, or the dataset kept in the data lab.

Both offer the same batches. They differ in what is known about them: of the micro-world the lowest
possible loss is exact, and its text never runs out; natural text has no known floor, and its rows repeat.

>>> text = pretraining_text(WorldTextConfig(languages="zh"))         # doctest: +SKIP
>>> for batch in text.masked_batches(64, 0.15, torch.Generator()):   # doctest: +SKIP
...     loss, minimised = mean_token_loss(model, batch)

B batch, T position.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import repeat
from typing import Protocol

import torch

from labcore.architecture import build_train_corpus as world_rows
from labcore.architecture.build_train_corpus import draw_story, world
from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.pretraining.training_text import TrainingTextConfig, training_text
from labcore.text.bpe import BPETokenizer
from labcore.text.masking import IGNORE, collate
from labcore.text.tokenizer import Tokenizer
from labcore.training.objectives import Batch, causal_batch, masked_batch

Rows = Sequence[list[int]]
LANGUAGES = {"both": ("en", "zh"), "zh": ("zh",), "en": ("en",)}
TOLD = ("passages", "stories")  # one or two sentences, some 12 tokens; or some 60
POOL_BATCHES = 8  # told ahead of training, so that a batch can be of like lengths
HELD_OUT_SEED = 1234  # apart from a run's seed, so that two runs are judged on the same text


@lab_config
class WorldTextConfig:
    """The micro-world as text to train on."""

    languages: str = "both"
    told: str = "passages"
    held_out_rows: int = 256

    def __post_init__(self) -> None:
        for name, allowed in (("languages", tuple(LANGUAGES)), ("told", TOLD)):
            if getattr(self, name) not in allowed:
                raise LabInputError(name, getattr(self, name), "known_choice", allowed=allowed)
        if self.held_out_rows < 1:
            raise LabInputError("held_out_rows", self.held_out_rows, "at_least", limit=1)


Source = WorldTextConfig | TrainingTextConfig  # a recipe of plain values: what a lab's config holds


class PretrainingText(Protocol):
    """What `WorldText` and `TrainingText` both are."""

    tokenizer: Tokenizer
    held_out_bytes: int  # nats per target · targets / ln 2 / held_out_bytes = bits per byte

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[Batch]: ...
    def masked_batches(
        self, batch_size: int, share: float, generator: torch.Generator
    ) -> Iterator[Batch]: ...
    def held_out_batches(self, batch_size: int = 16) -> list[Batch]: ...
    def held_out_masked_batches(
        self, share: float, seed: int = 0, batch_size: int = 16
    ) -> list[Batch]: ...


@dataclass(frozen=True, slots=True, eq=False)
class WorldText:
    config: WorldTextConfig
    tokenizer: BPETokenizer
    held_out: list[
        list[int]
    ]  # `<|bos|> <|zh|> … <|eos|>` each; never trained on, whatever the seed
    held_out_bytes: int

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[Batch]:
        """Next-token batches without end; no text is ever told twice on purpose."""
        ask = partial(causal_batch, pad_id=self.tokenizer.pad_id)
        return self.drawn(batch_size, generator, ask)

    def masked_batches(
        self, batch_size: int, share: float, generator: torch.Generator
    ) -> Iterator[Batch]:
        """The same for an encoder: a `share` of each text's tokens hidden and asked for."""
        ask = partial(self._masked, share=share, rng=generator)
        return self.drawn(batch_size, generator, ask)

    def held_out_batches(self, batch_size: int = 64) -> list[Batch]:
        """All held-out texts, once, as next-token questions."""
        return [causal_batch(rows, self.tokenizer.pad_id) for rows in self.parts(batch_size)]

    def held_out_masked_batches(
        self, share: float, seed: int = 0, batch_size: int = 64
    ) -> list[Batch]:
        """All held-out texts, once, with the same tokens hidden for every run."""
        rng = torch.Generator().manual_seed(seed)
        return [self._masked(rows, share=share, rng=rng) for rows in self.parts(batch_size)]

    def parts(self, batch_size: int) -> list[list[list[int]]]:
        """The held-out texts, in their order, so many at a time."""
        starts = range(0, len(self.held_out), batch_size)
        return [self.held_out[at : at + batch_size] for at in starts]

    def drawn(
        self, batch_size: int, generator: torch.Generator, ask: Callable[[Rows], Batch]
    ) -> Iterator[Batch]:
        """Training texts without end, of like length in each batch, made into questions by `ask`."""
        languages, told = LANGUAGES[self.config.languages], self.config.told
        pools = (
            [
                draw_story(languages, told, "train", generator)
                for _ in range(batch_size * POOL_BATCHES)
            ]
            for _ in repeat(None)
        )
        return world_rows.batches(pools, batch_size, ask, generator)

    def _masked(self, rows: Rows, share: float, rng: torch.Generator) -> Batch:
        tokenizer = self.tokenizer
        return masked_batch(
            rows, special_ids(tokenizer), tokenizer.mask_id, tokenizer.pad_id, share, rng
        )


def pretraining_text(source: Source) -> PretrainingText:
    """The text that a recipe stands for; the same in every process, made once in each."""
    return world_text(source) if isinstance(source, WorldTextConfig) else training_text(source)


@lru_cache(maxsize=8)
def world_text(config: WorldTextConfig) -> WorldText:
    rng, tokenizer = torch.Generator().manual_seed(HELD_OUT_SEED), world().tokenizer
    held_out = [
        draw_story(LANGUAGES[config.languages], config.told, "held_out", rng)
        for _ in range(config.held_out_rows)
    ]
    size = sum(len(tokenizer.decode(row).encode()) for row in held_out)
    return WorldText(config, tokenizer, held_out, size)


def special_ids(tokenizer: BPETokenizer) -> set[int]:
    """Begin, end, padding, language tags: never hidden, for nothing can be learnt from them."""
    return {tokenizer.special_id(name) for name in tokenizer.special_tokens}


# The lowest possible loss; None where nobody knows it.


def causal_floor(text: PretrainingText) -> float | None:
    """Of `text.held_out_batches()`, in nats per target."""
    if not isinstance(text, WorldText):
        return None
    known = world(text.config.told)
    nats = [known.sequence_nats(row) for row in text.held_out]
    if len(LANGUAGES[text.config.languages]) == 1:  # the tag after <|bos|> is now certain
        nats = [[0.0, *row[1:]] for row in nats]
    return sum(map(sum, nats)) / sum(map(len, nats))


def masked_floor(text: PretrainingText, batches: Sequence[Batch]) -> float | None:
    """Of masked batches in which every shown token is true, in nats per target.

    subtle: the cost grows with what is hidden; 256 passages take half a second with 15 % of their
    tokens hidden, 5 s with 60 %, 20 s with 80 %.
    """
    if not isinstance(text, WorldText):
        return None
    rows, asked = [], []
    for batch in batches:
        whole = batch.tokens.where(batch.targets == IGNORE, batch.targets)
        for row, targets, real in zip(whole, batch.targets, batch.padding_mask, strict=True):
            rows.append(row[real].tolist())
            asked.append(set((targets != IGNORE).nonzero().flatten().tolist()))
    return world(text.config.told).masked_floor(rows, asked).nats_per_token


# For a lab with questions of its own: everything shown, nothing asked yet.


def shown_batches(
    text: PretrainingText, batch_size: int, generator: torch.Generator
) -> Iterator[Batch]:
    """Training text without end."""
    if isinstance(text, WorldText):
        return text.drawn(batch_size, generator, partial(shown, pad_id=text.tokenizer.pad_id))
    return map(unasked, text.batches(batch_size, generator))


def shown_held_out(text: PretrainingText) -> list[Batch]:
    """All held-out text, once."""
    if isinstance(text, WorldText):
        return [shown(rows, text.tokenizer.pad_id) for rows in text.parts(64)]
    return list(map(unasked, text.held_out_batches()))


def shown(rows: Rows, pad_id: int) -> Batch:
    tokens, real = collate(rows, pad_id)
    return Batch(tokens, torch.full_like(tokens, IGNORE), real)


def unasked(batch: Batch) -> Batch:
    return replace(batch, targets=torch.full_like(batch.targets, IGNORE))
