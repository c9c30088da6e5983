"""A red-team set, made by templates, split over templates *and* words.

An exam sentence asks for something in a form that no training sentence has, in a frame that none has, and
its slots hold words that none held. A split over sentences alone would let a guard pass by learning forms by
heart.

Axes: N requests.
"""

import random
from dataclasses import dataclass
from functools import cache

from labcore.errors import LabInputError
from labcore.guard.disguise import DISGUISES, disguise
from labcore.guard.redteam_words import (
    BENIGN_ENDS,
    CATEGORIES,
    EVERYDAY,
    FRAMES,
    FRAMES_LEARNED,
    HARMFUL,
    HARMFUL_ENDS,
    LOOK_ALIKE,
    WORDS,
    Pair,
)
from labcore.text.world import pairs

LANGUAGES = ("en", "zh")
BENIGN = (
    "everyday",
    "look_alike",
    "story",
)  # a story: passages of the micro-world, about other things
KINDS = (*CATEGORIES, *BENIGN)
SPLITS = ("train", "tune", "exam")  # to learn from, to draw the line with, to be judged by
STORIES = 300
STORY_SEEDS = {"train": 61, "tune": 62, "exam": 63}
# Attacks that change something in a language: Chinese has no letters to replace, English no pinyin.
ATTACKS = {
    "en": ("plain", "spacing", "leet", "homoglyph", "full_width", "zero_width", "base64",
           "language", "many_shot"),
    "zh": ("plain", "spacing", "zero_width", "pinyin", "base64", "language", "many_shot"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    kind: str  # one of KINDS
    english: str
    chinese: str

    @property
    def harmful(self) -> bool:
        return self.kind in CATEGORIES

    def said(self, language: str) -> str:
        if language not in LANGUAGES:
            raise LabInputError("language", language, "known_choice", allowed=LANGUAGES)
        return self.english if language == "en" else self.chinese


def cores(kind: str, split: str) -> list[Pair]:
    """What is asked for, of one kind, for training, for drawing the line or for the exam."""
    every, (learned, tuned) = {
        "everyday": (EVERYDAY, BENIGN_ENDS), "look_alike": (LOOK_ALIKE, BENIGN_ENDS),
    }.get(kind) or (HARMFUL[kind], HARMFUL_ENDS)  # fmt: skip
    return list(
        {"train": every[:learned], "tune": every[learned:tuned], "exam": every[tuned:]}[split]
    )


def frames(split: str) -> list[Pair]:
    return list(FRAMES[FRAMES_LEARNED:] if split == "exam" else FRAMES[:FRAMES_LEARNED])


def words(slot: str, split: str) -> list[Pair]:
    every, learned = WORDS[slot]
    return list(every[learned:] if split == "exam" else every[:learned])


@cache
def stories(split: str) -> tuple[Request, ...]:
    """Passages of the micro-world, told in both languages."""
    told = pairs(STORIES, STORY_SEEDS[split], "held_out" if split == "exam" else "train")
    return tuple(Request("story", pair.en, pair.zh) for pair in told)


def draw(kind: str, split: str, count: int, rng: random.Random) -> list[Request]:
    """`count` requests, forms taken in turn, words drawn."""
    if kind not in KINDS:
        raise LabInputError("kind", kind, "known_choice", allowed=KINDS)
    if split not in SPLITS:
        raise LabInputError("split", split, "known_choice", allowed=SPLITS)
    if kind == "story":
        return [rng.choice(stories(split)) for _ in range(count)]
    asked, drawn = cores(kind, split), []
    for number in range(count if asked else 0):
        chosen = {slot: rng.choice(words(slot, split)) for slot in WORDS}
        frame, core = rng.choice(frames(split)), asked[number % len(asked)]
        said = [
            frame[side].format(core[side].format(**{s: pair[side] for s, pair in chosen.items()}))
            for side in (0, 1)
        ]
        drawn.append(Request(kind, *said))
    return drawn


def attacked(request: Request, attack: str, language: str) -> str:
    """A request as the attacker sends it to a guard that was trained in `language`."""
    if attack == "language":
        return request.said("zh" if language == "en" else "en")
    if attack not in DISGUISES:
        raise LabInputError("attack", attack, "known_choice", allowed=(*DISGUISES, "language"))
    return disguise(request.said(language), attack)
