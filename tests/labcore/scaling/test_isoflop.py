"""Curves of equal compute and extrapolation, on points made from a law that is known."""

from dataclasses import replace

import numpy as np
import pytest

from labcore.errors import LabInputError
from labcore.scaling import answers, isoflop
from labcore.scaling.answers import Asking
from labcore.scaling.extrapolation import extrapolate
from labcore.scaling.law import Law
from labcore.scaling.sweep import SweepResult

# Symmetric, so that a curve of equal compute is a cosh of ln N about its lowest point, as good as a parabola.
EVEN = Law(E=1.7, A=30.0, alpha=0.5, B=30.0, beta=0.5)
SIZES = np.array([2e3, 4e3, 8e3, 16e3, 32e3])
BUDGETS = (0.2, 0.4, 0.8)  # gigaFLOPs


def made(law: Law, sizes=SIZES, budgets=BUDGETS, seeds=2) -> SweepResult:
    """A sweep as if every loss were exactly the law's; the table of tokens is half as large as the rest."""
    rows = [(n, c * 1e9 / 6 / n, seed) for n in sizes for seed in range(seeds) for c in budgets]
    n, d, seed = (np.array(column) for column in zip(*rows, strict=True))
    nats = law.loss(n, d)
    return SweepResult(
        width=np.unique(n, return_inverse=True)[1] + 1, seed=seed, blocks=n, table=n / 2, tokens=d,
        annealed_nats=nats, passing_nats=nats + 0.05, cosine=np.zeros(len(n), bool), exponent=1.1,
        floor_nats=law.E, entropy_nats=law.E, cpu_seconds=0.0,
    )  # fmt: skip


def test_the_lowest_points_are_those_of_the_law():
    """With A = B and α = β the best split is N = D: N* = √(C/6), and N* grows like √C."""
    found = isoflop.curves(made(EVEN), BUDGETS)
    np.testing.assert_allclose(found.best, np.sqrt(np.array(BUDGETS) * 1e9 / 6), rtol=0.03)
    assert found.exponent == pytest.approx(0.5, abs=0.03)
    assert found.exponent_by_seed == pytest.approx(np.full(2, found.exponent))
    np.testing.assert_allclose(found.tokens_per_parameter, 1, rtol=0.06)


def test_a_parabola_through_three_points_by_hand():
    """y = (x − 2)² + 1 at x = ln N = 1, 2, 4: 1·x² − 4·x + 5, lowest at N = e²."""
    sizes, nats = np.exp([1.0, 2.0, 4.0]), np.array([2.0, 1.0, 5.0])
    np.testing.assert_allclose(isoflop.parabola(sizes, nats), [1, -4, 5], atol=1e-9)
    assert isoflop.lowest(sizes, nats) == pytest.approx(np.exp(2))


@pytest.mark.parametrize(
    "nats", [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [2.0, 1.0, np.nan], [np.nan] * 3]
)
def test_a_lowest_point_at_the_end_of_what_was_measured_is_none(nats):
    assert np.isnan(isoflop.lowest(np.array([1e3, 2e3, 4e3]), np.array(nats)))


def test_budgets_that_a_size_never_reached_are_left_out():
    found = isoflop.curves(made(EVEN), (0.1, 0.4))
    assert np.isnan(found.nats[0]).all()
    assert np.isnan(found.best[0])
    assert np.isfinite(found.nats[1]).all()


def test_between_its_points_a_models_loss_is_read_off_a_smooth_curve():
    """A quarter of the way between two of a law's points, within a hundredth of a nat of the law."""
    d = np.array([1e4, 2e4, 4e4, 8e4])
    read = isoflop.between(d, EVEN.loss(8e3, d), np.array([1e4, 2.4e4, 1e6]))
    assert read[0] == EVEN.loss(8e3, 1e4)
    assert read[1] == pytest.approx(EVEN.loss(8e3, 2.4e4), abs=0.01)
    assert np.isnan(read[2])


def test_counting_the_table_moves_the_points_and_not_the_losses():
    """N half as large again: the same loss now stands for half as much compute again."""
    result = made(EVEN)
    np.testing.assert_allclose(result.flops("all"), 1.5 * result.flops("blocks"))
    found = isoflop.curves(result, (0.3, 0.6, 1.2), "all")
    np.testing.assert_allclose(found.best, 1.5 * isoflop.curves(result, BUDGETS).best, rtol=1e-6)


def test_every_way_of_asking_gives_back_the_law_where_there_is_one(monkeypatch):
    quick = {way: replace(asking, resamplings=5) for way, asking in answers.WAYS.items()}
    monkeypatch.setattr(answers, "WAYS", quick)
    found = answers.answers(made(EVEN))
    floors = {way: found.law(way).E for way in found.ways}
    for way in ("baseline", "without_largest", "without_smallest", "known"):
        assert floors[way] == pytest.approx(1.7, rel=0.01)
        assert found.law(way).size_exponent == pytest.approx(0.5, abs=0.02)
    assert floors["passing"] == pytest.approx(1.75, rel=0.01)
    assert floors["none"] == 0
    assert (found.low <= found.high).all()


def test_a_true_law_foretells_a_larger_model_and_a_straight_line_does_not():
    sweep, held_out = made(EVEN), made(EVEN, sizes=[128e3], budgets=(3.2, 6.4), seeds=3)
    found = extrapolate(sweep, held_out, Asking(resamplings=20))
    assert found.measured.shape == (2, 3)
    assert found.predicted.shape == (3, 2, 3)
    free, known, none = found.errors[:, -1]
    assert abs(free) < 0.01
    assert abs(known) < 0.01
    assert abs(none) > 0.05
    assert found.sizes == [8000, 16000, 32000]


@pytest.mark.parametrize("bad", [{"count": "half"}, {"reading": "tea"}, {"form": "cubic"}])
def test_bad_values_are_refused(bad):
    with pytest.raises(LabInputError):
        Asking(**bad)
