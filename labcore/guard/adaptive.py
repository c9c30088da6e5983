"""An attacker who tries again: best of N disguises against a stack of layers.

Each try draws one to three disguises, perhaps on some of the words only. The attacker sees nothing but
whether the message passed. The *control* sends the same plain request again and again: a guard that decides
by a fixed rule gives the same answer every time.

What is counted is passing. Whether a model behind the guard would understand the message is another
question; large models read base64, small ones do not.

Source: best-of-N jailbreaking, arXiv:2412.03556.
Axes: R requests, N tries.
"""

import random
from dataclasses import dataclass

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_choices, check_limits
from labcore.guard.classifiers import PHRASES, logistic_scores, worst_reading
from labcore.guard.disguise import MOST_AT_ONCE, partly
from labcore.guard.pipeline import weights
from labcore.guard.redteam import ATTACKS, LANGUAGES, Request, draw
from labcore.guard.redteam_words import CATEGORIES

STACKS = ("rules", "classifier")
REQUESTS = 24
# In this order a reader can undo all of them again: letters replaced in base64 could not be read by anyone.
ORDER = (
    "pinyin", "leet", "homoglyph", "full_width", "zero_width", "spacing", "many_shot", "base64",
)  # fmt: skip


@lab_config
class AdaptiveConfig:
    language: str = "en"
    layers: tuple[str, ...] = STACKS
    undo: bool = True
    threshold: float = 0.5  # chance of harm from which the classifier stops
    tries: int = 16
    seed: int = 0

    def __post_init__(self):
        check_choices(self, {"language": LANGUAGES})
        check_limits(self, {"threshold": (0.0, 1.0), "tries": (1, 64), "seed": (0, 2**31)})
        for layer in self.layers:
            if layer not in STACKS:
                raise LabInputError("layers", layer, "known_choice", allowed=STACKS)


@dataclass(frozen=True, slots=True, eq=False)
class Adaptive:
    config: AdaptiveConfig
    first: np.ndarray  # (R,) the try that passed, counted from 1; 0: none did
    passed: np.ndarray  # (N,) share of requests that have passed after so many tries
    control: np.ndarray  # (N,) the same, plain every time
    requests: list[str]  # (R,) as asked
    winners: list[str]  # (R,) as it passed, "" if none did


def passes(texts: list[str], config: AdaptiveConfig) -> np.ndarray:
    """Whether each text gets past all layers.  -> (N,) bool"""
    through = np.ones(len(texts), bool)
    if "rules" in config.layers:
        hits = worst_reading(
            texts,
            lambda some: [any(p in text.lower() for p in PHRASES) for text in some],
            config.undo,
        )
        through &= hits == 0
    if "classifier" in config.layers:
        scores = worst_reading(
            texts, lambda some: logistic_scores(some, weights("request")), config.undo
        )
        through &= 1 / (1 + np.exp(-np.clip(scores, -50, 50))) < config.threshold
    return through


def attempt(request: Request, language: str, rng: random.Random) -> str:
    """One random disguise of a request."""
    names = [name for name in ORDER if name in ATTACKS[language]]
    text = request.said(language)
    for name in sorted(rng.sample(names, rng.randint(1, MOST_AT_ONCE)), key=ORDER.index):
        text = partly(text, name, rng.choice((0.3, 0.6, 1.0)), rng)
    return text


def search(config: AdaptiveConfig) -> Adaptive:
    """Every request is tried until it passes, at most `tries` times."""
    rng = random.Random(config.seed)
    requests = [r for kind in CATEGORIES for r in draw(kind, "train", REQUESTS // 4, rng)]
    plain = [request.said(config.language) for request in requests]
    first, winners = np.zeros(len(requests), np.int64), [""] * len(requests)
    for number in range(1, config.tries + 1):
        left = np.flatnonzero(first == 0)
        if not len(left):
            break
        tried = [attempt(requests[n], config.language, rng) for n in left]
        for n, text, through in zip(left, tried, passes(tried, config), strict=True):
            if through:
                first[n], winners[n] = number, text
    counts = np.arange(1, config.tries + 1)
    done = ((first[:, None] > 0) & (first[:, None] <= counts)).mean(axis=0)
    control = np.full(config.tries, passes(plain, config).mean())
    return Adaptive(config, first, done, control, plain, winners)
