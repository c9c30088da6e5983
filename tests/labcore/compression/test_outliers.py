"""Rounded inputs against torch and bitsandbytes; planted channels, their cures, and what was recorded."""

import copy

import bitsandbytes as bnb
import pytest
import torch

from app import results
from labcore.compression import judged, outliers
from labcore.compression.calibration import calibrate
from labcore.compression.outliers import OutliersConfig
from labcore.compression.quantise_study import OUTLIER_CASES, OutlierStudy
from labcore.compression.rounded_inputs import round_inputs, rounded_inputs, smooth
from labcore.compression.rounding import GridConfig
from labcore.compression.scaling import plant_outliers
from labcore.errors import LabInputError


def inputs(rows=16, width=64, seed=0):
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_static_and_token_scales_are_torchs_own_rounding(bits):
    x, highest = inputs(), 2 ** (bits - 1) - 1
    static = torch.fake_quantize_per_tensor_affine(x, 2.0 / highest, 0, -highest, highest)
    torch.testing.assert_close(round_inputs(x, bits, "static", largest=2.0), static)
    scales = x.abs().amax(dim=1) / highest
    zeros = torch.zeros(len(x), dtype=torch.int32)
    token = torch.fake_quantize_per_channel_affine(x, scales, zeros, 0, -highest, highest)
    torch.testing.assert_close(round_inputs(x, bits, "token"), token)


def test_llm_int8_is_bitsandbytes_layer():
    """Threshold 6, two large channels: the same product, up to its half-precision output."""
    x, weight = inputs(), inputs(48, 64, 1) * 0.1
    x[:, [5, 20]] *= 20
    linear = bnb.nn.Linear8bitLt(64, 48, bias=False, has_fp16_weights=False, threshold=6.0)
    linear.weight = bnb.nn.Int8Params(weight.clone(), requires_grad=False, has_fp16_weights=False)
    theirs = linear.to("cpu")(x)
    scale = weight.abs().amax(dim=1, keepdim=True) / 127
    ours = round_inputs(x, 8, "int8") @ ((weight / scale).round() * scale).T
    plain = round_inputs(x, 8, "token") @ ((weight / scale).round() * scale).T
    exact = x @ weight.T
    assert (ours - theirs).abs().max() < 0.03 * exact.abs().max()
    assert (ours - exact).square().sum() < 0.2 * (plain - exact).square().sum()


def test_large_channels_stay_whole_and_do_not_stretch_the_scale():
    x = inputs()
    x[:, 7] = 50.0
    got = round_inputs(x, 8, "int8")
    assert (got[:, 7] == 50).all()
    assert (got - x).abs().max() <= x[:, :7].abs().max() * 2 / 127


def test_smoothing_keeps_the_function_and_tells_what_the_maps_are_fed():
    model = plant_outliers(judged.fresh_model(), [3, 40], 30.0)
    rows = judged.calibration_rows(0, 4)
    seen = calibrate(model, rows)
    smoothed = copy.deepcopy(model)
    told = smooth(smoothed, seen, 0.5)
    torch.testing.assert_close(
        smoothed(rows[0]).logits, model(rows[0]).logits, atol=1e-3, rtol=1e-3
    )
    found = calibrate(smoothed, rows)
    for name in ("stack.layers.0.attn.k", "stack.layers.3.mlp.up", "stack.layers.2.mlp.down"):
        torch.testing.assert_close(told[name].largest, found[name].largest, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(told[name].moments, found[name].moments, rtol=1e-2, atol=1e-3)


def test_hooks_go_and_spared_maps_are_left_alone():
    model, rows = judged.fresh_model(), judged.calibration_rows(0, 1)
    seen, before = calibrate(model, rows), model(rows[0]).logits
    with rounded_inputs(model, 4, "static", seen):
        changed = model(rows[0]).logits
    with rounded_inputs(model, 4, "static", seen, spared="down"):
        spared = model(rows[0]).logits
    assert not torch.equal(changed, before)
    assert (spared - before).square().sum() < (changed - before).square().sum()
    assert torch.equal(model(rows[0]).logits, before)


def test_which_columns_are_kept():
    model = plant_outliers(judged.fresh_model(), [9, 90], 30.0)
    seen = calibrate(model, judged.calibration_rows(0, 2))
    name = "stack.layers.1.attn.v"
    weight = judged.matrices(model)[name].weight
    rng = torch.Generator().manual_seed(0)
    kept = outliers.worthiest(weight, seen[name], "activation", rng)
    assert len(kept) == 3  # 2 % of 128, rounded up
    assert {9, 90} <= set(kept.tolist())
    assert not {9, 90} & set(outliers.worthiest(weight, seen[name], "weight", rng).tolist())
    rounded = outliers.all_but(weight, kept, GridConfig(2))
    assert torch.equal(rounded[:, kept], weight[:, kept])
    assert not torch.equal(rounded, weight)


@pytest.mark.parametrize(
    "bad",
    [{"kind": "x"}, {"factor": 0.5}, {"channels": 0}, {"input_bits": 3}, {"alpha": 2.0}, {"weight_bits": 9}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError) as refused:
        OutliersConfig(**bad)
    assert refused.value.field == next(iter(bad))


# What was recorded, over three seeds.


@pytest.fixture(scope="module")
def study() -> OutlierStudy:
    path = results.RECORDINGS / "quantisation-planted.safetensors"
    return results.load(path, OutlierStudy).result


def rises(study, setting, case, clean=False):
    one = study.cases[setting]
    losses = one.clean_losses if clean else one.losses
    return losses[:, one.names.index(case)] - study.full_loss


def test_every_setting_was_recorded_with_three_seeds(study):
    assert list(study.cases) == list(OUTLIER_CASES)
    assert all(len(case.losses) == 3 for case in study.cases.values())


def test_planted_channels_ruin_static_scales_and_the_control_is_unharmed(study):
    assert (rises(study, "inputs-6", "static") > 0.5).all()
    assert (rises(study, "inputs-6", "static", clean=True) < 0.01).all()


@pytest.mark.parametrize("cure", ["smooth", "int8"])
def test_both_cures_bring_it_back(study, cure):
    assert (rises(study, "inputs-6", cure) < 0.01).all()


def test_columns_by_their_inputs_are_the_ones_to_keep(study):
    """In every seed most of what plain rounding loses to the planted channels comes back."""
    by_inputs = rises(study, "weights-3", "keep-activation")
    for other in ("keep-weight", "keep-random", "nearest"):
        assert (by_inputs < rises(study, "weights-3", other)).all()


def test_a_run_of_today_agrees_with_the_recorded_one():
    path = results.RECORDINGS / "quantisation-outliers.safetensors"
    kept = results.load(path, outliers.OutliersResult).result
    config = OutliersConfig()
    assert kept.planted_loss == pytest.approx(kept.full_loss, abs=1e-5)
    model = plant_outliers(judged.fresh_model(), kept.planted, config.factor)
    seen = calibrate(model, judged.calibration_rows(config.seed, outliers.STORIES))
    loss = outliers.case_loss("static", model, seen, config)
    assert loss == pytest.approx(kept.losses[0], rel=1e-3)
