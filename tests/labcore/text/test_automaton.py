"""Exact probabilities against sums worked by hand and against the enumeration of a tiny world."""

import itertools
import math
import re

import pytest
import torch

from labcore.errors import LabInputError
from labcore.text import automaton as automaton_module
from labcore.text.automaton import (
    Automaton,
    Spelled,
    initial_belief,
    masked_posterior,
    next_symbols,
    read,
    sequence_nats,
)
from labcore.text.forms import Variable
from labcore.text.grammar import End, Say, Storyteller, compile_template

ARCS = {
    "start": [(0.25, "a", "A"), (0.75, "a", "B")],
    "A": [(1.0, "x", "end")],
    "B": [(0.5, "x", "end"), (0.5, "y", "end")],
    "end": [],
}


class TwoRoads:
    """From the start, symbol a leads to A (1/4) or B (3/4).  A says x; B says x or y, half and half.

    p(ax) = 1/4 + 3/8 = 5/8 (two paths), p(ay) = 3/8.
    """

    start = "start"

    def step(self, state):
        return ARCS[state]


WHO = Variable("who", ({"en": "Ann", "en.he": "she"}, {"en": "Bob", "en.he": "he", "weight": "3"}))
WHOM = Variable("whom", WHO.entries, differs_from=("who",))
WHAT = Variable("what", ({"en": "cat", "weight": "2"}, {"en": "red owl"}))
WHERE = Variable("where", ({"en": "here"}, {"en": "there"}))


def tiny_world() -> Storyteller:
    template = (
        "{who} saw {what.a} {what} (3:with {whom}|{where} ,) and {who.he} (liked|fed) the {what} ."
    )
    variables = {v.name: v for v in (WHO, WHOM, WHAT, WHERE)}
    return Storyteller(compile_template(template, "en", Say("<|eos|>", End()), variables))


def enumerate_all(automaton: Automaton) -> dict[tuple, float]:
    """Every sequence with its probability: the product along each path, summed over paths."""
    sequences: dict[tuple, float] = {}
    paths = [((), 1.0, automaton.start)]
    while paths:
        said, weight, state = paths.pop()
        arcs = automaton.step(state)
        if not arcs:
            sequences[said] = sequences.get(said, 0.0) + weight
        paths += [((*said, symbol), weight * p, following) for p, symbol, following in arcs]
    return sequences


def test_two_roads_add_up():
    roads = TwoRoads()
    assert next_symbols(roads, read(roads, "a")) == {"x": 0.625, "y": 0.375}
    assert sequence_nats(roads, "ax") == pytest.approx([0, -math.log(5 / 8)])
    assert sequence_nats(roads, "ay") == pytest.approx([0, -math.log(3 / 8)])
    assert sequence_nats(roads, "b") is None
    assert read(roads, "b") == {}


def test_hidden_symbols_of_two_roads():
    assert masked_posterior(TwoRoads(), ["a", None]) == {1: {"x": 0.625, "y": 0.375}}
    assert masked_posterior(TwoRoads(), [None, "y"]) == {0: {"a": 1.0}}
    assert masked_posterior(TwoRoads(), ["a"]) is None  # no sequence is that short
    assert masked_posterior(TwoRoads(), ["a", None, None]) is None


def test_a_story_has_the_product_of_its_choices():
    """Bob 3/4, red owl 1/3, "with" 3/4, Ann 1 (whoever is not Bob), fed 1/2: 3/32."""
    text = "Bob| saw| a| red| owl| with| Ann| and| he| fed| the| red| owl|.|<|eos|>"
    story = re.split(r"(?<!<)\|(?!>)", text)
    nats = sequence_nats(tiny_world(), story)
    assert sum(nats) == pytest.approx(-math.log(3 / 32))
    assert sum(nat > 1e-12 for nat in nats) == 4  # everything else follows from the choices


