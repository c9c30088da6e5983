"""The screen of "Numbers and traps": five parts, both languages, odd input, and what was recorded."""

import numpy as np
import pytest

from app import results
from app.charts import memory as memory_charts
from app.charts import number_formats as charts
from app.i18n import LANGUAGES, Words
from app.labs.pretraining import traps_numbers, traps_training
from labcore.pretraining import (
    accumulation_runs,
    emergence,
    memorisation,
    number_formats,
    precision_runs,
)
from tests.app.conftest import checked, press, said

EN = Words("en", "traps")
PARTS = ("numbers", "training", "accumulation", "memory", "emergence")


def recorded(name: str, kind: type):
    return results.load(results.RECORDINGS / f"traps-{name}.safetensors", kind).result


@pytest.mark.parametrize("part", PARTS)
def test_every_part_opens(open_lab, part):
    """The languages take turns: each part's words exist in both, which another test holds."""
    language = LANGUAGES[PARTS.index(part) % 2]
    app = checked(open_lab("traps", language, part=part))
    assert len(app.get("echarts_chart")) >= 2


def test_a_broken_link_gives_a_picture(open_lab):
    odd = {"part": "x", "number": "<b>1</b>", "format": "int8", "addend": "9", "loss_scale": "99"}
    app = open_lab("traps", **odd)
    assert not app.exception
    assert "type a number" in said(app)


@pytest.mark.parametrize("number", ["1e39", "-0", "nan", "1/3"])
def test_odd_numbers_are_taken_apart(number):
    result = number_formats.run(number_formats.NumberConfig(number))
    figure = charts.bits(result, False, EN)
    assert [row["format"] for row in figure.spec["rows"]] == list(number_formats.FORMATS)
    assert len(figure.data()) == 5
    for parts in result.parts:
        assert "=" in traps_numbers.formula(parts) or parts.kind in ("infinite", "nan")
    charts.grids(result.wanted, EN)


def test_a_flipped_bit_becomes_the_number_it_stands_for():
    """0.1 in bf16 with its sign flipped; a pattern that no format has is refused."""
    bits = "1" + number_formats.take_apart(0.1, number_formats.FORMATS["bf16"]).bits[1:]
    assert traps_numbers.flipped_number({"format": "bf16", "bits": bits}) == "-0.10009765625"
    assert traps_numbers.flipped_number({"format": "bf16", "bits": bits + "0"}) == "0.1"
    assert traps_numbers.flipped_number({}) == "0.1"


def test_a_pin_of_three_digits_is_told_in_a_sentence(open_lab):
    app = open_lab("traps", part="memory", pin="123")
    assert not app.exception
    assert "exactly 4 digits" in said(app)


@pytest.mark.parametrize(
    "knobs",
    [
        {"part": "training", "steps": "10"},
        {"part": "accumulation", "batch_steps": "10"},
        {"part": "emergence", "answer_steps": "10", "digits": "4", "width": "8"},
    ],
)
def test_a_run_of_ones_own_is_pictured(open_lab, knobs):
    app = checked(press(open_lab("traps", **knobs), "traps.run"))
    assert "Finished in" in said(app)


def test_each_comparison_has_its_recorded_arms():
    study = recorded("precision", precision_runs.Study)
    for name, arms in traps_training.COMPARED.items():
        assert set(arms) <= set(study.arms), name
        assert set(traps_training.TO_RUN[name]) - {"own"} <= set(precision_runs.RECIPES)


# What the recordings show, and the page's words rely on.


def end(study: precision_runs.Study, name: str, shrink: int = 0) -> np.ndarray:
    """Held-out nats of the seeds."""
    return study.held_out_nats[study.arms.index((name, shrink)), :, -1]


def test_bf16_alone_lags_and_both_cures_bring_fp32_back():
    """Seed by seed: 0.3 nats or more behind; with a cure within 0.02."""
    study = recorded("precision", precision_runs.Study)
    fp32 = end(study, "fp32")
    assert (end(study, "bf16") > fp32 + 0.3).all()
    for name in ("master", "stochastic", "fp16_weights", "fp16_master"):
        np.testing.assert_allclose(end(study, name), fp32, atol=0.02)
    gains = study.gains[study.arms.index(("bf16", 0))]
    assert (gains[:, 1] == 1).all()
    assert (study.gains[study.arms.index(("fp32", 0)), :, 1] > 1.5).all()


def test_fp16_breaks_at_once_and_in_a_large_batch_without_a_scale():
    study = recorded("precision", precision_runs.Study)
    assert np.isnan(end(study, "fp16")).all()
    large = precision_runs.SMALL
    assert (end(study, "fp16_master", large) > 6).all()
    np.testing.assert_allclose(end(study, "fp16_dynamic", large), end(study, "fp32"), atol=0.01)


def test_a_mean_of_means_teaches_what_its_weights_say():
    """P(end), mean of five looks, within 0.08 of the formula; the held-out loss hardly tells."""
    study = recorded("accumulation", accumulation_runs.Study)
    learnt = study.ends[:, :, -5:].mean(axis=2)  # (A, W, Q)
    np.testing.assert_allclose(learnt.mean(axis=1), study.taught, atol=0.08)
    both = study.arms.index("sorted")
    assert (learnt[both, :, 1] > learnt[both, :, 0] + 0.25).all()
    cost = study.held_out_nats[both, :, -1, 1] - study.held_out_nats[both, :, -1, 0]
    assert (np.abs(cost) < 0.06).all()
    assert (study.held_out_nats > study.floor_nats - 0.01).all()


def test_more_copies_more_exposure_and_what_the_cures_do():
    study = recorded("memory", memorisation.Study)
    bits = memory_charts.MOST_BITS - np.log2(study.rank)

    def mean(arm: str, dose: int) -> float:
        at = study.arms.index(arm)
        return float(bits[at][study.copies[at] == dose].mean())

    doses = [mean("alone", dose) for dose in (0, 1, 4, 16, 64)]
    assert doses == sorted(doses)
    assert doses[0] < 3
    assert doses[-1] > 12
    assert mean("alone_documents", 64) < doses[-1] - 4
    assert mean("inside_documents", 64) > 11
    assert mean("inside_sentences", 64) < doses[-1] - 3
    clean = study.held_out_nats[study.arms.index("nowhere")]
    assert (np.abs(study.held_out_nats[study.arms.index("alone")] - clean) < 0.1).all()


def test_whole_answers_jump_where_digits_climb():
    """Over steps and over sizes: a look with half of the digits right and no answer; pⁿ within 0.06."""
    looks = recorded("emergence", emergence.EmergenceResult).looks
    half = next(look for look in looks if look.scores.right.mean() > 0.5)
    assert half.scores.whole[-1] < 0.03
    assert looks[-1].scores.whole[-1] > 0.95
    for look in looks:
        power = emergence.expected_whole(look.scores.right, 12)
        assert look.scores.whole[-1] == pytest.approx(power, abs=0.06)
    sizes = recorded("sizes", emergence.Sizes)
    nats = np.median(sizes.nats.mean(axis=-1), axis=1)
    assert (np.diff(nats) < 0).all()
