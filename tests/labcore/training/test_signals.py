"""What a watched run shows: numbers worked out by hand, and that watching changes nothing."""

import math
from itertools import repeat

import numpy as np
import pytest
import torch

from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.training.loop import TrainConfig, train, update
from labcore.training.objectives import causal_batch
from labcore.training.optimiser import build
from labcore.training.signals import Watch, dead_share, entropy, health, moved, run_log

CONFIG = ModelConfig(vocab_size=20, hidden_size=16, num_layers=2, num_heads=2)
BATCH = causal_batch([[1, 2, 3, 4, 5], [1, 4, 2, 6, 5], [1, 9, 9, 8, 5]], pad_id=0)


def model() -> Transformer:
    return Transformer(CONFIG, torch.Generator().manual_seed(0))


def test_the_ratio_of_an_update_by_hand():
    """(3, 4) becomes (3.3, 4.4): moved by 0.5 of a length of 5. With a second matrix of length 12 that
    did not move: 0.5 / 13."""
    before = {torch.tensor([[3.3, 4.4]]): torch.tensor([[3.0, 4.0]])}
    assert moved(list(before), before) == pytest.approx(0.1)
    before[torch.tensor([[12.0]])] = torch.tensor([[12.0]])
    assert moved(list(before), before) == pytest.approx(0.5 / 13)


def test_attention_entropy_by_hand():
    """One row looks at one token (0 nats), the other at two alike (ln 2)."""
    weights = torch.tensor([[[[1.0, 0.0], [0.5, 0.5]]]])
    assert entropy(weights) == pytest.approx(math.log(2) / 2)


def test_a_unit_is_dead_if_no_token_raises_it():
    hidden = torch.tensor([[[0.0, -0.1, 0.0], [0.5, -0.2, 0.0]]])
    assert dead_share(hidden) == pytest.approx(2 / 3)


def test_a_watched_run_is_the_same_run_and_its_signals_are_those_of_its_trace():
    config = TrainConfig(steps=4, warmup_steps=0)
    plain = drain(train(model(), repeat(BATCH), config))
    watched, steps = model(), []
    with torch.no_grad():
        at_first = watched(BATCH.tokens, trace=True).trace
    result = drain(
        train(watched, repeat(BATCH), config, watch=Watch(watched)), steps.append
    )  # fmt: skip
    assert np.array_equal(plain.loss_nats, result.loss_nats)
    rms = [float(at_first[f"layers.{i}.resid_post"].pow(2).mean().sqrt()) for i in range(2)]
    assert steps[0].signals.activation_rms == pytest.approx(rms, rel=1e-5)


def test_a_frozen_block_shows_a_ratio_of_zero():
    frozen, steps = model(), []
    frozen.stack.layers[1].requires_grad_(False)
    drain(train(frozen, repeat(BATCH), TrainConfig(steps=2), watch=Watch(frozen)), steps.append)
    assert steps[-1].signals.layer_update_ratio[0] > 0
    assert steps[-1].signals.layer_update_ratio[1] == 0


def test_a_look_inside_says_what_uniform_attention_would_be():
    """Four positions see 1, 2, 3, 4 tokens: (0 + ln 2 + ln 3 + ln 4) / 4. An untrained model is near."""
    inside = health(model(), BATCH.tokens)
    assert inside.uniform_nats == pytest.approx(math.log(24) / 4)
    assert inside.attention_nats == pytest.approx([inside.uniform_nats] * 2, rel=0.05)
    assert inside.attention_nats.max() <= inside.uniform_nats + 1e-6


def test_the_log_has_a_column_for_each_signal():
    watched, steps = model(), []
    config = TrainConfig(steps=5, eval_every=2)
    drain(
        train(watched, repeat(BATCH), config, lambda _: 1.5, watch=Watch(watched)), steps.append
    )  # fmt: skip
    log = run_log(steps, 0.5, math.log(20))
    assert log.step.tolist() == [1, 2, 3, 4, 5]
    assert np.isnan(log.validation_nats).tolist() == [True, False, True, False, False]
    assert log.activation_rms.shape == log.layer_update_ratio.shape == (5, 2)
    assert (log.tokens_per_second > 0).all()
    assert log.floor_nats == 0.5


def test_parts_of_a_batch_add_up_to_the_gradient_of_the_whole():
    """Rows with 1, 2 and 4 targets in three parts: each part counts by its targets."""
    rows = causal_batch([[1, 2], [1, 2, 3], [1, 2, 3, 4, 5]], pad_id=0)
    gradients, losses = [], []
    for parts in (1, 3):
        one = model()
        losses.append(update(one, rows, build("sgd", one, 0.0), 0.0, None, parts)[0])
        gradients.append(torch.cat([weight.grad.flatten() for weight in one.parameters()]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-7)


def test_a_batch_falls_into_parts_of_whole_rows():
    assert [len(part.tokens) for part in BATCH.parts(2)] == [2, 1]
    assert [len(part.tokens) for part in BATCH.parts(5)] == [1, 1, 1]
    assert BATCH.parts(1) == [BATCH]


def test_16_bit_weights_swallow_updates_that_are_too_small():
    """1 + 2⁻¹⁰ is 1 in bf16, whose next number after 1 is 1 + 2⁻⁷; 32 bits keep the difference."""
    for precision, stays in (("bf16", False), ("bf16_weights", True)):
        one = model()
        with torch.no_grad():
            one.stack.layers[0].attn_norm.weight.fill_(1.0)
        update(one, BATCH, build("lion", one, 2**-10), 2**-10, None, 1, precision)
        gains = one.stack.layers[0].attn_norm.weight
        assert bool((gains == 1.0).all()) == stays


def test_16_bit_products_give_nearly_the_same_loss():
    losses = [
        update(one := model(), BATCH, build("sgd", one, 0.0), 0.0, None, 1, precision)[0]
        for precision in ("fp32", "bf16")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.01)
    assert losses[0] != losses[1]


def test_a_run_that_is_continued_goes_on_with_the_rates_of_its_plan():
    config, steps = TrainConfig(steps=10, warmup_steps=5), []
    drain(train(model(), repeat(BATCH), config, made_before=7), steps.append)
    assert [step.step for step in steps] == [8, 9, 10]
    assert steps[0].learning_rate == config.learning_rate_at(8)
