"""Held-out text to judge a model's heads by: of the kind that the model was trained on.

The bundled models, and a learner's own, know the micro-world or random repeats; a published decoder is
given English reference text that comes with Python.
"""

from itertools import islice

import torch

from labcore.architecture.build_train_corpus import HIDDEN_SHARE, asking, drawing
from labcore.architecture.head_gates import gated
from labcore.errors import LabInputError
from labcore.model.transformer import Transformer
from labcore.recipes import world_copier
from labcore.text.corpora import python_topics
from labcore.text.masking import IGNORE, collate
from labcore.training.objectives import Batch, causal_batch, masked_batch, token_losses
from labcore.zoo.cards import LoadedModel

PUBLISHED_TOKENS = 48  # of a reference text; a real model is slow
PUBLISHED_CHARACTERS = 1000  # tokenised for them
APART = 10_000  # seeds of two purposes never meet


def held_out(loaded: LoadedModel, rows: int, seed: int) -> Batch:
    """`rows` texts that the model has not seen, with what is asked of it there."""
    rng = torch.Generator().manual_seed(APART + seed)
    if loaded.card.family != "lab":
        return reference_texts(loaded, rows, rng)
    if loaded.card.name == "world-copier":
        words = world_copier.vocabulary(loaded.tokenizer)
        told = world_copier.told(loaded.tokenizer, words, rows, APART + seed)
        return world_copier.asked(told, loaded.tokenizer.pad_id)
    draw = drawing(loaded.card.kind, ("en", "zh"))
    ask = asking(loaded.card.kind, loaded.tokenizer, rng)
    return ask([draw("held_out", rng) for _ in range(rows)])


def reference_texts(loaded: LoadedModel, rows: int, rng: torch.Generator) -> Batch:
    """The beginnings of some of Python's help topics, for a published decoder or encoder.

    Nothing is asked of an encoder without a vocabulary. Raises LabInputError for an encoder-decoder.
    """
    if loaded.card.kind == "encoder_decoder":
        raise LabInputError("model", loaded.card.kind, "needs_decoder")
    tokenizer, topics = loaded.tokenizer, python_topics()
    before, after = list(tokenizer.opening_ids), list(tokenizer.closing_ids)
    order = torch.randperm(len(topics), generator=rng).tolist()
    read = (tokenizer.encode(topics[at][:PUBLISHED_CHARACTERS]) for at in order)
    long = (ids[:PUBLISHED_TOKENS] for ids in read if len(ids) >= PUBLISHED_TOKENS)
    texts = [[*before, *ids, *after] for ids in islice(long, rows)]
    if loaded.card.kind == "decoder":
        return causal_batch(texts, pad_id=0)
    if loaded.model.config.head == "none":
        tokens, real = collate(texts, pad_id=0)
        return Batch(tokens, torch.full_like(tokens, IGNORE), real)
    return masked_batch(texts, {*before, *after}, tokenizer.mask_id, 0, HIDDEN_SHARE, rng)


def inputs_of(batch: Batch) -> dict[str, torch.Tensor | None]:
    """What a model reads of a batch."""
    names = ("tokens", "padding_mask", "context", "context_padding_mask")
    return {name: getattr(batch, name) for name in names}


def text_losses(model: Transformer, batch: Batch, gates: torch.Tensor) -> torch.Tensor:
    """Nats per target of each text, with gates before the heads; (P, H), or (B, P, H).  -> (B,)"""
    losses = token_losses(model, batch, interventions=gated(model.config, gates))[0]  # (B, T)
    return losses.sum(dim=1) / (batch.targets != IGNORE).sum(dim=1).clamp(min=1)


@torch.no_grad()
def gated_loss(model: Transformer, batch: Batch, gates: torch.Tensor) -> float:
    """Nats per target over all texts of a batch, with gates before the heads."""
    losses = token_losses(model, batch, interventions=gated(model.config, gates))[0]
    return float(losses.double().sum()) / batch.num_targets
