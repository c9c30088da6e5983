"""Single weights of a whole model: torch's global pruning, what outliers may change, what was recorded."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from app import results
from labcore.compression import unstructured as lab
from labcore.compression.judged import matrices
from labcore.compression.prune_model import (
    base,
    calibration_batches,
    held_out,
    inputs_of_matrices,
    keep_over_model,
    kept_masks,
    prune_model,
)
from labcore.compression.unstructured import Study, UnstructuredConfig
from labcore.errors import LabInputError


@pytest.fixture(scope="module")
def study() -> Study:
    return results.load(results.RECORDINGS / "pruning-unstructured.safetensors", Study).result


def masks(method: str, planted: bool) -> dict[str, torch.Tensor]:
    model = copy.deepcopy(base(planted))
    inputs = inputs_of_matrices(planted, 4, 0)
    rng = torch.Generator().manual_seed(0)
    return kept_masks(prune_model(model, method, 0.5, "row", inputs, rng))


@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.9])
def test_over_the_whole_model_it_is_torchs_global_pruning(ratio):
    rng = torch.Generator().manual_seed(0)
    layers = {"a": nn.Linear(8, 16, bias=False), "b": nn.Linear(16, 4, bias=False)}
    for layer in layers.values():
        layer.weight.data = torch.randn(layer.weight.shape, generator=rng)
    kept = keep_over_model({name: one.weight.detach().abs() for name, one in layers.items()}, ratio)
    prune.global_unstructured(
        [(layer, "weight") for layer in layers.values()], prune.L1Unstructured,
        amount=int(ratio * 192 + 1e-9),
    )  # fmt: skip
    for name, layer in layers.items():
        assert torch.equal(kept[name], layer.weight_mask.bool())


def test_padding_is_not_counted_as_an_input():
    inputs = inputs_of_matrices(False, 4, 0)
    tokens = sum(int(batch.padding_mask.sum()) for batch in calibration_batches(4, 0))
    assert {one.tokens for one in inputs.values()} == {tokens}
    assert len(inputs) == 24


def test_planted_outliers_do_not_change_what_the_model_says():
    tokens = held_out().batches[0].tokens[:2]
    with torch.no_grad():
        assert torch.allclose(base(True)(tokens).logits, base()(tokens).logits, atol=1e-3)


def test_wanda_does_not_see_how_the_function_is_written_and_magnitude_does():
    """|w|/f · f‖x‖: the same order. Rounding may turn a handful of ties among 786,432."""
    clean, planted = masks("wanda", False), masks("wanda", True)
    turned = sum(int((clean[name] != planted[name]).sum()) for name in clean)
    assert turned < 100
    name = "stack.layers.0.attn.q"
    by_size = masks("magnitude", True)[name]
    columns = (~by_size).float().mean(dim=0)  # (I,)
    assert (columns[list((7, 61))] > 0.9).all()
    assert (~planted[name]).float().mean(dim=0)[[7, 61]].max() < 0.9


def test_the_default_run_prunes_exactly_half_and_repeats_itself():
    one, other = lab.run(UnstructuredConfig(stories=4)), lab.run(UnstructuredConfig(stories=4))
    assert one.zero_share == pytest.approx(np.full(24, 0.5))
    assert one.loss_nats == other.loss_nats
    assert one.floor_nats < one.dense_nats < one.loss_nats
    assert one.kept["stack.layers.0.mlp.up"].shape == (512, 128)


def test_nothing_pruned_is_the_model_itself():
    result = lab.run(UnstructuredConfig("wanda", 0.0, "model", stories=4))
    assert result.loss_nats == result.dense_nats
    assert (result.output_error == 0).all()


def test_pruning_leaves_the_shared_model_alone():
    before = {name: linear.weight.clone() for name, linear in matrices(base()).items()}
    lab.run(UnstructuredConfig("random", 0.9, stories=4))
    assert all(torch.equal(before[name], one.weight) for name, one in matrices(base()).items())


@pytest.mark.parametrize(
    "bad",
    [
        {"method": "luck"}, {"ratio": 0.99}, {"ratio": -0.1}, {"compared": "street"}, {"stories": 0},
        {"method": "sparsegpt", "compared": "model"},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError):
        UnstructuredConfig(**bad)


def test_sparsegpt_has_no_order_over_the_model():
    with pytest.raises(LabInputError):
        prune_model(nn.Module(), "sparsegpt", 0.5, "model", {}, torch.Generator())


# What was recorded.


def at(study: Study, case: str, ratio: float, which: str = "clean") -> np.ndarray:
    return study.losses[which][case][:, np.flatnonzero(np.isclose(study.ratios, ratio))[0]]


def test_the_recorded_default_is_what_a_run_gives_today(study):
    today = lab.run(UnstructuredConfig()).loss_nats
    assert today == pytest.approx(at(study, "magnitude", 0.5)[0], rel=1e-3)


@pytest.mark.parametrize("ratio", [0.5, 0.6, 0.7])
def test_sparsegpt_is_best_and_chance_is_worst_with_every_seed(study, ratio):
    others = ("magnitude", "magnitude-model", "wanda")
    for case in others:
        assert at(study, "sparsegpt", ratio).max() < at(study, case, ratio).min()
        assert at(study, "random", ratio).min() > 2 * at(study, case, ratio).max()


def test_wanda_gains_nothing_here_until_outliers_are_planted(study):
    """At a half: within 0.003 nats of magnitude as trained, better by 0.01 with outliers."""
    assert abs(at(study, "wanda", 0.5) - at(study, "magnitude", 0.5)).max() < 0.003
    gain = at(study, "magnitude", 0.5, "planted") - at(study, "wanda", 0.5, "planted")
    assert gain.min() > 0.01


def test_two_four_costs_more_than_a_free_half(study):
    for method in ("magnitude", "wanda", "sparsegpt"):
        assert study.two_four["clean"][method].min() > at(study, method, 0.5).max()
