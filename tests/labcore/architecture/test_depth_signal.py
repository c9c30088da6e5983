"""The signal in untrained stacks: measures by hand, gradients by finite differences, the laws of depth."""

import numpy as np
import pytest
import torch

from labcore.architecture.deep_stacks import Design, build
from labcore.architecture.depth_signal import (
    MOST_LAYERS,
    SignalConfig,
    alikeness,
    apartness,
    batch,
    control,
    cosines,
    run,
    size,
    up_and_down,
)
from labcore.errors import LabInputError

PLAIN = Design(scaled_writers=False)
PLAIN_POST = Design(placement="post", scaled_writers=False)


def median(values: np.ndarray, layer: int) -> float:
    return float(np.median(values[:, layer]))


def test_the_measures_of_three_tokens_by_hand():
    """Rows (3, 0), (0, 4), (3, 0). Cosines: 0, 1, 0 for the three pairs, so a mean of 1/3. Mean row (2, 4/3);
    what is left: (1, -4/3), (-2, 8/3), (1, -4/3), squares 6 + 96/9 = 50/3 of 34 in all.
    Root mean square: √(34/6).
    """
    x = torch.tensor([[[3.0, 0.0], [0.0, 4.0], [3.0, 0.0]]], dtype=torch.float64)
    assert size(x) == pytest.approx((34 / 6) ** 0.5)
    assert alikeness(x) == pytest.approx(1 / 3)
    assert apartness(x) == pytest.approx((50 / 3 / 34) ** 0.5)
    assert cosines(x)[0].tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e200])
def test_measures_of_variety_do_not_depend_on_scale(scale):
    """The square of 1e-200 is 0 in double precision, that of 1e200 infinite."""
    x = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert alikeness(scale * x) == pytest.approx(alikeness(x))
    assert apartness(scale * x) == pytest.approx(apartness(x))
    assert size(scale * x) == pytest.approx(scale * size(x))


@pytest.mark.parametrize("design", [Design(), PLAIN_POST, Design(residual=False)])
def test_the_gradient_norm_is_the_steepest_slope_of_the_loss(design):
    """Along its own gradient a loss changes by the gradient's length: (L(θ+εg) - L(θ-εg)) / 2ε = ‖g‖ for
    ‖g‖ = 1 after scaling. Finite differences in double precision, one layer at a time."""
    model = build(design, 3, 1920, 0).double()
    tokens, targets = batch()
    once = up_and_down(model, tokens, targets)
    matrices = [w for w in model.stack.layers[1].parameters() if w.dim() == 2]
    steps = [w.grad.clone() / once.gradient[1] for w in matrices]
    nearby = []
    for epsilon in (1e-5, -1e-5):
        with torch.no_grad():
            for weight, step in zip(matrices, steps, strict=True):
                weight.add_(step, alpha=epsilon)
        nearby.append(up_and_down(model, tokens, targets).loss_nats)
        with torch.no_grad():
            for weight, step in zip(matrices, steps, strict=True):
                weight.sub_(step, alpha=epsilon)
    assert (nearby[0] - nearby[1]) / 2e-5 == pytest.approx(once.gradient[1], rel=1e-4)


def test_a_run_repeats_itself_and_its_rows_are_its_seeds():
    both, second = (
        run(SignalConfig(num_layers=2, seeds=2)),
        run(SignalConfig(num_layers=2, seeds=1, seed=1)),
    )
    again = run(SignalConfig(num_layers=2, seeds=2))
    for name in ("size", "gradient", "alike", "apart", "loss_nats"):
        np.testing.assert_array_equal(getattr(both, name), getattr(again, name))
        np.testing.assert_array_equal(getattr(both, name)[1], getattr(second, name)[0])
    assert not np.array_equal(both.gradient[0], both.gradient[1])


