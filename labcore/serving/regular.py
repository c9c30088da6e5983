r"""Regular expressions as automata, by derivatives: what may still follow after one more character.

The derivative of a pattern by a character is the pattern that the rest must match. Every state of the
automaton is such a pattern; a rest that matches nothing is the dead state. There is no backtracking.

Written: characters, \d \w \s and escaped marks, `.`, classes as [a-z_] and [^"], groups, |, *, +, ?, {3}
and {1,3}.
Source: Brzozowski, Derivatives of Regular Expressions, JACM 1964.
"""

import string
from functools import cached_property, reduce
from typing import Any

from labcore.errors import LabInputError

MOST_CHARACTERS, MOST_REPEATS, MOST_STATES, MOST_NODES = 200, 20, 400, 2_000

# A pattern is a tuple: ("none",), ("empty",), ("class", characters, negated), ("then", a, b),
# ("or", frozenset of patterns), ("star", a). Equal patterns are equal tuples, so states can be counted.
Pattern = tuple[Any, ...]
NONE: Pattern = ("none",)  # matches nothing: dead
EMPTY: Pattern = ("empty",)  # matches the empty text: done
CLASSES = {"d": string.digits, "w": string.ascii_letters + string.digits + "_", "s": " \t\n"}


def then(first: Pattern, second: Pattern) -> Pattern:
    if NONE in (first, second):
        return NONE
    if first == EMPTY:
        return second
    return first if second == EMPTY else ("then", first, second)


def either(*patterns: Pattern) -> Pattern:
    """Order and repetition do not count: only so does an automaton have finitely many states."""
    parts: set[Pattern] = set()
    for one in patterns:
        parts |= one[1] if one[0] == "or" else {one}
    parts.discard(NONE)
    if not parts:
        return NONE
    return next(iter(parts)) if len(parts) == 1 else ("or", frozenset(parts))


def star(pattern: Pattern) -> Pattern:
    return (
        pattern
        if pattern[0] == "star"
        else EMPTY
        if pattern in (NONE, EMPTY)
        else ("star", pattern)
    )


def may_end(pattern: Pattern) -> bool:
    """Whether the empty rest matches."""
    kind = pattern[0]
    if kind == "then":
        return may_end(pattern[1]) and may_end(pattern[2])
    if kind == "or":
        return any(may_end(part) for part in pattern[1])
    return kind in ("empty", "star")


def derivative(pattern: Pattern, character: str) -> Pattern:
    """What the rest must match once `character` has been read."""
    kind = pattern[0]
    if kind == "class":
        return EMPTY if (character in pattern[1]) != pattern[2] else NONE
    if kind == "then":
        _, first, second = pattern
        read_first = then(derivative(first, character), second)
        # If the first part may be empty, the character may also be the second's.
        return either(read_first, derivative(second, character)) if may_end(first) else read_first
    if kind == "or":
        return either(*(derivative(part, character) for part in pattern[1]))
    if kind == "star":
        return then(derivative(pattern[1], character), pattern)
    return NONE


class Automaton:
    """States are numbers, made when they are first reached; state 0 is the beginning."""

    def __init__(self, pattern: str | Pattern, most_states: int = MOST_STATES):
        """From a regular expression, or from a pattern put together by `then`, `either` and `star`."""
        self.most_states = most_states
        self.patterns: list[Pattern] = []
        self.ends: list[bool] = []  # whether the text may stop here
        self._numbers: dict[Pattern, int] = {}
        self._steps: dict[tuple[int, str], int | None] = {}
        self._number(Parser(pattern).pattern if isinstance(pattern, str) else pattern)

    def step(self, state: int, character: str) -> int | None:
        """The next state; None is the dead one."""
        key = state, character
        if key not in self._steps:
            rest = derivative(self.patterns[state], character)
            self._steps[key] = None if rest == NONE else self._number(rest)
        return self._steps[key]

    def walk(self, state: int, text: str) -> int | None:
        for character in text:
            following = self.step(state, character)
            if following is None:
                return None
            state = following
        return state

    def matches(self, text: str) -> bool:
        end = self.walk(0, text)
        return end is not None and self.ends[end]

    def _number(self, pattern: Pattern) -> int:
        if pattern not in self._numbers:
            if len(self.patterns) == self.most_states:
                raise LabInputError("pattern", len(self.patterns), "pattern_size")
            of_modest_size(pattern)
            self._numbers[pattern] = len(self.patterns)
            self.patterns.append(pattern)
            self.ends.append(may_end(pattern))
        return self._numbers[pattern]


