"""Four training objectives: what each shows a model of a text, and what it asks.

    causal   the next token, everywhere                             a decoder (GPT, arXiv:2005.14165)
    prefix   the same behind a beginning that is read both ways     a decoder (prefix LM, arXiv:1910.10683)
    masked   tokens hidden here and there                           an encoder (BERT, arXiv:1810.04805)
    span     hidden runs of tokens, said one after the other        an encoder-decoder (T5, arXiv:1910.10683)

Only the batch and the mask differ; the loss is one and the same function (`objectives.token_losses`).

Axes: B rows, T tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.text.spans import SpanConfig, draw_spans
from labcore.training.objectives import (
    Batch,
    causal_batch,
    masked_batch,
    prefix_batch,
    span_batch,
)

KINDS = ("causal", "prefix", "masked", "span")
FAMILY = {
    "causal": "decoder", "prefix": "decoder", "masked": "encoder", "span": "encoder_decoder",
}  # fmt: skip


@lab_config
class Objective:
    """What is asked; the two numbers are BERT's and T5's, and mean nothing to the others."""

    kind: str = "causal"
    share: float = 0.15  # of the tokens, hidden; masked and span only
    mean_length: float = 3.0  # of a span, in tokens; span only
    prefix: int = 0  # tokens that are read both ways; 0: drawn anew for each row; prefix only

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise LabInputError("objective", self.kind, "known_choice", allowed=KINDS)
        if self.prefix < 0:
            raise LabInputError("prefix", self.prefix, "at_least", limit=0)
        SpanConfig(self.share, self.mean_length)


@dataclass(frozen=True, slots=True)
class SpecialIds:
    """Ids that are no words. A row begins with `bos`, which is never hidden."""

    bos: int
    pad: int
    mask: int
    sentinels: tuple[int, ...]  # one more than there may be spans


def ask(
    objective: Objective, rows: Sequence[Sequence[int]], ids: SpecialIds, rng: torch.Generator
) -> Batch:
    """The rows as one batch of questions. Each row holds `bos` and at least two tokens more.

    A prefix's length is drawn evenly, from `bos` alone to all but the last token.
    """
    if objective.kind == "causal":
        return causal_batch(rows, ids.pad)
    if objective.kind == "masked":
        return masked_batch(rows, {ids.bos, ids.pad}, ids.mask, ids.pad, objective.share, rng)
    if objective.kind == "prefix":
        drawn = [int(torch.randint(1, len(row), (), generator=rng)) for row in rows]
        fixed = [min(objective.prefix, len(row) - 1) for row in rows]
        return prefix_batch(rows, fixed if objective.prefix else drawn, ids.pad)
    config = SpanConfig(objective.share, objective.mean_length)
    gaps = [draw_spans(len(row) - 1, config, rng) for row in rows]
    spans = [[(start + 1, stop + 1) for start, stop in some] for some in gaps]
    return span_batch(rows, spans, ids.sentinels, ids.bos, ids.pad)


def model_config(
    objective: Objective, vocab_size: int, hidden_size: int = 64, num_heads: int = 4
) -> ModelConfig:
    """Two layers for everybody: an encoder-decoder has one in each stack, and T5's position bias.

    The tables of inputs and outputs are apart, since sentinels and masks are read but mostly not said.
    """
    config = ModelConfig(
        kind=FAMILY[objective.kind], vocab_size=vocab_size, hidden_size=hidden_size,
        num_heads=num_heads, tie_embeddings=False,
    )  # fmt: skip
    return config.with_(num_layers=1, positions="t5") if objective.kind == "span" else config
