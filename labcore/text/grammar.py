"""A small language for story templates, and the automaton that tells them.

A template is a row of words parted by spaces:

    {hero} lost {hero.his} {colour} {thing} , so {hero.he} (was sad|3:cried) .

`{hero}` tells a variable, `{hero.his}` one of its other forms; a variable that has no value yet draws
one, and keeps it as long as the rest of the story speaks of it.  `(a|b c|)` chooses between wordings,
equally or by the weights before a colon.  `~word` stands without a space before it.

Templates are compiled, from their end to their beginning, into nodes that know what follows them.  The
automaton's state is a node and the memory of the variables still needed from there on: stories that
differ only in what no longer matters share their future.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

import torch

from labcore.text.forms import Variable, form

STATES_REMEMBERED = 20_000
ATTACHED = frozenset(",.!?:")  # English marks that follow without a space
SLOT = re.compile(r"(?P<attached>~?)\{(?P<name>\w+)(?:\.(?P<form>\w+))?\}")

Picked = TypeVar("Picked")
Memory = tuple[tuple[str, int], ...]  # (variable, number of its value), by name


class Node:
    """A place in a template; `needs` are the variables that matter from here on."""

    needs: frozenset[str]


@dataclass(frozen=True, eq=False)
class End(Node):
    needs = frozenset()


@dataclass(frozen=True, eq=False)
class Say(Node):
    """A word that stands in the template."""

    word: str
    then: Node

    @cached_property
    def needs(self) -> frozenset[str]:
        return self.then.needs


@dataclass(frozen=True, eq=False)
class Tell(Node):
    """A form of a variable's value, one word or several."""

    variable: Variable
    form: str
    language: str
    attached: bool  # no space before it
    then: Node

    def words(self, memory: Mapping[str, int]) -> tuple[str, ...]:
        told = form(self.variable.entries[memory[self.variable.name]], self.form, self.language)
        return surface(told.split(), self.language, self.attached)

    @cached_property
    def needs(self) -> frozenset[str]:
        return self.then.needs | {self.variable.name}


@dataclass(frozen=True, eq=False)
class Draw(Node):
    """Give a variable its value, if it has none yet."""

    variable: Variable
    then: Node

    @cached_property
    def needs(self) -> frozenset[str]:
        return self.then.needs | {self.variable.name, *self.variable.differs_from}


@dataclass(frozen=True, eq=False)
class Choose(Node):
    """Wordings with their probabilities; nobody remembers which was taken."""

    options: tuple[tuple[float, Node], ...]

    @cached_property
    def needs(self) -> frozenset[str]:
        return frozenset().union(*(option.needs for _, option in self.options))


@dataclass(frozen=True, eq=False)
class Follow(Node):
    """Go where a variable's value points: the same event, told again in another language."""

    variable: str
    options: tuple[Node, ...]

    @cached_property
    def needs(self) -> frozenset[str]:
        return frozenset({self.variable}).union(*(option.needs for option in self.options))


class State(NamedTuple):
    node: Node
    memory: Memory
    pending: tuple[str, ...]  # words of a longer form that are still to be said
    opening: bool  # nothing has been said in this language yet


class Storyteller:
    """The automaton of a compiled template.  Its words carry their own leading space."""

    def __init__(self, start: Node):
        self.start = State(start, (), (), True)
        self._arcs: dict[State, list[tuple[float, str, State]]] = {}

    def step(self, state: State) -> list[tuple[float, str, State]]:
        """The next words with their probabilities; states are remembered, they come again."""
        if (known := self._arcs.get(state)) is not None:
            return known
        merged: dict[tuple[str, State], float] = {}
        for probability, word, following in _arcs(state):
            merged[word, following] = merged.get((word, following), 0.0) + probability
        arcs = [(p, word, following) for (word, following), p in merged.items()]
        if len(self._arcs) >= STATES_REMEMBERED:
            self._arcs.clear()
        self._arcs[state] = arcs
        return arcs

    def tell(self, generator: torch.Generator) -> list[str]:
        """One walk, with the probabilities of `step` but without expanding what is not taken."""
        return [word for word, _ in self.tell_why(generator)]

    def tell_why(self, generator: torch.Generator) -> list[tuple[str, str | None]]:
        """The same walk; beside each word the variable that it tells, None for the template's own."""
        node, memory, told = self.start.node, {}, []
        while not isinstance(node, End):
            match node:
                case Say(word, then):
                    told.append((word, None))
                    node = then
                case Tell(variable, _, _, _, then):
                    told += [(word, variable.name) for word in node.words(memory)]
                    node = then
                case Draw(variable, then):
                    if variable.name not in memory:
                        memory[variable.name] = _pick(variable.values(memory), generator)
                    node = then
                case Choose(options):
                    node = _pick(options, generator)
                case Follow(name, options):
                    node = options[memory[name]]
        return [
            (word.lstrip() if at == 0 or is_special(told[at - 1][0]) else word, why)
            for at, (word, why) in enumerate(told)
        ]


