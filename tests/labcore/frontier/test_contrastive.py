"""CLIP's loss: transformers', its gradient as derived, and ties that are no finds."""

import math

import pytest
import torch
from transformers.models.clip.modeling_clip import image_text_contrastive_loss

from labcore.errors import LabInputError
from labcore.frontier.contrastive import contrastive_loss, found_at, similarity


def pairs(size=6, width=8, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return [torch.randn(size, width, generator=rng).double() for _ in range(2)]


@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_the_loss_is_that_of_transformers(temperature):
    cosines = similarity(*pairs())
    assert (cosines.abs() <= 1).all()
    expected = image_text_contrastive_loss(cosines / temperature)
    torch.testing.assert_close(contrastive_loss(cosines, temperature), expected)


def test_the_gradient_is_the_derived_one():
    cosines = similarity(*pairs()).requires_grad_()
    (got,) = torch.autograd.grad(contrastive_loss(cosines, 1.0), cosines)
    square = cosines.detach()
    expected = (square.softmax(1) + square.softmax(0) - 2 * torch.eye(6)) / 12
    torch.testing.assert_close(got, expected)


def test_before_anything_is_learnt_it_costs_the_logarithm_of_the_batch():
    assert contrastive_loss(torch.ones(6, 6), 0.07).item() == pytest.approx(math.log(6))


def test_finds_are_counted_both_ways_and_a_tie_is_none():
    cosines = torch.tensor([[0.9, 0.1, 0.0], [0.95, 0.8, 0.0], [0.0, 0.0, 0.3]])
    # Pictures: the second prefers the first's caption. Captions: the first's is nearest to the second.
    assert found_at(cosines) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert found_at(cosines, k=2) == (1, 1)
    assert found_at(torch.ones(3, 3)) == (0, 0)
    assert found_at(torch.ones(3, 3), k=3) == (1, 1)


def test_bad_values_are_refused():
    with pytest.raises(LabInputError):
        contrastive_loss(torch.ones(2, 2), 0.0)
    with pytest.raises(LabInputError):
        found_at(torch.ones(2, 2), 3)
