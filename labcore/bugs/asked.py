"""The ward of batches: what is asked of a model, what its mistakes are divided by, who sees whom in a row.

The reader is perfect. The text is a Markov chain of letters that also says when a document ends, and the
reader holds its table: on any text its loss must come out as that text's own surprise, to the last digit. So
nothing has to be trained, and whatever is off is off in the batch.

Axes: B documents, T tokens, V symbols.
"""

import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from labcore.bugs.case import Bug, Parts, Reading, Test, Ward, floored, followed
from labcore.model.transformer import Output
from labcore.text import syllables
from labcore.text.masking import collate
from labcore.text.packing import PackedRows
from labcore.training.objectives import (
    Batch,
    causal_batch,
    held_out_loss,
    mean_token_loss,
    packed_batch,
    token_losses,
)
from labcore.zoo import load

END = len(syllables.LETTERS)
PAD = END + 1
SYMBOLS = PAD + 1
STOP = 0.08  # chance that a document ends after a letter
MOST = 80  # letters, in case it does not
DOCUMENTS = 24
COPIER = "world-copier"
COPIED, ROWS = 10, 32  # words of a document that stands twice in a row
FIRST_WORD = 300  # ids below are single bytes and marks

# The parts, and what people wrote in their place.


def shifted_again(rows: Sequence[Sequence[int]], pad_id: int) -> Batch:
    """The data set shifts the labels, and the model's loss shifts what it is given."""
    batch = causal_batch(rows, pad_id)
    return Batch(batch.tokens[:, :-1], batch.targets[:, 1:], batch.padding_mask[:, :-1])


def padding_asked_too(rows: Sequence[Sequence[int]], pad_id: int) -> Batch:
    tokens, real = collate(rows, pad_id)
    return Batch(tokens[:, :-1], tokens[:, 1:], real[:, :-1])


@torch.no_grad()
def mean_of_batches(model: nn.Module, batches: Sequence[Batch]) -> float:
    losses = [float(mean_token_loss(model, batch)[0]) for batch in batches]
    return sum(losses) / len(losses)


def neighbours_in_view(packed: PackedRows) -> Batch:
    return packed_batch(packed, apart=False)


PARTS: Parts = {
    "batch": causal_batch,
    "report": held_out_loss,
    "packed": packed_batch,
}

# The perfect reader.


@cache
def table() -> Tensor:
    """P(next | symbol): letters as the language has them, then an end, then padding.  (V, V) float64"""
    chances = torch.zeros(SYMBOLS, SYMBOLS, dtype=torch.float64)
    chances[:END, :END] = syllables.transitions() * (1 - STOP)
    chances[:END, END] = STOP
    chances[END:, PAD] = 1.0  # whoever has seen a padded batch knows how it goes on
    return chances


class PerfectReader(nn.Module):
    """Knows the table and nothing else; what is impossible gets e^-30."""

    def forward(self, tokens: Tensor, padding_mask: Tensor | None = None, **_: object) -> Output:
        logits = table()[tokens].clamp(min=math.exp(-30)).log()  # (B, T, V)
        return Output(logits, logits, None, torch.zeros(()))


def documents(count: int, seed: int) -> list[list[int]]:
    """Each from a space to its end, as long as chance will have it."""
    generator = torch.Generator().manual_seed(seed)
    told = []
    for _ in range(count):
        row = [0]
        while row[-1] != END and len(row) < MOST:
            row.append(int(torch.multinomial(table()[row[-1]], 1, generator=generator)))
        told.append(row)
    return told


def surprise(rows: Sequence[Sequence[int]]) -> float:
    """The text's own surprise: nats per symbol that has one before it."""
    nats = [-float(table()[a, b].log()) for row in rows for a, b in pairwise(row)]
    return sum(nats) / len(nats)


# The tests.


