"""Distillation: torch's own KL, the reason for T², and what the two directions do."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from labcore.compression.distillation import (
    attention_loss,
    distillation_loss,
    hidden_loss,
    mixed_loss,
)
from labcore.errors import LabInputError


def logits(seed, rows=7, vocab=11):
    return torch.randn(rows, vocab, generator=torch.Generator().manual_seed(seed)).double()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_both_directions_are_torchs_kl(temperature):
    student, teacher = logits(0), logits(1)
    said, told = ((x / temperature).log_softmax(-1) for x in (student, teacher))
    forward = F.kl_div(said, told, reduction="batchmean", log_target=True) * temperature**2
    reverse = F.kl_div(told, said, reduction="batchmean", log_target=True) * temperature**2
    torch.testing.assert_close(distillation_loss(student, teacher, temperature), forward)
    torch.testing.assert_close(distillation_loss(student, teacher, temperature, "reverse"), reverse)


def test_a_perfect_student_pays_nothing_and_mixing_is_linear():
    student, teacher, targets = logits(0), logits(1), torch.arange(7)
    for direction in ("forward", "reverse"):
        assert distillation_loss(teacher, teacher, 2.0, direction).abs() < 1e-12
    ends = [mixed_loss(student, teacher, targets, weight, 2.0) for weight in (0, 1)]
    torch.testing.assert_close(ends[0], F.cross_entropy(student, targets))
    torch.testing.assert_close(ends[1], distillation_loss(student, teacher, 2.0))
    half = mixed_loss(student, teacher, targets, 0.5, 2.0)
    torch.testing.assert_close(half, (ends[0] + ends[1]) / 2)


def test_the_square_keeps_the_gradients_size_at_high_temperature():
    """As T grows, T² · gradient tends to (student − teacher) / V, both centred (Hinton et al., eq. 4)."""
    student, teacher = logits(0).requires_grad_(), logits(1)
    (gradient,) = torch.autograd.grad(distillation_loss(student, teacher, 1000.0), student)
    centred = [x - x.mean(dim=-1, keepdim=True) for x in (student.detach(), teacher)]
    torch.testing.assert_close(gradient, (centred[0] - centred[1]) / 11 / 7, rtol=0.02, atol=1e-4)


def test_forward_covers_and_reverse_picks():
    """A teacher with two peaks, a student with one that it can place: the covering one is flatter."""
    teacher = torch.tensor([[4.0, 0.0, 0.0, 4.0]]).double()
    on_one_peak = torch.tensor([[4.0, 0.0, 0.0, 0.0]]).double()
    spread = torch.zeros(1, 4).double()
    forward = [distillation_loss(s, teacher) for s in (on_one_peak, spread)]
    reverse = [distillation_loss(s, teacher, direction="reverse") for s in (on_one_peak, spread)]
    assert forward[0] > forward[1]
    assert reverse[0] < reverse[1]


def test_hidden_states_and_attention_maps():
    projection = nn.Linear(3, 5, bias=False)
    hidden = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    assert hidden_loss(hidden, projection(hidden), projection).item() == 0
    maps = logits(2, 12, 6).reshape(1, 2, 6, 6).softmax(dim=-1)
    others = logits(3, 12, 6).reshape(1, 2, 6, 6).softmax(dim=-1)
    # Cross-entropy is least where both agree (Gibbs' inequality).
    assert attention_loss(maps, maps) < attention_loss(others, maps)


@pytest.mark.parametrize(
    "bad", [{"temperature": 0.0}, {"temperature": 1.0, "direction": "sideways"}]
)
def test_bad_values_are_refused(bad):
    with pytest.raises(LabInputError):
        distillation_loss(logits(0), logits(1), **bad)
