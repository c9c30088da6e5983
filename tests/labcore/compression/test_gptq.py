"""GPTQ and SparseGPT: the optimal brain surgeon spelled out, and what must hold whatever the numbers."""

import numpy as np
import pytest
import torch

from labcore.compression.calibration import Inputs, output_error
from labcore.compression.gptq import gptq, inverse_factor
from labcore.compression.pruning import PruningConfig, sparsegpt
from labcore.compression.rounding import GridConfig, fitted_grid, round_to_nearest
from labcore.errors import LabInputError


def problem(rows=12, columns=32, seed=0):
    """A matrix, and inputs that go together: a few causes behind many inputs."""
    rng = torch.Generator().manual_seed(seed)
    weight = torch.randn(rows, columns, generator=rng)
    causes = torch.randn(500, 6, generator=rng) @ torch.randn(6, columns, generator=rng)
    inputs = Inputs.none_yet(columns)
    inputs.add(causes + 0.3 * torch.randn(500, columns, generator=rng))
    return weight, inputs.moments


def surgeon(weight, moments, new_value, damping=0.01):
    """Column by column, with a fresh inverse each time: the textbook, nothing precomputed."""
    w = weight.double().numpy().copy()
    h = moments.numpy() + damping * np.trace(moments) / len(moments) * np.eye(len(moments))
    for i in range(w.shape[1]):
        inverse = np.linalg.inv(h[i:, i:])
        error = w[:, i] - new_value(i, w)
        w[:, i:] -= np.outer(error / inverse[0, 0], inverse[0])
    return w


def test_the_factor_is_the_inverse():
    _, moments = problem()
    factor = inverse_factor(moments, 0.01)
    damped = moments + 0.01 * moments.diagonal().mean() * torch.eye(len(moments)).double()
    torch.testing.assert_close(factor.T @ factor @ damped, torch.eye(len(moments)).double())
    assert (factor.tril(-1) == 0).all()


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_gptq_is_the_brain_surgeon_column_by_column(bits):
    weight, moments = problem()
    config = GridConfig(bits)
    grid = fitted_grid(weight, config)

    def rounded(i, w):
        return grid.rounded(torch.from_numpy(w[:, i : i + 1]))[:, 0].numpy()

    expected = surgeon(weight, moments, rounded)
    got = gptq(weight, moments, config).weight()
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("granularity", ["tensor", "row", "group"])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_gptq_changes_the_outputs_less_than_rounding(bits, granularity):
    weight, moments = problem()
    config = GridConfig(bits, granularity=granularity, group_size=16)
    plain = round_to_nearest(weight, config).weight()
    passed_on = gptq(weight, moments, config).weight()
    gained = output_error(passed_on - weight, moments) / output_error(plain - weight, moments)
    assert gained < 0.7


def test_inputs_that_have_nothing_to_do_with_each_other_leave_nothing_to_make_up_for():
    weight, _ = problem()
    config = GridConfig(3, granularity="group", group_size=16)
    plain = round_to_nearest(weight, config)
    assert (gptq(weight, torch.eye(32).double(), config).codes == plain.codes).all()


def test_large_inputs_first_is_gptq_on_the_columns_in_that_order():
    weight, moments = problem()
    moments = moments * torch.outer(*[torch.linspace(0.2, 3, 32).double()] * 2)
    order = moments.diagonal().argsort(descending=True)
    config = GridConfig(3)
    sorted_by_hand = gptq(weight[:, order], moments[order][:, order], config).weight()
    by_size = gptq(weight, moments, config, by_size=True).weight()
    torch.testing.assert_close(by_size[:, order], sorted_by_hand)


def test_an_input_that_never_fires_is_no_trouble():
    weight, moments = problem()
    moments[3], moments[:, 3] = 0, 0
    assert gptq(weight, moments, GridConfig(4)).weight().isfinite().all()
    assert gptq(weight, torch.zeros(32, 32).double(), GridConfig(4)).weight().isfinite().all()


def test_sparsegpt_is_the_brain_surgeon_with_the_mask_it_chose():
    weight, moments = problem()
    got = sparsegpt(weight, moments, PruningConfig(0.5))
    kept = (got != 0).numpy()

    def masked(i, w):
        return w[:, i] * kept[:, i]

    np.testing.assert_allclose(got.numpy(), surgeon(weight, moments, masked), atol=1e-9)
    assert abs(kept.mean() - 0.5) < 1e-9


def test_sparsegpts_mask_for_a_block_goes_by_the_cost_after_correction():
    """Two inputs that are nearly copies: either is cheap to lose, since the other makes up for it."""
    moments = torch.tensor([[1.0, 0.99, 0.0], [0.99, 1.0, 0.0], [0.0, 0.0, 1.0]]).double()
    weight = torch.tensor([[1.0, 1.0, 0.8]])
    got = sparsegpt(weight, moments, PruningConfig(1 / 3), damping=1e-6)
    # Size alone would drop the 0.8. Its loss cannot be made up for; that of the first can, by the second.
    torch.testing.assert_close(got, torch.tensor([[0.0, 1.99, 0.8]]).double(), atol=1e-4, rtol=0)


def test_bad_values_are_refused():
    weight, moments = problem()
    with pytest.raises(LabInputError, match="not_with_groups"):
        gptq(weight, moments, GridConfig(granularity="group"), by_size=True)
    with pytest.raises(LabInputError, match="positive"):
        gptq(weight, moments, GridConfig(), damping=0)