def against_the_surprise(parts: Parts, seed: int) -> Reading:
    rows = documents(DOCUMENTS, seed)
    loss = float(mean_token_loss(PerfectReader(), parts["batch"](rows, PAD))[0])
    return floored(loss, surprise(rows), slack=1e-4)


def targets_counted(parts: Parts, seed: int) -> Reading:
    """Symbols asked for, over those that there are to ask for."""
    rows = documents(DOCUMENTS, seed)
    asked = parts["batch"](rows, PAD).num_targets
    return Reading(asked / sum(len(row) - 1 for row in rows), 1.0, 1.0)


def report_against_the_surprise(parts: Parts, seed: int) -> Reading:
    """The held-out loss over batches of like length, as they are mostly read."""
    rows = sorted(documents(DOCUMENTS, seed), key=len)
    cuts = [rows[at : at + 4] for at in range(0, len(rows), 4)]
    loss = parts["report"](PerfectReader(), [parts["batch"](cut, PAD) for cut in cuts])
    return floored(loss, surprise(rows), slack=1e-4)


@cache
def twice_the_same(seed: int) -> PackedRows:
    """A document of random words stands twice in each row, each time with its opening.  -> R rows of 2 · T"""
    tokenizer = load(COPIER).tokenizer
    generator = torch.Generator().manual_seed(seed)
    words = torch.randint(FIRST_WORD, tokenizer.vocab_size, (ROWS, COPIED), generator=generator)
    opening = torch.tensor([tokenizer.bos_id, tokenizer.special_id("<|en|>")]).expand(ROWS, -1)
    told = torch.cat([opening, words], dim=1)  # (R, T)
    twin = torch.arange(2).repeat_interleave(told.shape[1]).expand(ROWS, -1)
    places = torch.arange(told.shape[1]).repeat(2).expand(ROWS, -1)
    return PackedRows(told.repeat(1, 2), twin, places)


@torch.no_grad()
def losses_in_the_row(parts: Parts, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A model that copies reads it: nats of each word in the first and in the second document.  (W,), (W,)"""
    losses, _ = token_losses(load(COPIER).model, parts["packed"](twice_the_same(seed)))
    mean = losses.mean(dim=0).numpy()  # a loss stands one place before its word
    return mean[1 : 1 + COPIED], mean[3 + COPIED : 3 + 2 * COPIED]


def second_of_two(parts: Parts, seed: int) -> Reading:
    """Random words cost the logarithm of their number, whatever stands in another document before them."""
    _, second = losses_in_the_row(parts, seed)
    return floored(second.mean(), math.log(words_to_draw_from()), slack=2.0)


def words_to_draw_from() -> int:
    return load(COPIER).tokenizer.vocab_size - FIRST_WORD


def along_the_row(parts: Parts, seed: int) -> Reading:
    """The loss in the second document, word by word, against that in the first, its equal."""
    first, second = losses_in_the_row(parts, seed)
    return followed(np.arange(1, COPIED + 1), second, first, 1e-3)


WARD = Ward(
    "asked", "pretraining", PARTS,
    (
        Test("surprise", "floor", against_the_surprise),
        Test("report", "floor", report_against_the_surprise),
        Test("second", "floor", second_of_two),
        Test("targets", "equality", targets_counted),
        Test("copies", "curve", along_the_row),
    ),
    (
        Bug("double_shift", "batch", shifted_again,
            ("huggingface/transformers#47394", "huggingface/transformers#37830"), "training",
            "surprise"),
        Bug("padding_asked", "batch", padding_asked_too,
            ("OpenRLHF/OpenRLHF#1338", "open-jarvis/OpenJarvis#521"), "traps", "surprise"),
        Bug("mean_of_batches", "report", mean_of_batches,
            ("huggingface/transformers#34387", "huggingface/transformers#34138"), "monitor", "report"),
        Bug("document_leak", "packed", neighbours_in_view,
            ("alex-hh/profam#495", "huggingface/nanoVLM#204"), "data", "second"),
    ),
)  # fmt: skip
