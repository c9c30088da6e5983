"""How much a letter tells about the one d places on: mutual information by distance, and a bias to know.

I(X; Y) = Σ p(x, y)·ln( p(x, y) / p(x)·p(y) ) is 0 only if the two are independent. From N pairs one can
count p and put it in (the plug-in estimate). It is never negative, so on independent letters it comes out
above 0: by about (K − 1)²/2N nats for K symbols. The control is the same text with its letters shuffled.

The language of syllables is a Markov chain, so its true value is known at every distance:
I(d) = Σ π(a)·Pᵈ(a, b)·ln( Pᵈ(a, b) / π(b) ), and it can only fall (the data processing inequality).

Axes: B rows of T letters, N = B·T letters in all, K symbols, D distances.
Source: Miller 1955, and Paninski 2003 (the bias); Li 1990 (mutual information of symbols by distance).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_choices, check_limits
from labcore.text import syllables
from labcore.text.world import stories

SOURCES = ("syllables", "en", "zh")
DISTANCES = np.arange(1, 31)  # (D,)
LETTER_COUNTS = (500, 2_000, 8_000, 32_000)
ROW = 500  # T
WARM_UP = 32  # letters after which a row no longer shows where it began
STORY_SEED, STORIES = 31, 1_600


@lab_config
class MutualConfig:
    source: str = "syllables"
    letters: int = 2_000  # N
    seed: int = 0

    def __post_init__(self):
        check_choices(self, {"source": SOURCES})
        if self.letters not in LETTER_COUNTS:
            raise LabInputError("letters", self.letters, "known_choice", allowed=LETTER_COUNTS)
        check_limits(self, {"seed": (0, 9_999)})


@dataclass(frozen=True, slots=True, eq=False)
class MutualResult:
    distances: np.ndarray  # (D,)
    plug_in: np.ndarray  # (D,) nats
    shuffled: np.ndarray  # (D,) of the same letters in random order
    above: np.ndarray  # (D,) plug-in minus shuffled, at least 0
    exact: np.ndarray | None  # (D,) of the chain; unknown for stories
    symbols: int  # K
    bias: float  # (K − 1)² / 2N, nats, at distance 1
    entropy: float  # of one letter: what there is to know at most
    sample: str  # the beginning of the text


def mutual_information(x: np.ndarray, y: np.ndarray, symbols: int) -> float:
    """The plug-in estimate: count pairs, and put the shares into the formula.  (N,), (N,) -> nats

    >>> mutual_information(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), 2) / np.log(2)  # y is x
    1.0
    """
    pairs = np.bincount(x * symbols + y, minlength=symbols**2).reshape(symbols, symbols) / len(x)
    apart = pairs.sum(axis=1, keepdims=True) * pairs.sum(axis=0, keepdims=True)
    seen = pairs > 0
    return float((pairs[seen] * np.log(pairs[seen] / apart[seen])).sum())


def exact_by_distance(transition: np.ndarray, share: np.ndarray) -> np.ndarray:
    """I(d) of a Markov chain for every distance: d steps of the chain are the d-th power.  (D,)"""
    found, power = [], np.eye(len(share))
    for _ in DISTANCES:
        power = power @ transition
        joint = share[:, None] * power
        seen = joint > 0
        found.append((joint[seen] * np.log((power / share)[seen])).sum())
    return np.array(found)


@lru_cache(maxsize=2)
def story_letters(language: str) -> str:
    """Stories of one language, one after the other."""
    return "\n".join(one.text for one in stories(STORIES, STORY_SEED) if one.language == language)


def letters_of(config: MutualConfig) -> tuple[np.ndarray, str]:
    """(B, T) symbols that occur, counted from 0, and the text."""
    if config.source == "syllables":
        generator = torch.Generator().manual_seed(config.seed)
        rows = syllables.rows(config.letters // ROW, WARM_UP + ROW, generator)[:, WARM_UP:]
        codes = np.unique(rows.numpy(), return_inverse=True)[1]
        return codes.reshape(-1, ROW), syllables.text_of(rows[0])
    text = story_letters(config.source)
    start = (config.seed * 1_009) % (len(text) - config.letters)  # another part of the text
    part = text[start : start + config.letters]
    return np.unique(list(part), return_inverse=True)[1].reshape(-1, ROW), part


def run(config: MutualConfig) -> MutualResult:
    codes, text = letters_of(config)
    symbols = int(codes.max()) + 1
    generator = torch.Generator().manual_seed(config.seed + 1)
    order = torch.randperm(codes.size, generator=generator).numpy()
    plug_in, control = (
        np.array(
            [
                mutual_information(rows[:, :-d].ravel(), rows[:, d:].ravel(), symbols)
                for d in DISTANCES
            ]
        )
        for rows in (codes, codes.ravel()[order].reshape(codes.shape))
    )
    bias = (symbols - 1) ** 2 / (2 * len(codes) * (ROW - DISTANCES))
    exact = None
    if config.source == "syllables":
        exact = exact_by_distance(syllables.transitions().numpy(), syllables.stationary())
    share = np.bincount(codes.ravel()) / codes.size
    return MutualResult(
        DISTANCES, plug_in, control, np.maximum(plug_in - control, 0), exact, symbols, float(bias[0]),
        float(-(share * np.log(share)).sum()), text[:200],
    )  # fmt: skip
