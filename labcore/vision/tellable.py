"""What a language model is asked about a picture: to tell it, or to answer a question about it.

Axes: B scenes.
"""

from dataclasses import dataclass

import numpy as np

from labcore.vision.captions import COLOUR_WORDS, LANGUAGES, SHAPE_WORDS, caption, join
from labcore.vision.pictures import ALONE, Scenes

QUESTIONS = ("colour", "shape")
TASKS = ("caption", *QUESTIONS)
ASKED = 0.4  # share of questions in training


@dataclass(frozen=True, slots=True)
class Told:
    """One thing to say: the question, empty for a caption, and what is to follow."""

    task: str
    language: str
    question: str
    answer: str


def told(scenes: Scenes, at: int, language: str, task: str, which: int = 0) -> Told:
    """The caption of a scene, or a question about its thing number `which`.

    >>> from labcore.vision.pictures import all_scenes
    >>> told(all_scenes(False, singles=False), 0, "en", "colour", 1)
    Told(task='colour', language='en', question='What colour is the square?', answer=' green')
    """
    if task == "caption":
        words = join(caption(scenes, at, language), language)
        return Told(task, language, "", f" {words}" if language == "en" else words)
    colour = COLOUR_WORDS[language][scenes.colours[at, which]]
    shape = SHAPE_WORDS[language][scenes.shapes[at, which]]
    question = question_about(task, colour if task == "shape" else shape, language)
    answer = colour if task == "colour" else shape
    return Told(task, language, question, f" {answer}" if language == "en" else answer)


def question_about(task: str, word: str, language: str) -> str:
    """>>> question_about("shape", "红色", "zh")
    '红色的是什么？'
    """
    if language == "en":
        return f"What colour is the {word}?" if task == "colour" else f"What is {word}?"
    return f"{word}是什么颜色？" if task == "colour" else f"{word}的是什么？"


def draw_told(scenes: Scenes, rng: np.random.Generator) -> list[Told]:
    """One thing to say of each scene, by chance: language, task, and about which thing."""
    languages = rng.integers(0, len(LANGUAGES), len(scenes))
    tasks = np.where(rng.random(len(scenes)) < ASKED, rng.integers(1, 3, len(scenes)), 0)
    which = rng.integers(0, 2, len(scenes)) * (scenes.relations != ALONE)
    return [
        told(scenes, at, LANGUAGES[languages[at]], TASKS[tasks[at]], int(which[at]))
        for at in range(len(scenes))
    ]
