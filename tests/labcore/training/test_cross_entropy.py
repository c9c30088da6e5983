"""Our loss and its gradient against torch's."""

import doctest

import pytest
import torch
import torch.nn.functional as F

from labcore.training import cross_entropy
from labcore.training.cross_entropy import token_nats


def test_worked_example():
    assert doctest.testmod(cross_entropy).failed == 0


@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_loss_and_gradient_are_torchs(scale, dtype):
    """Also where the target's own probability is 0 in 32 bits."""
    chance = torch.Generator().manual_seed(0)
    start = torch.randn(40, 25, generator=chance, dtype=dtype) * scale
    targets = torch.randint(25, (40,), generator=chance)
    weights = torch.rand(40, generator=chance, dtype=dtype)
    mine, theirs = start.clone().requires_grad_(), start.clone().requires_grad_()
    losses = token_nats(mine, targets)
    expected = F.cross_entropy(theirs, targets, reduction="none")
    torch.testing.assert_close(losses, expected)
    (losses * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(mine.grad, theirs.grad)


def test_autocast_sums_in_thirty_two_bits_and_nothing_else_does():
    logits = torch.randn(8, 5000, generator=torch.Generator().manual_seed(1)).bfloat16()
    targets = torch.arange(8)
    with torch.autocast("cpu", torch.bfloat16):
        losses = token_nats(logits.requires_grad_(), targets)
    torch.testing.assert_close(losses, F.cross_entropy(logits.float(), targets, reduction="none"))
    losses.sum().backward()
    assert logits.grad.dtype == torch.bfloat16
    assert token_nats(logits, targets).dtype == torch.bfloat16


def test_no_question_is_no_loss():
    assert token_nats(torch.zeros(0, 7), torch.zeros(0, dtype=torch.int64)).shape == (0,)
