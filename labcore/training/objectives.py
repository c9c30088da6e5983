"""What a model is asked to say: a batch of inputs with a target, or none, at each position.

The three families differ in their batches alone; the loss is one function for all of them.
A decoder is asked for the next token everywhere, an encoder for the tokens that were hidden from
it, an encoder-decoder for the next token of the second text, with the first before its eyes.

B batch, T position, S position of the context, V vocabulary. Losses are nats per target token.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from labcore.model.config import ModelConfig
from labcore.text.masking import (
    IGNORE,
    MaskingConfig,
    collate,
    mask_tokens,
    next_token_targets,
)
from labcore.text.packing import NO_DOCUMENT, PackedRows
from labcore.text.spans import Span, corrupt
from labcore.training.cross_entropy import token_nats

TokenIds = Sequence[int]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    tokens: Tensor  # (B, T) int64
    targets: Tensor  # (B, T) int64, IGNORE where nothing is asked
    padding_mask: Tensor  # (B, T) bool, True where a token is real
    context: Tensor | None = None  # (B, S), what the encoder of an encoder-decoder reads
    context_padding_mask: Tensor | None = None  # (B, S) bool
    documents: Tensor | None = None  # (B, T) which document of its row each token belongs to
    positions: Tensor | None = None  # (B, T) where each token stands in its document
    plain_mean: bool = False  # no guard: a batch that asks for nothing has the mean 0/0, a NaN
    prefix: Tensor | None = None  # (B, T) bool, the tokens of a prefix LM that see each other

    @property
    def num_targets(self) -> int:
        return int((self.targets != IGNORE).sum())

    def parts(self, count: int) -> "list[Batch]":
        """The batch cut into at most `count` parts of like numbers of rows."""
        if count == 1:
            return [self]
        columns = [getattr(self, field.name) for field in fields(self)]
        cut = [c.tensor_split(count) if torch.is_tensor(c) else [c] * count for c in columns]
        return [Batch(*part) for part in zip(*cut, strict=True) if len(part[0])]


def shuffled(
    lengths: Sequence[int], batch_size: int, generator: torch.Generator, pool: int = 8
) -> Iterator[list[int]]:
    """Batches of row numbers without end, each epoch in a new order.

    Rows of one batch are of like length, so that little of a batch is padding: `pool` batches are
    drawn at a time, sorted, cut, and given out in random order. The last of an epoch may be smaller.
    """
    while True:
        order = torch.randperm(len(lengths), generator=generator).tolist()
        for start in range(0, len(order), batch_size * pool):
            drawn = sorted(order[start : start + batch_size * pool], key=lengths.__getitem__)
            cuts = range(0, len(drawn), batch_size)
            for which in torch.randperm(len(cuts), generator=generator).tolist():
                yield drawn[cuts[which] : cuts[which] + batch_size]


def causal_batch(rows: Sequence[TokenIds], pad_id: int) -> Batch:
    """Each token of a row is the target of the one before it.  rows of n tokens -> T = n - 1"""
    tokens, real = collate(rows, pad_id)
    targets = next_token_targets(tokens, real)[:, :-1]
    return Batch(tokens[:, :-1], targets, padding_mask=targets != IGNORE)


def masked_batch(
    rows: Sequence[TokenIds],
    fixed: Collection[int],
    mask_id: int,
    pad_id: int,
    share: float,
    generator: torch.Generator,
) -> Batch:
    """A `share` of each row's tokens is hidden and asked for; all others are shown as they are.

    Ids in `fixed` (begin, end, language tags) are never hidden: nothing can be learnt from them.
    A departure from BERT (arXiv:1810.04805), which leaves a tenth of the chosen tokens in place and
    swaps another tenth: with every shown token true, the lowest possible loss can be computed.
    """
    tokens, real = collate(rows, pad_id)
    maskable = real & ~torch.isin(tokens, torch.tensor(sorted(fixed)))
    always = MaskingConfig(rate=share, mask_share=1.0, random_share=0.0)
    inputs, targets = mask_tokens(tokens, maskable, mask_id, 1, generator, always)
    return Batch(inputs, targets, real)


def translation_batch(
    sources: Sequence[TokenIds], translations: Sequence[TokenIds], pad_id: int
) -> Batch:
    """The decoder is asked for the next token of the translation; the source is its context."""
    said = causal_batch(translations, pad_id)
    return Batch(said.tokens, said.targets, said.padding_mask, *collate(sources, pad_id))


def prefix_batch(rows: Sequence[TokenIds], prefixes: Sequence[int], pad_id: int) -> Batch:
    """The first tokens of each row are read both ways and not asked for; the rest is, one by one.

    This is a prefix LM's question (arXiv:1910.10683, figure 4); a prefix of one token is causal's.
    """
    batch = causal_batch(rows, pad_id)
    place, length = torch.arange(batch.tokens.shape[1]), torch.tensor(prefixes)[:, None]
    # subtle: the last token of the prefix is already asked for the token after it.
    targets = batch.targets.masked_fill(place < length - 1, IGNORE)
    return Batch(batch.tokens, targets, batch.padding_mask, prefix=place < length)


def span_batch(
    rows: Sequence[TokenIds],
    spans: Sequence[Sequence[Span]],
    sentinels: Sequence[int],
    start_id: int,
    pad_id: int,
) -> Batch:
    """T5's question to an encoder-decoder: the text with gaps is the context, the gaps are the target."""
    pairs = [corrupt(row, hidden, sentinels) for row, hidden in zip(rows, spans, strict=True)]
    inputs, targets = zip(*pairs, strict=True)
    return translation_batch(inputs, [[start_id, *target] for target in targets], pad_id)


