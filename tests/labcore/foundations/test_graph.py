"""Backpropagation on a small graph: against autograd, by hand, and on graphs where order matters."""

import math

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.foundations import graph
from labcore.foundations.graph import ChainConfig, GraphConfig, Node, backward, plus, tanh, times


@pytest.mark.parametrize(
    "config", [GraphConfig(), GraphConfig(-1.2, 2.0, 0.3, -0.7, 1), GraphConfig(x=0.0)]
)
def test_every_slope_is_autograds(config):
    result = graph.run(config)
    x, w, b, v = (
        torch.tensor(getattr(config, name), dtype=torch.float64, requires_grad=True)
        for name in graph.LEAVES
    )
    h = torch.tanh(w * x + b)
    s = v * h
    target = torch.tensor(float(config.target), dtype=torch.float64)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(s, target)
    slopes = torch.autograd.grad(loss, (x, w, b, v, h, s))
    found = dict(zip(result.names, result.gradients, strict=True))
    for name, slope in zip(("x", "w", "b", "v", "h", "s"), slopes, strict=True):
        assert found[name] == pytest.approx(slope.item(), abs=1e-12)
    assert result.values[result.names.index("loss")] == pytest.approx(loss.item())
    for leaf, difference in result.differences.items():
        assert difference == pytest.approx(found[leaf], abs=1e-9)


def test_the_default_by_hand():
    """a = 0.8 · 1.5 − 0.4 = 0.8; h = tanh 0.8; s = 1.2 h; ∂w = σ(s) · 1.2 · (1 − h²) · 1.5."""
    h = math.tanh(0.8)
    share = 1 / (1 + math.exp(-1.2 * h))
    result = graph.run(GraphConfig())
    found = dict(zip(result.names, result.gradients, strict=True))
    assert found["w"] == pytest.approx(share * 1.2 * (1 - h * h) * 1.5)


def test_a_node_that_feeds_several_adds_up_what_comes_back():
    """f = x·x + x at 3: slope 2·3 + 1 = 7; x feeds the product twice and the sum once."""
    x = Node(3.0)
    loss = plus(times(x, x), x)
    backward(loss)
    assert x.gradient == 7


def test_paths_of_different_lengths_are_all_there_before_a_node_passes_on():
    """h = x², f = h + tanh(h): 2x·(1 + 1 − tanh² h). Passing on too early would lose one of the paths."""
    x = Node(0.7)
    h = times(x, x)
    loss = plus(h, tanh(h))
    visited = backward(loss)
    assert x.gradient == pytest.approx(1.4 * (2 - math.tanh(0.49) ** 2))
    assert len(visited) == len(set(visited)) == 4


@pytest.mark.parametrize("residual", [False, True])
def test_a_chain_is_autograds(residual):
    config = ChainConfig(12, 1.3, 0.4)
    x = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    h = x
    for _ in range(12):
        h = h + torch.tanh(1.3 * h) if residual else torch.tanh(1.3 * h)
    (slope,) = torch.autograd.grad(h, x)
    kind = "residual" if residual else "plain"
    result = graph.chain(config)
    assert result.slopes[kind][-1] == pytest.approx(abs(slope.item()))
    assert result.outputs[kind] == pytest.approx(h.item())
    assert result.slopes[kind][0] == 1


def test_a_smaller_step_helps_until_rounding_takes_over():
    """Central differences: a hundredth of the error for a tenth of h, down to about ε^(1/3)."""
    errors = graph.run(GraphConfig()).errors
    steps = np.array(graph.STEPS)
    at = {h: int(np.abs(steps / h - 1).argmin()) for h in (1e-2, 1e-3, 1e-8, 1e-12)}
    assert errors["central"][at[1e-2]] / errors["central"][at[1e-3]] == pytest.approx(100, rel=0.05)
    assert errors["one_sided"][at[1e-2]] / errors["one_sided"][at[1e-3]] == pytest.approx(
        10, rel=0.05
    )
    assert errors["one_sided"][at[1e-12]] > 10 * errors["one_sided"][at[1e-8]]
    assert errors["central_32"].min() > 1000 * errors["central"].min()


def test_bad_values_are_refused():
    for bad in ({"x": 6.0}, {"target": 2}):
        with pytest.raises(LabInputError, match="between"):
            GraphConfig(**bad)
    with pytest.raises(LabInputError, match="between"):
        ChainConfig(layers=0)
