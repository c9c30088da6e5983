"""Forty pairs, labelled by a person: what does this person seem to pay for?

Bradley and Terry's model with three known causes, fitted to a handful of choices. A mild pull to zero (a
normal prior on each worth) keeps it finite when all choices agree; the curvature of the loss says how
far the worths can be trusted. Each choice is also foretold from the ones before it, which no fit
can cheat at.

Axes: N pairs, C = 3 causes of worth.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.tuning import sums
from labcore.tuning.base_policy import load_policy
from labcore.tuning.preferences import (
    Pairs,
    Rater,
    causes_of,
    collect_pairs,
    fitted_worths,
    preference_chance,
)

PAIRS = 40
FIRST, SECOND, SAME = "a", "b", "s"
SHARES = {FIRST: 1.0, SAME: 0.5, SECOND: 0.0}  # a pair without difference counts half for each
BY_RATER = {FIRST: "A", SECOND: "B"}  # choices of the known rater are kept in capitals
PULL = 0.1  # a normal prior of deviation 1 / √0.1 = 3.2 on each worth
FORETOLD_AFTER = 5  # choices, before which nothing is foretold
MOST_SEED = 9999


@lab_config
class LabelConfig:
    choices: str = ""  # one letter per pair labelled so far; capitals: by the known rater
    seed: int = 0  # of the pairs

    @property
    def own(self) -> int:
        """How many of the choices a person made."""
        return sum(choice.islower() for choice in self.choices)

    def __post_init__(self):
        if len(self.choices) > PAIRS or set(self.choices) - {*SHARES, *BY_RATER.values()}:
            raise LabInputError("choices", self.choices, "known_choice", allowed=tuple(SHARES))
        if not 0 <= self.seed <= MOST_SEED:
            raise LabInputError("seed", self.seed, "between", low=0, high=MOST_SEED)


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    asked: list[str]  # (40,) "37+48="
    answers: list[list[str]]  # (40, 2) both answers
    worths: np.ndarray  # (C,) found; NaN before the first choice
    errors: np.ndarray  # (C,) standard errors; infinite or NaN before it
    foretold: np.ndarray  # (choices,) chance given beforehand to the first answer; NaN at first
    told: int  # choices between the two that were foretold
    hits: int  # of these, rightly


def run(config: LabelConfig) -> Labels:
    """What the choices so far say of whoever made them."""
    pairs = pairs_to_label(config.seed)
    causes = both_causes(pairs)[: len(config.choices)]  # (choices, 2, C)
    shares = np.array([SHARES[choice.lower()] for choice in config.choices])
    worths = errors = np.full(causes.shape[2], np.nan)
    if len(shares):
        worths = fitted_worths(causes, shares, PULL)
        errors = standard_errors(causes, worths, PULL)
    foretold = foretell(causes, shares)
    told = ~np.isnan(foretold) & (shares != SHARES[SAME])
    hits = (foretold[told] > 0.5) == (shares[told] == 1)
    return Labels(
        [sums.text_of(row) for row in pairs.asked.tokens],
        [[sums.text_of(answer) for answer in pair] for pair in pairs.responses],
        worths, errors, foretold, int(told.sum()), int(hits.sum()),
    )  # fmt: skip


@cache
def pairs_to_label(seed: int) -> Pairs:
    """Answers of the half-trained policy, two that differ to each sum; half of the pairs tell right
    from wrong, since two wrong answers say little about what being right is worth."""
    generator = torch.Generator().manual_seed(seed)
    drawn = collect_pairs(load_policy(), Rater(), 20 * PAIRS, generator)
    right, marks, digits = both_causes(drawn).transpose(2, 0, 1)  # (N, 2) each
    telling = right[:, 0] != right[:, 1]
    # Two wrong answers with equally many marks and digits differ in nothing that is asked here.
    idle = ~telling & (marks[:, 0] == marks[:, 1]) & (digits[:, 0] == digits[:, 1])
    halves = [
        torch.from_numpy(np.flatnonzero(which)[: PAIRS // 2])
        for which in (telling, ~telling & ~idle)
    ]
    rows = torch.cat(halves)
    return drawn[rows[torch.randperm(len(rows), generator=generator)]]


def both_causes(pairs: Pairs) -> np.ndarray:
    """(N, 2, C)"""
    return np.stack(
        [causes_of(pairs.asked, pairs.responses[:, at]).numpy() for at in (0, 1)], axis=1
    )


def standard_errors(causes: np.ndarray, worths: np.ndarray, pull: float) -> np.ndarray:
    """√ of the diagonal of (Fisher's information + pull)⁻¹.  (N, 2, C), (C,) -> (C,)

    A pair informs by p (1 − p): one whose outcome is certain says nothing new.
    """
    difference = causes[:, 0] - causes[:, 1]  # (N, C)
    chance = 1 / (1 + np.exp(-difference @ worths))
    information = (difference * (chance * (1 - chance))[:, None]).T @ difference
    return np.sqrt(np.diag(np.linalg.inv(information + pull * np.eye(len(worths)))))


def foretell(causes: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Each choice, foretold from those before it: the chance of the first answer.  -> (choices,)"""
    foretold = np.full(len(shares), np.nan)
    for at in range(FORETOLD_AFTER, len(shares)):
        worths = fitted_worths(causes[:at], shares[:at], PULL)
        foretold[at] = 1 / (1 + np.exp(-(causes[at, 0] - causes[at, 1]) @ worths))
    return foretold


def finished_by(rater: Rater, config: LabelConfig) -> str:
    """The learner's choices, and for the rest those of a rater of known taste."""
    pairs = pairs_to_label(config.seed)
    chance = preference_chance(rater, pairs.asked, pairs.responses)
    drawn = torch.rand(
        len(pairs), generator=torch.Generator().manual_seed(config.seed), dtype=torch.float64
    )
    letters = [BY_RATER[FIRST if first else SECOND] for first in (drawn < chance).tolist()]
    return config.choices + "".join(letters[len(config.choices) :])
