"""What a masked language model is examined on: held-out text with gaps, without gaps, and with mistakes.

Every model, whatever rule it was trained by, answers the same questions about the same held-out tokens:
once hidden behind [MASK], once plain to see, once swapped for another token of the same text. At
fine-tuning all text is of the second kind, and a model trained with [MASK] alone was never asked there.

N questions, V vocabulary, B batch, T position.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from labcore.pretraining import corpus
from labcore.pretraining.corpus import PretrainingText
from labcore.pretraining.masked_rule import ALL_HIDDEN, questions
from labcore.text.masking import IGNORE
from labcore.training.objectives import Batch

ASKED_SHARE = 0.15  # of the held-out tokens, whatever share a model was trained with
SEED = 99  # apart from every run's


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    """The same questions three times. Each list covers all held-out text, batch by batch."""

    gaps: list[Batch]
    plain: list[Batch]
    swapped: list[Batch]

    @property
    def targets(self) -> Tensor:
        """The true tokens.  (N,)"""
        return torch.cat([batch.targets[batch.targets != IGNORE] for batch in self.gaps])


@dataclass(frozen=True, slots=True)
class Marks:
    """Mean nats that the model pays for the true token, and whether it notices a mistake."""

    gap_nats: float  # behind [MASK]
    plain_nats: float  # in plain sight
    swapped_nats: float  # another token of the same text stands in its place
    spotted: float  # how often a swapped token surprises it more than a genuine one: 0.5 is chance


def exam(text: PretrainingText, share: float = ASKED_SHARE) -> Exam:
    rng = torch.Generator().manual_seed(SEED)
    fixed = corpus.special_ids(text.tokenizer)
    rule = replace(ALL_HIDDEN, rate=share)
    gaps, plain, swapped = [], [], []
    for shown in corpus.shown_held_out(text):
        asked, _ = questions(shown, text.tokenizer, fixed, rule, rng)
        others = others_of_the_text(asked, shown.tokens, fixed, rng)
        gaps.append(asked)
        plain.append(replace(asked, tokens=shown.tokens))
        swapped.append(replace(asked, tokens=shown.tokens.where(asked.targets == IGNORE, others)))
    return Exam(gaps, plain, swapped)


def others_of_the_text(
    asked: Batch, tokens: Tensor, fixed: Collection[int], rng: torch.Generator
) -> Tensor:
    """For each position a token from anywhere in its row: right language, likely word, wrong place.  (B, T)

    Harder to notice than a token drawn from the whole vocabulary, most of which is rare.
    """
    real = asked.padding_mask & ~torch.isin(tokens, torch.tensor(sorted(fixed)))
    places = real.float().multinomial(tokens.shape[1], replacement=True, generator=rng)
    return tokens.gather(1, places)


def mark(model: nn.Module, asked: Exam) -> Marks:
    truth = asked.targets
    gaps, plain, swapped = (nats(model, part) for part in (asked.gaps, asked.plain, asked.swapped))
    stands = torch.cat([batch.tokens[batch.targets != IGNORE] for batch in asked.swapped])
    rows = torch.arange(len(truth))
    return Marks(
        gap_nats=float(gaps[rows, truth].mean()),
        plain_nats=float(plain[rows, truth].mean()),
        swapped_nats=float(swapped[rows, truth].mean()),
        spotted=above(swapped[rows, stands].numpy(), plain[rows, truth].numpy()),
    )


@torch.no_grad()
def nats(model: nn.Module, batches: Sequence[Batch]) -> Tensor:
    """−ln p of every token of the vocabulary, at every position asked for.  (N, V)"""
    was_training = model.training
    model.eval()
    said = []
    for batch in batches:
        packed = {}
        if batch.documents is not None:
            packed = {"documents": batch.documents, "positions": batch.positions}
        logits = model(batch.tokens, padding_mask=batch.padding_mask, **packed).logits
        said.append(-logits[batch.targets != IGNORE].log_softmax(dim=-1))
    model.train(was_training)
    return torch.cat(said)


def above(first: np.ndarray, second: np.ndarray) -> float:
    """How often a value of the first lies above one of the second, ties counting half.

    The area under the ROC curve, as a share of all pairs (Mann and Whitney).
    """
    order = np.sort(second)
    below = np.searchsorted(order, first, side="left")
    up_to = np.searchsorted(order, first, side="right")
    return float((below + up_to).mean() / (2 * len(second)))


def constant_nats(asked: Exam) -> float:
    """The least that one and the same guess for every gap can cost: the entropy of the true tokens."""
    shares = torch.bincount(asked.targets).double() / len(asked.targets)
    shares = shares[shares > 0]
    return float(-(shares * shares.log()).sum())
