"""Best of n by hand, against brute force, and at its ends."""

from itertools import combinations

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.tuning import best_of_n, rlhf, sums
from labcore.tuning.pass_at_k import pass_at_k


def test_the_weights_are_those_of_every_choice():
    """Six answers, three drawn: count how often each rank is the best of its 20 choices."""
    counts = np.zeros(6)
    for chosen in combinations(range(6), 3):
        counts[max(chosen)] += 1
    assert best_of_n.chosen_weights(6, 3) == pytest.approx(counts / 20)


@pytest.mark.parametrize("count", best_of_n.COUNTS)
def test_with_the_truth_as_the_reward_the_best_of_n_is_pass_at_n(count):
    """Of 64 answers 10 are right, and rank on top: the chosen one is right where any of n is."""
    right = np.arange(64) >= 54
    weights = best_of_n.chosen_weights(64, count)
    assert weights.sum() == pytest.approx(1)
    assert weights @ right == pytest.approx(pass_at_k(64, 10, count))


@pytest.mark.parametrize("count", [2, 5, 32])
def test_the_divergence_is_that_of_the_highest_of_n_uniform_draws(count):
    """∫ n uⁿ⁻¹ ln(n uⁿ⁻¹) du by the midpoint rule."""
    u = (np.arange(200_000) + 0.5) / 200_000
    density = count * u ** (count - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        integrand = np.where(density > 0, density * np.log(density), 0.0)
    assert best_of_n.divergence(count) == pytest.approx(integrand.mean(), abs=1e-4)


@pytest.mark.parametrize("bad", [0, 5])
def test_one_cannot_choose_from_none_or_from_more_than_there_are(bad):
    with pytest.raises(LabInputError):
        best_of_n.chosen_weights(4, bad)


def test_equal_scores_are_chosen_by_lot(monkeypatch):
    """A reward that is always 0 chooses nothing: whatever n, as often right as one answer is."""
    monkeypatch.setattr(best_of_n, "JUDGED_SUMS", 40)
    nothing = lambda asked, responses: torch.zeros(len(responses))  # noqa: E731
    monkeypatch.setattr(best_of_n, "judge_named", lambda reward: nothing)
    found = best_of_n.run(best_of_n.BestConfig())
    assert found.right.max() - found.right.min() < 0.12
    assert (found.proxy == 0).all()


def test_more_to_choose_from_scores_higher_and_the_truth_solves_as_pass_at_n(monkeypatch):
    monkeypatch.setattr(best_of_n, "JUDGED_SUMS", 20)
    found = best_of_n.run(best_of_n.BestConfig("verifier"))
    assert (np.diff(found.right) > 0).all()
    assert found.right == pytest.approx(found.proxy)


def test_the_verifier_is_the_task_itself():
    asked = sums.draw_sums(5, torch.Generator().manual_seed(0))
    answers = sums.written(asked.left + asked.right, torch.zeros(5, dtype=torch.int64))
    assert rlhf.judge_named("verifier")(asked, answers).sum() == 5
