"""The pipeline's output as something to train on: tokens packed in rows, with masks.

A dataset is kept as its recipe (`TrainingTextConfig`): a few numbers that make the same rows again in
any process, which is how a background run gets at them.

>>> text = training_text(TrainingTextConfig())                       # doctest: +SKIP
>>> for batch in text.batches(16, torch.Generator().manual_seed(0)): # doctest: +SKIP
...     loss, minimised = mean_token_loss(model, batch)

R rows, T positions of a row.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from typing import Any

import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.pretraining import pipeline
from labcore.pretraining.packing_study import ROW_TOKENS
from labcore.pretraining.pipeline import PipelineConfig, PipelineResult
from labcore.pretraining.vocabulary import VOCABULARY, divided
from labcore.text import bpe
from labcore.text.bpe import BPETokenizer
from labcore.text.packing import METHODS, PackedRows, fill, pack
from labcore.training.objectives import (
    Batch,
    packed_batch,
    packed_masked_batch,
    shuffled,
)


@lab_config
class TrainingTextConfig:
    pipeline: PipelineConfig = field(default_factory=PipelineConfig)
    vocab_size: int = 1024
    row_tokens: int = 128
    method: str = "fit"
    apart: bool = True  # document masks

    def __post_init__(self) -> None:
        for name, (low, high) in (("vocab_size", VOCABULARY), ("row_tokens", ROW_TOKENS)):
            if not low <= getattr(self, name) <= high:
                raise LabInputError(name, getattr(self, name), "between", low=low, high=high)
        if self.method not in METHODS:
            raise LabInputError("method", self.method, "known_choice", allowed=METHODS)


@dataclass(frozen=True, slots=True, eq=False)
class TrainingText:
    tokenizer: BPETokenizer
    train: PackedRows  # (R, T)
    held_out: PackedRows
    held_out_bytes: (
        int  # of text behind the held-out rows: total nats / ln 2 / bytes = bits per byte
    )
    apart: bool

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[Batch]:
        """Next-token batches of training rows without end, each epoch in a new order."""
        return self._drawn(batch_size, generator, partial(packed_batch, apart=self.apart))

    def masked_batches(
        self, batch_size: int, share: float, generator: torch.Generator
    ) -> Iterator[Batch]:
        """The same rows for an encoder: a `share` of each row's tokens hidden and asked for."""
        return self._drawn(batch_size, generator, partial(self._masked, share=share, rng=generator))

    def held_out_batches(self, batch_size: int = 16) -> list[Batch]:
        """All held-out rows, once, as next-token questions."""
        cuts = range(0, len(self.held_out), batch_size)
        parts = [range(at, min(at + batch_size, len(self.held_out))) for at in cuts]
        return [packed_batch(self.held_out.rows(part), self.apart) for part in parts]

    def held_out_masked_batches(
        self, share: float, seed: int = 0, batch_size: int = 16
    ) -> list[Batch]:
        """All held-out rows, once, with the same tokens hidden for every run."""
        rng = torch.Generator().manual_seed(seed)
        cuts = range(0, len(self.held_out), batch_size)
        parts = [range(at, min(at + batch_size, len(self.held_out))) for at in cuts]
        return [self._masked(self.held_out.rows(part), share=share, rng=rng) for part in parts]

    def _drawn(self, batch_size: int, generator: torch.Generator, ask) -> Iterator[Batch]:
        length = self.train.tokens.shape[1]
        for numbers in shuffled([length] * len(self.train), batch_size, generator):
            yield ask(self.train.rows(numbers))

    def _masked(self, packed: PackedRows, share: float, rng: torch.Generator) -> Batch:
        fixed = {self.tokenizer.special_id(name) for name in self.tokenizer.special_tokens}
        return packed_masked_batch(packed, fixed, self.tokenizer.mask_id, share, rng, self.apart)


@lru_cache(maxsize=2)
def training_text(config: TrainingTextConfig) -> TrainingText:
    """Run the pipeline, learn the vocabulary on its training documents, pack both parts.

    Some seconds the first time; the same recipe gives the same rows in every process.
    """
    parts = divided(config.pipeline)
    tokenizer = drain(bpe.train(parts[0], config.vocab_size))
    train, held_out = (_packed(texts, tokenizer, config) for texts in parts)
    size = sum(len(text.encode()) for text in parts[1])
    return TrainingText(tokenizer, train, held_out, size, config.apart)


def _packed(texts: list[str], tokenizer: BPETokenizer, config: TrainingTextConfig) -> PackedRows:
    ids = [[tokenizer.bos_id, *tokenizer.encode(text), tokenizer.eos_id] for text in texts]
    rows = pack([len(one) for one in ids], config.row_tokens, config.method)
    return fill(rows, ids, config.row_tokens, tokenizer.pad_id)


# To take home.


def json_lines(result: PipelineResult) -> bytes:
    """The dataset, one document a line, UTF-8."""
    rows = [
        {
            "id": number,
            "source": result.documents[number].source,
            "language": result.signals[number].language,
            "text": result.texts[number],
        }
        for number in result.dataset()
    ]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode(
        errors="replace"
    )


def account(config: PipelineConfig, result: PipelineResult) -> dict[str, Any]:
    """What was done to the data, in numbers: the sheet that belongs beside every dataset."""
    settings = asdict(config)
    own = settings["source"].pop("own")
    settings["source"]["own_documents"] = len(own)
    stages = [
        {
            "stage": stage.name,
            "entered": len(stage.entered),
            "kept": len(stage.kept),
            "dropped": dict(Counter(stage.reasons)),
            "of_them_planted": sum(
                bool(result.documents[number].planted) for number in stage.dropped.tolist()
            ),
        }
        for stage in result.stages
    ]
    dataset = result.dataset()
    return {
        "settings": settings,
        "stages": stages,
        "planted_taken_out_at_the_end": len(result.stages[-1].kept) - len(dataset),
        "documents": len(dataset),
        "bytes": sum(len(result.texts[number].encode(errors="replace")) for number in dataset),
        "languages": dict(Counter(result.signals[number].language for number in dataset)),
    }


def account_json(config: PipelineConfig) -> bytes:
    told = account(config, pipeline.run(config))
    return json.dumps(told, ensure_ascii=False, indent=1).encode(errors="replace")