def size(pattern: Pattern) -> int:
    """Nodes of its tree."""
    if pattern[0] == "or":
        return 1 + sum(size(part) for part in pattern[1])
    return 1 + sum(size(part) for part in pattern[1:] if isinstance(part, tuple))


def of_modest_size(pattern: Pattern, copies: int = 1) -> None:
    if size(pattern) * copies > MOST_NODES:
        raise LabInputError("pattern", size(pattern) * copies, "pattern_size")


class Parser:
    """Recursive descent: alternatives of sequences of repeated atoms."""

    def __init__(self, text: str):
        self.text, self.at = text, 0
        if not 0 < len(text) <= MOST_CHARACTERS:
            raise LabInputError("pattern", text, "pattern_size")

    @cached_property
    def pattern(self) -> Pattern:
        try:
            found = self.alternatives()
        except LabInputError:
            raise
        except (IndexError, ValueError, RecursionError):
            found = NONE
        if self.at != len(self.text) or found == NONE:
            raise LabInputError("pattern", self.text, "readable_pattern")
        return found

    @property
    def next(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self) -> str:
        self.at += 1
        return self.text[self.at - 1]  # IndexError behind the end

    def alternatives(self) -> Pattern:
        parts = [self.sequence()]
        while self.next == "|":
            self.take()
            parts.append(self.sequence())
        return either(*parts)

    def sequence(self) -> Pattern:
        parts = []
        while self.next and self.next not in "|)":
            parts.append(self.repeated())
        return reduce(lambda rest, part: then(part, rest), reversed(parts), EMPTY)

    def repeated(self) -> Pattern:
        atom = self.atom()
        while self.next and self.next in "*+?{":
            mark = self.take()
            if mark == "{":
                end = self.text.index("}", self.at)
                low, _, high = self.text[self.at : end].partition(",")
                self.at = end + 1
                atom = times(atom, int(low), int(high or low))
            else:
                atom = {"*": star(atom), "+": then(atom, star(atom)), "?": either(EMPTY, atom)}[
                    mark
                ]
            # Each repeat may double what it holds: a few dozen, nested, would outgrow any memory.
            of_modest_size(atom)
        return atom

    def atom(self) -> Pattern:
        mark = self.take()
        if mark == "(":
            inner = self.alternatives()
            if self.take() != ")":
                raise ValueError
            return inner
        if mark == "[":
            return self.characters()
        if mark == ".":
            return "class", frozenset("\n"), True
        if mark in "*+?{)":
            raise ValueError
        return "class", frozenset(self.escaped() if mark == "\\" else mark), False

    def escaped(self) -> str:
        mark = self.take()
        return CLASSES.get(mark, mark)

    def characters(self) -> Pattern:
        """A class, behind its opening bracket."""
        negated = self.next == "^"
        self.at += negated
        found: set[str] = set()
        while (mark := self.take()) != "]":
            if mark == "\\":
                found |= set(self.escaped())
            elif self.next == "-" and self.text[self.at + 1] != "]":
                self.take()
                found |= {chr(code) for code in range(ord(mark), ord(self.take()) + 1)}
            else:
                found.add(mark)
        if not found:
            raise ValueError
        return "class", frozenset(found), negated


def times(pattern: Pattern, low: int, high: int) -> Pattern:
    """At least `low` of them, at most `high`."""
    if not 0 <= low <= high <= MOST_REPEATS:
        raise ValueError
    of_modest_size(pattern, high)
    optional = EMPTY
    for _ in range(high - low):
        optional = either(EMPTY, then(pattern, optional))
    return reduce(lambda rest, _: then(pattern, rest), range(low), optional)
