"""Pairs of answers and a rater whose taste is known: Bradley and Terry's model, run forwards.

The rater holds every answer worth a number: so much for being right, so much for each exclamation mark,
so much for each digit. Of two answers to the same sum the first is preferred with probability
σ(worth of the first − worth of the second); now and then the rater's hand slips and the label is turned
around. All of it is known here, so what a reward model finds can be held against what was planted.

Source: Bradley & Terry 1952; as a model of raters, Christiano et al., arXiv:1706.03741.
Axes: N pairs, B answers, P prompt tokens, R response tokens, C = 3 causes of worth.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.model.transformer import Transformer
from labcore.tuning import sums
from labcore.tuning.base_policy import answer

CAUSES = ("right", "marks", "digits")
MOST_PAIRS = 20_000


@lab_config
class Rater:
    """What an answer is worth to whoever compares two of them."""

    right: float = 4.0  # for being right
    marks: float = 0.5  # for each exclamation mark
    digits: float = 0.0  # for each digit: a taste for long answers
    slips: float = 0.0  # the share of labels that are turned around

    def __post_init__(self):
        for cause in CAUSES:
            if not -10 <= getattr(self, cause) <= 10:
                raise LabInputError(cause, getattr(self, cause), "between", low=-10, high=10)
        if not 0 <= self.slips <= 0.5:
            raise LabInputError("slips", self.slips, "between", low=0, high=0.5)

    @property
    def worths(self) -> Tensor:
        """(C,) float64"""
        return torch.tensor([getattr(self, cause) for cause in CAUSES], dtype=torch.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Two answers to each sum, and which of them was preferred."""

    asked: sums.Sums  # (N,)
    responses: Tensor  # (N, 2, R)
    first_preferred: Tensor  # (N,) bool
    chance: Tensor  # (N,) float64: how likely the rater was to prefer the first

    def __len__(self) -> int:
        return len(self.asked)

    def __getitem__(self, rows) -> "Pairs":
        return Pairs(
            self.asked[rows], self.responses[rows], self.first_preferred[rows], self.chance[rows]
        )

    @property
    def ordered(self) -> Tensor:
        """The preferred answer of each pair before the other.  (N, 2, R)"""
        order = torch.where(self.first_preferred[:, None], *torch.tensor([[[0, 1]], [[1, 0]]]))
        return self.responses.gather(1, order[:, :, None].expand_as(self.responses))


def causes_of(asked: sums.Sums, responses: Tensor) -> Tensor:
    """What an answer's worth is made of: right or not, marks, digits.  (B, R) -> (B, C) float64"""
    digits = (responses < sums.PLUS).sum(dim=1)
    columns = [sums.is_right(asked, responses), sums.count_marks(responses), digits]
    return torch.stack([column.double() for column in columns], dim=1)


def preference_chance(rater: Rater, asked: sums.Sums, responses: Tensor) -> Tensor:
    """P(the first is preferred) = σ(worth₁ − worth₂), before or after a slip.  (N, 2, R) -> (N,)

    Worked by hand: a right answer without marks against a wrong one with two is worth 4 − 2 · 0.5 = 3
    more; σ(3) = 0.9526, and with one slip in ten 0.9 · 0.9526 + 0.1 · 0.0474 = 0.8621.
    """
    worth = [causes_of(asked, responses[:, which]) @ rater.worths for which in (0, 1)]
    chance = torch.sigmoid(worth[0] - worth[1])
    return (1 - rater.slips) * chance + rater.slips * (1 - chance)


def collect_pairs(
    policy: Transformer, rater: Rater, size: int, generator: torch.Generator, held_out: bool = False
) -> Pairs:
    """Ask sums, let the policy answer each twice, and have the rater choose.

    Pairs of equal answers are asked too: the rater has no ground to choose, and tosses a coin.
    """
    if not 1 <= size <= MOST_PAIRS:
        raise LabInputError("pairs", size, "between", low=1, high=MOST_PAIRS)
    asked = sums.draw_sums(size, generator, held_out)
    answers = answer(policy, asked.repeated(2), generator)  # (2N, R)
    responses = answers.reshape(size, 2, -1)
    chance = preference_chance(rater, asked, responses)
    drawn = torch.rand(size, generator=generator, dtype=torch.float64)
    return Pairs(asked, responses, drawn < chance, chance)


def best_accuracy(pairs: Pairs) -> float:
    """How often the wisest guesser would name the rater's choice: the mean of max(p, 1 − p).

    Nobody who knows the rater's taste to the last digit, but not the dice, does better.
    """
    return float(torch.maximum(pairs.chance, 1 - pairs.chance).mean())


def fitted_worths(
    causes: np.ndarray, first_preferred: np.ndarray, pull: float = 1e-2
) -> np.ndarray:
    """The worths under which these choices are likeliest: Bradley–Terry on a few known causes.

    causes (N, 2, C), first_preferred (N,) -> (C,). `pull` is the weight of ½‖w‖², a mild pull to zero
    that keeps the answer finite when every choice agrees. Newton's method on a convex loss.
    """
    difference = causes[:, 0] - causes[:, 1]  # (N, C)
    worths = np.zeros(difference.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-difference @ worths))  # (N,)
        slope = difference.T @ (chance - first_preferred) + pull * worths
        curvature = (difference * (chance * (1 - chance))[:, None]).T @ difference
        step = np.linalg.solve(curvature + pull * np.eye(len(worths)), slope)
        worths = worths - step
        if np.abs(step).max() < 1e-10:
            break
    return worths
