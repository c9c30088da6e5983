"""Instruction sets: the bundled ones, files of one's own, and rows as hubs publish them."""

import json
import re

import datasets
import huggingface_hub
import pytest
from huggingface_hub.errors import HTTPError

from labcore.errors import LabInputError
from labcore.tuning import instructions as lab
from labcore.tuning.instructions import Instruction

HAN = re.compile("[\u4e00-\u9fff]")


@pytest.mark.parametrize("language", lab.BUNDLED)
def test_a_bundled_set_has_sixty_different_questions_in_its_language(language):
    rows = lab.load(language)
    assert len({(row.instruction, row.input) for row in rows}) == len(rows) >= 60
    assert all(bool(HAN.search(row.instruction)) == (language == "zh") for row in rows)
    assert max(len(row.output) for row in rows) < 160
    assert sum(bool(row.input) for row in rows) > 20


def test_the_text_stands_below_the_instruction():
    assert Instruction("Sort.", "b, a", "a, b").user == "Sort.\nb, a"
    assert Instruction("Sort.", "", "a, b").user == "Sort."


@pytest.mark.parametrize("lines", [True, False])
def test_a_file_of_ones_own_is_read(tmp_path, lines):
    rows = [
        {"instruction": " 问 ", "output": "答"},
        {"instruction": "q", "input": "i", "output": "o"},
    ]
    path = tmp_path / "mine.json"
    path.write_text("\n".join(map(json.dumps, rows)) if lines else json.dumps(rows), "utf-8")
    assert lab.load(str(path)) == (Instruction("问", "", "答"), Instruction("q", "i", "o"))


@pytest.mark.parametrize(
    "bad",
    [{"instruction": "q"}, {"instruction": "", "output": "o"}, {"instruction": "q", "output": 3}, "q", None,
     {"question": "q", "answers": {"text": []}}],
)  # fmt: skip
def test_a_bad_row_is_named(bad):
    good = {"instruction": "q", "output": "o"}
    with pytest.raises(LabInputError) as refused:
        lab.read(json.dumps([good, bad]).encode())
    assert (refused.value.rule, refused.value.facts) == ("instruction_row", {"row": 2})


@pytest.mark.parametrize(
    ("data", "rule"),
    [(b"[]", "not_empty"), (b"", "not_empty"), (b"\xff\xfe", "readable_rows"), (b"[1,", "readable_rows"),
     (b"[" * 100_000, "readable_rows"), (b" " * 4_000_001, "at_most_bytes")],
)  # fmt: skip
def test_what_is_no_set_of_rows_is_refused(data, rule):
    with pytest.raises(LabInputError) as refused:
        lab.read(data)
    assert refused.value.rule == rule


def test_squads_columns_mean_the_same():
    row = {
        "id": "1", "title": "t", "context": "Rome is old.", "question": "What is old?",
        "answers": {"text": ["Rome", "Rome"], "answer_start": [0, 0]},
    }  # fmt: skip
    assert lab.as_instruction(row) == Instruction("What is old?", "Rome is old.", "Rome")


def test_rows_of_a_hub_that_answer_nothing_are_left_out():
    """Alpaca's own file has some with an empty output."""
    rows = [{"instruction": "a", "input": "", "output": ""}, {"instruction": "b", "output": "c"}]
    assert lab.usable(rows) == (Instruction("b", "", "c"),)


@pytest.mark.parametrize("failure", [HTTPError("no route"), OSError("reset"), TimeoutError()])
def test_an_unreachable_hub_is_one_clear_error(monkeypatch, failure):
    def refuse(*_, **__):
        raise failure

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", refuse)
    with pytest.raises(LabInputError) as refused:
        lab.load("tatsu-lab/alpaca")
    assert refused.value.rule == "data_unreachable"


def test_a_hub_set_is_read_through_datasets(monkeypatch):
    """`datasets` gives its rows one by one, whatever the columns."""
    rows = [{"instruction": "b", "input": "x", "output": "c"}]
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: None)
    made = datasets.Dataset.from_list(rows)
    monkeypatch.setattr(datasets, "load_dataset", lambda name, split: made)
    assert lab.load("tatsu-lab/alpaca") == (Instruction("b", "x", "c"),)
