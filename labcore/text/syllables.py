"""A language of syllables: a Markov chain over letters whose entropy is known exactly.

After a space comes a consonant, after a consonant a vowel, after a vowel a consonant or a space; how
likely each is was drawn once. What is written in it can be read aloud, what breaks its rules cannot, and
no model can predict it better than the entropy says.

Axes: V letters, B rows, T letters of a row.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

SPACE, CONSONANTS, VOWELS = " ", "bdgklmnrst", "aeiou"
LETTERS = SPACE + CONSONANTS + VOWELS  # a letter's place is its token
SPACE_SHARE = 0.4  # of what follows a vowel
SEED = 7  # of the language itself


@cache
def transitions() -> Tensor:
    """P(next letter | letter).  (V, V) float64, rows sum to 1; 0 for what the language forbids"""
    generator = torch.Generator().manual_seed(SEED)
    vowels_from = 1 + len(CONSONANTS)
    table = torch.zeros(len(LETTERS), len(LETTERS), dtype=torch.float64)
    for letter in range(len(LETTERS)):
        wants_vowel = 1 <= letter < vowels_from
        allowed = slice(vowels_from, None) if wants_vowel else slice(1, vowels_from)
        # Exponential draws over their sum are uniform over all distributions (a flat Dirichlet).
        drawn = -torch.rand(len(LETTERS), generator=generator, dtype=torch.float64).log()
        table[letter, allowed] = drawn[allowed] / drawn[allowed].sum()
    table[vowels_from:] *= 1 - SPACE_SHARE
    table[vowels_from:, 0] = SPACE_SHARE
    return table


def stationary() -> np.ndarray:
    """How often each letter occurs in a long text.  (V,): π with π P = π"""
    values, vectors = np.linalg.eig(transitions().numpy().T)
    vector = np.abs(vectors[:, np.argmin(np.abs(values - 1))].real)
    return vector / vector.sum()


def entropy_rate_nats() -> float:
    """−Σ π(a) P(b|a) ln P(b|a): the mean surprise of a letter for a perfect reader."""
    table = transitions().numpy()
    surprise = np.where(table > 0, -np.log(np.where(table > 0, table, 1)), 0)
    return float(stationary() @ (table * surprise).sum(axis=1))


def rows(size: int, length: int, generator: torch.Generator) -> Tensor:
    """Texts of the language, each from the beginning of a word.  -> (B, T) int64, first letter a space"""
    drawn = torch.zeros(size, length, dtype=torch.int64)
    table = transitions()
    for place in range(1, length):
        drawn[:, place] = torch.multinomial(table[drawn[:, place - 1]], 1, generator=generator)[
            :, 0
        ]
    return drawn


def surprise_nats(tokens: Tensor) -> Tensor:
    """−ln P of each letter but the first; infinite for a step that the language forbids.

    (B, T) -> (B, T − 1)
    """
    return -transitions()[tokens[:, :-1], tokens[:, 1:]].log()


def text_of(tokens: Tensor) -> str:
    return "".join(LETTERS[token] for token in tokens.tolist())
