"""DPO and its relatives: worked by hand, and against what they are derived from."""

import math

import pytest
import torch

from labcore.tuning import preference_losses as losses

LN2 = math.log(2)


def test_no_margin_costs_ln_2():
    assert losses.dpo_loss(torch.zeros(3)).tolist() == pytest.approx([LN2] * 3)


def test_dpo_by_hand():
    """β = 0.1; ln π rose by 2 for the chosen and fell by 3 for the rejected: the margin is 0.5, and
    −ln σ(0.5) = 0.47408."""
    chosen = losses.implicit_rewards(torch.tensor([-8.0]), torch.tensor([-10.0]), 0.1)
    rejected = losses.implicit_rewards(torch.tensor([-12.0]), torch.tensor([-9.0]), 0.1)
    assert losses.dpo_loss(chosen - rejected).item() == pytest.approx(0.47408, abs=1e-5)


def test_a_smoothed_label_is_a_mixture_of_both():
    margin = torch.tensor([1.5])
    expected = 0.9 * losses.dpo_loss(margin) + 0.1 * losses.dpo_loss(-margin)
    assert losses.dpo_loss(margin, smoothing=0.1).item() == pytest.approx(expected.item())


def test_both_probabilities_may_fall_while_the_loss_does():
    """Only the margin counts: −1 and −4 is better than 0 and 0."""
    margin = losses.implicit_rewards(torch.tensor(-1.0), torch.tensor(0.0), 0.5)
    margin = margin - losses.implicit_rewards(torch.tensor(-4.0), torch.tensor(0.0), 0.5)
    assert losses.dpo_loss(margin) < LN2


def test_the_policy_that_is_best_for_a_reward_has_that_reward():
    """Three answers, any reward r and reference: π ∝ π_ref exp(r / β) gives back r up to one constant,
    and beats every other policy at E[r] − β KL(π ‖ π_ref)."""
    generator = torch.Generator().manual_seed(0)
    reward, logits = torch.randn(2, 3, generator=generator).double()
    reference, beta = logits.log_softmax(0), 0.7
    best = (reference + reward / beta).log_softmax(0)
    implicit = losses.implicit_rewards(best, reference, beta)
    assert torch.allclose(implicit - implicit[0], reward - reward[0])

    def worth(policy):
        return float((policy.exp() * (reward - beta * (policy - reference))).sum())

    for _ in range(50):
        other = (best + 0.3 * torch.randn(3, generator=generator).double()).log_softmax(0)
        assert worth(other) <= worth(best)


def test_ipo_is_content_at_its_goal():
    """β = 0.25: the log-ratio should be 1 / 0.5 = 2, a margin of 0.5; at margin 1 it costs (4 − 2)² = 4."""
    margins = torch.tensor([0.5, 1.0, 0.0])
    assert losses.ipo_loss(margins, beta=0.25).tolist() == pytest.approx([0.0, 4.0, 4.0])


def test_kto_by_hand():
    """z = 1: a good answer with reward 1 costs 1 − σ(0) = ½, a bad one with reward 3 costs
    1 − σ(−2) = 0.88080, twice that with weight 2."""
    found = losses.kto_loss(
        torch.tensor([1.0, 3.0]), torch.tensor([True, False]), torch.tensor(1.0), (1.0, 2.0)
    )
    assert found.tolist() == pytest.approx([0.5, 1.76159], abs=1e-5)


def test_ktos_reference_point_is_never_negative_and_never_learns():
    rewards = torch.tensor([0.5], requires_grad=True)
    point = torch.tensor(-3.0, requires_grad=True)
    loss = losses.kto_loss(rewards, torch.tensor([True]), point)
    assert loss.item() == pytest.approx(1 - 1 / (1 + math.exp(-0.5)))
    loss.sum().backward()
    assert point.grad is None


def test_simpo_by_hand():
    """β = 2, γ = 1: 2 · (−0.5 + 1.5) − 1 = 1; −ln σ(1) = 0.31326."""
    found = losses.simpo_loss(torch.tensor([-0.5]), torch.tensor([-1.5]), beta=2.0, gap=1.0)
    assert found.item() == pytest.approx(0.31326, abs=1e-5)


def test_orpo_by_hand():
    """p = 0.5 and 0.2: odds 1 and 0.25, ratio 4; −ln 0.5 − λ ln σ(ln 4), and σ(ln 4) = 4/5."""
    chosen, rejected = torch.tensor([0.5]).log(), torch.tensor([0.2]).log()
    expected = LN2 - 0.1 * math.log(0.8)
    assert losses.orpo_loss(chosen, rejected, weight=0.1).item() == pytest.approx(expected)


def test_odds_of_a_sure_and_of_an_unlikely_answer():
    """p = e⁻¹⁰⁰ has odds of p itself; p close to one keeps its distance from it."""
    far, near = losses.log_odds(torch.tensor([-100.0, -1e-6], dtype=torch.float64)).tolist()
    assert far == pytest.approx(-100.0)
    assert near == pytest.approx(-1e-6 - math.log(1e-6), rel=1e-5)
