"""Span corruption against the paper's worked example, T5's own way of drawing spans, and by counting."""

from collections import Counter
from itertools import pairwise

import pytest
import torch

from labcore.errors import LabInputError
from labcore.text.spans import SpanConfig, corrupt, cut, draw_spans, restore

PAPER = ["Thank", "you", "for", "inviting", "me", "to", "your", "party", "last", "week", "."]
MARKS = ["<X>", "<Y>", "<Z>"]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_papers_example():
    """Raffel et al., figure 2: "for inviting" and "last" are hidden."""
    inputs, target = corrupt(PAPER, [(2, 4), (8, 9)], MARKS)
    assert " ".join(inputs) == "Thank you <X> me to your party <Y> week ."
    assert " ".join(target) == "<X> for inviting <Y> last <Z>"
    assert restore(inputs, target, MARKS) == PAPER


@pytest.mark.parametrize(
    ("length", "share", "mean", "hidden", "spans"),
    [
        (512, 0.15, 3.0, 77, 26),  # T5's own setting: round(76.8), round(77 / 3)
        (36, 0.15, 3.0, 5, 2),  # the lab's world: round(5.4), round(1.67)
        (10, 0.15, 3.0, 2, 1),  # round(1.5) = 2, round half to even, as Python and T5 do
        (2, 0.9, 1.0, 1, 1),  # something is always shown
        (10, 0.9, 1.0, 9, 1),  # no more spans than there are shown pieces between them
    ],
)
def test_counts_are_those_of_t5(length, share, mean, hidden, spans):
    assert SpanConfig(share, mean).counts(length) == (hidden, spans)


def test_every_way_of_cutting_is_equally_likely():
    """Five items in three pieces: 6 ways (stars and bars), 1,200 draws, 200 each; deviation 13."""
    generator = rng()
    counted = Counter(tuple(cut(5, 3, generator)) for _ in range(1200))
    assert set(counted) == {(1, 1, 3), (1, 3, 1), (3, 1, 1), (1, 2, 2), (2, 1, 2), (2, 2, 1)}
    assert all(abs(count - 200) < 4 * 13 for count in counted.values())


@pytest.mark.parametrize("share", [0.15, 0.5, 0.85])
@pytest.mark.parametrize("mean", [1.0, 3.0])
def test_spans_are_apart_inside_the_text_and_of_the_right_size(share, mean):
    config, generator = SpanConfig(share, mean), rng(1)
    for length in (2, 3, 20, 61):
        spans = draw_spans(length, config, generator)
        hidden, count = config.counts(length)
        assert len(spans) == count
        assert sum(stop - start for start, stop in spans) == hidden
        edges = [0, *(edge for span in spans for edge in span)]
        assert all(a < b for a, b in pairwise(edges))  # shown, hidden, shown, …
        assert (
            edges[-1] == length
        )  # T5's alternation begins with shown tokens and ends with hidden ones
        tokens, marks = list(range(length)), list(range(1000, 1000 + count + 1))
        assert restore(*corrupt(tokens, spans, marks), marks) == tokens


def test_equal_seeds_draw_equal_spans():
    assert draw_spans(50, SpanConfig(), rng(3)) == draw_spans(50, SpanConfig(), rng(3))


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: SpanConfig(share=0.0), "between"),
        (lambda: SpanConfig(share=1.0), "between"),
        (lambda: SpanConfig(mean_length=0.5), "at_least"),
        (lambda: draw_spans(1, SpanConfig(), rng()), "at_least"),
        (lambda: corrupt(PAPER, [(2, 4), (8, 9)], MARKS[:2]), "at_least"),
    ],
)
def test_what_cannot_be_is_refused(make, rule):
    with pytest.raises(LabInputError, match=rule):
        make()
