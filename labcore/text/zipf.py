"""A language with a long tail: a few common words and thousands of rare ones, with its exact entropy.

A text is words and spaces. A word is two or three syllables, each a token; which syllables, was drawn
once. The word of rank r comes with a probability proportional to 1/r^s, whatever stood before it: Zipf's
law, which the words of natural languages obey with s near 1. Where a word will go cannot be known before
its first syllable; how it goes on can, to a reader who has seen the word and kept it. So there is always
one more, rarer word to learn, for which one must have read more and remember more.

Nothing but the letters of the present word helps, so the lowest possible loss is a sum over the lexicon.

Axes: W words, M most tokens of a word with its space, B rows, T tokens of a row.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from labcore.errors import LabInputError

SPACE = 0
ONSETS, VOWELS, CODAS = "bdgklmnrst", "aeiou", ("", "n", "s", "l")
SYLLABLES = [onset + vowel + coda for onset in ONSETS for vowel in VOWELS for coda in CODAS]
VOCAB_SIZE = 1 + len(SYLLABLES)  # token 0 is the space, token i the syllable i - 1
WORDS = 20_000
SYLLABLES_OF_A_WORD = (2, 3)  # one as likely as the other
MOST_TOKENS = max(SYLLABLES_OF_A_WORD) + 1
SEED = 7  # of the lexicon
FLATTEST, STEEPEST = 0.5, 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """Words in the order of their rank; rows of `tokens` and `nats` are filled up behind the space."""

    share: np.ndarray  # (W,) probability of each word
    tokens: np.ndarray  # (W, M) syllables, then a space, then nothing
    nats: np.ndarray  # (W, M) −ln P of each token, given the word so far
    lengths: np.ndarray  # (W,) tokens of each word, its space included

    @property
    def entropy_nats(self) -> float:
        """The mean surprise of a token for a reader who knows the lexicon: H(word) / E(length)."""
        return float(-(self.share * np.log(self.share)).sum() / (self.share @ self.lengths))

    def rows(self, size: int, length: int, rng: torch.Generator) -> tuple[Tensor, np.ndarray]:
        """Texts that begin with a space.  -> (B, T + 1) int64, and −ln P of all but the first (B, T)"""
        most = length // (min(SYLLABLES_OF_A_WORD) + 1) + 1  # words that a row can need
        drawn = torch.rand(size, most, generator=rng, dtype=torch.float64).numpy()
        upto = np.cumsum(self.share)
        words = np.searchsorted(upto, drawn * upto[-1])  # (B, most)
        real = np.arange(MOST_TOKENS) < self.lengths[words][..., None]
        # Stable: the tokens come before the gaps and stay in their order.
        order = np.argsort(~real.reshape(size, -1), axis=1, kind="stable")[:, :length]
        tokens, nats = (
            np.take_along_axis(table[words].reshape(size, -1), order, axis=1)
            for table in (self.tokens, self.nats)
        )
        return torch.from_numpy(np.pad(tokens, ((0, 0), (1, 0)), constant_values=SPACE)), nats


@lru_cache(maxsize=4)
def language(exponent: float = 1.1) -> Language:
    """The language whose word of rank r has the probability r^−s / Σ r^−s; the lexicon is always the same."""
    if not FLATTEST <= exponent <= STEEPEST:
        raise LabInputError("exponent", exponent, "between", low=FLATTEST, high=STEEPEST)
    share = np.arange(1, WORDS + 1, dtype=np.float64) ** -exponent
    share /= share.sum()
    tokens, lengths = lexicon()
    return Language(share, tokens, surprise(tokens, lengths, share), lengths)


@lru_cache(maxsize=1)
def lexicon() -> tuple[np.ndarray, np.ndarray]:
    """Different words, drawn syllable by syllable.  -> (W, M) tokens, (W,) lengths"""
    rng = torch.Generator().manual_seed(SEED)
    more = WORDS * 3  # two syllables make 40,000 words: draws repeat, and only the first counts
    drawn = torch.randint(1, VOCAB_SIZE, (more, MOST_TOKENS), generator=rng).numpy()
    few, many = SYLLABLES_OF_A_WORD
    lengths = torch.randint(few, many + 1, (more,), generator=rng).numpy()
    drawn[np.arange(MOST_TOKENS) >= lengths[:, None]] = SPACE
    first = np.sort(np.unique(drawn, axis=0, return_index=True)[1])[:WORDS]
    return drawn[first], lengths[first] + 1


def surprise(tokens: np.ndarray, lengths: np.ndarray, share: np.ndarray) -> np.ndarray:
    """−ln P(token | the word so far): the share of all words that go on so, among those that begin so.

    (W, M), (W,), (W,) -> (W, M); 0 behind the end of a word
    """
    nats, before = np.zeros(tokens.shape), np.ones(len(tokens))
    prefix = np.zeros(len(tokens), np.int64)
    for place in range(tokens.shape[1]):
        prefix = prefix * VOCAB_SIZE + tokens[:, place]  # one number for all tokens so far
        _, which = np.unique(prefix, return_inverse=True)
        so_far = np.bincount(which, weights=share)[which]
        nats[:, place] = np.log(before / so_far)
        before = so_far
    nats[np.arange(tokens.shape[1]) >= lengths[:, None]] = 0
    return nats


def text_of(tokens: Tensor) -> str:
    """
    >>> text_of(torch.tensor([0, 1, 2, 0, 200, 4]))
    ' baban tulbal'
    """
    return "".join(" " if token == SPACE else SYLLABLES[token - 1] for token in tokens.tolist())
