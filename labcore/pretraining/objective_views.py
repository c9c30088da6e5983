"""What each objective shows of a sentence and what it asks: the batch and the mask of a real pass.

The sentence becomes a batch by `objective_kinds.ask`, which training uses as well. Who may look at whom
is not drawn from theory: a small model reads the batch, and its trace says which looks were allowed.

Axes: T tokens that are read (with an encoder-decoder: the encoder's S, then the decoder's).
"""

import re
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.transformer import Transformer
from labcore.pretraining.objective_kinds import Objective, SpecialIds, ask, model_config
from labcore.text.bpe import HAN
from labcore.text.masking import IGNORE
from labcore.training.objectives import Batch

PAPER = "Thank you for inviting me to your party last week."  # T5's example, figure 2
MOST_WORDS = 24  # that fit on a map
MOST_CHARACTERS = 400
LEAST_WORDS = 2
BEGIN, GAP = "<s>", "▢"  # as they are shown
WORD = re.compile(rf"[{HAN}]|[^\W_{HAN}]+(?:['’][^\W_{HAN}]+)*|[^\w\s]|_")


@lab_config
class ViewsConfig:
    text: str = PAPER
    objective: Objective = field(default_factory=Objective)
    seed: int = 0  # of what is hidden, or of where the prefix ends


@dataclass(frozen=True, slots=True, eq=False)
class ViewsResult:
    words: list[str]  # of the sentence, as far as it is read
    read: list[str]  # (T,) what stands in each place of the input
    asked: list[str]  # (T,) what must be said there; empty where nothing is asked
    encoder_tokens: int  # of the T, those that the encoder of an encoder-decoder reads
    prefix_tokens: int  # of the T, those that a prefix LM reads both ways
    allowed: np.ndarray  # (T, T) bool: row may look at column
    targets: int
    dropped_words: int  # beyond MOST_WORDS


def run(config: ViewsConfig) -> ViewsResult:
    words = split_words(config.text)
    if len(words) < LEAST_WORDS:
        raise LabInputError("text", len(words), "at_least_tokens", limit=LEAST_WORDS)
    kept = words[:MOST_WORDS]
    labels, ids, row = numbered(kept)
    rng = torch.Generator().manual_seed(config.seed)
    batch = ask(config.objective, [row], ids, rng)
    context = [] if batch.context is None else batch.context[0].tolist()
    read = [*context, *batch.tokens[0].tolist()]
    targets = [IGNORE] * len(context) + batch.targets[0].tolist()
    return ViewsResult(
        words=kept,
        read=[labels[token] for token in read],
        asked=["" if token == IGNORE else labels[token] for token in targets],
        encoder_tokens=len(context),
        prefix_tokens=0 if batch.prefix is None else int(batch.prefix.sum()),
        allowed=looks(config.objective, batch, len(labels)).numpy(),
        targets=batch.num_targets,
        dropped_words=len(words) - len(kept),
    )


def split_words(text: str) -> list[str]:
    """Words of a language that writes spaces, single Chinese characters, marks.

    >>> split_words("我爱 tea, don't I?")
    ['我', '爱', 'tea', ',', "don't", 'I', '?']
    """
    return WORD.findall(text[:MOST_CHARACTERS])


def numbered(words: list[str]) -> tuple[list[str], SpecialIds, list[int]]:
    """A vocabulary of this sentence alone.  -> labels of all ids, the ids that are no words, the row"""
    sentinels = [f"⟨{number}⟩" for number in range(1, len(words) + 2)]
    labels = [BEGIN, "<pad>", GAP, *sentinels]
    ids = SpecialIds(0, 1, 2, tuple(range(3, len(labels))))
    known = {word: len(labels) + number for number, word in enumerate(dict.fromkeys(words))}
    return [*labels, *known], ids, [ids.bos, *(known[word] for word in words)]


@torch.no_grad()
def looks(objective: Objective, batch: Batch, vocab_size: int) -> Tensor:
    """Which looks a model of this objective allows on the batch, read off its trace.  -> (T, T) bool

    Weights play no part in it, so they are as drawn. An encoder-decoder's three masks make one table: the
    encoder's own, the decoder's look at the encoder, the decoder's own.
    """
    model = Transformer(model_config(objective, vocab_size, hidden_size=8, num_heads=1))
    trace = model(
        batch.tokens, context=batch.context, prefix_mask=batch.prefix, trace=True
    ).trace  # fmt: skip
    own = trace["layers.0.attn.mask"][0, 0]
    if batch.context is None:
        return own
    read = batch.context.shape[1]
    allowed = torch.zeros(read + len(own), read + len(own), dtype=torch.bool)
    allowed[:read, :read] = trace["encoder.layers.0.attn.mask"][0, 0]
    allowed[read:, :read] = trace["layers.0.cross.mask"][0, 0]
    allowed[read:, read:] = own
    return allowed
