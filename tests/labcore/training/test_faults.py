"""Each fault is one change to a healthy setup, and does what its name says."""

import math
from collections import Counter
from dataclasses import fields

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.training import faults
from labcore.training.faults import FAULTS, Setup, batches, blind, build, inject
from labcore.training.loop import TrainConfig
from labcore.training.objectives import causal_batch
from labcore.training.optimiser import build as build_optimiser

HEALTHY = Setup(
    ModelConfig(vocab_size=50, hidden_size=16, num_layers=3, num_heads=2),
    TrainConfig(steps=30, warmup_steps=5),
)


def batch_at(step: int):
    return causal_batch([[1, step % 50, 3, 4]], pad_id=0)


def test_every_fault_has_its_injection_and_only_the_healthy_run_is_left_alone():
    assert tuple(faults.INJECT) == FAULTS
    for fault in FAULTS:
        assert (inject(HEALTHY, fault) == HEALTHY) == (fault == "healthy")


@pytest.mark.parametrize("fault", FAULTS[1:])
def test_a_fault_touches_as_little_as_it_can(fault):
    """One field of the setup; `exploding` takes two, as a norm would hide what the writers do."""
    ill = inject(HEALTHY, fault)
    changed = [f.name for f in fields(Setup) if getattr(ill, f.name) != getattr(HEALTHY, f.name)]
    assert len(changed) == (2 if fault == "exploding" else 1)


def test_the_rate_is_thirty_times_as_high_and_the_warm_up_is_gone():
    rate = inject(HEALTHY, "rate_too_high").training.learning_rate_at(5)
    assert rate == pytest.approx(30 * HEALTHY.training.learning_rate_at(5))
    cold = inject(HEALTHY, "no_warmup").training
    assert cold.learning_rate_at(1) > 0.9 * cold.learning_rate


def test_weights_are_drawn_five_times_too_large():
    well, ill = (build(setup, 0) for setup in (HEALTHY, inject(HEALTHY, "bad_init")))
    for name, weight in well.named_parameters():
        factor = 5.0 if weight.dim() == 2 else 1.0
        torch.testing.assert_close(ill.get_parameter(name), weight * factor)


def test_without_its_mask_the_model_sees_what_comes():
    """A later token changes an earlier answer, which a causal model rules out."""
    for fault, sees in (("healthy", False), ("leak", True)):
        model = build(inject(HEALTHY, fault), 0)
        one, other = torch.tensor([[1, 2, 3]]), torch.tensor([[1, 2, 9]])
        first = model(one).logits[:, :2], model(other).logits[:, :2]
        assert torch.equal(*first) != sees


def test_a_frozen_block_is_not_given_to_the_optimiser():
    model = build(inject(HEALTHY, "frozen_layer"), 0)
    moving = {
        weight for group in build_optimiser("adamw", model, 0.1).param_groups
        for weight in group["params"]
    }  # fmt: skip
    for number, block in enumerate(model.stack.layers):
        assert all((weight in moving) == (number != 1) for weight in block.parameters())


def test_without_norms_the_stream_grows_like_a_power():
    """From block to block by a factor, where the healthy stream grows like a root."""
    tokens, growth = torch.arange(40).reshape(2, 20), {}
    for fault in ("healthy", "exploding"):
        with torch.no_grad():
            trace = build(inject(HEALTHY, fault), 0)(tokens, trace=True).trace
        sizes = [float(trace[f"layers.{i}.resid_post"].pow(2).mean().sqrt()) for i in range(3)]
        growth[fault] = sizes[2] / sizes[0]
    assert growth["healthy"] < 2
    assert growth["exploding"] > 50


def test_duplicates_are_the_same_four_batches_over_and_over():
    drawn = list(batches(inject(HEALTHY, "duplicates"), batch_at, 1, 0))
    assert len(drawn) == 30
    assert len({tuple(batch.tokens.flatten().tolist()) for batch in drawn}) == 4
    assert len({tuple(b.tokens.flatten().tolist()) for b in batches(HEALTHY, batch_at, 1, 0)}) == 30


def test_one_batch_is_poisoned_and_a_continued_run_meets_it_at_the_same_step():
    ill, first = inject(HEALTHY, "poisoned_batch"), 11
    assert ill.poisoned_steps == (20,)
    whole, rest = list(batches(ill, batch_at, 1, 7)), list(batches(ill, batch_at, first, 7))
    noisy = [
        step for step, batch in enumerate(whole, start=1)
        if not torch.equal(batch.tokens, batch_at(step).tokens)
    ]  # fmt: skip
    assert noisy == [20]
    for step, batch in enumerate(rest, start=first):
        assert torch.equal(batch.tokens, whole[step - 1].tokens)


def test_noise_keeps_where_something_is_asked():
    batch = causal_batch([[1, 2, 3], [1, 2]], pad_id=0)
    noisy = faults.noise(batch, 50, seed=0)
    assert torch.equal(noisy.targets < 0, batch.targets < 0)
    assert noisy.num_targets == batch.num_targets


def test_mysteries_are_drawn_evenly_and_stay_what_they_are():
    """900 draws of nine: each about 100 times, five standard deviations are 47."""
    counts = Counter(map(blind, range(900)))
    assert set(counts) == set(FAULTS)
    assert np.allclose(list(counts.values()), 100, atol=5 * math.sqrt(100 * 8 / 9))
    assert blind(17) == blind(17)


def test_an_unknown_fault_is_named():
    with pytest.raises(LabInputError, match="fault = 'gremlins'"):
        inject(HEALTHY, "gremlins")