def test_shapes_and_the_common_start():
    """Before any layer all designs are the same table of tokens, and every token is like itself."""
    standard, other = (run(SignalConfig(design, 2)) for design in (Design(), PLAIN_POST))
    assert standard.size.shape == standard.alike.shape == standard.apart.shape == (3, 3)
    assert standard.gradient.shape == (3, 2)
    tokens = len(standard.labels)
    assert standard.cosines.shape == (3, tokens, tokens)
    np.testing.assert_array_equal(standard.size[:, 0], other.size[:, 0])
    np.testing.assert_allclose(np.diagonal(standard.cosines, axis1=1, axis2=2), 1, rtol=1e-6)


def test_post_norm_leaves_every_layer_at_size_one():
    """A layernorm with gain 1 gives each token mean square 1, up to its ε."""
    result = run(SignalConfig(Design(placement="post"), 4))
    np.testing.assert_allclose(result.size[:, 1:], 1, rtol=1e-4)


def test_scaled_writers_keep_the_stream_while_unscaled_ones_grow_like_root_of_depth():
    """L independent sums: √(16/4) = 2 if unscaled, 1 if each is 1/√L as large."""
    ends = {
        design: [median(run(SignalConfig(design, depth)).size, -1) for depth in (4, 16)]
        for design in (Design(), PLAIN)
    }
    assert ends[Design()][1] / ends[Design()][0] == pytest.approx(1, abs=0.2)
    assert ends[PLAIN][1] / ends[PLAIN][0] == pytest.approx(2, abs=0.5)


def test_the_top_gradient_falls_with_depth_in_pre_norm_and_not_in_post_norm():
    """Xiong et al., arXiv:2002.04745: the last layer's gradient is O(1/√L) in pre-norm, O(1) in post-norm.
    From 4 to 16 layers that is a factor of 1/2, and of 1."""
    pre, post = (
        [median(run(SignalConfig(design, depth)).gradient, -1) for depth in (4, 16)]
        for design in (PLAIN, PLAIN_POST)
    )
    assert pre[1] / pre[0] == pytest.approx(1 / 2, abs=0.15)
    assert post[1] / post[0] > 0.9


def test_without_residuals_all_tokens_become_one_and_with_them_they_do_not():
    config = SignalConfig(Design(residual=False), 16)
    collapsed, standard = run(config), run(control(config))
    assert (collapsed.alike[:, -1] > 0.999).all()
    assert (standard.alike[:, -1] < 0.7).all()
    assert (collapsed.apart[:, -1] < 0.01 * standard.apart[:, -1]).all()


def test_even_attention_halves_what_sets_tokens_apart():
    """Tiny weights make every score 0 and every row of attention even. The matrix of even causal rows is
    lower triangular with 1, 1/2, 1/3, … on its diagonal: its eigenvalues. The first belongs to what all
    tokens share, so what sets them apart shrinks by the second, 1/2, per layer. (Maps between the layers
    stretch both by chance: hence a mean over 16 layers and 8 seeds, good to a tenth.)"""
    design = Design(residual=False, placement="none", gain=0.1, mlp=False)
    apart = run(SignalConfig(design, 24, seeds=8)).apart
    per_layer = (apart[:, -1] / apart[:, 8]) ** (1 / 16)
    assert float(np.exp(np.log(per_layer).mean())) == pytest.approx(0.5, abs=0.05)


def test_numbers_beyond_what_a_computer_holds_are_told():
    """With factor 0.1 on four matrices per layer 32 layers shrink gradients below 1e-308."""
    lost = run(
        SignalConfig(Design(residual=False, placement="none", gain=0.1), MOST_LAYERS, seeds=1)
    )
    assert not lost.readable
    assert run(SignalConfig(num_layers=1, seeds=1)).readable


@pytest.mark.parametrize(
    "change", [{"num_layers": 0}, {"num_layers": 33}, {"seeds": 0}, {"seeds": 9}]
)
def test_a_stack_too_deep_or_none_is_refused(change):
    with pytest.raises(LabInputError, match="between"):
        SignalConfig(**change)
