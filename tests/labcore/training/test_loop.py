"""The loop, on a model small enough to know the answer: a table of bigrams."""

import math
from itertools import repeat
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from labcore.errors import LabInputError
from labcore.events import drain
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import causal_batch, held_out_loss
from labcore.training.optimiser import adamw, clip_gradients


class Bigrams(nn.Module):
    """The logits of the next token depend on the token at hand alone.  V = 6"""

    def __init__(self, seed: int = 0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.table = nn.Parameter(torch.randn(6, 6, generator=generator))
        self.shift = nn.Parameter(torch.zeros(6))

    def forward(self, tokens, **_):
        logits = self.table[tokens] + self.shift
        return SimpleNamespace(logits=logits, balance_loss=torch.tensor(0.0))


# After token 1 comes 2 or 3, half and half, then the end: ln 2 + 0 nats in two tokens.
COIN = causal_batch([[1, 2, 5], [1, 3, 5]], pad_id=0)
FLOOR_NATS = math.log(2) / 2


def run(config: TrainConfig, batches=None, **looks):
    events = []
    result = drain(train(Bigrams(), batches or repeat(COIN), config, **looks), events.append)
    return events, result


def test_the_loss_comes_down_to_the_entropy_of_the_data_and_not_below():
    """A fair coin in one of two tokens: the floor is (ln 2 + 0) / 2 = 0.347 nats per token."""
    _, result = run(TrainConfig(steps=300, learning_rate=0.1, warmup_steps=0, weight_decay=0))
    assert FLOOR_NATS <= result.loss_nats[-1] < FLOOR_NATS + 0.01


def test_the_same_config_twice_gives_the_same_losses_bit_for_bit():
    config = TrainConfig(steps=30)
    first, second = run(config)[1], run(config)[1]
    assert np.array_equal(first.loss_nats, second.loss_nats)
    assert np.array_equal(first.grad_norm, second.grad_norm)


def test_looking_does_not_change_the_run():
    config = TrainConfig(steps=30, eval_every=3, snapshot_every=2)
    watched = run(config, evaluate=lambda m: held_out_loss(m, [COIN]), snapshot=lambda m, s: s)[1]
    assert np.array_equal(watched.loss_nats, run(config)[1].loss_nats)


def test_one_event_per_update_with_the_rate_that_was_used():
    config = TrainConfig(steps=10, warmup_steps=5, learning_rate=1.0, final_share=0.1)
    events, result = run(config)
    assert [event.step for event in events] == list(range(1, 11))
    assert [event.learning_rate for event in events[:5]] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert events[-1].learning_rate == pytest.approx(0.1)
    assert events[-1].share == 1.0
    assert result.tokens_seen == events[-1].tokens_seen == 10 * 4  # two rows with two inputs each


def test_held_out_text_is_looked_at_when_due_and_at_the_end():
    config = TrainConfig(steps=10, eval_every=4)
    _, result = run(config, evaluate=lambda model: 1.25)
    assert result.validation_steps.tolist() == [4, 8, 10]
    assert result.validation_nats.tolist() == [1.25] * 3


def test_a_snapshot_sees_the_model_after_the_update():
    seen = {}
    config = TrainConfig(steps=3, snapshot_every=1)
    events, _ = run(
        config, snapshot=lambda model, step: seen.setdefault(step, model.table.sum().item())
    )
    assert sorted(seen) == [1, 2, 3]
    assert len(set(seen.values())) == 3
    assert [event.snapshot for event in events] == [seen[1], seen[2], seen[3]]


def test_a_run_that_is_no_longer_a_number_ends_and_says_so():
    """The third batch asks for a token of probability 0, an infinite loss: nothing is learnt."""
    model = Bigrams()

    def batches():
        yield COIN
        yield COIN
        with torch.no_grad():
            model.table[1, 2] = -math.inf
        yield COIN

    events = []
    result = drain(train(model, batches(), TrainConfig(steps=50)), events.append)
    assert result.diverged
    assert [event.diverged for event in events] == [False, False, True]
    assert math.isinf(result.loss_nats[-1])
    assert not model.table.isnan().any()


def test_a_run_whose_batches_run_dry_is_shorter():
    _, result = run(TrainConfig(steps=50), batches=[COIN] * 3)
    assert len(result.loss_nats) == 3
    assert not result.diverged


def test_decay_pulls_on_matrices_and_leaves_gains_and_shifts_alone():
    """Zero gradients: AdamW's own update is 0, so what is left is w · (1 - lr · decay)."""
    model = Bigrams()
    model.shift.data.fill_(1.0)
    before = model.table.detach().clone()
    optimiser = adamw(model, learning_rate=0.5, weight_decay=0.1, betas=(0.9, 0.95))
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    optimiser.step()
    torch.testing.assert_close(model.table, before * 0.95)
    assert torch.equal(model.shift, torch.ones(6))


def test_clipping_keeps_the_direction_and_reports_the_norm_before():
    """(3, 4) has norm 5; clipped to 1 it is (0.6, 0.8)."""
    model = nn.Linear(2, 1, bias=False)
    model.weight.grad = torch.tensor([[3.0, 4.0]])
    assert clip_gradients(model, 1.0) == pytest.approx(5.0)
    torch.testing.assert_close(model.weight.grad, torch.tensor([[0.6, 0.8]]))


def test_without_a_clip_norm_gradients_stay_as_they_are():
    model = nn.Linear(2, 1, bias=False)
    model.weight.grad = torch.tensor([[3.0, 4.0]])
    assert clip_gradients(model, None) == pytest.approx(5.0)
    assert model.weight.grad.tolist() == [[3.0, 4.0]]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("learning_rate", math.inf),
        ("schedule", "step"),
        ("warmup_steps", -1),
        ("clip_norm", 0.0),
    ],
)
def test_a_bad_value_is_refused_by_name(field, value):
    with pytest.raises(LabInputError) as caught:
        TrainConfig(**{field: value})
    assert caught.value.field == field
