"""Training at several depths: the levels by other means, the sweep against the loop, the grid against it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from labcore.architecture import depth_training as lab
from labcore.architecture.build_train_corpus import held_out_of, world
from labcore.architecture.deep_stacks import Design, build
from labcore.architecture.depth_training import GridConfig, SweepConfig, SweepResult
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.training.loop import train

QUICK = SweepConfig(depths=(1, 2), steps=6)


def test_the_floor_is_the_worlds_own_surprise_at_the_same_tokens():
    """Rebuilt from next-token distributions, which take another way through the grammar; three stories."""
    batch = held_out_of("decoder", lab.LANGUAGES)[0]
    nats = []
    for tokens, targets in zip(batch.tokens[:3].tolist(), batch.targets[:3].tolist(), strict=True):
        shares = world().next_token_distributions(tokens[: lab.TOKENS])
        nats += [-np.log(row[target]) for row, target in zip(shares, targets, strict=False)]
        told = world().sequence_nats([tokens[0], *targets[: lab.TOKENS]])
        np.testing.assert_allclose(nats[-lab.TOKENS :], told, rtol=1e-6)
    assert 0 < lab.floor_nats() < lab.constant_nats()


def test_the_constant_level_is_the_entropy_of_the_counts():
    """Any other fixed guess pays more: Gibbs' inequality, tried with the counts shifted by one."""
    targets = lab.held_out().targets
    asked = targets[targets >= 0]
    counts = torch.bincount(asked, minlength=1920).double()
    entropy = torch.distributions.Categorical(probs=counts / counts.sum()).entropy()
    assert lab.constant_nats() == pytest.approx(float(entropy))
    guess = (counts + 1) / (counts + 1).sum()
    assert lab.constant_nats() < float(-guess[asked].log().mean())
    assert lab.constant_nats() < np.log(1920)


def test_a_sweep_is_the_training_loop_at_each_depth():
    events = []
    result = drain(lab.sweep(QUICK), events.append)
    for number, depth in enumerate(QUICK.depths):
        model = build(QUICK.design, depth, world().tokenizer.vocab_size, 0)
        alone = drain(train(model, lab.stories(0), QUICK.training()))
        np.testing.assert_array_equal(result.loss_nats[number], alone.loss_nats)
        np.testing.assert_array_equal(result.grad_norm[number], alone.grad_norm)
    shares = [event.share for event in events]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    finals = [(event.depth, event.step) for event in events if event.final_nats is not None]
    assert finals == [(1, 6), (2, 6)]


def test_a_sweep_repeats_itself_and_another_seed_differs():
    one, same, other = (lab.run(replace(QUICK, seed=seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.final_nats, same.final_nats)
    assert not np.array_equal(one.final_nats, other.final_nats)


def test_warm_up_climbs_for_its_steps_and_is_absent_without():
    """Thirty steps to the peak: a third of it at step 10; then constant."""
    warm, cold = (SweepConfig(warm_up=warm).training() for warm in (True, False))
    assert [warm.learning_rate_at(step) for step in (10, 30, 99)] == pytest.approx(
        [0.01 / 3, 0.01, 0.01]
    )
    assert [cold.learning_rate_at(step) for step in (1, 99)] == [0.01, 0.01]


@pytest.mark.parametrize(
    ("finals", "verdict"),
    [
        ([3.0, 2.5], "better"),
        ([3.0, 3.05], "like"),
        ([3.0, 4.0], "worse"),
        ([3.0, 5.45], "stuck"),
        ([3.0, float("nan")], "stuck"),
        ([5.6, 5.5], "stuck"),
    ],
)
def test_the_verdict_compares_both_ends_and_knows_a_constant_guess(finals, verdict):
    result = SweepResult(0.01, [2, 16], *([np.zeros((2, 1))] * 2), np.array(finals), 0.6, 5.43, 1.0)
    assert result.verdict == verdict


def test_a_cell_of_the_grid_is_the_run_that_the_page_would_start():
    config = GridConfig(("pre", "no_residual"), (0.01,), (1, 2), (0, 1), steps=5)
    grid = lab.grid(config)
    assert grid.final_nats.shape == (2, 1, 2, 2)
    alone = lab.run(SweepConfig(Design(residual=False), True, 0.01, (1, 2), 5, seed=1))
    np.testing.assert_allclose(grid.final_nats[1, 0, :, 1], alone.final_nats, rtol=1e-6)


def test_eight_layers_learn_with_residuals_and_learn_nothing_but_counts_without():
    """Forty steps: a stack with residuals is far below the constant guess, one without has not left it."""
    with_, without = (
        lab.run(SweepConfig(design, depths=(8,), steps=40)).final_nats[0]
        for design in (Design(), Design(residual=False))
    )
    assert with_ < lab.constant_nats() - 1
    assert without > lab.constant_nats() - 0.1


def test_a_stack_that_breaks_off_is_reported_and_the_sweep_goes_on():
    """No norm, huge weights: the first loss is infinite or not a number."""
    design = Design(placement="none", gain=4.0, scaled_writers=False)
    result = lab.run(SweepConfig(design, depths=(24, 1), steps=2))
    assert np.isnan(result.loss_nats[0, 1])
    assert np.isfinite(result.loss_nats[1]).all()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"depths": ()}, "not_empty"),
        ({"depths": (2, 25)}, "between"),
        ({"steps": 0}, "between"),
        ({"steps": 501}, "between"),
        ({"learning_rate": 0.0}, "positive"),
        ({"learning_rate": float("inf")}, "positive"),
    ],
)
def test_a_sweep_that_cannot_run_is_refused(change, rule):
    with pytest.raises(LabInputError, match=rule):
        SweepConfig(**change)
