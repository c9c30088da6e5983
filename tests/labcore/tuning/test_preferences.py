"""Pairs, a rater of known taste, and the reward model that learns from them."""

import math

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.tuning import base_policy, sums
from labcore.tuning.preferences import (
    Rater,
    best_accuracy,
    causes_of,
    collect_pairs,
    fitted_worths,
    preference_chance,
)
from labcore.tuning.reward_model import RewardModel, bradley_terry_loss

ASKED = sums.Sums(torch.tensor([37]), torch.tensor([48]))


def answers(*texts: str) -> torch.Tensor:
    """-> (len(texts), R)"""
    rows = torch.full((len(texts), sums.RESPONSE_TOKENS), sums.PAD)
    for row, text in zip(rows, texts, strict=True):
        tokens = [*map(sums.SYMBOLS.index, text), sums.END]
        row[: len(tokens)] = torch.tensor(tokens)
    return rows


@pytest.fixture(scope="module")
def pairs():
    policy = base_policy.load_policy()
    return collect_pairs(policy, Rater(), 3000, torch.Generator().manual_seed(0))


def test_what_an_answer_is_made_of():
    causes = causes_of(ASKED.repeated(3), answers("85!", "84", "185!!"))
    assert causes.tolist() == [[1, 1, 2], [0, 0, 2], [0, 2, 3]]


@pytest.mark.parametrize(("slips", "chance"), [(0.0, 0.95257), (0.1, 0.86206), (0.5, 0.5)])
def test_the_rater_prefers_as_the_docstring_works_out(slips, chance):
    """σ(4 − 1) = 1 / (1 + e⁻³) = 0.95257; 0.9 · 0.95257 + 0.1 · 0.04743 = 0.86206."""
    two = answers("85", "84!!")[None]
    assert float(preference_chance(Rater(slips=slips), ASKED, two)) == pytest.approx(
        chance, abs=1e-5
    )


def test_the_preferred_answer_comes_first(pairs):
    first = torch.where(
        pairs.first_preferred[:, None], pairs.responses[:, 0], pairs.responses[:, 1]
    )
    assert torch.equal(pairs.ordered[:, 0], first)


def test_the_worths_that_were_planted_are_found_again(pairs):
    """Maximum likelihood on 3,000 pairs: each within a few standard errors (about 0.2, 0.06, 0.1)."""
    causes = torch.stack([causes_of(pairs.asked, pairs.responses[:, at]) for at in (0, 1)], dim=1)
    found = fitted_worths(causes.numpy(), pairs.first_preferred.numpy())
    assert found == pytest.approx([4.0, 0.5, 0.0], abs=0.45)


def test_newton_ends_where_the_gradient_vanishes(pairs):
    """The gradient of the pulled log-likelihood, by autograd, at the worths found."""
    causes = torch.stack([causes_of(pairs.asked, pairs.responses[:, at]) for at in (0, 1)], dim=1)
    found = fitted_worths(causes.numpy(), pairs.first_preferred.numpy())
    worths = torch.tensor(found, requires_grad=True)
    margin = (causes[:, 0] - causes[:, 1]) @ worths * (2 * pairs.first_preferred.double() - 1)
    loss = -torch.nn.functional.logsigmoid(margin).sum() + 0.005 * (worths**2).sum()
    (gradient,) = torch.autograd.grad(loss, worths)
    assert gradient.abs().max() < 1e-6


def test_a_few_unanimous_choices_still_have_an_answer():
    """Two pairs, both for the right answer: without the pull its worth would be infinite."""
    causes = np.array([[[1.0, 0, 2], [0, 0, 2]], [[1, 1, 2], [0, 1, 2]]])
    found = fitted_worths(causes, np.array([True, True]))
    assert 2 < found[0] < 10
    assert found[1:] == pytest.approx([0, 0])


def test_nobody_beats_the_dice(pairs):
    """Knowing every chance, the likelier answer is named; the hit rate is the mean of max(p, 1 − p)."""
    named = pairs.chance > 0.5
    told = pairs.chance != 0.5
    hits = (named == pairs.first_preferred)[told].double().mean()
    expected = torch.maximum(pairs.chance, 1 - pairs.chance)[told].mean()
    assert float(hits) == pytest.approx(float(expected), abs=0.03)
    assert 0.6 < best_accuracy(pairs) < 0.9


def test_the_same_seed_asks_the_same_pairs():
    policy = base_policy.load_policy()
    one, other = (
        collect_pairs(policy, Rater(), 20, torch.Generator().manual_seed(5)) for _ in range(2)
    )
    assert torch.equal(one.responses, other.responses)
    assert torch.equal(one.first_preferred, other.first_preferred)


@pytest.mark.parametrize("bad", [{"slips": 0.6}, {"slips": -0.1}, {"right": 11.0}])
def test_a_rater_out_of_range_is_refused(bad):
    with pytest.raises(LabInputError):
        Rater(**bad)


# The reward model.


def test_before_any_pair_all_answers_are_worth_the_same_and_the_loss_is_ln_2():
    model = RewardModel(base_policy.load_policy())
    rewards = model(ASKED.repeated(3).tokens, answers("85!", "84", "185!!"))
    assert rewards.tolist() == [0, 0, 0]
    assert bradley_terry_loss(rewards[:2], rewards[1:]).item() == pytest.approx(math.log(2))


def test_the_loss_by_hand():
    """−ln σ(1) = 0.31326, −ln σ(−2) = 2.12693; their mean is 1.22010."""
    loss = bradley_terry_loss(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0]))
    assert float(loss) == pytest.approx(1.22010, abs=1e-5)


def test_padding_does_not_move_a_score():
    """The same answer in a wider row: the score is read where the answer ends."""
    model = RewardModel(base_policy.load_policy())
    torch.nn.init.ones_(model.score.weight)
    wide = answers("85!")
    narrow = wide[:, :5]
    with torch.no_grad():
        scores = [float(model(ASKED.tokens, responses)) for responses in (wide, narrow)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
