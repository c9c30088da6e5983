"""Defence in depth: a message, a text fetched for it and an answer pass one layer after the other.

Each layer sees what the layer before it left, gives a score and a verdict, and may rewrite. The first that
stops ends the walk. The order matters: masking before undoing would miss a card in wide digits.

The classifier and the detector are logistic regressions on n-grams, trained here, in this process, on the
red-team set's training sentences. Everything else is a rule.
"""

import random
from dataclasses import dataclass
from functools import cache

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.guard import personal, undo
from labcore.guard.bucket import BucketConfig, ask, full, passed
from labcore.guard.classifiers import (
    PHRASES,
    fit_logistic,
    logistic_scores,
    ngram_features,
    worst_reading,
)
from labcore.guard.redteam import LANGUAGES, draw
from labcore.guard.redteam_words import CATEGORIES
from labcore.guard.study import StudyConfig, training_texts

LAYERS = ("rate", "undo", "mask", "rules", "classifier", "injection", "output")
MOST_SIGNS = 1000
SECRET = {"en": "hazelnut", "zh": "榛子"}  # the keeper's word: it must never be said


@lab_config
class WalkConfig:
    message: str
    fetched: str = ""  # what a search or a tool brought back
    answer: str = ""  # what a model might say; typed, no model is asked here
    layers: tuple[str, ...] = LAYERS
    threshold: float = 0.5  # chance of harm from which the two classifiers stop
    earlier: int = 2  # messages that the same person sent before
    seconds_apart: float = 1.0
    per_second: float = 0.5
    burst: int = 3

    def __post_init__(self):
        for layer in self.layers:
            if layer not in LAYERS:
                raise LabInputError("layers", layer, "known_choice", allowed=LAYERS)
        for name in ("message", "fetched", "answer"):
            if len(getattr(self, name)) > MOST_SIGNS:
                raise LabInputError(
                    name, len(getattr(self, name)), "at_most_characters", limit=MOST_SIGNS
                )
        BucketConfig(self.per_second, self.burst)
        limits = {"threshold": (0.0, 1.0), "earlier": (0, 50), "seconds_apart": (0.0, 60.0)}
        check_limits(self, limits)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one layer saw and said."""

    layer: str
    text: str  # as it reached the layer
    left: str  # as it left it
    score: float | None  # None: the layer has no score
    verdict: str  # "passes", "changed", "stops", "off" or "unreached"
    found: tuple[str, ...] = ()  # phrases, kinds of data


@cache
def weights(task: str) -> np.ndarray:
    """Learned from training sentences in both languages: harmful requests, or orders on a page."""
    parts = [training_texts(StudyConfig(language)) for language in LANGUAGES]
    texts = [text for some, _ in parts for text in some]
    harmful = np.concatenate([one for _, one in parts])
    if task == "injection":  # stories stay harmless; orders to the reader are what is looked for
        rules = training_orders()
        texts, harmful = texts + rules, np.append(harmful, np.ones(len(rules)))
    return fit_logistic(ngram_features(texts), harmful)


def training_orders() -> list[str]:
    """Orders buried in passages of the micro-world."""
    rng = random.Random(3)
    orders = [r for kind in CATEGORIES for r in draw(kind, "train", 40, rng)]
    stories = draw("story", "train", len(orders), rng)
    return [
        f"{story.said(language)} {order.said(language)}"
        for order, story in zip(orders, stories, strict=True)
        for language in LANGUAGES
    ]


def chance(text: str, task: str, readings: bool) -> float:
    """Chance of harm, by the worst sentence; of all readings, if the text was to be undone."""
    if not text.strip():
        return 0.0
    parts = [piece for piece in undo.PIECES.split(text) if piece.strip()] or [text]
    scores = worst_reading(
        [text, *parts], lambda some: logistic_scores(some, weights(task)), readings
    )
    return float(1 / (1 + np.exp(-np.clip(scores.max(), -50, 50))))


def walk(config: WalkConfig) -> list[Seen]:
    """All layers in order; behind the one that stops, none is reached."""
    seen, stopped = [], False
    texts = {"message": config.message, "fetched": config.fetched, "answer": config.answer}
    for layer in LAYERS:
        part = {"injection": "fetched", "output": "answer"}.get(layer, "message")
        text = texts[part]
        if layer not in config.layers or stopped:
            seen.append(Seen(layer, text, text, None, "unreached" if stopped else "off"))
            continue
        left, score, found, stops = STEPS[layer](text, config)
        verdict = "stops" if stops else "changed" if left != text else "passes"
        seen.append(Seen(layer, text, left, score, verdict, found))
        texts[part], stopped = left, stops
    return seen


def rate(text: str, config: WalkConfig):
    times = [n * config.seconds_apart for n in range(config.earlier + 1)]
    return text, None, (), not passed(times, BucketConfig(config.per_second, config.burst))[-1]


def undone(text: str, config: WalkConfig):
    """The reading that is most alike to plain text: the last one found; base64 is opened."""
    tidy = undo.joined(undo.canonical(text))
    opened = undo.decoded(undo.INVISIBLE.sub("", text))
    return (undo.canonical(opened[0]) if opened else tidy), None, (), False


def masked(text: str, config: WalkConfig):
    found = tuple(one.kind for one in personal.find(text) if one.kept)
    return personal.mask(text), float(len(found)), found, False


def rules(text: str, config: WalkConfig):
    found = tuple(phrase for phrase in PHRASES if phrase in text.lower())
    return text, float(len(found)), found, bool(found)


def classified(text: str, config: WalkConfig):
    score = chance(text, "request", "undo" in config.layers)
    return text, score, (), score >= config.threshold


def injected(text: str, config: WalkConfig):
    score = chance(text, "injection", "undo" in config.layers)
    return text, score, (), score >= config.threshold


def output(text: str, config: WalkConfig):
    said = undo.canonical(text)
    found = tuple(word for word in SECRET.values() if word in said)
    data = tuple(one.kind for one in personal.find(text) if one.kept)
    return personal.mask(text), float(len(found) + len(data)), found + data, bool(found)


STEPS = {
    "rate": rate, "undo": undone, "mask": masked, "rules": rules, "classifier": classified,
    "injection": injected, "output": output,
}  # fmt: skip


def levels(config: WalkConfig) -> list[tuple[float, float, bool]]:
    """The bucket message by message: seconds, tokens left, whether it passed."""
    rule = BucketConfig(config.per_second, config.burst)
    state, seen = full(rule), []
    for number in range(config.earlier + 1):
        state, through = ask(state, number * config.seconds_apart, rule)
        seen.append((state.seconds, state.tokens, through))
    return seen
