"""Estimates of a divergence: exact expectations, sampled ones, and what their gradients descend."""

import numpy as np
import pytest
import torch

from app import results
from labcore.errors import LabInputError
from labcore.tuning import gradient_noise, kl_estimators, sums
from labcore.tuning.advantages import leave_one_out_advantages
from labcore.tuning.base_policy import load_policy
from labcore.tuning.kl_estimators import EstimatorConfig

CONFIGS = [EstimatorConfig(), EstimatorConfig(0.2, 4, 1), EstimatorConfig(2.0, 64, 2)]


@pytest.mark.parametrize("config", CONFIGS)
def test_the_exact_divergence_is_torchs(config):
    result = kl_estimators.run(config)
    p, q = (
        torch.distributions.Categorical(torch.tensor(x)) for x in (result.policy, result.reference)
    )
    assert result.exact_nats == pytest.approx(float(torch.distributions.kl_divergence(p, q)))
    assert result.forward_nats == pytest.approx(float(torch.distributions.kl_divergence(q, p)))


@pytest.mark.parametrize("config", CONFIGS)
def test_k1_and_k3_are_right_on_average_and_k2_is_not(config):
    result = kl_estimators.run(config)
    assert result.means["k1"] == pytest.approx(result.exact_nats)
    assert result.means["k3"] == pytest.approx(result.exact_nats)
    assert abs(result.means["k2"] - result.exact_nats) > 1e-4
    assert result.mean_curves["k1"] == pytest.approx(result.exact_curve)


@pytest.mark.parametrize("name", ["k1", "k2", "k3"])
def test_the_samples_fall_around_the_expectation_as_wide_as_said(name):
    """Means of 16 tokens: spread σ/4. Five standard errors of 2,000 of them; a tenth for the spread."""
    result = kl_estimators.run(EstimatorConfig())
    found, spread = result.sampled[name], result.spreads[name] / 4
    assert found.mean() == pytest.approx(result.means[name], abs=5 * spread / 2000**0.5)
    assert found.std() == pytest.approx(spread, rel=0.1)


@pytest.mark.parametrize("config", CONFIGS)
def test_which_divergence_each_use_descends(config):
    """In the reward k1 is right. In the loss k1 gives nothing, k2 is right, k3 descends the other one."""
    result = kl_estimators.run(config)
    for key in ("reward-k1", "loss-k2"):
        assert result.along[key] == pytest.approx(1)
        assert result.size[key] == pytest.approx(1)
    assert result.size["loss-k1"] == pytest.approx(0, abs=1e-9)
    assert result.along_forward["loss-k3"] == pytest.approx(1)
    assert result.along["loss-k3"] < 0.999


def test_paying_k3_as_a_reward_adds_the_pull_of_the_other_divergence():
    """k3 = k1 + (r − 1), and E[(r − 1) ∇ln π] = Σ π_ref ∇ln π = −∇KL(ref‖π): the true gradient less it."""
    logits, reference = kl_estimators.two_policies(1.0, 0)
    mean = logits.softmax(0) @ kl_estimators.gradients(logits, reference, "k3", "reward")
    at = logits.clone().requires_grad_(True)
    logprobs, others = at.log_softmax(0), reference.log_softmax(0)
    (true,) = torch.autograd.grad(
        (logprobs.exp() * (logprobs - others)).sum(), at, retain_graph=True
    )
    (forward,) = torch.autograd.grad((others.exp() * (others - logprobs)).sum(), at)
    assert torch.allclose(mean, true - forward, atol=1e-12)


def test_the_same_seed_draws_the_same_and_nowhere_is_at_distance_0():
    one, other = (kl_estimators.run(EstimatorConfig()) for _ in range(2))
    assert np.array_equal(one.sampled["k1"], other.sampled["k1"])
    assert one.exact_curve[0] == pytest.approx(0, abs=1e-12)
    assert (np.diff(one.exact_curve) > 0).all()


@pytest.mark.parametrize("bad", [{"distance": 0}, {"distance": 9}, {"draws": 0}])
def test_estimators_refuse_what_cannot_be(bad):
    with pytest.raises(LabInputError):
        EstimatorConfig(**bad)


# Baselines.


def test_baselines_by_hand():
    """Scores 1, 0 and 0, 0. The others' mean in the batch: 0 for the right one, 1/3 for the rest."""
    scores = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    expected = [[1, -1 / 3], [-1 / 3, -1 / 3]]
    assert gradient_noise.baselined("batch", scores).tolist() == [
        pytest.approx(r) for r in expected
    ]
    half = [[1, -1 / 6], [-1 / 6, -1 / 6]]
    assert gradient_noise.baselined("half", scores).tolist() == [pytest.approx(r) for r in half]
    assert gradient_noise.baselined("shifted", scores)[0].tolist() == [3, 2]
    assert torch.equal(
        gradient_noise.baselined("others-2", scores), leave_one_out_advantages(scores)
    )


@pytest.fixture(scope="module")
def noise() -> gradient_noise.GradientNoise:
    return results.load(
        results.RECORDINGS / "rlhf-noise.safetensors", gradient_noise.GradientNoise
    ).result


def test_a_baseline_takes_away_what_a_shifted_zero_put_in(noise):
    """Measured, every seed: scores with 2 added to each wobble at least twice as much, and with the batch's
    mean taken off they do not. (For the baseline the shift cancels exactly.)"""
    assert len(noise.seeds) == 3
    assert (noise.spreads["shifted"] > 2 * noise.spreads["batch"]).all()
    scores = torch.rand(3, 4, generator=torch.Generator().manual_seed(0))
    shifted = gradient_noise.baselined("batch", scores + 2)
    assert torch.allclose(shifted, gradient_noise.baselined("batch", scores), atol=1e-6)


def test_the_mean_gradient_stays_where_it_is(noise):
    """The same answers of 72 batches, nothing taken off and the others' mean taken off: one direction."""
    assert noise.alike > 0.9


def test_the_gradient_is_that_of_what_is_earned():
    """Credit 1 for one answer and 0 for the other: ∇ of half of its ln π."""
    policy = load_policy()
    asked = sums.draw_sums(1, torch.Generator().manual_seed(0)).repeated(2)
    answers = sums.written(torch.tensor([85, 84]), torch.tensor([0, 1]))
    found = gradient_noise.policy_gradient(policy, asked, answers, torch.tensor([1.0, 0.0]))
    logits = policy(torch.cat([asked.tokens, answers[:, :-1]], dim=1)).logits[0, 5:8]
    earned = logits.log_softmax(1).gather(1, answers[0, :3, None]).sum() / 2
    expected = torch.cat(
        [part.flatten() for part in torch.autograd.grad(earned, list(policy.parameters()))]
    )
    assert torch.allclose(found, expected, atol=1e-6)
