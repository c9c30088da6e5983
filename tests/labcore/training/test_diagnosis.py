"""The rules on logs made by hand, one for each fault, and on no log at all.

Every log here starts from the same healthy course, loss = 2 + 6·exp(-step / 40) plus noise of 0.05, on which
nothing may be found; each test bends it in one place, so that what is found is that bend.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labcore.training.curves import Curve, jumps, noise_of, period, rise, running_median, trend
from labcore.training.diagnosis import CALLED, RULES, diagnose, unjudged
from labcore.training.findings import grade_log
from labcore.training.signals import RunLog

STEPS = np.arange(1, 201)
UNIFORM, FLOOR = 8.0, 1.9


def noise(seed: int = 0, size: int = len(STEPS)) -> np.ndarray:
    return 0.05 * np.random.default_rng(seed).standard_normal(size)


def healthy(**bent) -> RunLog:
    loss = 2 + 6 * np.exp(-STEPS / 40)
    held_out = np.where(STEPS % 10 == 0, loss, np.nan)
    log = RunLog(
        step=STEPS,
        loss_nats=loss + noise(),
        validation_nats=held_out,
        grad_norm=1 + noise(1),
        learning_rate=np.minimum(STEPS / 20, 1.0) * 1e-2,
        update_ratio=np.full(len(STEPS), 0.01),
        activation_rms=np.tile([1.0, 1.2, 1.4, 1.6], (len(STEPS), 1)),
        layer_update_ratio=np.full((len(STEPS), 4), 0.01),
        tokens_per_second=np.full(len(STEPS), 1e4),
        floor_nats=FLOOR,
        uniform_nats=UNIFORM,
    )
    return replace(log, **bent)


def first(log: RunLog) -> tuple[str, str]:
    finding = diagnose(log)[0]
    return finding.fault, finding.evidence


def changed(values: np.ndarray, where, to) -> np.ndarray:
    values = values.copy()
    values[where] = to
    return values


def test_nothing_is_found_on_a_healthy_course():
    found = diagnose(healthy())
    assert found[0].fault == "healthy"
    assert found[0].strength == 1.0
    assert len(found) == 1


LOSS = healthy().loss_nats
LOOKS = STEPS % 10 == 0
LATE = STEPS > 60
SAME_BUT = {
    # a twentieth of the way down from ln V would take 0.4; this is 50 times the noise above it
    "bad_init": ({"loss_nats": LOSS + 12 * np.exp(-STEPS / 10)}, "above_guess"),
    "leak": ({"validation_nats": np.where(LOOKS, 8 * np.exp(-STEPS / 40), np.nan)}, "below_floor"),
    "duplicates": (
        {"loss_nats": 8 * np.exp(-STEPS / 40), "validation_nats": np.where(LOOKS, 3 + STEPS / 100, np.nan)},
        "train_below_floor",
    ),
    "overfitting": (
        {"validation_nats": np.where(LOOKS, 3 + STEPS / 100, np.nan), "floor_nats": None}, "scissors",
    ),
    "poisoned_batch": ({"loss_nats": changed(LOSS, 120, 9.0)}, "one_spike"),
    "spikes": ({"loss_nats": changed(LOSS, [60, 90, 140, 170], 6.0)}, "many_spikes"),
    "nan": ({"loss_nats": changed(LOSS, 150, np.inf)}, "out_of_nothing"),
    "exploding": (
        {"grad_norm": changed(np.where(STEPS > 140, np.exp(STEPS - 140.0), 1.0), 150, np.inf)}, "run_up",
    ),
    "frozen_layer": (
        {"layer_update_ratio": np.tile([0.01, 0.0, 0.01, 0.01], (len(STEPS), 1))}, "still_block",
    ),
    "rate_too_high": ({"update_ratio": np.full(len(STEPS), 0.3)}, "large_updates"),
    "no_warmup": (
        {"learning_rate": np.full(len(STEPS), 0.01), "update_ratio": 0.2 / STEPS**0.8}, "first_update",
    ),
    "rate_too_low": (
        {"loss_nats": 8 - STEPS / 1000 + noise(), "update_ratio": np.full(len(STEPS), 1e-4)}, "tiny_updates",
    ),
    "stuck": ({"loss_nats": 8 + noise()}, "at_uniform"),
    "sawtooth": ({"loss_nats": LOSS + (STEPS % 25) / 12}, "repeats"),
    "plateau": ({"loss_nats": 5 + 3 * np.exp(-STEPS / 8) + noise()}, "flat_above_floor"),
    "resumed": (
        {
            "step": np.where(LATE, STEPS - 10, STEPS),
            "loss_nats": LOSS + np.where(LATE, np.exp(-(STEPS - 60) / 15), 0.0),
        },
        "step_back",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", SAME_BUT)
def test_one_bend_is_named_with_its_evidence_and_beyond_doubt(fault):
    bent, evidence = SAME_BUT[fault]
    finding = diagnose(healthy(**bent))[0]
    assert (finding.fault, finding.evidence) == (fault, evidence)
    assert finding.strength > 0.8


@pytest.mark.parametrize("fault", SAME_BUT)
def test_a_log_in_single_precision_is_judged_alike(fault):
    """Recordings are kept so. 1e-300, which guards a logarithm, would be 0 there."""
    log = healthy(**SAME_BUT[fault][0])
    narrow = {
        name: getattr(log, name).astype(np.float32)
        for name in RunLog.__slots__[1:9]
    }  # fmt: skip
    assert diagnose(replace(log, **narrow))[0].fault == fault


def test_facts_quote_the_log():
    """Batch number 121 costs 9; block 2 of 4 is frozen; a first loss of 20 beside ln V = 8."""
    spike = diagnose(healthy(loss_nats=changed(LOSS, 120, 9.0)))[0].facts
    assert (spike["step"], spike["peak"]) == (121, 9.0)
    assert diagnose(healthy(**SAME_BUT["frozen_layer"][0]))[0].facts["block"] == 2
    start = diagnose(healthy(**SAME_BUT["bad_init"][0]))[0].facts
    assert start["start"] == pytest.approx(20, abs=2)
    assert start["uniform"] == UNIFORM


def test_causes_come_before_what_they_bring_along():
    """Four batches over and over repeat themselves, too; a rate too high leaves a plateau."""
    loss = 8 * np.exp(-STEPS / 40) + 0.3 * (STEPS % 4 == 0)
    found = diagnose(healthy(**SAME_BUT["duplicates"][0] | {"loss_nats": loss}))
    strengths = {one.fault: one.strength for one in found}
    assert found[0].fault == "duplicates"
    assert strengths["sawtooth"] < CALLED


def test_what_explodes_from_block_to_block_or_from_the_first_gradient_on():
    """Four blocks, times five each; and a gradient of thousands, which also explains a huge first loss."""
    by_block = healthy(activation_rms=np.tile([1.0, 5.0, 25.0, 125.0], (len(STEPS), 1)))
    assert first(by_block) == ("exploding", "by_block")
    assert diagnose(by_block)[0].facts["factor"] == pytest.approx(5)
    huge = {
        "loss_nats": LOSS + 300 * np.exp(-STEPS / 10),
        "grad_norm": 5000 * np.exp(-STEPS / 10) + 1,
    }
    assert first(healthy(**huge)) == ("exploding", "huge_gradient")


def test_the_last_loss_of_a_run_that_broke_off_is_a_nan():
    """The lab's own runs end there: a gap in a log without gaps."""
    assert first(healthy(loss_nats=changed(LOSS, -1, np.nan))) == ("nan", "out_of_nothing")
    sparse = np.where(STEPS % 2 == 0, LOSS, np.nan)  # logged at every other step: a gap is a gap
    assert first(healthy(loss_nats=changed(sparse, -1, np.nan)))[0] == "healthy"


