"""Why √d: the measures against torch and by hand, and what happens at every width."""

import numpy as np
import pytest
import torch

from labcore.architecture import score_scale as lab
from labcore.architecture.score_scale import LIMITS, MEASURES, SCALES, WIDTHS, ScoreScaleConfig
from labcore.errors import LabInputError


@pytest.fixture(scope="module")
def result():
    return lab.run(ScoreScaleConfig())


def drawn(queries: int = 3, keys: int = 5, d: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(queries, d, generator=generator, dtype=torch.float64),
        torch.randn(keys, d, generator=generator, dtype=torch.float64),
    )


def test_the_slope_is_the_norm_of_torchs_jacobian():
    scores = drawn()[0] @ drawn()[1].T
    expected = [
        torch.autograd.functional.jacobian(lambda s: s.softmax(-1), row).norm() for row in scores
    ]
    found = lab.jacobian_norm(scores.softmax(-1))
    torch.testing.assert_close(found, torch.stack(expected))


def test_the_reach_is_the_norm_of_the_derivative_by_the_query():
    q, k = drawn()
    expected = [
        torch.autograd.functional.jacobian(lambda row: (row @ k.T * 0.3).softmax(-1), row).norm()
        for row in q
    ]
    found = lab.reach_norm((q @ k.T * 0.3).softmax(-1), k @ k.T, 0.3)
    torch.testing.assert_close(found, torch.stack(expected))


def test_an_even_softmax_of_two():
    """p = (½, ½): entropy ln 2; Jacobian ½·½·[[1, −1], [−1, 1]], whose norm is ¼·√4 = ½."""
    found = lab.measure(torch.zeros(1, 2).double(), torch.eye(2).double(), 1.0)
    assert found["entropy"] == pytest.approx(np.log(2))
    assert found["largest"] == pytest.approx(0.5)
    assert found["jacobian"] == pytest.approx(0.5)


def test_the_factors():
    """d = 64 with 8 heads is a model of width 512."""
    factors = [1 / lab.factor(scale, 64, 8) for scale in SCALES]
    assert factors == pytest.approx([1, 8, 512**0.5, 64])


def test_unscaled_scores_spread_as_the_root_of_the_width(result):
    """64 · 32 products that share queries and keys: single draws stray by some 10 %, means by less."""
    spread = result.measures["std"]["none"].mean(axis=0)
    np.testing.assert_allclose(spread, np.sqrt(WIDTHS), rtol=0.08)


@pytest.mark.parametrize("name", MEASURES)
def test_only_roots_keep_a_measure_where_it_is(result, name):
    """From width 16 to 1,024 √d and √D move by under a tenth; the others move further."""

    def moved(scale: str) -> float:
        line = result.measures[name][scale].mean(axis=0)
        return abs(line[-1] - line[0]) / line.max()

    assert max(moved("sqrt_d"), moved("sqrt_width")) < 0.1
    assert moved("none") > 0.3


def test_saturation_without_scale_and_evenness_with_too_much(result):
    """The orderings of the page: unscaled one key takes nearly all, divided by d all take 1/32."""
    largest, reach = result.measures["largest"], result.measures["reach"]
    assert largest["none"][:, -1].min() > 0.9
    assert largest["sqrt_d"].max() < 0.3
    np.testing.assert_allclose(largest["d"][:, -1], 1 / 32, rtol=0.15)
    assert result.measures["entropy"]["d"][:, -1].min() > 0.99 * np.log(32)
    assert (reach["none"][:, -1] < reach["sqrt_d"][:, -1] / 5).all()
    assert (result.means["none"][:, -1] > result.means["sqrt_d"][:, -1]).all()


def test_weights_of_one_query_are_sorted_and_sum_to_one(result):
    for scale in SCALES:
        assert (np.diff(result.weights[scale]) <= 0).all()
        np.testing.assert_allclose(result.weights[scale].sum(axis=1), 1)


def test_the_seed_alone_decides():
    first, again = (lab.run(ScoreScaleConfig(seeds=1, seed=3)) for _ in range(2))
    later = lab.run(ScoreScaleConfig(seeds=2, seed=2))
    for name in MEASURES:
        np.testing.assert_array_equal(first.measures[name]["none"], again.measures[name]["none"])
        np.testing.assert_array_equal(first.measures[name]["d"][0], later.measures[name]["d"][1])


@pytest.mark.parametrize("end", [0, 1])
def test_the_ends_of_the_knobs(end):
    config = ScoreScaleConfig(**{name: ends[end] for name, ends in LIMITS.items()})
    for lines in lab.run(config).measures.values():
        assert all(np.isfinite(line).all() for line in lines.values())


@pytest.mark.parametrize("field", LIMITS)
def test_values_outside_are_refused(field):
    for value in (LIMITS[field][0] - 1, LIMITS[field][1] + 1):
        with pytest.raises(LabInputError) as refused:
            ScoreScaleConfig(**{field: value})
        assert (refused.value.field, refused.value.rule) == (field, "between")
