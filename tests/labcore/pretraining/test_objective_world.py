"""The floors against brute force, the two ways to fill a gap against loops, and the run."""

import itertools
import math

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.events import drain
from labcore.pretraining import objective_world as lab
from labcore.pretraining.objective_kinds import Objective
from labcore.pretraining.objective_world import CAUSAL, MASKED, PREFIX, SPAN, WorldConfig
from labcore.text import measure_words as world
from labcore.text.measure_words import BOS, CLASS_OF, FIRST, MASK
from labcore.text.spans import corrupt

QUICK = WorldConfig(steps=20)


def test_causal_pays_ln_8_and_ln_24_for_three_words():
    """On average; the judged rows are a sample, whose mean lies within 0.02 of it."""
    assert lab.floor(CAUSAL) == pytest.approx((math.log(8) + math.log(24)) / 3, abs=0.02)


def test_every_noun_is_asked_for_equally_often():
    """So that the best guess from the left, the largest class, is right in exactly 6 of 24 rows."""
    rows, places = lab.judged()
    each = torch.arange(len(rows))
    nouns = rows[each, places + 1] - FIRST[world.NOUN]
    measures = rows[each, places] - FIRST[world.MEASURE]
    assert torch.bincount(nouns, minlength=24).tolist() == [5] * 24
    assert torch.equal(measures, torch.from_numpy(CLASS_OF)[nouns])
    assert float((measures == 0).float().mean()) == 0.25
    words = world.by_phrase(rows)
    agree = torch.from_numpy(CLASS_OF)[words[..., 2] - FIRST[2]] == words[..., 1] - FIRST[1]
    assert agree.all()


def test_the_masked_floor_is_the_mean_over_its_hidden_words():
    batch, (rows, _) = lab.question(MASKED), lab.judged()
    hidden = batch.tokens == MASK
    assert lab.floor(MASKED) == pytest.approx(
        world.hidden_nats(rows, hidden).sum() / int(hidden.sum())
    )
    assert lab.floor(MASKED) < lab.floor(Objective("masked", 0.4)) < lab.floor(CAUSAL)


PATTERNS = [((1, 3), (4, 5)), ((1, 2), (3, 5)), ((2, 4), (5, 6)), ((2, 3), (4, 6))]
# Of two phrases, six words: three hidden in two spans, places within the row without <bos>. The first
# pair begins after one shown word, the second after two; which of them is as likely as the other.


def test_what_spans_cost_is_what_all_rows_and_all_spans_say():
    """−ln p(target | input) by counting: every pair of phrases, every way of drawing the spans."""
    marks = [100, 101, 102]
    phrases = [(n, int(CLASS_OF[noun]), noun) for n in range(8) for noun in range(24)]
    tokens = [[k + f for k, f in zip(p, FIRST, strict=True)] for p in phrases]
    seen: dict[tuple, dict[tuple, int]] = {}
    # Numbers are independent of everything: two of the eight are enough, and cost ln 2 instead of ln 8.
    few = [words for words in tokens if words[0] - FIRST[0] < 2]
    for first, second in itertools.product(few, few):
        for spans in PATTERNS:
            shown, target = corrupt([*first, *second], spans, marks)
            targets = seen.setdefault(tuple(shown), {})
            targets[tuple(target)] = targets.get(tuple(target), 0) + 1
    for spans in PATTERNS:
        row = [*few[5], *few[30]]
        shown, target = corrupt(row, spans, marks)
        counts = seen[tuple(shown)]
        brute = -math.log(counts[tuple(target)] / sum(counts.values()))
        gone = torch.zeros(1, 7, dtype=torch.bool)
        for start, stop in spans:
            gone[0, start + 1 : stop + 1] = True
        numbers = int(gone[0, [1, 4]].sum())
        told = world.spoken_nats(torch.tensor([[BOS, *row]]), gone).sum()
        told -= numbers * (math.log(8) - math.log(2))
        lengths = [stop - start for start, stop in spans]
        assert told + lab.length_nats(lengths) == pytest.approx(brute)


