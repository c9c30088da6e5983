"""Tools against their worked results, and everything that must be refused before it runs."""

import json

import pytest

from labcore.errors import LabInputError
from labcore.frontier import toolbox
from labcore.frontier.call_requests import REQUESTS
from labcore.frontier.toolbox import Tool, call, call_schema, first_problem, read_call, search_tool


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("calculate", {"expression": "(5+7)*9"}, "108"),
        ("calculate", {"expression": "1/8"}, "0.125"),
        (
            "days_between",
            {"first": "2024-01-01", "second": "2024-03-01"},
            "60",
        ),  # 31 + 29, a leap year
        ("days_between", {"first": "2024-03-01", "second": "2024-01-01"}, "-60"),
        (
            "convert",
            {"amount": 26.2, "source": "mile", "target": "km"},
            "42.1648",
        ),  # 26.2 · 1.609344
        ("convert", {"amount": 12, "source": "inch", "target": "cm"}, "30.48"),
        ("look_up", {"planet": "Mars", "column": "moons"}, "2"),
    ],
)
def test_worked_results(name, arguments, result):
    assert call(name, arguments) == result


def test_search_gives_the_best_passage_or_says_that_there_is_none():
    assert "low rank" in call("search", {"query": "low rank"})
    assert call("search", {"query": "zebra crossing"}) == "nothing found"


@pytest.mark.parametrize(
    ("name", "arguments", "rule"),
    [
        ("delete_everything", {}, "unknown_tool"),
        ("__class__", {}, "unknown_tool"),
        ("../../etc/passwd", {}, "unknown_tool"),
        ("calculate", {"expression": "__import__('os').system('ls')"}, "tool_arguments"),
        ("calculate", {"expression": "9**9**9"}, "within_digits"),
        ("calculate", {"expression": "1/0"}, "division_by_zero"),
        ("calculate", {"expression": "1+"}, "is_a_sum"),
        ("calculate", {}, "tool_arguments"),
        ("calculate", {"expression": "1+1", "shell": True}, "tool_arguments"),
        ("days_between", {"first": "2023-02-30", "second": "2023-03-01"}, "no_such_date"),
        ("days_between", {"first": "yesterday", "second": "2023-03-01"}, "tool_arguments"),
        ("convert", {"amount": 1, "source": "kg", "target": "m"}, "other_quantity"),
        ("convert", {"amount": "1", "source": "kg", "target": "g"}, "tool_arguments"),
        ("convert", {"amount": float("inf"), "source": "kg", "target": "g"}, "between"),
        ("convert", {"amount": float("nan"), "source": "kg", "target": "g"}, "between"),
        ("convert", {"amount": 10**400, "source": "kg", "target": "g"}, "between"),
        ("look_up", {"planet": "Pluto", "column": "moons"}, "tool_arguments"),
        ("search", {"query": "x" * 1000}, "tool_arguments"),
    ],
)
def test_what_must_not_run_is_refused(name, arguments, rule):
    with pytest.raises(LabInputError) as error:
        call(name, arguments)
    assert error.value.rule == rule


def test_a_tool_that_is_not_allowed_is_not_run_whatever_asks_for_it():
    ran = []
    spy = {"spy": Tool("spy", "", {"type": "object"}, lambda: ran.append(1) or "done")}
    with pytest.raises(LabInputError) as error:
        call("spy", {}, allowed={"calculate"}, tools=spy)
    assert (error.value.rule, ran) == ("forbidden_tool", [])
    assert call("spy", {}, allowed={"spy"}, tools=spy) == "done"


def test_results_have_a_readable_length():
    long = search_tool(["word " * 500])
    assert len(call("search", {"query": "word"}, tools={"search": long})) == toolbox.MOST_RESULT


def test_the_whole_calls_schema_names_each_tool():
    for request in REQUESTS:
        told = {"name": request.tool, "arguments": request.arguments}
        assert first_problem(told, call_schema()) == ""
        assert call(request.tool, request.arguments)
        wrong = {**told, "name": "other"}
        assert first_problem(wrong, call_schema())
    assert first_problem({"name": "convert", "arguments": {}}, call_schema(["calculate"]))
    with pytest.raises(LabInputError):
        call_schema([])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no call",
        "{",
        "[1]",
        "{}",
        '{"name": 3, "arguments": {}}',
        '{"name": "x"}',
        "{" * 50_000,
    ],
)
def test_what_is_no_call_is_said(text):
    with pytest.raises(LabInputError) as error:
        read_call(text)
    assert error.value.rule == "no_call"


def test_a_call_is_read_out_of_what_stands_around_it():
    told = json.dumps({"name": "calculate", "arguments": {"expression": "1+1"}})
    assert read_call(f"Sure! {told} Hope that helps.") == ("calculate", {"expression": "1+1"})
