"""The four rules: torch's optimisers step by step where torch has them, and arithmetic by hand."""

import math
from functools import partial

import pytest
import torch
from torch import nn

from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.training import optimiser, rules
from labcore.training.optimiser import Optimiser

DECAY = 0.1


def matrix(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def walk(make, steps: int = 30) -> list[torch.Tensor]:
    """Where a matrix stands after each step down a bowl with a twist, so that gradients change."""
    weight = nn.Parameter(matrix(6, 4))
    pull, moving, seen = matrix(6, 6, seed=1), make([weight]), []
    for step in range(1, steps + 1):
        weight.grad = (pull @ weight.detach()).sin() + 0.1 * weight.detach()
        moving.param_groups[0]["lr"] = 0.05 / step**0.5
        moving.step()
        seen.append(weight.detach().clone())
    return seen


def ours(rule, weights, **more) -> Optimiser:
    group = {"params": weights, "rule": rule, "more": more, "weight_decay": DECAY}
    return Optimiser([group], 0.05)


@pytest.mark.parametrize(
    ("rule", "reference"),
    [
        (
            partial(ours, rules.adamw),
            lambda w: torch.optim.AdamW(w, betas=(0.9, 0.95), weight_decay=DECAY),
        ),
        (
            partial(ours, rules.adamw, betas=(0.8, 0.999)),
            lambda w: torch.optim.AdamW(w, betas=(0.8, 0.999), weight_decay=DECAY),
        ),
        # Without momentum a decay apart from the gradient is the same as one within it.
        (partial(ours, rules.sgd, momentum=0.0), lambda w: torch.optim.SGD(w, weight_decay=DECAY)),
    ],
    ids=["adamw", "adamw-other-betas", "sgd"],
)
def test_every_step_is_the_step_that_torch_makes(rule, reference):
    for mine, theirs in zip(walk(rule), walk(reference), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-10)


def test_momentum_is_torchs_momentum():
    def undecayed(weights):
        return Optimiser([{"params": weights, "rule": rules.sgd, "more": {}}], 0.05)

    for mine, theirs in zip(
        walk(undecayed), walk(lambda w: torch.optim.SGD(w, momentum=0.9)), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-10)


def test_muon_goes_where_torchs_muon_goes():
    """torch makes the momentum orthogonal in 16 bits, of which 8 are precision: a percent or so."""
    reference = partial(torch.optim.Muon, weight_decay=DECAY, adjust_lr_fn="match_rms_adamw")
    for mine, theirs in zip(walk(partial(ours, rules.muon)), walk(reference), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=0.02)


def test_an_update_made_orthogonal_moves_alike_in_every_direction():
    """Singular values from 0.01 to 1 all come out near 1; their directions stay."""
    u, v = (torch.linalg.qr(matrix(8, 8, seed=seed)).Q for seed in (1, 2))
    graded = torch.logspace(-2, 0, 8, dtype=torch.float64)
    for wide in ((u * graded) @ v, matrix(5, 8)):
        left, kept, right = torch.linalg.svd(rules.orthogonal(wide), full_matrices=False)
        assert kept.min() > 0.3
        assert kept.max() < 1.3
        before = torch.linalg.svd(wide, full_matrices=False)
        overlap = (before.U.T @ (left * kept) @ right @ before.Vh.T).diagonal()
        assert overlap.min() > 0.3


def test_a_tall_matrix_is_the_wide_one_turned():
    wide = matrix(3, 7)
    torch.testing.assert_close(rules.orthogonal(wide.T), rules.orthogonal(wide).T)


def test_lion_by_hand():
    """m = 0: the first direction is sign(0.1·g). Then m = 0.01·g; a small gradient of the other sign
    cannot turn it: 0.9·0.01·4 - 0.1·0.2 = 0.016 > 0, while 0.9·0.01·4 - 0.1·0.5 = -0.014 < 0.
    """
    state = {}
    first = rules.lion(torch.tensor([4.0, 4.0, -1.0]), state)
    assert first.tolist() == [1.0, 1.0, -1.0]
    torch.testing.assert_close(state["momentum"], torch.tensor([0.04, 0.04, -0.01]))
    second = rules.lion(torch.tensor([-0.2, -0.5, 0.0]), state)
    assert second.tolist() == [1.0, -1.0, -1.0]
    kept = torch.tensor([0.99 * 0.04 - 0.002, 0.99 * 0.04 - 0.005, -0.0099])
    torch.testing.assert_close(state["momentum"], kept)


def test_adams_first_step_is_one_rate_whatever_the_gradients_size():
    """m̂ = g and v̂ = g², so the direction is g/|g|."""
    direction = rules.adamw(torch.tensor([1e-4, 3.0, -50.0]), {})
    torch.testing.assert_close(direction, torch.tensor([1.0, 1.0, -1.0]), rtol=1e-3, atol=0)


def small() -> Transformer:
    config = ModelConfig(vocab_size=20, hidden_size=8, num_layers=1, num_heads=2)
    return Transformer(config, torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("name", "copies"), [("sgd", 1), ("adamw", 2), ("lion", 1)])
def test_what_an_optimiser_remembers_of_each_weight(name, copies):
    model = small()
    moving = optimiser.build(name, model, 0.01)
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)
    moving.step()
    parameters = sum(weight.numel() for weight in model.parameters())
    assert optimiser.state_numbers(moving) == copies * parameters


def test_muon_takes_the_matrices_of_the_blocks_and_leaves_the_rest_to_adam():
    """12·D² = 768 numbers in matrices with one copy; all others, table and norms, with two."""
    model = small()
    moving = optimiser.build("muon", model, 0.01)
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)
    moving.step()
    parameters = sum(weight.numel() for weight in model.parameters())
    assert optimiser.state_numbers(moving) == 768 + 2 * (parameters - 768)


def test_gains_do_not_decay_and_frozen_weights_are_left_out():
    model = small()
    model.stack.layers[0].requires_grad_(False)
    for group in optimiser.build("adamw", model, 0.01, weight_decay=DECAY).param_groups:
        matrices = {weight.dim() >= 2 for weight in group["params"]}
        assert len(matrices) == 1
        assert group["weight_decay"] == (DECAY if matrices.pop() else 0.0)
        assert all(weight.requires_grad for weight in group["params"])


def test_an_unknown_optimiser_is_named():
    with pytest.raises(LabInputError, match="optimiser = 'adagrad'"):
        optimiser.build("adagrad", small(), 0.01)


def test_muons_update_has_the_size_of_adams():
    """Orthogonal numbers have a mean square of 1/larger side; times 0.2·√(larger side): about 0.2."""
    for shape in ((16, 64), (64, 16), (32, 32)):
        direction = rules.muon(matrix(*shape), {})
        assert math.isclose(float(direction.pow(2).mean().sqrt()), 0.2, rel_tol=0.25)
