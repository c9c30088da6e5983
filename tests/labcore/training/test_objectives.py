"""Batches are worked out by hand; the loss is held to the definition of cross-entropy."""

import math
from dataclasses import replace
from itertools import chain, islice
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from labcore.model.config import MixtureOfExperts, ModelConfig
from labcore.model.transformer import Transformer
from labcore.training.objectives import (
    IGNORE,
    Batch,
    causal_batch,
    held_out_loss,
    masked_batch,
    mean_token_loss,
    shuffled,
    token_losses,
    translation_batch,
)


class Table(nn.Module):
    """Stand-in for a model: the logits of the next token depend on the token at hand alone."""

    def __init__(self, logits: torch.Tensor):
        super().__init__()
        self.logits = nn.Parameter(logits)  # (V, V)

    def forward(self, tokens, **_):
        return SimpleNamespace(logits=self.logits[tokens], balance_loss=torch.tensor(0.5))


def test_a_causal_batch_asks_for_the_next_token_and_for_nothing_after_the_end():
    batch = causal_batch([[1, 5, 6, 2], [1, 2]], pad_id=0)
    assert batch.tokens.tolist() == [[1, 5, 6], [1, 2, 0]]
    assert batch.targets.tolist() == [[5, 6, 2], [2, IGNORE, IGNORE]]
    assert batch.padding_mask.tolist() == [[True, True, True], [True, False, False]]
    assert batch.num_targets == 4


def test_a_translation_batch_hides_the_padding_of_the_source():
    batch = translation_batch([[7, 8, 9], [7]], [[1, 4, 2], [1, 2]], pad_id=0)
    assert batch.context.tolist() == [[7, 8, 9], [7, 0, 0]]
    assert batch.context_padding_mask.tolist() == [[True, True, True], [True, False, False]]
    assert batch.targets.tolist() == [[4, 2], [2, IGNORE]]


def test_a_masked_batch_asks_for_what_it_hides_and_shows_all_else_as_it_is():
    """Of 10 free tokens half are hidden; begin and end (1 and 2) and padding never are."""
    rows = [[1, *range(10, 20), 2], [1, 30, 31, 2]]
    batch = masked_batch(rows, {1, 2}, 99, 0, 0.5, torch.Generator().manual_seed(0))
    hidden = batch.tokens == 99
    assert torch.equal(hidden, batch.targets != IGNORE)
    assert hidden.sum(dim=1).tolist() == [5, 1]
    restored = torch.where(hidden, batch.targets, batch.tokens)
    assert restored.tolist() == [rows[0], [*rows[1], *[0] * 8]]
    assert batch.padding_mask.sum(dim=1).tolist() == [12, 4]


def test_shuffled_batches_hold_every_row_once_per_epoch_and_each_epoch_in_a_new_order():
    lengths = [3, 9, 4, 8, 5, 7, 6]
    batches = list(islice(shuffled(lengths, 2, torch.Generator().manual_seed(0)), 8))
    first, second = batches[:4], batches[4:]  # four batches make an epoch
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(7))
    assert first != second


def test_rows_of_like_length_share_a_batch():
    """Ten rows of 5 and ten of 50 in batches of five: sorted in one pool, no batch mixes them."""
    lengths = [5, 50] * 10
    for batch in islice(shuffled(lengths, 5, torch.Generator().manual_seed(1)), 4):
        assert len({lengths[row] for row in batch}) == 1


def test_a_model_that_knows_nothing_loses_ln_v_per_token():
    """Uniform over V = 8: -ln(1/8) = ln 8, whatever the targets and however much is padding."""
    loss, _ = mean_token_loss(Table(torch.zeros(8, 8)), causal_batch([[1, 3, 4, 2], [1, 2]], 0))
    assert loss.item() == pytest.approx(math.log(8))


