"""Weighted automata: exact probabilities of sequences, next symbols and hidden symbols.

An automaton is a start state and `step(state)`, the list of arcs (probability, symbol, next state) that
leave a state; the probabilities of one state sum to 1, and a state without arcs ends the sequence.
It is expanded lazily: only the states that a text can reach are ever made.

Several paths may spell one sequence, so the functions below keep a *belief*: the probability of every
state that is still possible.  This is the forward algorithm of hidden Markov models (Rabiner 1989).
"""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Protocol, TypeVar

from labcore.errors import LabInputError

State = TypeVar("State", bound=Hashable)
Symbol = Hashable
Arc = tuple[float, Symbol, State]
Belief = dict[State, float]

STATE_LIMIT = 200_000  # states that a belief may hold before we give up


class Automaton(Protocol):
    start: Hashable

    def step(self, state: Hashable) -> Sequence[Arc]: ...


class Spelled:
    """An automaton over words, seen symbol by symbol: each word is spelled by a fixed tuple.

    `spell` may give characters (`tuple`), or the tokens of a word.
    """

    def __init__(self, words: Automaton, spell: Callable[[str], tuple[Symbol, ...]]):
        self.words, self.spell = words, spell
        self.start = ((), words.start)

    def step(self, state: tuple[tuple[Symbol, ...], Hashable]) -> list[Arc]:
        rest, inner = state
        if rest:
            return [(1.0, rest[0], (rest[1:], inner))]
        arcs = []
        for probability, word, following in self.words.step(inner):
            first, *others = self.spell(word)
            arcs.append((probability, first, (tuple(others), following)))
        return arcs


def initial_belief(automaton: Automaton) -> Belief:
    return {automaton.start: 1.0}


def next_symbols(automaton: Automaton, belief: Belief) -> dict[Symbol, float]:
    """The exact distribution of the next symbol."""
    shares: dict[Symbol, float] = defaultdict(float)
    for state, weight in belief.items():
        for probability, symbol, _ in automaton.step(state):
            shares[symbol] += weight * probability
    return dict(shares)


def advance(automaton: Automaton, belief: Belief, symbol: Symbol) -> tuple[float, Belief]:
    """Read one symbol: its probability, and what is believed after it (empty if impossible)."""
    reached: dict[State, float] = defaultdict(float)
    for state, weight in belief.items():
        for probability, offered, following in automaton.step(state):
            if offered == symbol:
                reached[following] += weight * probability
    total = sum(reached.values())
    return total, {state: weight / total for state, weight in reached.items()}


def read(automaton: Automaton, symbols: Iterable[Symbol]) -> Belief:
    """The belief after a prefix; empty if the automaton cannot produce it."""
    belief = initial_belief(automaton)
    for symbol in symbols:
        _, belief = advance(automaton, belief, symbol)
    return belief


def sequence_nats(automaton: Automaton, symbols: Sequence[Symbol]) -> list[float] | None:
    """−ln p of every symbol given those before it; None if the prefix is impossible.

    Their sum is −ln p(symbols), to be continued in any way that the automaton allows.
    """
    belief, nats = initial_belief(automaton), []
    for symbol in symbols:
        probability, belief = advance(automaton, belief, symbol)
        if not belief:
            return None
        nats.append(-math.log(probability))
    return nats


def masked_posterior(
    automaton: Automaton, symbols: Sequence[Symbol | None]
) -> dict[int, dict[Symbol, float]] | None:
    """The exact distribution of each hidden symbol (None) of a complete sequence, given all others.

    Forward–backward: the weight of all paths up to an arc, times the arc, times the weight of all ways
    from there to an end.  None if no sequence of this length agrees with what is shown; LabInputError
    if so much is hidden that more than STATE_LIMIT states stay possible.
    """
    belief, lattice = initial_belief(automaton), []
    for shown in symbols:
        arcs = {state: _agreeing(automaton, state, shown) for state in belief}
        lattice.append((belief, arcs))
        belief = _forward(belief, arcs)
        if len(belief) > STATE_LIMIT:
            raise LabInputError("masked", len(belief), "too_many_readings", limit=STATE_LIMIT)
    onward = {state: 1.0 for state in belief if not automaton.step(state)}
    if not onward:
        return None
    posterior = {}
    for position in reversed(range(len(symbols))):
        belief, arcs = lattice[position]
        if symbols[position] is None:
            posterior[position] = _arc_shares(belief, arcs, onward)
        onward = _backward(arcs, onward)
    return dict(sorted(posterior.items()))


def _agreeing(automaton: Automaton, state: State, shown: Symbol | None) -> list[Arc]:
    return [arc for arc in automaton.step(state) if shown is None or arc[1] == shown]


def _forward(belief: Belief, arcs: dict[State, list[Arc]]) -> Belief:
    reached: dict[State, float] = defaultdict(float)
    for state, weight in belief.items():
        for probability, _, following in arcs[state]:
            reached[following] += weight * probability
    total = sum(reached.values())
    return {state: weight / total for state, weight in reached.items()}


def _backward(arcs: dict[State, list[Arc]], onward: dict[State, float]) -> dict[State, float]:
    """From the weight of all ways on from each next state to that of the states before."""
    weights = {
        state: sum(p * onward.get(following, 0.0) for p, _, following in leaving)
        for state, leaving in arcs.items()
    }
    return {state: weight for state, weight in weights.items() if weight > 0}


def _arc_shares(
    belief: Belief, arcs: dict[State, list[Arc]], onward: dict[State, float]
) -> dict[Symbol, float]:
    """The share of each symbol among all complete paths through this position."""
    shares: dict[Symbol, float] = defaultdict(float)
    for state, weight in belief.items():
        for probability, symbol, following in arcs[state]:
            if following in onward:
                shares[symbol] += weight * probability * onward[following]
    total = sum(shares.values())
    return {symbol: share / total for symbol, share in shares.items()}