@pytest.mark.parametrize(
    ("lengths", "ways"),
    [([1, 4], 2), ([2, 3], 1), ([5], 1), ([4, 4], 3), ([1, 1, 7], 6), ([3, 3, 3], 1)],
)
def test_lengths_are_counted_by_trying_them(lengths, ways):
    """All lengths with the same sum that differ by whole phrases."""
    options = itertools.product(range(1, sum(lengths) + 1), repeat=len(lengths))
    fit = [
        option
        for option in options
        if sum(option) == sum(lengths)
        and all((a - b) % 3 == 0 for a, b in zip(option, lengths, strict=True))
    ]
    assert len(fit) == ways
    assert lab.length_nats(lengths) == pytest.approx(math.log(ways))


def test_the_hidden_places_are_found_again_from_a_span_batch():
    batch, (rows, _) = lab.question(SPAN), lab.judged()
    gone, lengths = lab.hidden_by_spans(batch, rows)
    first = lab.special_ids().sentinels[0]
    for number in range(0, lab.JUDGED_ROWS, 10):
        said = [t for t in batch.targets[number].tolist() if 0 <= t < first]
        assert rows[number][gone[number]].tolist() == said
        assert sum(lengths[number]) == len(said) == 5


@torch.no_grad()
def test_rescoring_is_a_sum_over_the_whole_row():
    """Each of the six words put in by hand, each token's log probability added up."""
    model, (rows, places) = lab.build(CAUSAL, 0).eval(), lab.judged()
    scores = lab.rescore(model, rows[:2], places[:2])
    for row, place, told in zip(rows[:2], places[:2].tolist(), scores, strict=True):
        for option in range(6):
            tried = row.clone()
            tried[place] = FIRST[1] + option
            beliefs = model(tried[None]).logits[0].log_softmax(dim=-1)
            total = sum(float(beliefs[at, tried[at + 1]]) for at in range(len(tried) - 1))
            assert float(told[option]) == pytest.approx(total, abs=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("objective", [CAUSAL, PREFIX])
def test_who_reads_from_the_left_is_not_shown_what_follows_the_gap(objective):
    model, (rows, places) = lab.build(objective, 0).eval(), lab.judged()
    other, each = rows.clone(), torch.arange(len(rows))
    other[each, places] = FIRST[1]
    other[each, places + 1] = FIRST[2]
    assert torch.equal(*(lab.fill(model, objective, some, places) for some in (rows, other)))


@torch.no_grad()
@pytest.mark.parametrize("objective", [MASKED, SPAN])
def test_who_sees_both_sides_sees_the_noun_and_not_the_answer(objective):
    model, (rows, places) = lab.build(objective, 0).eval(), lab.judged()
    each = torch.arange(len(rows))
    word, noun = rows.clone(), rows.clone()
    word[each, places] = FIRST[1]
    noun[each, places + 1] = FIRST[2]
    plain, same, moved = (lab.fill(model, objective, some, places) for some in (rows, word, noun))
    assert torch.equal(plain, same)
    assert not torch.allclose(plain, moved)


def test_a_run_repeats_itself_and_reports_every_look():
    events = []
    result = drain(lab.train_objectives(QUICK), events.append)
    again = lab.run(WorldConfig((MASKED,), steps=20))
    np.testing.assert_array_equal(result.own_nats[:, 1], again.own_nats[:, 0])
    assert [event.step for event in events] == [0, 20, 0, 20]
    assert [event.objective for event in events] == [0, 0, 1, 1]
    assert events[-1].share == 1
    assert result.looks.tolist() == [0, 20]
    assert result.right.shape == (1, 2, 2)
    assert result.targets.tolist() == [36, 5]  # 15 % of 36 words: round(5.4)
    assert np.isfinite(result.rescored[0, 0]).all()
    assert np.isnan(result.rescored[0, 1]).all()
    assert (result.beliefs.sum(axis=-1) <= 1 + 1e-5).all()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"objectives": ()}, "choose_one"),
        ({"seeds": ()}, "choose_one"),
        ({"steps": 0}, "between"),
        ({"steps": lab.MOST_STEPS + 1}, "between"),
        ({"learning_rate": -1.0}, "positive"),
    ],
)
def test_a_run_that_cannot_be_is_refused(change, rule):
    with pytest.raises(LabInputError, match=rule):
        WorldConfig(**change)
