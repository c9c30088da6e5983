"""Whole models in few bits: bytes worked by hand, methods in their order, and what was recorded."""

import numpy as np
import pytest
import torch

from app import results
from labcore.compression import judged
from labcore.compression import quantise_model as lab
from labcore.compression.quantise_model import QuantiseConfig
from labcore.compression.quantise_smollm import SmolResult
from labcore.compression.quantise_study import CALIBRATED, WAYS, MethodStudy
from labcore.compression.rounding import GridConfig
from labcore.errors import LabInputError

ROW_3 = GridConfig(3, symmetric=False)


def recorded(name: str, kind: type):
    return results.load(results.RECORDINGS / f"quantisation-{name}.safetensors", kind).result


@pytest.fixture(scope="module")
def by_method():
    return {method: lab.run(QuantiseConfig(method, ROW_3)) for method in lab.METHODS[:3]}


def test_bytes_worked_by_hand(by_method):
    """786,432 weights at 3 bits; 4,608 rows with a scale of 16 bits and a zero point of 3."""
    nearest = by_method["nearest"]
    assert nearest.stored_bytes == (786_432 * 3 + 4608 * 19) / 8
    assert nearest.full_bytes == 4 * 786_432
    assert (
        nearest.rest_bytes + nearest.full_bytes == 4 * judged.load("world-decoder").card.parameters
    )
    # AWQ's scales go into the norms; those of out (128 inputs) and down (512) have to be kept.
    assert by_method["awq"].stored_bytes - nearest.stored_bytes == 4 * (128 + 512) * 2


def test_gptq_is_nearer_in_every_matrix_and_awq_not_further(by_method):
    nearest, gptq = by_method["nearest"], by_method["gptq"]
    assert (gptq.errors < 0.9 * nearest.errors).all()
    assert gptq.loss < nearest.loss
    # Exponent 0 is among AWQ's candidates: what the matrices of one norm lose together cannot rise.
    assert by_method["awq"].errors.sum() < 1.01 * nearest.errors.sum()


def test_nothing_falls_below_the_floor_and_the_shared_model_stays_whole(by_method):
    before = judged.loss_nats(judged.load("world-decoder").model)
    for result in by_method.values():
        assert result.floor < result.full_loss == pytest.approx(before)
        assert result.loss > result.floor


def test_eight_bits_cost_next_to_nothing_and_the_same_config_gives_the_same():
    one, other = (lab.run(QuantiseConfig(grid=GridConfig(8, granularity="row"))) for _ in range(2))
    assert abs(one.loss - one.full_loss) < 5e-4
    assert one.loss == other.loss
    assert (one.errors == other.errors).all()


def test_an_unknown_method_is_refused():
    with pytest.raises(LabInputError, match="known_choice"):
        QuantiseConfig("hope")


def test_a_calibration_story_is_read_alone_and_seeds_differ():
    one, other = (judged.calibration_rows(seed, 4) for seed in (0, 1))
    assert all(row.shape[0] == 1 for row in one)
    assert not any(torch.equal(a, b) for a, b in zip(one, other, strict=True))


# What was recorded.


def test_the_recorded_default_is_what_the_lab_computes_today():
    kept, today = recorded("model", lab.QuantiseResult), lab.run(QuantiseConfig())
    assert kept.loss == pytest.approx(today.loss, rel=1e-3)
    np.testing.assert_allclose(kept.errors, today.errors, rtol=1e-2)


def test_the_table_holds_every_case_over_three_seeds_and_shows_the_cliff():
    study = recorded("methods", MethodStudy)
    assert list(study.cases) == list(WAYS)
    for way, (_, widths) in WAYS.items():
        assert list(study.cases[way]) == [str(bits) for bits in widths]
        for case in study.cases[way].values():
            assert len(case.losses) == (3 if way in CALIBRATED else 1)
    row = {bits: case.losses[0] - study.full_loss for bits, case in study.cases["row"].items()}
    assert row["8"] < 0.001 < row["3"] < 0.02 < row["2"]
    gptq = study.cases["gptq-row"]["2"].losses
    assert gptq.max() < study.cases["row"]["2"].losses[0]


def test_smollm2_has_outlier_channels_before_down_and_static_scales_fail_on_them():
    kept = recorded("smollm2", SmolResult)
    assert kept.ratios.max() > 100
    assert kept.ratios.argmax() // kept.ratios.shape[1] == 3  # the place before `down`
    losses = {name: values.mean() for name, values in kept.losses.items()}
    assert losses["static"] > losses["static-spared"] + 0.2
    assert losses["static"] > max(losses["token"], losses["int8"]) + 0.2
    assert (
        losses["nearest-2"] > losses["nearest-3"] > losses["nearest-4"] > losses["nearest-8"] - 0.01
    )
    assert losses["smooth-spared"] < losses["static-spared"]
    assert kept.losses["gptq-3"].max() < losses["nearest-3"]
