"""Instructions about the micro-world: their answers, checked against the lexicon and the story alone."""

import re
from itertools import islice

import pytest
import torch

from labcore.errors import LabInputError
from labcore.text.lexicon import ANIMALS, COLOURS, HOBBIES, NUMBERS, THINGS
from labcore.text.stories import LANGUAGES
from labcore.tuning.world_instructions import TASKS, Asked, ask, instructions


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def column(table, name):
    return [entry[name] for entry in table]


def joined(text: str) -> str:
    return text.replace(" ", "")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", ["colour", "who", "where", "city"])
def test_what_is_read_off_the_story_stands_in_it(task, language):
    openings = r"^(It is |It was |In |是|在)"
    for seed in range(20):
        row = ask(task, language, generator(seed)).row
        said = re.sub(openings, "", row.output).rstrip(".。").removesuffix("的")
        assert said
        assert said in row.input


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_less_than_there_were(language):
    less = dict(zip(column(NUMBERS, language), column(NUMBERS, f"{language}.less"), strict=True))
    for seed in range(20):
        row = ask("count", language, generator(seed)).row
        there = next(number for number in less if number in re.split("[.。]", row.input)[0])
        assert less[there] in row.output


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("task", "table", "given", "asked"),
    [("sound", ANIMALS, "sound", ""), ("gift", HOBBIES, "", "gift")],
)
def test_what_only_the_world_tells(task, table, given, asked, language):
    def name(form):
        return f"{language}.{form}" if form else language

    for seed in range(20):
        row = ask(task, language, generator(seed)).row
        right = [e[name(asked)] for e in table if joined(e[name(given)]) in joined(row.input)]
        assert joined(right[0]) in joined(row.output)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_says_the_same_thing_and_colour(language):
    other = {"en": "zh", "zh": "en"}[language]
    for seed in range(20):
        row = ask("translate", language, generator(seed)).row
        for table in (COLOURS, THINGS):
            told = [e for e in table if joined(e[language]) in joined(row.instruction)]
            longest = max(told, key=lambda e: len(e[language]))  # a notebook holds a book
            assert joined(longest[other]) in joined(row.output)
        assert row.input == ""


def test_no_held_out_instruction_is_ever_trained_on():
    trained, asked = (
        {(one.row.input, one.row.instruction) for one in islice(instructions(LANGUAGES, generator(1), s), n)}
        for s, n in (("train", 2000), ("held_out", 160))
    )  # fmt: skip
    assert not trained & asked


def test_every_task_and_language_comes_in_turn():
    drawn = list(islice(instructions(LANGUAGES, generator()), 2 * len(TASKS)))
    assert {(one.task, one.language) for one in drawn} == {
        (task, language) for task in TASKS for language in LANGUAGES
    }
    assert all(isinstance(one, Asked) and one.split == "train" for one in drawn)


def test_the_same_dice_ask_the_same():
    one, other = (list(islice(instructions(("en",), generator(3)), 8)) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("bad", [("dance", "en"), ("colour", "fr")])
def test_unknown_tasks_and_languages_are_refused(bad):
    with pytest.raises(LabInputError):
        ask(*bad, generator())
