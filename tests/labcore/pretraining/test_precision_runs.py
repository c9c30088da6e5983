"""Runs with few bits: the fp32 one against the lab's own loop, the others against what bits allow."""

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.pretraining import precision_runs as lab
from labcore.pretraining.low_precision import BETAS, CLIP_NORM, DYNAMIC_START, Recipe
from labcore.pretraining.precision_runs import RECIPES, PrecisionConfig, StudyConfig
from labcore.pretraining.small_world import endless_batches
from labcore.training.loop import TrainConfig, train


def quick(name: str, steps: int = 5, **more) -> lab.PrecisionResult:
    return lab.run(PrecisionConfig(RECIPES[name], steps=steps, **more))


def test_in_fp32_it_is_the_labs_training_loop():
    """Another optimiser (PyTorch's, fused) and another loop, the same text and weights: the same losses."""
    steps = lab.WARMUP_STEPS
    ours = quick("fp32", steps)
    rng = torch.Generator().manual_seed(0)
    design = ModelConfig(
        vocab_size=lab.text().vocab_size, hidden_size=lab.WIDTH, num_layers=lab.LAYERS
    )
    model = Transformer(design, rng)
    config = TrainConfig(
        steps=steps, batch_size=lab.BATCH_ROWS, learning_rate=0.003, schedule="constant",
        warmup_steps=steps, weight_decay=0.0, betas=BETAS, clip_norm=CLIP_NORM, eval_every=0,
    )  # fmt: skip
    theirs = drain(train(model, endless_batches(lab.text().rows, lab.BATCH_ROWS, rng), config))
    np.testing.assert_allclose(ours.loss_nats, theirs.loss_nats, rtol=1e-4)
    assert (ours.lost < 0.001).all()


def test_a_large_batch_changes_nothing_where_range_suffices():
    """Powers of two move the exponent alone: not a bit of the run differs, in fp32 and in bf16."""
    for name in ("fp32", "bf16"):
        plain, shrunk = quick(name), quick(name, shrink=lab.SMALL)
        np.testing.assert_array_equal(plain.loss_nats, shrunk.loss_nats)
        np.testing.assert_array_equal(plain.lost, shrunk.lost)


def test_fp16_needs_a_scale_in_a_large_batch_and_finds_it():
    """Without one many gradients are 0 from the first step; starting at 2^20 hardly any are."""
    without, adaptive = (
        quick(name, 4, shrink=lab.SMALL) for name in ("fp16_master", "fp16_dynamic")
    )
    assert without.zeros.min() > 0.3
    assert adaptive.zeros.max() < 0.01
    assert adaptive.scale[0] == DYNAMIC_START
    assert not adaptive.diverged


def test_in_a_small_batch_the_scale_is_too_high_at_first_and_steps_are_skipped():
    result = quick("fp16_dynamic", 4)
    assert result.skipped > 0
    assert np.isnan(result.lost[0])
    np.testing.assert_array_equal(result.scale, DYNAMIC_START - np.arange(4))


def test_fp16_throughout_breaks_off_at_once():
    """Squares of gradients below 10⁻³ are 0 in fp16: Adam's first steps throw the weights far away."""
    result = quick("fp16", 10)
    assert result.diverged
    assert len(result.loss_nats) < 5
    assert max(map(abs, result.gains)) > 10


def test_only_short_weights_lose_updates():
    lost = {name: quick(name).lost.mean() for name in ("master", "bf16", "stochastic")}
    assert lost["master"] < 0.001
    assert min(lost["bf16"], lost["stochastic"]) > 0.1


def test_a_run_repeats_itself():
    one, same = quick("stochastic"), quick("stochastic")
    np.testing.assert_array_equal(one.loss_nats, same.loss_nats)
    assert quick("stochastic", seed=1).loss_nats[0] != one.loss_nats[0]


def test_a_study_is_the_runs_that_the_page_would_start():
    study = lab.study(StudyConfig(arms=(("bf16", 0), ("fp16", 0)), seeds=(0, 1), steps=5))
    assert study.held_out_nats.shape == (2, 2, 1)
    assert np.isnan(study.held_out_nats[1]).all()
    alone = quick("bf16", seed=1)
    assert study.held_out_nats[0, 1, 0] == pytest.approx(alone.held_out_nats[-1], rel=1e-6)
    np.testing.assert_allclose(study.lost[0, 1], alone.lost, rtol=1e-6)
    assert study.bytes_per_parameter == [8, 8]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"rate": 0.0}, "between"),
        ({"rate": float("nan")}, "between"),
        ({"steps": 0}, "between"),
        ({"shrink": 25}, "between"),
        ({"recipe": None}, None),
    ],
)
def test_a_run_that_cannot_be_made_is_refused(change, rule):
    if rule is None:
        with pytest.raises(LabInputError, match="between"):
            Recipe(scale=-25)
        return
    with pytest.raises(LabInputError, match=rule):
        PrecisionConfig(**change)
