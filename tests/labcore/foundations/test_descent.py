"""Downhill: gradients against autograd, rules against torch's, and the rate at which a valley is left."""

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.foundations import descent
from labcore.foundations.descent import RULES, DescentConfig, SweepConfig, descend, limits
from labcore.foundations.surfaces import LOWEST, SURFACES, Surface


@pytest.mark.parametrize("kind", SURFACES)
def test_gradients_and_curvatures_are_autograds(kind):
    surface = Surface(kind, 7.0, 20.0)
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(6, 2, dtype=torch.float64, generator=generator).requires_grad_(True)
    (slope,) = torch.autograd.grad(surface.value(points).sum(), points)
    torch.testing.assert_close(surface.gradient(points), slope)
    point = points[0].detach()
    hessian = torch.autograd.functional.hessian(lambda p: surface.value(p[None])[0], point)
    torch.testing.assert_close(surface.hessian(point), hessian)


@pytest.mark.parametrize(
    ("kind", "bottom"), [("quadratic", (0, 0)), ("banana", (1, 1)), ("saddle", (0, -1))]
)
def test_the_lowest_point_is_where_it_is_said_to_be(kind, bottom):
    surface, point = Surface(kind), torch.tensor([bottom], dtype=torch.float64)
    assert surface.value(point).item() == LOWEST[kind]
    assert surface.gradient(point).abs().max() == 0


def torchs_walk(rule: str, surface: Surface, rate: float, steps: int) -> torch.Tensor:
    point = surface.start().requires_grad_(True)
    make = {
        "plain": lambda: torch.optim.SGD([point], rate),
        "momentum": lambda: torch.optim.SGD([point], rate, momentum=0.9),
        "adamw": lambda: torch.optim.AdamW([point], rate, (0.9, 0.95), weight_decay=0.0),
    }[rule]
    optimiser = make()
    for _ in range(steps):
        optimiser.zero_grad()
        surface.value(point[None]).sum().backward()
        optimiser.step()
    return point.detach()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", SURFACES)
def test_every_rule_ends_where_torchs_ends(rule, kind):
    path = descend(Surface(kind), rule, torch.tensor([0.003], dtype=torch.float64), 0.9, 60)
    torch.testing.assert_close(path[-1, 0], torchs_walk(rule, Surface(kind), 0.003, 60))


@pytest.mark.parametrize("condition", [3.0, 30.0])
@pytest.mark.parametrize(
    ("rule", "momentum"), [("plain", 0.0), ("momentum", 0.5), ("momentum", 0.9)]
)
def test_a_valley_is_left_beyond_its_limit_and_not_before(condition, rule, momentum):
    """2 % below the limit 400 steps end lower than they began, 2 % above it higher."""
    surface = Surface("quadratic", condition)
    rate = limits(condition, momentum)[rule]
    rates = rate * torch.tensor([0.98, 1.02], dtype=torch.float64)
    ends = surface.value(descend(surface, rule, rates, momentum, 400)[-1])
    start = surface.value(surface.start()[None])
    assert ends[0] < start < ends[1]


def test_along_an_eigenvector_each_step_multiplies_by_one_minus_rate_times_curvature():
    """No angle: x has curvature 1 and y has κ = 10, so with η = 0.15 the factors are 0.85 and −0.5."""
    path = descend(Surface(angle=0.0), "plain", torch.tensor([0.15], dtype=torch.float64), 0.0, 5)[
        :, 0
    ]
    torch.testing.assert_close(
        path[5], torch.tensor([-2.5 * 0.85**5, 1.2 * (-0.5) ** 5], dtype=torch.float64)
    )


def test_adamws_walk_does_not_change_when_the_loss_is_multiplied():
    """κ times the same valley turned by nothing: only the sizes of the slopes differ along y."""
    rates = torch.tensor([0.1], dtype=torch.float64)
    one, other = (
        descend(Surface(condition=c, angle=0.0), "adamw", rates, 0.9, 50) for c in (10.0, 1000.0)
    )
    torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-6)


def test_turning_the_valley_matters_to_adamw_alone():
    """It works axis by axis; the others only know directions."""
    ends = {
        angle: descent.run(DescentConfig(Surface(angle=angle), steps=40)).walks
        for angle in (0.0, 45.0)
    }
    for rule in ("plain", "momentum"):
        assert ends[0.0][rule].heights == pytest.approx(ends[45.0][rule].heights, rel=1e-6)
    assert ends[0.0]["adamw"].heights[10] != pytest.approx(ends[45.0]["adamw"].heights[10], rel=0.1)


def test_a_walk_that_diverges_is_told_and_ends():
    result = descent.run(DescentConfig(rates=(0.3, 0.05, 0.2), steps=400))
    assert result.walks["plain"].diverged
    assert len(result.walks["plain"].points) < 401
    assert not result.walks["momentum"].diverged
    assert np.isfinite(result.walks["plain"].heights).all()


def test_noise_leaves_the_error_that_the_formula_leaves():
    """E x² = η s² / λ(2 − ηλ): for η = 0.1, s = 1, λ = 1 it is 0.0526. 300 walks, from step 100 on."""
    surface, steps = Surface(condition=1.0), 160
    generator = torch.Generator().manual_seed(0)
    rates = torch.full((300,), 0.1, dtype=torch.float64)
    noise = torch.randn(steps, 300, 2, generator=generator, dtype=torch.float64)
    late = descend(surface, "plain", rates, 0.0, steps, noise)[120:]
    assert late.square().mean().item() == pytest.approx(0.1 / 1.9, rel=0.1)


def test_a_sweep_agrees_with_single_walks():
    result = descent.sweep(SweepConfig())
    at = 40
    rate = float(result.rates[at])
    walks = descent.run(DescentConfig(rates=(rate, rate, rate))).walks
    for rule in RULES:
        if np.isfinite(result.heights[rule][at]):
            assert result.heights[rule][at] == pytest.approx(walks[rule].heights[-1])
    assert np.isinf(result.heights["plain"][result.rates > 0.25]).all()
    assert np.isfinite(result.heights["adamw"]).all()


def test_bad_values_are_refused():
    with pytest.raises(LabInputError, match="positive"):
        DescentConfig(rates=(0.1, 0.0, 0.1))
    for bad in ({"steps": 0}, {"momentum": 1.0}, {"noise": -1.0}):
        with pytest.raises(LabInputError, match="between"):
            DescentConfig(**bad)
    with pytest.raises(LabInputError, match="known_choice"):
        Surface("plateau")