def packed_batch(packed: PackedRows, apart: bool = True) -> Batch:
    """Next-token questions on packed rows.  `apart` keeps the documents from seeing each other.

    No token is asked for the first token of the document after it: nobody could know.
    """
    real = packed.documents != NO_DOCUMENT
    same = (packed.documents[:, 1:] == packed.documents[:, :-1]) & real[:, 1:]
    targets = torch.full_like(packed.tokens, IGNORE)
    targets[:, :-1] = packed.tokens[:, 1:].where(same, IGNORE)
    return _packed(packed, packed.tokens, targets, real, apart)


def packed_masked_batch(
    packed: PackedRows,
    fixed: Collection[int],
    mask_id: int,
    share: float,
    generator: torch.Generator,
    apart: bool = True,
) -> Batch:
    """`masked_batch` on packed rows: a `share` of each row's tokens is hidden and asked for."""
    real = packed.documents != NO_DOCUMENT
    maskable = real & ~torch.isin(packed.tokens, torch.tensor(sorted(fixed)))
    always = MaskingConfig(rate=share, mask_share=1.0, random_share=0.0)
    inputs, targets = mask_tokens(packed.tokens, maskable, mask_id, 1, generator, always)
    return _packed(packed, inputs, targets, real, apart)


def _packed(
    packed: PackedRows, tokens: Tensor, targets: Tensor, real: Tensor, apart: bool
) -> Batch:
    if not apart:
        return Batch(tokens, targets, real)
    return Batch(tokens, targets, real, documents=packed.documents, positions=packed.positions)


def token_losses(model: nn.Module, batch: Batch, **more: Any) -> tuple[Tensor, Tensor]:
    """Cross-entropy at each position, and the model's balance loss.  -> (B, T) nats, scalar

    0 where nothing is asked. `more` goes to the model as well: its interventions, say.
    """
    packed = {}
    if batch.documents is not None:
        packed = {"documents": batch.documents, "positions": batch.positions}
    if batch.prefix is not None:
        packed |= {"prefix_mask": batch.prefix}
    asked = batch.targets != IGNORE
    output = model(
        batch.tokens,
        padding_mask=_padding_to_hide(model, batch),
        context=batch.context,
        context_padding_mask=batch.context_padding_mask,
        asked=asked,
        **packed,
        **more,
    )
    logits = output.logits  # (N, V), or (B, T, V) from a model that answers everywhere
    nats = token_nats(logits if logits.dim() == 2 else logits[asked], batch.targets[asked])
    losses = torch.zeros(asked.shape, dtype=nats.dtype, device=nats.device)
    return losses.masked_scatter(asked, nats), output.balance_loss


def _padding_to_hide(model: nn.Module, batch: Batch) -> Tensor | None:
    """The batch's padding, or None where hiding it changes no answer that is asked for.

    Who reads from left to right never sees what stands behind the row's end, and a mask for every row
    costs attention more than one for all. Experts are told still: they count the tokens that they get.
    """
    config, real = getattr(model, "config", None), batch.padding_mask
    if not isinstance(config, ModelConfig) or config.kind != "decoder" or config.moe:
        return real
    at_the_end = bool((real[:, 1:] <= real[:, :-1]).all())
    return None if config.causal and at_the_end and batch.prefix is None else real


def mean_token_loss(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Nats per target, and what is minimised: the same plus the experts' balance loss.

    subtle: one mean over all targets of the batch, not a mean of each row's mean, which would weigh
    a token of a short row more.
    """
    losses, balance_loss = token_losses(model, batch)
    least = 0 if batch.plain_mean else 1
    loss = losses.sum() / max(least, batch.num_targets)
    return loss, loss + balance_loss


@torch.no_grad()
def held_out_loss(model: nn.Module, batches: Iterable[Batch]) -> float:
    """Nats per target over all `batches`, each token counted once; the model's mode is put back."""
    was_training = model.training
    model.eval()
    total, targets = 0.0, 0
    for batch in batches:
        total += float(token_losses(model, batch)[0].double().sum())
        targets += batch.num_targets
    model.train(was_training)
    return total / max(1, targets)
