"""The automaton against Python's own regular expressions, and what it refuses."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labcore.errors import LabInputError
from labcore.serving.constrained import CASES
from labcore.serving.regular import EMPTY, NONE, Automaton, derivative, either, star, then

PATTERNS = [
    "a", "ab|ba", "(a|b)*", "a+b?", "a{2}", "a{1,3}b", "[ab]c", "[^a]b", "a.c", r"\d+", r"\.a",
    "(ab|a)(c|bcd)(d*)", "(a?b)*", "((a)|b)+c", "[a-c]{2,3}", r"\w\s\w", "a|", "(|a)b",
]  # fmt: skip


@given(st.sampled_from(PATTERNS), st.text("abcd1. _", max_size=6))
@settings(max_examples=400, deadline=None)
def test_it_matches_what_python_matches(pattern, text):
    assert Automaton(pattern).matches(text) == (re.fullmatch(pattern, text) is not None)


@pytest.mark.parametrize("case", CASES)
def test_the_lessons_patterns_are_pythons_too(case):
    texts = {
        "choice": " red kite.", "number": " 12 dogs", "date": " 2026-11-26",
        "json": '{"name": "Sam", "age": 7, "pets": ["dog", "cat"]}',
        "trap": " windy when Sam went to the garden, so he took a red umbrella.",
    }  # fmt: skip
    pattern, automaton = CASES[case][1], Automaton(CASES[case][1])
    good = texts[case]
    for text in (good, good[:-1], good + "x", good[1:], ""):
        assert automaton.matches(text) == (re.fullmatch(pattern, text) is not None)


def test_derivatives_worked_by_hand():
    """Of ab* by a: b*; by b: nothing. Of (a|ab) by a: the empty text or b."""
    a, b = (("class", frozenset(c), False) for c in "ab")
    assert derivative(then(a, star(b)), "a") == star(b)
    assert derivative(then(a, star(b)), "b") == NONE
    assert derivative(either(a, then(a, b)), "a") == either(EMPTY, b)


def test_states_are_few_where_patterns_are_alike():
    """(a|b)*abb has four states in every textbook (Aho et al., example 3.36)."""
    automaton = Automaton("(a|b)*abb")
    for text in ("abbabb", "aabbb", "babab"):
        automaton.walk(0, text)
    assert len(automaton.patterns) == 4


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "(",
        "a)",
        "[a",
        "*a",
        "a{2",
        "a{9,1}",
        "a{99}",
        "a{x}",
        "\\",
        "[b-a]",
        "(" * 150,
        "a" * 201,
    ],
)
def test_what_is_no_pattern_is_refused(bad):
    with pytest.raises(LabInputError):
        Automaton(bad)


def test_a_pattern_that_makes_backtracking_hang_does_not():
    started = time.process_time()
    assert not Automaton("(a*)*(a|aa)+b").matches("a" * 100 + "c")
    assert time.process_time() - started < 2


@pytest.mark.parametrize("bomb", ["(" * 9 + "a" + "{20})" * 9, "(" * 60 + "a" + "+)" * 60])
def test_a_pattern_that_would_outgrow_memory_is_refused_at_once(bomb):
    started = time.process_time()
    with pytest.raises(LabInputError):
        Automaton(bomb)
    assert time.process_time() - started < 1


def test_too_many_states_are_refused():
    """ "An a, twelve places before the end" needs 2^13 of them."""
    automaton = Automaton("[ab]*a[ab]{12}")

    def read_all():
        for number in range(1 << 13):
            automaton.matches(f"{number:013b}".replace("0", "a").replace("1", "b"))

    with pytest.raises(LabInputError):
        read_all()