def test_a_preference_loss_that_stays_at_ln_2_is_recognised():
    log = healthy(loss_nats=np.log(2) + noise() / 100, uniform_nats=None, floor_nats=None)
    assert first(log) == ("stuck", "at_ln_2")


def test_a_rounded_log_without_noise_is_as_stuck_as_any():
    """Differences of 1, 1 and -2 ten-thousandths: their median leaves no noise to hold a slope against."""
    log = healthy(loss_nats=0.6931 + (STEPS % 3) * 1e-4, uniform_nats=None, floor_nats=None)
    assert first(log) == ("stuck", "at_ln_2")
    flat = healthy(loss_nats=np.full(len(STEPS), 0.6931), uniform_nats=None, floor_nats=None)
    assert first(flat) == ("stuck", "at_ln_2")


def test_what_has_an_innocent_explanation_is_no_diagnosis():
    """A fine-tuning that falls by three per cent, the answers of a task, and GRPO, whose loss begins at 0."""
    loose = {"floor_nats": None, "uniform_nats": None, "update_ratio": np.full(len(STEPS), np.nan)}
    answers = np.where(LOOKS, 0.08, np.nan)
    for bent in (
        {
            "loss_nats": 2 - STEPS / 3000 + noise() / 5,
            "validation_nats": np.full(len(STEPS), np.nan),
        },
        {"loss_nats": 0.1 + np.exp(-STEPS / 20) + noise() / 50, "validation_nats": answers},
        {"loss_nats": STEPS / 2000 + noise() / 50, "validation_nats": np.full(len(STEPS), np.nan)},
    ):
        assert first(healthy(**loose, **bent))[0] == "healthy"


