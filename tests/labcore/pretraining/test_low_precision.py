"""Adam with few bits: in fp32 it is PyTorch's, in bf16 it does what arithmetic says."""

import numpy as np
import pytest
import torch
from torch import nn

from labcore.errors import LabInputError
from labcore.pretraining import low_precision as lab
from labcore.pretraining.low_precision import Kept, LossScale, Recipe


def layer() -> nn.Linear:
    made = nn.Linear(5, 3)
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in made.parameters():
            weight.normal_(generator=rng)
    return made


def kept_of(model: nn.Module, recipe: Recipe) -> Kept:
    return Kept.of(model, recipe, np.random.default_rng(0))


def test_in_fp32_it_is_pytorchs_adam():
    """Twenty steps with random gradients."""
    model, rng = layer(), torch.Generator().manual_seed(1)
    kept = kept_of(model, Recipe())
    theirs = torch.optim.Adam(model.parameters(), lr=0.01, betas=lab.BETAS, eps=lab.EPSILON)
    for _ in range(20):
        for weight in model.parameters():
            weight.grad = torch.randn(weight.shape, generator=rng)
        lost = lab.adam_step(kept, [weight.grad for weight in model.parameters()], 0.01)
        theirs.step()
        assert lost == 0
    for ours, weight in zip(kept.weights, model.parameters(), strict=True):
        torch.testing.assert_close(ours, weight.detach(), rtol=1e-5, atol=1e-7)


def ones(recipe: Recipe, count: int = 1000) -> Kept:
    model = nn.Module()
    model.weight = nn.Parameter(torch.ones(count))
    return kept_of(model, recipe)


def test_a_weight_of_one_cannot_grow_in_bf16_but_it_can_shrink():
    """Each update is the rate, 0.003: half of the gap above 1 is 2^−8 = 0.0039, below 1 it is 0.00195."""
    recipe = Recipe("bf16", "bf16", "bf16")
    up, down = ones(recipe), ones(recipe)
    for _ in range(20):
        assert lab.adam_step(up, [-torch.ones(1000)], 0.003) == 1.0
        lab.adam_step(down, [torch.ones(1000)], 0.003)
    assert (up.weights[0] == 1).all()
    assert (down.weights[0] < 1).all()


def test_rounded_by_chance_it_grows_as_it_should():
    """A hundred updates of 0.003 make 1.3; of 1,000 weights the mean is right to a few thousandths."""
    kept = ones(Recipe("bf16", "bf16", "fp32", "stochastic"))
    lost = [lab.adam_step(kept, [-torch.ones(1000)], 0.003) for _ in range(100)]
    assert float(kept.weights[0].float().mean()) == pytest.approx(1.3, abs=0.005)
    # 0.003 of a gap of 1/128 is taken with a chance of 0.384; the others stay.
    assert np.mean(lost[:20]) == pytest.approx(1 - 0.384, abs=0.02)


def test_squares_of_small_gradients_vanish_in_fp16_and_the_step_explodes():
    """g = 10⁻⁴: (1 − β₂) g² = 5·10⁻¹⁰ is 0 in fp16, so the update is 0.003 · 10⁻⁴ / ε = 30, ε = 10⁻⁸."""
    kept = ones(Recipe("fp16", "fp16", "fp16"))
    lab.adam_step(kept, [torch.full((1000,), 1e-4)], 0.003)
    assert float(kept.weights[0][0]) == pytest.approx(1 - 30, rel=0.01)


def test_the_loss_scale_moves_as_pytorchs_gradscaler_does():
    """The same steps, good and overflowing, through both; they start alike and grow after fifty good ones."""
    weight = nn.Parameter(torch.ones(1))
    optimiser = torch.optim.SGD([weight], lr=0.0)
    theirs = torch.amp.GradScaler("cpu", init_scale=2.0**20, growth_interval=lab.GROW_AFTER)
    ours = LossScale(20, dynamic=True)
    for step in range(130):
        overflow = step in (0, 1, 40, 95)
        weight.grad = theirs.scale(torch.ones(1)) * (float("inf") if overflow else 1.0)
        theirs.step(optimiser)
        theirs.update()
        ours.judge(not overflow)
        assert 2.0**ours.exponent == theirs.get_scale()


def test_a_fixed_scale_stays():
    scale = LossScale(3, dynamic=False)
    for finite in (True, False, True):
        scale.judge(finite)
    assert scale.exponent == 3


def test_unscaled_gradients_are_divided_clipped_and_counted():
    """Gradients 3, 4, 0 times 8: the norm is 5, so they are shrunk to 0.6, 0.8, 0; a third of them is 0."""
    model = nn.Module()
    model.weight = nn.Parameter(torch.zeros(3))
    model.weight.grad = torch.tensor([24.0, 32.0, 0.0])
    (gradient,), finite, zeros = lab.unscaled(model, 8.0)
    torch.testing.assert_close(gradient, torch.tensor([0.6, 0.8, 0.0]))
    assert finite
    assert zeros == pytest.approx(1 / 3)
    model.weight.grad = torch.tensor([float("inf"), 1.0, 1.0])
    assert not lab.unscaled(model, 8.0)[1]


@pytest.mark.parametrize(
    ("recipe", "size"),
    [
        (Recipe(), 4 + 4 + 8),  # weight, gradient, two averages
        (Recipe("bf16", "fp32", "fp32"), 4 + 2 + 2 + 8),  # master weight, short copy
        (Recipe("bf16", "bf16", "bf16"), 2 + 2 + 4),
        (Recipe("fp16", "fp16", "fp32"), 2 + 2 + 8),
    ],
)
def test_bytes_per_parameter_by_hand(recipe, size):
    assert recipe.bytes_per_parameter == size


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"compute": "fp8"}, "known_choice"),
        ({"weights": "int8"}, "known_choice"),
        ({"rounding": "up"}, "known_choice"),
        ({"scale": 25}, "between"),
    ],
)
def test_a_recipe_that_cannot_be_cooked_is_refused(change, rule):
    with pytest.raises(LabInputError, match=rule):
        Recipe(**change)
