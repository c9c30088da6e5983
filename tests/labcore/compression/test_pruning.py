"""Masks: worked examples, exact shares, torch's own pruning as the reference for size."""

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from labcore.compression.calibration import output_error
from labcore.compression.pruning import (
    METHODS,
    PruningConfig,
    keep_mask,
    pruned,
    wanda_scores,
)
from labcore.errors import LabInputError


def weights(rows=16, columns=32, seed=0):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.3, 0.5, 0.7, 1.0])
def test_by_size_over_the_whole_matrix_is_torchs_l1_pruning(ratio):
    linear = nn.Linear(32, 16, bias=False)
    linear.weight.data = weights()
    # torch rounds the number to prune, we round down: a count that is whole for both.
    amount = int(ratio * 512 + 1e-9)
    prune.l1_unstructured(linear, "weight", amount=amount)
    kept = keep_mask(weights().abs(), PruningConfig(ratio, "matrix"))
    assert (kept == linear.weight_mask.bool()).all()


@pytest.mark.parametrize("compared", ["matrix", "row"])
@pytest.mark.parametrize("method", METHODS)
def test_exactly_the_share_asked_for_is_zero(method, compared):
    rng = torch.Generator().manual_seed(1)
    got = pruned(weights(), method, PruningConfig(0.75, compared), torch.eye(32).double(), rng)
    zeros = got == 0
    assert zeros.float().mean() == 0.75
    assert compared == "matrix" or (zeros.sum(dim=1) == 24).all()


def test_seven_tenths_of_ten_are_seven():
    """0.7 · 10 is 6.999… in binary."""
    assert keep_mask(torch.arange(10.0)[None], PruningConfig(0.7)).sum() == 3


@pytest.mark.parametrize("method", METHODS)
def test_two_of_every_four_stay(method):
    rng = torch.Generator().manual_seed(1)
    got = pruned(weights(), method, PruningConfig(compared="n:m"), torch.eye(32).double(), rng)
    assert ((got != 0).reshape(-1, 4).sum(dim=1) == 2).all()


def test_wanda_worked_by_hand():
    weight, inputs = torch.tensor([[3.0, -1.0]]), torch.tensor([1.0, 5.0])
    scores = wanda_scores(weight, inputs)
    assert scores.tolist() == [[3.0, 5.0]]
    assert keep_mask(scores, PruningConfig(0.5)).tolist() == [[False, True]]
    assert keep_mask(weight.abs(), PruningConfig(0.5)).tolist() == [[True, False]]


def test_with_inputs_alike_in_size_wanda_is_magnitude():
    rng = torch.Generator()
    moments = 4 * torch.eye(32).double()
    one, other = (
        pruned(weights(), method, PruningConfig(), moments, rng) for method in METHODS[1:3]
    )
    assert (one == other).all()


def test_the_four_methods_come_in_their_order_where_inputs_go_together():
    rng = torch.Generator().manual_seed(3)
    x = torch.randn(400, 5, generator=rng) @ torch.randn(5, 32, generator=rng)
    x = (x + 0.5 * torch.randn(400, 32, generator=rng)) * torch.linspace(0.3, 3, 32)
    moments = (x.T @ x / len(x)).double()
    cost = [
        output_error(pruned(weights(), method, PruningConfig(), moments, rng) - weights(), moments)
        for method in METHODS
    ]
    assert cost == sorted(cost, reverse=True)
    assert cost[-1] < 0.6 * cost[-2]


@pytest.mark.parametrize(
    ("field", "value"), [("ratio", 1.2), ("compared", "column"), ("kept", 0), ("kept", 5)]
)
def test_values_that_make_no_mask_are_refused(field, value):
    with pytest.raises(LabInputError) as refused:
        PruningConfig(**{field: value})
    assert refused.value.field == field


def test_neighbours_must_fit_the_row():
    with pytest.raises(LabInputError, match="divides_inputs"):
        keep_mask(weights(columns=30), PruningConfig(compared="n:m"))
