import pytest
import torch
import torch.nn.functional as F

from labcore.model.config import ModelConfig
from labcore.model.norms import Norm, layer_norm, rms_norm


def test_layer_norm_worked_by_hand():
    """1 and 3 have mean 2 and deviation 1: -1 and 1; times 10, plus 5: -5 and 15."""
    weight, bias = torch.tensor([10.0, 10.0]), torch.tensor([5.0, 5.0])
    assert layer_norm(torch.tensor([1.0, 3.0]), weight, bias, 0.0).tolist() == [-5.0, 15.0]


def test_rms_norm_worked_by_hand():
    """3 and 4 have the root mean square √12.5; no mean is taken off."""
    out = rms_norm(torch.tensor([3.0, 4.0]), torch.tensor([1.0, 2.0]), 0.0)
    assert out.tolist() == pytest.approx([3 / 12.5**0.5, 8 / 12.5**0.5])


def test_both_equal_torchs_own():
    draw = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(shape, generator=draw) for shape in ((4, 6, 8), (8,), (8,)))
    x = x * 3 + 2
    theirs = F.layer_norm(x, (8,), weight, bias, 1e-3)
    torch.testing.assert_close(layer_norm(x, weight, bias, 1e-3), theirs)
    torch.testing.assert_close(rms_norm(x, weight, 1e-3), F.rms_norm(x, (8,), weight, 1e-3))


@pytest.mark.parametrize("kind", ["layernorm", "rmsnorm"])
def test_a_token_of_equal_numbers_is_no_division_by_zero(kind):
    norm = Norm(ModelConfig(norm=kind))
    out = norm(torch.zeros(2, 64, requires_grad=True))
    out.sum().backward()
    assert out.isfinite().all()
    assert norm.weight.grad.isfinite().all()


def test_only_a_layer_norm_may_shift():
    assert Norm(ModelConfig(norm="rmsnorm")).bias is None
    assert Norm(ModelConfig(norm_bias=False)).bias is None
    assert Norm(ModelConfig(), width=5).bias.shape == (5,)