def test_all_stories_of_the_tiny_world_sum_to_one():
    """2 people × 2 animals × (1 companion + 2 places) × 2 verbs = 24 stories."""
    stories = enumerate_all(tiny_world())
    assert len(stories) == 24
    assert sum(stories.values()) == pytest.approx(1)
    for story, probability in stories.items():
        assert sum(sequence_nats(tiny_world(), story)) == pytest.approx(-math.log(probability))


def test_next_word_distribution_equals_the_enumeration():
    world = tiny_world()
    stories = enumerate_all(world)
    story = max(stories, key=stories.get)
    for length in range(len(story)):
        prefix = story[:length]
        agreeing = {s: p for s, p in stories.items() if s[:length] == prefix}
        wanted: dict[str, float] = {}
        for other, probability in agreeing.items():
            share = probability / sum(agreeing.values())
            wanted[other[length]] = wanted.get(other[length], 0) + share
        assert next_symbols(world, read(world, prefix)) == pytest.approx(wanted)


@pytest.mark.parametrize("story_number", [0, 7, 16])
def test_masked_posterior_equals_the_enumeration(story_number: int):
    """Every choice of one, two or three hidden words, compared with Bayes' rule over all stories."""
    world = tiny_world()
    stories = enumerate_all(world)
    story = sorted(stories)[story_number]
    for count in (1, 2, 3):
        for hidden in itertools.combinations(range(len(story)), count):
            shown = [None if at in hidden else word for at, word in enumerate(story)]
            assert posterior_by_hand(stories, shown) == {
                at: pytest.approx(shares) for at, shares in masked_posterior(world, shown).items()
            }


def posterior_by_hand(stories: dict[tuple, float], shown: list) -> dict[int, dict]:
    agreeing = {
        story: probability
        for story, probability in stories.items()
        if len(story) == len(shown)
        and all(word in (None, said) for word, said in zip(shown, story, strict=True))
    }
    total = sum(agreeing.values())
    posterior: dict[int, dict] = {at: {} for at, word in enumerate(shown) if word is None}
    for story, probability in agreeing.items():
        for at, shares in posterior.items():
            shares[story[at]] = shares.get(story[at], 0) + probability / total
    return posterior


def test_spelling_by_characters_keeps_every_probability():
    letters = Spelled(tiny_world(), tuple)
    for story, probability in enumerate_all(tiny_world()).items():
        nats = sequence_nats(letters, "".join(story))
        assert sum(nats) == pytest.approx(-math.log(probability))


def test_mean_surprise_of_samples_approaches_the_entropy():
    """H = −Σ p ln p over all 24 stories; the mean of 4000 draws lies within 4 standard errors."""
    world = tiny_world()
    stories = enumerate_all(world)
    entropy = -sum(p * math.log(p) for p in stories.values())
    variance = sum(p * math.log(p) ** 2 for p in stories.values()) - entropy**2
    generator = torch.Generator().manual_seed(0)
    draws = [-math.log(stories[tuple(world.tell(generator))]) for _ in range(4000)]
    assert abs(sum(draws) / 4000 - entropy) < 4 * math.sqrt(variance / 4000)


def test_stories_are_told_as_often_as_they_should_be():
    """`tell` walks by itself; each of the 24 counts lies within 5 standard errors of n·p."""
    world, count = tiny_world(), 6000
    generator = torch.Generator().manual_seed(1)
    told: dict[tuple, int] = {}
    for _ in range(count):
        story = tuple(world.tell(generator))
        told[story] = told.get(story, 0) + 1
    for story, probability in enumerate_all(world).items():
        spread = math.sqrt(count * probability * (1 - probability))
        assert abs(told.get(story, 0) - count * probability) < 5 * spread


def test_hiding_too_much_is_refused(monkeypatch):
    monkeypatch.setattr(automaton_module, "STATE_LIMIT", 3)
    with pytest.raises(LabInputError, match="too_many_readings"):
        masked_posterior(tiny_world(), [None] * 14)


def test_the_first_belief_is_the_start():
    assert initial_belief(TwoRoads()) == {"start": 1.0}
