"""Pairs of a right and a wrong answer to the same sum, from three sources.

"near": the wrong answer was made, a slip in one digit; the right one was written by a person. Neither was
said by the policy. "own": both were said by the policy before training began. "fresh": both are said by the
policy as it is now, again and again.

Axes: N pairs, G answers to each sum, P prompt tokens, R response tokens.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from labcore.model.transformer import Transformer
from labcore.tuning import sums
from labcore.tuning.base_policy import answer

SOURCES = ("near", "own", "fresh")
SLIPS = (-10, -1, 1, 10)
TRIES = 8  # answers drawn to a sum, in search of a right and a wrong one


@dataclass(frozen=True, slots=True, eq=False)
class AnswerPairs:
    prompts: Tensor  # (N, P)
    chosen: Tensor  # (N, R)
    rejected: Tensor  # (N, R)

    def __len__(self) -> int:
        return len(self.prompts)

    def __getitem__(self, rows) -> "AnswerPairs":
        return AnswerPairs(self.prompts[rows], self.chosen[rows], self.rejected[rows])


def near_pairs(size: int, generator: torch.Generator, held_out: bool = False) -> AnswerPairs:
    """The sum against the sum ± 1 or ± 10, with equally many marks."""
    asked = sums.draw_sums(size, generator, held_out)
    right = asked.left + asked.right
    slip = torch.tensor(SLIPS)[torch.randint(len(SLIPS), (size,), generator=generator)]
    marks = torch.randint(0, sums.MOST_MARKS + 1, (size,), generator=generator)
    return AnswerPairs(asked.tokens, sums.written(right, marks), sums.written(right + slip, marks))


def own_pairs(
    policy: Transformer, size: int, generator: torch.Generator, held_out: bool = False
) -> AnswerPairs:
    """One right and one wrong answer out of eight that the policy gives.  N is at most `size`.

    Sums that it gets right, or wrong, in all eight tries teach nothing here and are left out.
    """
    asked = sums.draw_sums(size, generator, held_out)
    answers = answer(policy, asked.repeated(TRIES), generator)
    right = sums.is_right(asked.repeated(TRIES), answers).view(size, TRIES)
    answers = answers.view(size, TRIES, -1)
    told_apart = right.any(dim=1) & ~right.all(dim=1)
    rows = torch.arange(size)
    # argmax finds the first: the first right answer and the first wrong one, in the order drawn.
    chosen, rejected = (answers[rows, which.long().argmax(dim=1)] for which in (right, ~right))
    return AnswerPairs(asked.tokens, chosen, rejected)[told_apart]


def flipped(pairs: AnswerPairs, share: float, generator: torch.Generator) -> AnswerPairs:
    """The same pairs with a `share` of the labels turned around: a careless rater."""
    turned = (torch.rand(len(pairs), generator=generator) < share)[:, None]
    return AnswerPairs(
        pairs.prompts,
        torch.where(turned, pairs.rejected, pairs.chosen),
        torch.where(turned, pairs.chosen, pairs.rejected),
    )
