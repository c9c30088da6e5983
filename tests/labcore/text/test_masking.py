"""Masking against BERT's shares, padding and targets against small tables."""

import math

import pytest
import torch

from labcore.errors import LabInputError
from labcore.text.masking import IGNORE, MaskingConfig, collate, mask_tokens, next_token_targets

MASK, VOCAB = 7, 1000


def test_padding_fills_on_the_right():
    tokens, real = collate([[1, 2, 3], [4]], pad_id=0)
    assert tokens.tolist() == [[1, 2, 3], [4, 0, 0]]
    assert real.tolist() == [[True, True, True], [True, False, False]]


def test_targets_are_the_tokens_one_to_the_left_and_pads_ask_nothing():
    tokens, real = collate([[1, 2, 3], [4, 5]], pad_id=0)
    assert next_token_targets(tokens, real).tolist() == [[2, 3, IGNORE], [5, IGNORE, IGNORE]]


def masked(config: MaskingConfig, seed: int = 0) -> tuple[torch.Tensor, ...]:
    tokens = torch.arange(200 * 100).reshape(200, 100) % (VOCAB - 10) + 10
    maskable = torch.ones_like(tokens, dtype=torch.bool)
    maskable[:, 0] = False
    generator = torch.Generator().manual_seed(seed)
    return tokens, maskable, *mask_tokens(tokens, maskable, MASK, VOCAB, generator, config)


def test_shares_are_those_of_bert():
    """15 of 99 are chosen exactly; of 3000 chosen, 80/10/10 within 4 standard errors."""
    tokens, maskable, inputs, targets = masked(MaskingConfig())
    chosen = targets != IGNORE
    assert chosen.sum(dim=1).tolist() == [15] * 200
    assert (targets[chosen] == tokens[chosen]).all()
    assert not (chosen & ~maskable).any()
    assert torch.equal(inputs[~chosen], tokens[~chosen])
    n = int(chosen.sum())
    for share, count in (
        (0.8, (inputs[chosen] == MASK).sum()),
        (0.1 * (1 - 1 / VOCAB), ((inputs[chosen] != MASK) & (inputs != tokens)[chosen]).sum()),
        (0.1, (inputs[chosen] == tokens[chosen]).sum()),
    ):
        assert abs(int(count) - n * share) < 4 * math.sqrt(n * share * (1 - share))


def test_every_row_with_something_to_hide_hides_at_least_one():
    tokens = torch.tensor([[5, 6, 0], [5, 0, 0]])
    maskable = torch.tensor([[False, True, False], [False, False, False]])
    inputs, targets = mask_tokens(
        tokens,
        maskable,
        MASK,
        VOCAB,
        torch.Generator().manual_seed(0),
        MaskingConfig(mask_share=1, random_share=0),
    )
    assert inputs.tolist() == [[5, MASK, 0], [5, 0, 0]]
    assert targets.tolist() == [[IGNORE, 6, IGNORE], [IGNORE, IGNORE, IGNORE]]


def test_one_seed_one_masking():
    assert torch.equal(masked(MaskingConfig(), 3)[2], masked(MaskingConfig(), 3)[2])
    assert not torch.equal(masked(MaskingConfig(), 3)[2], masked(MaskingConfig(), 4)[2])


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("rate", {"rate": 0}),
        ("mask_share", {"mask_share": 1.5}),
        ("random_share", {"mask_share": 0.8, "random_share": 0.3}),
    ],
)
def test_impossible_shares_name_their_field(field: str, values: dict):
    with pytest.raises(LabInputError) as error:
        MaskingConfig(**values)
    assert error.value.field == field


def test_an_empty_batch_is_refused():
    with pytest.raises(LabInputError, match="not_empty"):
        collate([[]], pad_id=0)