def test_a_first_loss_above_any_vocabulary_needs_no_vocabulary():
    """ln 300,000 = 12.6."""
    loss = LOSS + 12 * np.exp(-STEPS / 10)
    assert first(healthy(loss_nats=loss, uniform_nats=None)) == ("bad_init", "above_any_guess")
    assert first(healthy(uniform_nats=None))[0] == "healthy"


def test_without_held_out_text_a_leak_is_only_suspected():
    nothing = np.full(len(STEPS), np.nan)
    loss = 8 * np.exp(-STEPS / 40)
    found = diagnose(healthy(loss_nats=loss, validation_nats=nothing))
    leak = next(one for one in found if one.fault == "leak")
    assert leak.evidence == "train_below_floor"
    assert leak.strength <= 0.6


def test_no_warm_up_is_no_fault_where_it_did_no_harm():
    """Most fine-tuning starts at its full, small rate."""
    log = healthy(learning_rate=np.full(len(STEPS), 1e-5), update_ratio=np.full(len(STEPS), 1e-3))
    assert first(log)[0] == "healthy"


def bare(log: RunLog) -> RunLog:
    """The loss alone, as most people have it."""
    nothing, none = np.full(len(log.step), np.nan), np.zeros((len(log.step), 0))
    return replace(
        log, validation_nats=nothing, grad_norm=nothing, learning_rate=nothing, update_ratio=nothing,
        activation_rms=none, layer_update_ratio=none, tokens_per_second=nothing, floor_nats=None,
        uniform_nats=None,
    )  # fmt: skip


def test_what_cannot_be_judged_is_said():
    assert unjudged(healthy()) == ()
    missing = dict(unjudged(bare(healthy())))
    assert missing["frozen_layer"] == "layer_update_ratio"
    assert missing["leak"] == "floor_nats"
    assert missing["overfitting"] == "validation_nats"
    assert "stuck" not in missing


@pytest.mark.parametrize(
    "fault", ["nan", "poisoned_batch", "spikes", "sawtooth", "stuck", "resumed"]
)
def test_the_loss_alone_tells_these(fault):
    assert diagnose(bare(healthy(**SAME_BUT[fault][0])))[0].fault == fault


@pytest.mark.parametrize("fault", ["frozen_layer", "no_warmup", "rate_too_high"])
def test_the_loss_alone_does_not_tell_those(fault):
    """And nothing is made up in their place."""
    assert diagnose(bare(healthy(**SAME_BUT[fault][0])))[0].fault == "healthy"


