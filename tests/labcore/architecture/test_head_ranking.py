"""Importance, its guess from one backward pass, and what groups of heads cost."""

import numpy as np
import pytest
import torch

from labcore.architecture import head_ranking as lab
from labcore.architecture.head_gates import all_on, gated, gates_of
from labcore.architecture.head_ranking import RankingConfig
from labcore.architecture.head_texts import gated_loss, held_out
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.training.objectives import held_out_loss, token_losses
from labcore.zoo import load

QUICK = RankingConfig("world-copier", samples=2, rows=2)


@pytest.fixture(scope="module")
def ranked():
    events = []
    return drain(lab.rank_heads(QUICK), events.append), events


def test_open_gates_give_the_plain_loss():
    loaded = load("world-decoder")
    batch = held_out(loaded, 2, seed=0)
    plain = held_out_loss(loaded.model, [batch])
    assert gated_loss(loaded.model, batch, all_on(loaded.model.config)) == pytest.approx(plain)


def test_slopes_are_those_of_finite_differences():
    """(L(1 + e) - L(1 - e)) / 2e for each text, absolute, averaged: the definition, head by head."""
    loaded = load("world-copier")
    model, batch, step = loaded.model, held_out(loaded, 2, seed=0), 1e-2
    slopes = lab.gate_slopes(model, batch)
    for head in ((0, 1), (1, 3)):
        sides = []
        for sign in (1, -1):
            gates = all_on(model.config)
            gates[head] += sign * step
            with torch.no_grad():
                nats = token_losses(model, batch, interventions=gated(model.config, gates))[0]
            sides.append(nats.sum(dim=1) / (batch.targets >= 0).sum(dim=1))
        by_hand = ((sides[0] - sides[1]) / (2 * step)).abs().mean()
        assert slopes[head] == pytest.approx(float(by_hand), rel=0.03)


def test_rank_correlation_is_spearman_s():
    """d = (0, 1, -1, 0): 1 - 6·2 / (4·15) = 0.8; ties share a rank, as pandas has it."""
    one = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert lab.rank_correlation(one, np.array([[10.0, 30.0], [20.0, 40.0]])) == pytest.approx(0.8)
    assert lab.rank_correlation(one, one**3) == pytest.approx(1)
    assert lab.rank_correlation(one, -one) == pytest.approx(-1)
    assert np.isnan(lab.rank_correlation(one, np.ones((2, 2))))
    np.testing.assert_allclose(lab.ranked(np.array([5.0, 1.0, 5.0, 0.0])), [2.5, 1, 2.5, 0])


def test_importance_is_the_loss_without_the_head_less_the_loss_with_it(ranked):
    result, _ = ranked
    loaded = load("world-copier")
    sample = held_out(loaded, QUICK.rows, seed=1)
    without = gated_loss(loaded.model, sample, gates_of(loaded.model.config, [(0, 1)]))
    assert result.importance[1, 0, 1] == pytest.approx(without - result.loss_nats[1], abs=1e-5)


def test_every_curve_begins_with_all_heads_and_ends_with_none(ranked):
    """Whatever the order, the ends are the same two models, judged on the same texts."""
    result, _ = ranked
    assert result.counts.tolist() == list(range(9))
    for losses in result.removed.values():
        np.testing.assert_allclose(losses[:, 0], result.removed["measured"][:, 0], rtol=1e-6)
        np.testing.assert_allclose(losses[:, -1], result.removed["measured"][:, -1], rtol=1e-6)
    sums = np.sort(result.importance.mean(axis=0), axis=None).cumsum()
    np.testing.assert_allclose(result.added_up[1:] - result.added_up[0], sums, atol=1e-4)


def test_the_previous_token_head_is_worth_most(ranked):
    result, _ = ranked
    mean = result.importance.mean(axis=0)
    assert np.unravel_index(mean.argmax(), mean.shape) == (0, 1)
    assert np.unravel_index(result.slope.mean(axis=0).argmax(), mean.shape) == (0, 1)


def test_progress_goes_from_nothing_to_all(ranked):
    _, events = ranked
    shares = [event.share for event in events]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert {event.stage for event in events} == {"alone", "slope", "greedy", "groups"}


def test_held_out_text_is_fresh_for_every_seed_and_fits_its_model():
    for name in ("world-copier", "world-decoder", "world-encoder", "world-translator"):
        loaded = load(name)
        one, again, other = (held_out(loaded, 2, seed) for seed in (0, 0, 1))
        assert torch.equal(one.tokens, again.tokens)
        assert one.tokens.shape != other.tokens.shape or not torch.equal(one.tokens, other.tokens)
        loss = gated_loss(loaded.model, one, all_on(loaded.model.config))
        assert loss < 4 < np.log(loaded.model.config.vocab_size)  # its own kind of text


@pytest.mark.parametrize("heads", [1, 8, 20, 21, 270])
def test_a_curve_has_both_ends_and_at_most_21_points(heads):
    counts = lab.points(heads)
    assert (counts[0], counts[-1]) == (0, heads)
    assert len(counts) <= lab.MOST_POINTS + 1
    assert (np.diff(counts) > 0).all()


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"samples": 1}, "between"),
        ({"rows": 99}, "between"),
        ({"model": "minilm-l6"}, "vocabulary"),
    ],
)
def test_bad_input_is_named(changes, rule):
    with pytest.raises(LabInputError, match=rule):
        lab.run(RankingConfig(**{"model": "world-copier", "samples": 2, "rows": 1} | changes))
