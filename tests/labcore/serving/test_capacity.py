"""The capacity plan: worked examples, its own limits, and the queue it is held against."""

import math
from dataclasses import replace

import numpy as np
import pytest

from labcore.errors import LabInputError
from labcore.serving import capacity as lab
from labcore.serving import capacity_check
from labcore.serving.capacity import CapacityConfig
from labcore.serving.capacity_check import CheckConfig

QUICK = CapacityConfig(prompt=100, answer=40, next_ms=20.0)


def test_memory_by_hand():
    """Llama 3 8B: 8.03 billion weights of 2 bytes; 131,072 bytes of cache a token; 72 of 80 GB."""
    result = lab.run(CapacityConfig())
    assert result.weight_bytes == pytest.approx(16.06e9, rel=1e-3)
    assert result.text_bytes == 1250 * 131_072
    assert result.fit == int((72e9 - result.weight_bytes) // (1250 * 131_072)) == 341


def test_the_formulas_of_one_copy():
    result, config = lab.run(CapacityConfig()), CapacityConfig()
    batch = 100
    step = result.write_seconds[batch - 1] + batch / config.answer * result.read_seconds
    assert result.next_seconds[batch - 1] == pytest.approx(step)
    assert result.per_second[batch - 1] == pytest.approx(batch / (config.answer * step))
    assert (result.per_second < 1 / result.read_seconds).all()


def test_devices_and_cost_by_hand():
    """One full copy does 17.58 requests a second, 80 % of it 14.06: two copies for 20, 15 for 200."""
    for requests, copies in ((20.0, 2), (200.0, 15)):
        result = lab.run(CapacityConfig(requests=requests))
        assert result.copies == result.devices == copies
        million = copies * 2.5 / (requests * 250 * 3600) * 1e6
        assert result.real_cost == pytest.approx(million)


@pytest.mark.parametrize(
    ("values", "limit"),
    [
        ({}, "next"), ({"next_ms": 500.0}, "memory"), ({"first_ms": 50.0}, "first"),
        ({"preset": "smollm2-135m", "next_ms": 1000.0, "first_ms": 60_000.0}, "most"),
    ],
)  # fmt: skip
def test_the_batch_is_the_largest_that_keeps_every_promise(values, limit):
    config = CapacityConfig(**values)
    result = lab.run(config)
    assert result.limit == limit
    kept = (result.next_seconds <= config.next_ms / 1e3) & (
        result.first_seconds <= config.first_ms / 1e3
    )
    assert kept[: result.batch].all()
    assert not kept[result.batch :].any()
    assert result.likely_seconds <= result.next_seconds[result.chosen]


def test_what_does_not_fit_and_what_is_too_slow_has_no_plan():
    too_large = lab.run(CapacityConfig("llama-3-70b"))
    assert (too_large.fit, too_large.batch, too_large.devices) == (0, 0, 0)
    too_slow = lab.run(CapacityConfig(next_ms=1.0))
    assert too_slow.batch == 0
    assert math.isnan(too_slow.real_cost)
    assert too_slow.limit == "next"


def test_a_cut_copy_pays_for_its_messages():
    """Without links two devices would halve a step; with them it takes longer than half."""
    whole, cut = (lab.step(CapacityConfig(group=group), 8, 1, 1000) for group in (1, 2))
    messages = 2 * 32 * 2 * (2e-6 + 2 * 8 * 4096 / 2 / (450e9 * 0.8))
    assert cut == pytest.approx(whole / 2 + messages)


def test_littles_law_at_a_full_copy_gives_the_full_copys_step():
    """n = λ·A·t: at the rate of a full copy of B texts, a copy with room for more holds B of them."""
    result, config = lab.run(CapacityConfig()), CapacityConfig()
    for batch in (1, 50, 200):
        rate = float(result.per_second[batch - 1])
        step = lab.at_load(result.next_seconds, config.answer, rate)
        assert step == pytest.approx(result.next_seconds[batch - 1], rel=1e-6)
        assert rate * config.answer * step == pytest.approx(batch, rel=1e-6)
    assert lab.at_load(result.next_seconds, config.answer, 1 / result.read_seconds) == math.inf


def test_where_writing_is_straight_the_load_has_a_closed_form():
    """w = 7 + 0.06·n ms, r = 30 ms, A = 200, 12 requests a second: 7 / (1 − 0.504) = 14.1 ms."""
    batches = np.arange(1, 200)
    curve = (7 + 0.06 * batches + 30 * batches / 200) / 1e3
    assert lab.at_load(curve, 200, 12.0) == pytest.approx(0.007 / 0.496, rel=1e-3)


def test_the_plan_holds_below_a_load_of_one_and_not_above():
    result = capacity_check.run(CheckConfig(QUICK))
    assert result.by_formula[:2] == pytest.approx(result.each[:2].mean(axis=1), rel=0.12)
    assert (result.first[0] < 1.1 * result.full_first).all()  # no queue to speak of
    assert (result.first[3] > 3 * result.first[1]).all()  # the control: a queue without an end
    assert np.isinf(result.by_formula[3])
    assert (result.running <= result.batch).all()


def test_the_same_seeds_the_same_day():
    one, two = (capacity_check.run(CheckConfig(QUICK, (3,))) for _ in range(2))
    assert np.array_equal(one.first, two.first)
    other = capacity_check.run(CheckConfig(QUICK, (4,)))
    assert not np.array_equal(one.first, other.first)


def test_a_plan_that_would_take_minutes_to_simulate_is_refused():
    for plan, rule in (
        (CapacityConfig(preset="smollm2-135m", answer=2000, next_ms=500.0), "at_most"),
        (CapacityConfig(next_ms=1.0), "at_least"),
    ):
        with pytest.raises(LabInputError) as error:
            capacity_check.run(CheckConfig(plan))
        assert error.value.rule == rule


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"price": math.nan}, "price"), ({"price": 0.0}, "price"), ({"requests": 0.0}, "requests"),
        ({"group": 3}, "group"), ({"preset": "gpt2", "prompt": 1000}, "context"),
        ({"preset": "qwen2.5-0.5b", "group": 4}, "group"), ({"answer": 1}, "answer"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(values, field):
    with pytest.raises(LabInputError) as error:
        replace(CapacityConfig(), **values)
    assert error.value.field == field
