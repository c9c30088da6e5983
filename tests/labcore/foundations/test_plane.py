"""Maps of the plane: against numpy, and against what is known of a shear, a turn and a mirror."""

import numpy as np
import pytest

from labcore.errors import LabInputError
from labcore.foundations import plane
from labcore.foundations.plane import NAMED, PlaneConfig, ProductConfig


@pytest.mark.parametrize("name", NAMED)
def test_eigenvalues_and_vectors_are_numpys(name):
    result = plane.run(PlaneConfig(NAMED[name]))
    np.testing.assert_allclose(
        sorted(result.eigenvalues, key=lambda z: (z.real, z.imag)),
        sorted(np.linalg.eigvals(result.matrix), key=lambda z: (z.real, z.imag)), atol=1e-7,
    )  # fmt: skip
    for vector in result.eigenvectors:
        image = result.matrix @ vector
        assert abs(image[0] * vector[1] - image[1] * vector[0]) < 1e-9  # not turned


@pytest.mark.parametrize(
    ("name", "count"),
    [("shear", 1), ("rotation", 0), ("reflection", 2), ("general", 2), ("projection", 2)],
)
def test_how_many_directions_stay(name, count):
    assert len(plane.run(PlaneConfig(NAMED[name])).eigenvectors) == count


def test_nothing_is_turned_by_a_multiple_of_one():
    assert len(plane.run(PlaneConfig((2.0, 0.0, 0.0, 2.0))).eigenvectors) == 2


def test_singular_values_are_the_longest_and_the_shortest_image():
    """On 181 directions the longest is missed by at most a degree: 1 − cos 1° = 0.00015 of it."""
    result = plane.run(PlaneConfig())
    assert result.lengths.max() == pytest.approx(result.values[0], rel=2e-4)
    assert result.lengths.min() == pytest.approx(result.values[1], rel=2e-2)
    assert abs(result.determinant) == pytest.approx(np.prod(result.values))


def test_a_turn_turns_every_direction_and_never_settles():
    result = plane.run(PlaneConfig(NAMED["rotation"]))
    np.testing.assert_allclose(result.turns, 60, atol=1e-9)
    np.testing.assert_allclose(result.step_degrees, 60, atol=1e-9)


def test_a_symmetric_matrix_settles_at_its_ratio():
    result = plane.run(PlaneConfig(NAMED["symmetric"], steps=12))
    assert result.step_degrees[9] / result.step_degrees[8] == pytest.approx(result.ratio, rel=1e-3)


def test_a_projection_has_arrived_after_one_step():
    assert plane.run(PlaneConfig(NAMED["projection"])).step_degrees[1:].max() < 1e-6


@pytest.mark.parametrize("first", NAMED)
@pytest.mark.parametrize("then", NAMED)
def test_a_product_is_one_map_after_the_other(first, then):
    result = plane.compose(ProductConfig(first, then))
    np.testing.assert_allclose(result.product, result.then @ result.first)
    np.testing.assert_allclose(result.shapes["product"], result.shapes["halfway"] @ result.then.T)
    values = result.values
    assert values["product"][0] <= values["first"][0] * values["then"][0] + 1e-12
    assert result.determinants["product"] == pytest.approx(
        result.determinants["first"] * result.determinants["then"]
    )


def test_maps_along_the_same_axes_may_change_places_and_others_not():
    assert plane.compose(ProductConfig("stretch", "reflection")).apart == 0
    assert plane.compose(ProductConfig("shear", "rotation")).apart == pytest.approx(0.75**0.5)


@pytest.mark.parametrize("bad", [{"entries": (3.0, 0.0, 0.0, 1.0)}, {"steps": 0}])
def test_bad_values_are_refused(bad):
    with pytest.raises(LabInputError, match="between"):
        PlaneConfig(**bad)
