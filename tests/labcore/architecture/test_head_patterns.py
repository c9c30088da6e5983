"""Scores, labels, entropy and rollout on heads whose behaviour is known because it was made."""

import numpy as np
import pytest
import torch

from labcore.architecture.head_patterns import (
    MIN_QUERIES,
    causal_mask,
    entropy,
    head_scores,
    induction_probe,
    label_heads,
    pattern_targets,
    repeated_tokens,
    rollout,
)
from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer

# Period 6, three times over: every pattern has targets, none of them beside the query or first.
IDS = [5, 6, 7, 8, 9, 4] * 3


def uniform(length: int, causal: bool = True) -> np.ndarray:
    """A head that looks at all it may see alike.  -> (1, 1, T, T)"""
    seen = np.tri(length) if causal else np.ones((length, length))
    return (seen / seen.sum(axis=1, keepdims=True))[None, None]


def perfect(pattern: str, ids: list[int], allowed: np.ndarray) -> np.ndarray:
    """A head that spends all on the pattern's targets where there are any, else on itself."""
    target = pattern_targets(ids, allowed)[pattern].astype(float)
    idle = ~target.any(axis=1)
    target[idle] = np.eye(len(ids))[idle]
    return (target / target.sum(axis=1, keepdims=True))[None, None]


@pytest.mark.parametrize(
    "pattern", ["previous_token", "first_token", "same_token", "induction", "self"]
)
def test_a_head_that_does_nothing_else_scores_one_and_earns_its_name(pattern):
    head = perfect(pattern, IDS, causal_mask(len(IDS)))
    scores = head_scores(head, IDS)
    assert scores[pattern] == pytest.approx(1)
    assert [label.pattern for label in label_heads(scores)] == [pattern]


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("length", [2, 3, 5, 18])
def test_a_head_that_looks_everywhere_alike_scores_zero_and_earns_no_name(causal, length):
    """However short the text: of two tokens it spends half on each, which proves nothing."""
    allowed = causal_mask(length) if causal else np.ones((length, length), dtype=bool)
    scores = head_scores(uniform(length, causal), IDS[:length], allowed)
    for score in scores.values():
        assert np.isnan(score).all() or score == pytest.approx(0, abs=1e-12)
    assert label_heads(scores) == []


def test_a_score_by_hand():
    """Four tokens, every query spends 0.6 on the previous one.

    Uniform heads would spend 1/2, 1/3, 1/4 there, 13/36 on average; (0.6 - 13/36) / (1 - 13/36)
    = (21.6 - 13) / (36 - 13) = 8.6 / 23.
    """
    head = np.diag([0.6, 0.6, 0.6], k=-1) + np.diag([1, 0.4, 0.4, 0.4])
    assert head_scores(head[None, None], [1, 2, 3, 4])["previous_token"] == pytest.approx(8.6 / 23)


def test_a_previous_token_head_is_not_taken_for_one_that_copies_repeats():
    """In "ha ha ha" the earlier occurrence, and what followed it, is the previous token."""
    allowed = causal_mask(12)
    for ids in ([3] * 12, [3, 4] * 6):
        targets = pattern_targets(ids, allowed)
        beside = np.eye(12, k=-1, dtype=bool)
        assert not (targets["induction"] & beside).any()
        assert not (targets["same_token"] & beside).any()


def test_induction_targets_follow_the_earlier_occurrence():
    """A B C D A: the second A (4) was at 0 before, B (1) came after it."""
    targets = pattern_targets([7, 8, 9, 10, 7], causal_mask(5))["induction"]
    assert np.argwhere(targets).tolist() == [[4, 1]]


def test_a_pattern_met_too_rarely_is_unknown_not_zero():
    ids = [1, 2, 3, 4, 5, 2, 6, 3]  # two repeats
    scores = head_scores(uniform(8), ids)
    assert MIN_QUERIES > 2
    assert np.isnan(scores["same_token"]).all()
    assert not np.isnan(scores["previous_token"]).any()


def test_only_a_model_that_sees_the_future_can_look_at_the_next_token():
    both_ways = np.ones((6, 6), dtype=bool)
    assert "next_token" not in pattern_targets(IDS[:6], causal_mask(6))
    head = perfect("next_token", IDS[:6], both_ways)
    assert head_scores(head, IDS[:6], both_ways)["next_token"] == pytest.approx(1)