def test_an_empty_log_has_no_diagnosis_and_a_short_one_no_complaint():
    empty = healthy()
    empty = replace(empty, **{name: getattr(empty, name)[:0] for name in RunLog.__slots__[:9]})
    assert diagnose(empty) == ()
    for count in (1, 2, 5, 11):
        short = replace(
            healthy(), **{name: getattr(healthy(), name)[:count] for name in RunLog.__slots__[:9]}
        )
        assert diagnose(short)[0].fault == "healthy"


NUMBER = st.floats(-1e6, 1e6) | st.sampled_from([np.nan, np.inf, 0.0])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NUMBER, NUMBER, NUMBER, st.integers(0, 50)), min_size=1, max_size=60))
def test_no_log_breaks_a_rule(rows):
    loss, held_out, rate, step = map(np.array, zip(*rows, strict=True))
    log = healthy()
    log = replace(
        log, step=step, loss_nats=loss, validation_nats=held_out, learning_rate=np.abs(rate),
        grad_norm=np.abs(held_out), update_ratio=np.abs(rate), tokens_per_second=np.abs(loss),
        activation_rms=np.abs(np.outer(rate, [1, 2, 3])), layer_update_ratio=np.abs(np.outer(loss, [1, 2])),
    )  # fmt: skip
    found = diagnose(log)
    strengths = [one.strength for one in found]
    assert strengths == sorted(strengths, reverse=True)
    assert all(0 <= strength <= 1 for strength in strengths)
    faults = [one.fault for one in found]
    assert len(set(faults)) == len(faults)
    assert "healthy" in faults


# What the rules stand on.


def test_noise_is_found_under_a_slope_and_two_outliers():
    """A normal deviation of 0.05 on a line; 2,000 points tell it to some per cent."""
    values = np.linspace(9, 1, 2000) + noise(3, 2000)
    values[[500, 900]] = 40.0
    assert noise_of(values) == pytest.approx(0.05, rel=0.1)


def test_the_running_median_of_a_window_is_numpys():
    values = np.random.default_rng(0).standard_normal(50)
    medians = running_median(values, 7)
    assert medians[20] == np.median(values[17:24])
    assert len(medians) == len(values)


def test_a_curve_that_repeats_every_25_points_says_25():
    """Exactly periodic: likeness 1. Noise alone: near nothing."""
    every, alike = period(Curve(STEPS, (STEPS % 25).astype(float)))
    assert every == 25
    assert (
        alike > 0.85
    )  # not 1: the slope is taken away with a running median, which follows the teeth
    assert period(Curve(STEPS, noise(5)))[1] < 0.35


def test_the_trend_counts_standard_errors():
    """Thirds of 66 points: a difference of means errs by 0.05·√(2/66) = 0.0087; 0.087 is ten of them."""
    values = np.where(STEPS <= 100, 1.087, 1.0) + noise(6)
    assert trend(Curve(STEPS, values)) == pytest.approx(10, abs=3)
    assert abs(trend(Curve(STEPS, 1 + noise(7)))) < 3


def test_rise_is_measured_from_the_lowest_level_before_it():
    values = np.concatenate([np.full(50, 5.0), np.full(50, 2.0), np.full(100, 3.0)])
    height, low = rise(Curve(STEPS, values))
    assert height == 1.0
    assert 50 <= low < 100
    assert jumps(Curve(STEPS, values)) == []


def test_orders_of_magnitude_are_graded_evenly():
    """Half-way between 0.01 and 1 is 0.1."""
    assert grade_log(0.1, 0.01, 1) == pytest.approx(0.5)
    assert grade_log(0.0, 0.1, 0.003) == 1.0


def test_every_rule_that_explains_something_names_faults_that_exist():
    known = set(SAME_BUT) | {"healthy"}
    assert {fault for asked in RULES for fault in asked.explains} <= known
