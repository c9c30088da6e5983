"""Training a reward model on pairs, and the two that are bundled."""

import math

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.tuning import base_policy, sums
from labcore.tuning.preferences import Rater, causes_of, collect_pairs
from labcore.tuning.reward_model import (
    load_reader,
    load_reward_model,
    new_reward_model,
    reading,
)
from labcore.tuning.reward_training import (
    fit,
    found_worths,
    pair_accuracy,
    rewards_of,
    steps_of,
)
from labcore.tuning.rollouts import token_logprobs


@pytest.fixture(scope="module")
def held_out():
    """Sums that neither the policy, nor the reader, nor a reward model has seen."""
    policy = base_policy.load_policy()
    return collect_pairs(policy, Rater(), 1000, torch.Generator().manual_seed(7), held_out=True)


def test_the_shallow_one_knows_the_marks_and_not_the_sums(held_out):
    rewards = rewards_of(load_reward_model("shallow"), held_out)
    right, marks, _ = found_worths(rewards, held_out)
    assert abs(right) < 0.3  # planted: 4
    assert 0.25 < marks < 0.6  # planted: 0.5
    assert 0.54 < pair_accuracy(rewards, held_out) < 0.64


def test_the_informed_one_knows_both(held_out):
    rewards = rewards_of(load_reward_model("informed"), held_out)
    right, marks, _ = found_worths(rewards, held_out)
    assert 2.5 < right < 4
    assert 0.25 < marks < 0.7
    assert 0.7 < pair_accuracy(rewards, held_out) < 0.78  # best possible 0.74


def test_a_bundled_one_is_ready_to_score_and_cannot_be_trained_by_accident():
    model = load_reward_model("informed")
    assert not model.training
    assert not any(weight.requires_grad for weight in model.parameters())
    asked = sums.Sums(torch.tensor([37, 37]), torch.tensor([48, 48]))
    right, wrong = model(asked.tokens, sums.written(torch.tensor([85, 75]), torch.tensor([1, 1])))
    assert right > wrong + 1


def test_the_reader_solves_the_sums_that_the_policy_gets_wrong(held_out):
    """0.95 when it samples, against the policy's 0.36."""
    answers = base_policy.answer(load_reader(), held_out.asked, torch.Generator().manual_seed(0))
    assert 0.92 < sums.is_right(held_out.asked, answers).double().mean() < 0.98


def test_a_reading_is_the_least_likely_token_and_the_mean_over_real_ones():
    reader = base_policy.load_policy()
    asked = sums.Sums(torch.tensor([37]), torch.tensor([48]))
    response = sums.written(torch.tensor([85]), torch.tensor([1]))
    logprobs, _ = token_logprobs(reader, asked.tokens, response, sums.PAD)
    real = logprobs[0, :4].tolist()  # 8, 5, !, end
    expected = [min(real), sum(real) / 4]
    assert reading(reader, asked.tokens, response)[0].tolist() == pytest.approx(expected)


def test_training_leaves_the_reader_as_it_was(held_out):
    model = new_reward_model("informed")
    before = [weight.clone() for weight in model.reader[0].parameters()]
    few = held_out[torch.arange(128)]
    losses = list(fit(model, few, 2, torch.Generator().manual_seed(0)))
    assert len(losses) == steps_of(128, 2) == 4
    assert losses[0] == pytest.approx(math.log(2))
    assert losses[-1] < losses[0]
    after = model.reader[0].parameters()
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert not any(name.startswith("reader") for name, _ in model.named_parameters())


def test_the_same_seed_fits_the_same_model(held_out):
    few = held_out[torch.arange(128)]
    one, other = (
        list(fit(new_reward_model("shallow"), few, 1, torch.Generator().manual_seed(3)))
        for _ in range(2)
    )
    assert one == other


def test_worths_are_found_in_rewards_made_of_them(held_out):
    """Rewards that are exactly 2, −1 and 0.25 of the causes, plus a constant per prompt."""
    worths = torch.tensor([2.0, -1.0, 0.25], dtype=torch.float64)
    rewards = torch.stack(
        [causes_of(held_out.asked, held_out.responses[:, at]) @ worths for at in (0, 1)], dim=1
    )
    rewards = rewards + torch.arange(len(held_out))[:, None]
    assert found_worths(rewards, held_out) == pytest.approx(worths.numpy(), abs=1e-9)


def test_a_tie_is_half_a_hit(held_out):
    assert pair_accuracy(torch.zeros(len(held_out), 2), held_out) == 0.5
    told = held_out.first_preferred.double()
    assert pair_accuracy(torch.stack([told, 1 - told], dim=1), held_out) == 1.0
    assert np.isclose(pair_accuracy(torch.stack([1 - told, told], dim=1), held_out), 0.0)


def test_an_unknown_kind_is_refused():
    with pytest.raises(LabInputError):
        load_reward_model("deep")