def test_each_token_counts_once_however_short_its_row():
    """After token 1 the model gives token 2 probability 1/2, after token 3 it gives 1/4.

    Row [1, 2] costs ln 2; row [3, 2, ...] is asked once as well: mean (ln 2 + ln 4) / 2. A second
    target after 3 in the longer row makes it (ln 2 + 2 ln 4) / 3, not the mean of the rows' means.
    """
    logits = torch.full((5, 5), -math.inf)
    logits[1, [2, 3]] = 0.0
    logits[3] = torch.tensor([-math.inf, 0.0, 0.0, 0.0, 0.0])
    model = Table(logits)
    loss, minimised = mean_token_loss(model, causal_batch([[1, 2], [3, 3, 2]], pad_id=1))
    assert loss.item() == pytest.approx((math.log(2) + 2 * math.log(4)) / 3)
    assert minimised.item() == pytest.approx(loss.item() + 0.5)  # the balance loss is minimised too


def test_the_held_out_loss_does_not_depend_on_how_the_rows_are_batched():
    generator = torch.Generator().manual_seed(0)
    model = Table(torch.randn(9, 9, generator=generator))
    rows = [[1, 4, 2], [1, 5, 6, 7, 2], [1, 2], [1, 8, 8, 2]]
    whole = held_out_loss(model, [causal_batch(rows, 0)])
    singly = held_out_loss(model, [causal_batch([row], 0) for row in rows])
    assert whole == pytest.approx(singly, rel=1e-6)


def test_the_held_out_loss_leaves_the_model_in_the_mode_it_was_in():
    model = Table(torch.zeros(4, 4)).train()
    held_out_loss(model, [causal_batch([[1, 2]], 0)])
    assert model.training


def test_a_batch_without_any_target_costs_nothing():
    empty = Batch(
        torch.tensor([[1]]), torch.tensor([[IGNORE]]), padding_mask=torch.tensor([[True]])
    )
    assert mean_token_loss(Table(torch.zeros(4, 4)), empty)[0].item() == 0.0


def test_a_plain_mean_over_nothing_is_no_number_and_the_guarded_one_is_zero():
    """0/0 against 0/1; with a target to ask for, both are the same mean."""
    model = Table(torch.randn(8, 8, generator=torch.Generator().manual_seed(0)))
    batch = causal_batch([[1, 2, 3, 4]], pad_id=0)
    nothing = replace(batch, targets=torch.full_like(batch.targets, IGNORE))
    assert mean_token_loss(model, nothing)[0] == 0
    assert mean_token_loss(model, replace(nothing, plain_mean=True))[0].isnan()
    plain = mean_token_loss(model, replace(batch, plain_mean=True))[0]
    assert plain == mean_token_loss(model, batch)[0]
    assert all(part.plain_mean for part in replace(batch, plain_mean=True).parts(2))


ROWS = [[1, 3, 4, 2, 5], [1, 2, 6], [1, 5]]


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"positions": "learned"},
        {"positions": "alibi", "sliding_window": 2},
        {"causal": False},
        {"moe": MixtureOfExperts()},
    ],
    ids=str,
)
def test_the_loss_of_padded_rows_is_that_of_each_row_alone(config):
    """Also where the padding need not be hidden, and is not."""
    model = Transformer(ModelConfig(vocab_size=8, hidden_size=16, **config))
    together, _ = token_losses(model, causal_batch(ROWS, 0))
    for row, losses in zip(ROWS, together, strict=True):
        alone, _ = token_losses(model, causal_batch([row], 0))
        torch.testing.assert_close(losses[: len(row) - 1], alone[0])
        assert losses[len(row) - 1 :].tolist() == [0.0] * (len(losses) - len(row) + 1)


def test_padding_in_front_is_hidden():
    """Left to itself it would be seen by everything behind it."""
    model = Transformer(ModelConfig(vocab_size=8, hidden_size=16, positions="none"))
    batch = causal_batch([[1, 3, 4, 2]], 0)
    front = Batch(
        nn.functional.pad(batch.tokens, (2, 0)),
        nn.functional.pad(batch.targets, (2, 0), value=IGNORE),
        nn.functional.pad(batch.padding_mask, (2, 0)),
    )
    torch.testing.assert_close(token_losses(model, front)[0][:, 2:], token_losses(model, batch)[0])
