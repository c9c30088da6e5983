"""Singular values by rotations against LAPACK; the best cut against its formula; power iteration."""

import numpy as np
import pytest
import torch

from labcore.foundations.singular import (
    cut_to_rank,
    errors_by_rank,
    jacobi_svd,
    power_iteration,
    tournament,
)


def random(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, columns, generator=generator, dtype=torch.float64).numpy()


LOW_RANK = random(9, 3) @ random(3, 7, seed=1)


@pytest.mark.parametrize(
    "matrix",
    [random(6, 6), random(9, 4), random(4, 9), LOW_RANK, np.ones((3, 3)), np.diag([3.0, 0.0, 3.0]),
     np.array([[1.0, 1.0], [0.0, 1.0]]), np.zeros((3, 2)), 1e-9 * random(5, 5)],
)  # fmt: skip
def test_rotations_find_what_lapack_finds(matrix):
    left, values, right = jacobi_svd(matrix)
    scale = max(np.abs(matrix).max(), 1e-300)
    np.testing.assert_allclose(
        values, torch.linalg.svdvals(torch.from_numpy(matrix)), atol=1e-13 * scale
    )
    np.testing.assert_allclose(left * values @ right.T, matrix, atol=1e-13 * scale)
    np.testing.assert_allclose(right.T @ right, np.eye(right.shape[1]), atol=1e-13)
    real = values > 1e-12 * max(values[0], 1e-300)
    np.testing.assert_allclose((left.T @ left)[np.ix_(real, real)], np.eye(real.sum()), atol=1e-12)


@pytest.mark.parametrize("players", [2, 3, 4, 7, 8])
def test_in_a_tournament_everybody_meets_everybody_once(players):
    met = [
        frozenset(pair)
        for one, other in tournament(players)
        for pair in zip(one.tolist(), other.tolist(), strict=True)
    ]
    assert len(met) == len(set(met)) == players * (players - 1) // 2


def test_a_round_of_a_tournament_asks_nobody_twice():
    for one, other in tournament(7):
        assert len({*one.tolist(), *other.tolist()}) == 2 * len(one)


@pytest.mark.parametrize("rank", range(6))
def test_the_error_of_a_cut_is_what_the_formula_says_and_no_other_cut_is_better(rank):
    """Eckart and Young: against the same number of other terms, and against random matrices of that rank."""
    matrix = random(8, 5)
    left, values, right = jacobi_svd(matrix)
    error = np.linalg.norm(matrix - cut_to_rank(left, values, right, rank))
    assert error == pytest.approx(errors_by_rank(values)[rank] * np.linalg.norm(matrix), abs=1e-12)
    for seed in range(20):
        # The best coefficients for random directions, found by least squares.
        basis = random(8, rank, seed)
        other = basis @ np.linalg.pinv(basis) @ matrix if rank else np.zeros_like(matrix)
        assert np.linalg.norm(matrix - other) >= error - 1e-12


def test_a_power_iteration_shrinks_its_error_by_the_ratio_of_the_eigenvalues():
    """λ = 3 and 1, eigenvectors (1, 1) and (1, −1): the part along the second falls to a third each step."""
    rows = power_iteration(np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([1.0, 0.0]), 8)
    along = np.abs(rows @ [1, -1]) / np.abs(rows @ [1, 1])
    np.testing.assert_allclose(along, 3.0 ** -np.arange(9.0), rtol=1e-12)


def test_a_power_iteration_stops_where_everything_has_gone_to_zero():
    assert len(power_iteration(np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([1.0, 1.0]), 8)) == 2