def test_random_heads_earn_almost_no_names():
    """144 heads of random logits, as many as GPT-2 has: a labeller that names most is broken."""
    rng = np.random.default_rng(0)
    logits = np.where(causal_mask(18), rng.normal(size=(12, 12, 18, 18)), -np.inf)
    weights = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    assert len(label_heads(head_scores(weights, IDS))) <= 1


def test_a_higher_bar_takes_names_away():
    scores = {"self": np.array([[0.6, 0.9]]), "induction": np.array([[np.nan, np.nan]])}
    strict = label_heads(scores, {"self": 0.8, "induction": 0.4})
    assert [(label.head, label.score) for label in strict] == [(1, 0.9)]
    assert len(label_heads(scores, {"self": 0.5, "induction": 0.4})) == 2


def test_entropy_is_zero_for_one_token_and_one_for_all():
    focused = np.eye(5)[None, None]
    assert entropy(focused, causal_mask(5)) == pytest.approx(0)
    assert entropy(uniform(5), causal_mask(5)) == pytest.approx(1)
    assert entropy(uniform(5, causal=False)) == pytest.approx(1)
    assert np.isnan(entropy(np.ones((1, 1, 1, 1)))).all()


def test_entropy_by_hand():
    """One query, weights ½ ¼ ¼ of four keys: 1.5 bits of 2."""
    assert entropy(np.array([[[[0.5, 0.25, 0.25, 0.0]]]])) == pytest.approx(0.75)


def test_rollout_by_hand():
    """Two layers of one head, two tokens; Â = ½A + ½I.

    Layer 0: A = [[1, 0], [½, ½]] -> Â = [[1, 0], [¼, ¾]].
    Layer 1: A = [[1, 0], [1, 0]] -> Â = [[1, 0], [½, ½]].
    Product: row 1 = ½·[1, 0] + ½·[¼, ¾] = [⅝, ⅜].
    """
    layers = np.array([[[[1, 0], [0.5, 0.5]]], [[[1, 0], [1, 0]]]], dtype=float)
    first, second = rollout(layers)
    np.testing.assert_allclose(first, [[1, 0], [0.25, 0.75]])
    np.testing.assert_allclose(second, [[1, 0], [0.625, 0.375]])


def test_rollout_averages_heads_before_it_multiplies_layers():
    heads = np.stack([np.eye(2), np.array([[0, 1.0], [1, 0]])])[None]  # mean: all ½
    np.testing.assert_allclose(rollout(heads)[0], [[0.75, 0.25], [0.25, 0.75]])


def test_rollout_rows_sum_to_one_at_every_depth():
    rng = np.random.default_rng(1)
    weights = rng.dirichlet(np.ones(7), size=(4, 3, 7))
    np.testing.assert_allclose(rollout(weights).sum(axis=-1), 1)


def test_repeated_tokens_repeat_each_with_its_own_period():
    tokens = repeated_tokens(range(100), torch.Generator().manual_seed(0), periods=(3, 5))
    assert tokens.shape == (2, 10)
    assert torch.equal(tokens[0, :7], tokens[0, 3:])
    assert torch.equal(tokens[1, :5], tokens[1, 5:])


def test_the_probe_is_deterministic_and_finds_nothing_in_a_random_model():
    model = Transformer(ModelConfig(hidden_size=32), torch.Generator().manual_seed(0)).eval()
    first = induction_probe(model, torch.Generator().manual_seed(3))
    again = induction_probe(model, torch.Generator().manual_seed(3))
    assert first["induction"].shape == (2, 4)
    assert abs(first["induction"]).max() < 0.1
    np.testing.assert_array_equal(first["induction"], again["induction"])


def test_the_probe_draws_only_from_the_given_vocabulary():
    tokens = repeated_tokens([11, 12, 13], torch.Generator().manual_seed(0), periods=(20,))
    assert set(tokens.unique().tolist()) <= {11, 12, 13}


def test_an_encoder_cannot_be_probed_for_induction():
    model = Transformer(ModelConfig(kind="encoder", hidden_size=32, head="none"))
    with pytest.raises(LabInputError, match="needs_decoder"):
        induction_probe(model, torch.Generator())
