"""Paths of the stream: the axes are those of greatest spread, and nothing is lost but what is said."""

import numpy as np
import pytest
import torch

from labcore.architecture.dataflow import DataflowConfig, run_model
from labcore.architecture.paths import principal_components, stream_paths
from labcore.zoo import load

RNG = np.random.default_rng(0)


def test_a_line_needs_one_axis():
    """Points t·(3, 4)/5: distances along the line are kept, the other axes hold nothing."""
    points = np.array([[t * 0.6, t * 0.8] for t in (0.0, 1.0, 2.0, 5.0)])
    turned, shares = principal_components(points, 3)
    assert shares == pytest.approx([1, 0, 0], abs=1e-12)
    assert np.ptp(turned[:, 0]) == pytest.approx(5)


def test_axes_and_shares_agree_with_the_eigenvectors_of_the_covariance():
    """An independent way: eigenvalues of XᵀX are the squared singular values of X."""
    points = RNG.normal(size=(40, 6)) * np.array([5, 3, 2, 1, 0.5, 0.1])
    turned, shares = principal_components(points, 3)
    centred = points - points.mean(axis=0)
    values = np.linalg.eigvalsh(centred.T @ centred)[::-1]
    assert shares == pytest.approx(values[:3] / values.sum())
    assert turned.T @ turned == pytest.approx(np.diag(values[:3]), abs=1e-8)


def test_three_axes_keep_all_distances_of_a_cloud_in_three_dimensions():
    points = RNG.normal(size=(20, 3))
    turned, shares = principal_components(points, 3)
    assert shares.sum() == pytest.approx(1)
    before = torch.pdist(torch.from_numpy(points))
    assert torch.pdist(torch.from_numpy(turned)).numpy() == pytest.approx(before.numpy())


@pytest.mark.parametrize("model", ["world-decoder", "world-translator"])
def test_every_token_has_a_point_after_every_block(model):
    walk = run_model(load(model), DataflowConfig(model))
    paths = stream_paths(walk)
    assert paths.points.shape == (walk.config.num_layers + 1, len(walk.tokens.ids), 3)
    assert np.isfinite(paths.points).all()
    assert (np.diff(paths.explained) <= 0).all()
    assert 0 < paths.explained.sum() <= 1


def test_a_single_token_still_has_its_path():
    paths = stream_paths(run_model(load("world-decoder"), DataflowConfig(text="a")))
    assert np.isfinite(paths.points).all()