def _pick(options: Sequence[tuple[float, Picked]], generator: torch.Generator) -> Picked:
    draw = torch.rand((), generator=generator, dtype=torch.float64).item()
    *others, (_, last) = options
    for share, option in others:
        draw -= share
        if draw < 0:
            return option
    return last


def _arcs(state: State) -> Iterator[tuple[float, str, State]]:
    if state.pending:
        word, *rest = state.pending
        yield 1.0, word, State(state.node, state.memory, tuple(rest), False)
        return
    for probability, words, then, memory in _told(state.node, dict(state.memory)):
        kept = tuple(sorted((name, value) for name, value in memory.items() if name in then.needs))
        first = words[0].lstrip() if state.opening else words[0]
        yield probability, first, State(then, kept, tuple(words[1:]), is_special(first))


def _told(
    node: Node, memory: Mapping[str, int], probability: float = 1.0
) -> Iterator[tuple[float, tuple[str, ...], Node, Mapping[str, int]]]:
    """Walk from `node` to the next words, through draws and choices that say nothing."""
    match node:
        case Say(word, then):
            yield probability, (word,), then, memory
        case Tell(_, _, _, _, then):
            yield probability, node.words(memory), then, memory
        case Draw(variable, then) if variable.name in memory:
            yield from _told(then, memory, probability)
        case Draw(variable, then):
            for share, value in variable.values(memory):
                yield from _told(then, {**memory, variable.name: value}, probability * share)
        case Choose(options):
            for share, option in options:
                yield from _told(option, memory, probability * share)
        case Follow(name, options):
            yield from _told(options[memory[name]], memory, probability)


def surface(words: list[str], language: str, attached: bool) -> tuple[str, ...]:
    """Words as they stand in the text: English ones bring the space before them."""
    if language == "zh":
        return tuple(words)
    spaced = tuple(word if word in ATTACHED else f" {word}" for word in words)
    return (spaced[0].lstrip(), *spaced[1:]) if attached else spaced


def is_special(word: str) -> bool:
    return word.startswith("<|")


Row = list["str | list[tuple[float, Row]]"]  # words, and choices between rows


def compile_template(
    template: str, language: str, then: Node, variables: Mapping[str, Variable]
) -> Node:
    """The nodes of a template, followed by `then`."""
    tokens = re.findall(r"[()|]|[^\s()|]+", template)[::-1]  # the next one stands last
    row = _parse_row(tokens)
    if tokens:
        raise ValueError(f"unbalanced parentheses in template: {template}")
    return _compile_row(row, language, then, variables)


def _parse_row(tokens: list[str]) -> Row:
    row: Row = []
    while tokens and tokens[-1] not in ")|":
        token = tokens.pop()
        row.append(_parse_choice(tokens) if token == "(" else token)
    return row


def _parse_choice(tokens: list[str]) -> list[tuple[float, Row]]:
    options = []
    while True:
        weight = 1.0
        if weighted := re.fullmatch(r"(\d+):(.*)", tokens[-1]):
            weight, tokens[-1] = float(weighted[1]), weighted[2]
        options.append((weight, _parse_row(tokens)))
        if tokens.pop() == ")":
            return options


def _compile_row(row: Row, language: str, then: Node, variables: Mapping[str, Variable]) -> Node:
    for item in reversed(row):
        if isinstance(item, list):
            total = sum(weight for weight, _ in item)
            options = [(w / total, _compile_row(r, language, then, variables)) for w, r in item]
            then = Choose(tuple(options))
        elif slot := SLOT.fullmatch(item):
            then = _compile_slot(slot, language, then, variables)
        else:
            attached, word = item.startswith("~"), item.removeprefix("~")
            then = Say(surface([word], language, attached)[0], then)
    return then


def _compile_slot(
    slot: re.Match[str], language: str, then: Node, variables: Mapping[str, Variable]
) -> Node:
    variable = variables[slot["name"]]
    then = Draw(
        variable, Tell(variable, slot["form"] or "", language, bool(slot["attached"]), then)
    )
    for name in variable.differs_from:
        then = Draw(variables[name], then)
    return then


def longest(node: Node) -> int:
    """The most words that can follow, a form of several words counted as they are."""
    match node:
        case End():
            return 0
        case Say(_, then):
            return 1 + longest(then)
        case Tell(variable, wanted, language, _, then):
            return longest(then) + max(
                len(form(entry, wanted, language).split()) for entry in variable.entries
            )
        case Draw(_, then):
            return longest(then)
        case Choose(options):
            return max(longest(option) for _, option in options)
        case Follow(_, options):
            return max(longest(option) for option in options)
