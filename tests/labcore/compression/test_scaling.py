"""Moving scale about: the function stays, the worked example holds, and AWQ finds what it should."""

import copy

import pytest
import torch

from labcore.compression.calibration import Inputs, calibrate, output_error
from labcore.compression.rounding import GridConfig, round_to_nearest
from labcore.compression.scaling import (
    awq_scales,
    move_into_weights,
    plant_outliers,
    readers,
    rounded_under,
    smoothing_scales,
)
from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer


def small(norm="rmsnorm", activation="swiglu", seed=0):
    config = ModelConfig(
        vocab_size=40, hidden_size=32, num_layers=2, num_heads=4, norm=norm, activation=activation
    )
    return Transformer(config, torch.Generator().manual_seed(seed)).requires_grad_(False)


def text(seed=1):
    return torch.randint(40, (4, 16), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("norm", "activation"), [("rmsnorm", "swiglu"), ("layernorm", "gelu")])
def test_planting_outliers_changes_inputs_and_nothing_that_is_said(norm, activation):
    model = small(norm, activation)
    planted = plant_outliers(copy.deepcopy(model), [3, 17], 30.0)
    torch.testing.assert_close(planted(text()).logits, model(text()).logits, atol=1e-5, rtol=1e-5)
    before, after = (calibrate(one, [text()]) for one in (model, planted))
    for name in ("stack.layers.0.attn.q", "stack.layers.1.mlp.up"):
        ratio = after[name].largest / before[name].largest
        assert ratio[[3, 17]].tolist() == pytest.approx([30, 30], rel=1e-4)
        assert ratio[:3].tolist() == pytest.approx([1, 1, 1], rel=1e-4)


def test_every_norm_of_a_block_is_found_with_all_that_reads_it():
    found = readers(small())
    assert [len(linears) for _, linears in found] == [3, 2, 3, 2]


def test_smoothing_worked_by_hand():
    scales = smoothing_scales(torch.tensor([16.0]), [torch.tensor([[0.25], [-0.1]])], 0.5)
    assert scales.tolist() == [8.0]


def test_smoothing_takes_away_the_outliers_that_were_planted():
    model = plant_outliers(small(), [3], 50.0)
    norm, linears = readers(model)[0]
    before = calibrate(model, [text()])["stack.layers.0.attn.q"]
    scales = smoothing_scales(before.largest.float(), [linear.weight for linear in linears], 0.5)
    move_into_weights(norm, linears, scales)
    after = calibrate(model, [text()])["stack.layers.0.attn.q"].largest
    assert float(before.largest.max() / before.largest.median()) > 20
    assert float(after.max() / after.median()) < 5


def test_awq_helps_where_some_inputs_are_much_larger_and_costs_nothing_where_not():
    rng = torch.Generator().manual_seed(0)
    weight = torch.randn(24, 32, generator=rng)
    config = GridConfig(3, granularity="group", group_size=16)
    for size, most in ((torch.ones(32), 1.0), (torch.tensor([1.0] * 30 + [30.0] * 2), 0.6)):
        inputs = Inputs.none_yet(32)
        inputs.add(torch.randn(600, 32, generator=rng) * size)
        scales, _ = awq_scales([weight], inputs.mean_size, inputs.moments, config)
        plain = output_error(round_to_nearest(weight, config).weight() - weight, inputs.moments)
        aware = output_error(rounded_under(weight, scales, config) - weight, inputs.moments)
        assert aware <= most * plain


def test_moments_of_pieces_are_the_moments_of_the_whole():
    x = torch.randn(50, 6, generator=torch.Generator().manual_seed(0)).double()
    inputs = Inputs.none_yet(6)
    for piece in x.split([7, 13, 30]):
        inputs.add(piece[None])
    torch.testing.assert_close(inputs.moments, x.T @ x / 50)
    torch.testing.assert_close(inputs.largest, x.abs().amax(dim=0))
    torch.testing.assert_close(inputs.mean_size, x.abs().mean(dim=0))


def test_the_error_of_the_outputs_needs_no_text():
    rng = torch.Generator().manual_seed(0)
    x, change = torch.randn(50, 6, generator=rng), torch.randn(3, 6, generator=rng)
    inputs = Inputs.none_yet(6)
    inputs.add(x)
    expected = (x @ change.T).square().sum(dim=1).mean()
    assert output_error(change, inputs.moments) == pytest.approx(float(expected), rel=1e-5)


def test_bad_values_are_refused():
    with pytest.raises(LabInputError, match="alpha"):
        smoothing_scales(torch.ones(2), [torch.ones(1, 2)], 1.5)
    with pytest.raises(LabInputError, match="factor"):
        plant_outliers(small(), [0], 0.0)
    with pytest.raises(LabInputError, match="channels"):
        plant_outliers(small(), [99], 2.0)
