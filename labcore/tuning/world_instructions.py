"""Instructions about the micro-world, with their right answers.

A task is a few beats of a plot, a question and an answer, all of them templates of the same grammar: one walk
tells the three, so that the answer speaks of what the story has decided. What is asked for stands in the
story (colour, who, where, city), or the base model knows it from what it has read (sound, gift), or it has to
be worked out (count) or put into the other language (translate).

Every instruction belongs to the training set or to the held-out set, by a hash of its text.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import torch

from labcore.errors import LabInputError
from labcore.text.grammar import End, Node, Say, Storyteller, compile_template
from labcore.text.lexicon import VARIABLES
from labcore.text.plots import Beat, Line
from labcore.text.plots_animals import SOUND
from labcore.text.plots_people import GIFT, LOST, VISIT
from labcore.text.stories import LANGUAGES, tell_beats
from labcore.text.world import SPLITS, split_of
from labcore.tuning.instructions import Instruction

QUESTION, ANSWER = "<|question|>", "<|answer|>"  # marks within a walk; no model ever reads them


@dataclass(frozen=True, slots=True)
class Task:
    story: tuple[Beat, ...]
    question: Line
    answer: Line


FOUND: Beat = LOST[3][:1]
ONE_LESS: Beat = (
    Line(
        "There were {number} {fur} {animal.s} {place.in} . One {weekday} , one of them was gone .",
        "{place.in} 有 {number} {animal.mw} {fur} {animal} 。 "
        "有 一 个 {weekday} ， 一 {animal.mw} 不见 了 。",
    ),
)
TASKS: dict[str, Task] = {
    "colour": Task(
        LOST[:2],
        Line("What colour is the {thing} ?", "{thing} 是 什么 颜色 的 ？"),
        Line("It is {colour} .", "是 {colour} 的 。"),
    ),
    "who": Task(
        (LOST[0], FOUND),
        Line("Who (found|saw) the {thing} ?", "谁 (找到|发现) 了 {thing} ？"),
        Line("It was {friend} .", "是 {friend} 。"),
    ),
    "where": Task(
        (LOST[0], FOUND),
        Line("Where was the {thing} ?", "{thing} 在 哪里 ？"),
        Line("It was {spot} .", "在 {spot} 。"),
    ),
    "city": Task(
        VISIT[:2],
        Line("Where does the {relative} live ?", "{relative} 住 在 哪里 ？"),
        Line("In {city} .", "在 {city} 。"),
    ),
    "sound": Task(
        SOUND[:2],
        Line("What animal was it ?", "那 是 什么 动物 ？"),
        Line("It was {animal.a} {animal} .", "是 一 {animal.mw} {animal} 。"),
    ),
    "gift": Task(
        GIFT[:2],
        Line("What present would be good ?", "送 什么 礼物 好 ？"),
        Line("A good {hobby.gift} .", "一 {hobby.mw} {hobby.gift} 。"),
    ),
    "count": Task(
        (ONE_LESS,),
        Line("How many {animal.s} are left ?", "还 剩 几 {animal.mw} {animal} ？"),
        Line("Only {number.less} are left .", "只 剩下 {number.less} {animal.mw} 。"),
    ),
    "translate": Task(
        (),
        Line(
            'Say " ~{colour.a} {colour} {thing} ~" in Chinese .',
            "用 英文 说 “ 一 {thing.mw} {colour} {thing} ” 。",
        ),
        Line("{colour.A} {colour} {thing} .", "一 {thing.mw} {colour} {thing} 。"),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """An instruction, with what it asks for and in which language."""

    task: str
    language: str
    row: Instruction

    @property
    def split(self) -> str:
        return split_of(self.row.input + self.row.instruction)


@cache
def _teller(name: str, language: str) -> Storyteller:
    task = TASKS[name]
    answers = language if name != "translate" else {"en": "zh", "zh": "en"}[language]
    told: Node = _template(task.answer, answers, End())
    told = Say(QUESTION, _template(task.question, language, Say(ANSWER, told)))
    beats = [(f"beat {place}", beat) for place, beat in enumerate(task.story)]
    return Storyteller(tell_beats(beats, language, told))


def _template(line: Line, language: str, then: Node) -> Node:
    return compile_template(line.en if language == "en" else line.zh, language, then, VARIABLES)


def ask(name: str, language: str, generator: torch.Generator) -> Asked:
    """One instruction of a task, drawn from the world."""
    if name not in TASKS:
        raise LabInputError("task", name, "known_choice", allowed=tuple(TASKS))
    if language not in LANGUAGES:
        raise LabInputError("language", language, "known_language")
    words = _teller(name, language).tell(generator)
    question, answer = words.index(QUESTION), words.index(ANSWER)
    parts = (words[question + 1 : answer], words[:question], words[answer + 1 :])
    return Asked(name, language, Instruction(*map("".join, parts)))


def instructions(
    languages: tuple[str, ...], generator: torch.Generator, split: str = "train"
) -> Iterator[Asked]:
    """Instructions of one split without end, all tasks and the languages in turn."""
    if split not in SPLITS:
        raise LabInputError("split", split, "known_split")
    while True:
        for name in TASKS:
            for language in languages:
                while (drawn := ask(name, language, generator)).split != split:
                    pass
                yield drawn
