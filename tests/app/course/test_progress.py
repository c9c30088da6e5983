"""Progress only grows, survives export and import, and takes nothing that it did not write itself."""

import json

import pytest

from app.course import paths, progress
from labcore.errors import LabInputError

SOME = {"attention/opened": 1.0, "attention/question/1": 0.0, "quiz/transformer": 0.5}


def test_two_tables_keep_the_best_of_each_in_any_order():
    other = {"attention/question/1": 1.0, "heads/opened": 1.0, "quiz/transformer": 0.25}
    both = {**SOME, "attention/question/1": 1.0, "heads/opened": 1.0}
    assert progress.merged(SOME, other) == progress.merged(other, SOME) == both
    assert progress.merged(both, both) == both


def test_an_export_comes_back_as_it_was():
    assert progress.from_file(progress.to_file(SOME)) == SOME


def file(**changes):
    told = {"llm-principles-lab": "progress", "version": 1, "marks": SOME, **changes}
    return json.dumps(told).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xff\xfe", b"[]", b"null", b"[" * 60_000, b"{}", b" " * 200_000,
        file(version=2), file(marks=[]), file(marks={"attention/opened": 2}),
        file(marks={"attention/opened": True}), file(marks={"attention/opened": "1"}),
        file(marks={"<script>alert(1)</script>/x": 1}), file(marks={"../../etc/passwd": 1}),
        file(marks={"a/" + "b" * 100: 1}), file(marks={f"a/{n}": 1 for n in range(3_000)}),
        file(marks={"attention/opened": float("nan")}), file(**{"llm-principles-lab": "x"}),
    ],
)  # fmt: skip
def test_nothing_else_is_taken_for_progress(data):
    with pytest.raises(LabInputError) as error:
        progress.from_file(data)
    assert error.value.rule == "progress_file"


def test_a_lab_is_done_once_opened_and_all_its_statements_judged():
    """Four statements: opened alone is 1 of 5, with two answers 3 of 5."""
    marks = {"heads/question/1": 1.0}
    assert progress.share_done(marks, "heads", 4) is None
    marks["heads/opened"] = 1.0
    assert progress.share_done(marks, "heads", 4) == 0.4
    marks |= {f"heads/question/{n}": 0.0 for n in (2, 3, 4)}
    assert progress.share_done(marks, "heads", 4) == 1
    assert paths.standing("heads", marks) == "done"
    assert paths.next_on(("heads", "attention"), marks) == "attention"
    assert paths.next_on(("heads",), marks) is None


def test_one_senseless_mark_does_not_cost_the_others():
    """What lies in a browser may have been written by anybody, or by an older lab."""
    told = {
        "attention/opened": 1,
        "<img>": 1,
        "quiz/transformer": "all",
        "heads/opened": float("nan"),
    }
    assert progress.sensible(told) == {"attention/opened": 1.0}
    assert progress.sensible(None) == progress.sensible(["attention/opened"]) == {}
    assert progress.sensible({f"a/{n}": 1 for n in range(progress.MOST_MARKS + 1)}) == {}
