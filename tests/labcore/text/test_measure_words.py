"""The world of measure words against brute force: all 192 phrases, every way of hiding their words."""

import itertools
import math

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.text import measure_words as world
from labcore.text.measure_words import CLASS_OF, FIRST, MEASURE, NOUN, MeasureWorld

PHRASES = [(number, int(CLASS_OF[noun]), noun) for number in range(8) for noun in range(24)]
SUBSETS = list(itertools.product([False, True], repeat=3))


def entropy(counts) -> float:
    shares = np.array([count for count in counts if count]) / sum(counts)
    return float(-(shares * np.log(shares)).sum())


def row_of(phrase: tuple[int, int, int]) -> torch.Tensor:
    words = [kind + first for kind, first in zip(phrase, FIRST, strict=True)]
    return torch.tensor([[world.BOS, *words]])


def brute_nats(phrase, shown, word) -> float:
    """−ln of the share of phrases that agree in the shown words and have this word."""
    agree = [other for other in PHRASES if all(other[at] == phrase[at] for at in shown)]
    return -math.log(sum(other[word] == phrase[word] for other in agree) / len(agree))


def test_the_entropies_of_the_docstring():
    assert entropy(world.CLASS_SIZES) == pytest.approx(1.73763, abs=1e-5)
    sizes = world.CLASS_SIZES / 24
    assert float((sizes * np.log(world.CLASS_SIZES)).sum()) == pytest.approx(1.44043, abs=1e-5)
    assert entropy(world.CLASS_SIZES) + 1.44043 == pytest.approx(math.log(24), abs=1e-5)
    assert len(CLASS_OF) == 24
    assert max(world.CLASS_SIZES) / 24 == 0.25


@pytest.mark.parametrize("hidden", SUBSETS)
def test_a_hidden_word_costs_what_all_phrases_say(hidden):
    shown = [at for at in range(3) if not hidden[at]]
    mask = torch.tensor([[False, *hidden]])
    for phrase in PHRASES[::7]:
        row = row_of(phrase)
        alone = world.hidden_nats(row, mask)[0, 0]
        said = world.spoken_nats(row, mask)[0, 0]
        left = world.left_to_right_nats(row)[0, 0]
        for word in range(3):
            assert left[word] == pytest.approx(brute_nats(phrase, range(word), word))
            if not hidden[word]:
                assert alone[word] == said[word] == 0
                continue
            assert alone[word] == pytest.approx(brute_nats(phrase, shown, word))
            before = {*shown, *range(word)}  # what is shown, and hidden words already said
            assert said[word] == pytest.approx(brute_nats(phrase, before, word))


def test_a_row_costs_ln_192_for_each_phrase():
    rows = MeasureWorld(phrases=5).sample(4, torch.Generator().manual_seed(0))
    np.testing.assert_allclose(world.left_to_right_nats(rows).sum(axis=(1, 2)), 5 * math.log(192))


def test_samples_have_the_worlds_shares():
    """30,000 phrases: the largest class has a quarter of them, with a standard error of 0.0025."""
    rows = MeasureWorld(phrases=30).sample(1000, torch.Generator().manual_seed(1))
    words = world.by_phrase(rows)
    measures, nouns = words[..., MEASURE] - FIRST[MEASURE], words[..., NOUN] - FIRST[NOUN]
    assert torch.equal(measures, torch.from_numpy(CLASS_OF)[nouns])
    shares = torch.bincount(measures.flatten(), minlength=6) / 30_000
    np.testing.assert_allclose(shares, world.CLASS_SIZES / 24, atol=0.01)
    assert torch.equal(rows, MeasureWorld(30).sample(1000, torch.Generator().manual_seed(1)))


def test_pseudo_probabilities_add_up_to_six_and_probabilities_to_one():
    """Each word given all others: 1/8 · 1 · 1/c; over 8 numbers and c nouns 1, and there are six classes."""
    causal = pseudo = 0.0
    for phrase in PHRASES:
        row = row_of(phrase)
        causal += math.exp(-world.left_to_right_nats(row).sum())
        each = [
            world.hidden_nats(row, torch.tensor([[False, *(at == word for at in range(3))]])).sum()
            for word in range(3)
        ]
        pseudo += math.exp(-sum(each))
    assert causal == pytest.approx(1)
    assert pseudo == pytest.approx(6)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_both_languages_have_the_same_structure_and_no_word_twice(language):
    groups = world.NOUNS[language]
    assert [len(group) for group in groups.values()] == world.CLASS_SIZES.tolist()
    assert len(world.NUMBERS[language]) == 8
    told = world.labels(language, sentinels=3)
    assert len(set(told)) == len(told) == MeasureWorld(sentinels=3).vocab_size


def test_phrases_read_as_they_should():
    row = row_of((0, 4, 19))[0].tolist()
    assert world.phrases(row, "zh") == ["一匹马"]
    assert world.phrases(row, "en") == ["a swarm of bees"]


def test_what_cannot_be_is_refused():
    with pytest.raises(LabInputError, match="at_least"):
        MeasureWorld(phrases=0)
    with pytest.raises(LabInputError, match="known_language"):
        world.labels("fr")
