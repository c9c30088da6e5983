"""Pipeline schedules: every pass once, nothing before what it needs, and the published bubbles."""

from collections import Counter

import numpy as np
import pytest

from labcore.distributed.memory import in_flight
from labcore.distributed.schedules import SCHEDULES, order_of_passes
from labcore.distributed.simulation import (
    PipelineConfig,
    Timeline,
    bubble_formula,
    simulate,
)
from labcore.errors import LabInputError

SHAPES = [(1, 4), (2, 2), (4, 8), (4, 4), (8, 32), (5, 10)]  # p, m
TIMES = [(10, 10, 10), (10, 20, 10), (5, 7, 4)]  # F, B, W


def configs() -> list[PipelineConfig]:
    return [
        PipelineConfig(schedule, p, m, v, *times)
        for schedule in SCHEDULES
        for p, m in SHAPES
        for v in ((2, 3) if schedule == "interleaved" else (1,))
        for times in TIMES
    ]


def name(config: PipelineConfig) -> str:
    shape = f"p{config.stages}-m{config.micro_batches}-v{config.chunks}"
    return f"{config.schedule}-{shape}-B{config.backward_ms}"


def passes(timeline: Timeline) -> list[tuple]:
    columns = ("stage", "kind", "micro_batch", "chunk", "start_ms", "end_ms")
    return list(zip(*(getattr(timeline, column).tolist() for column in columns), strict=True))


@pytest.mark.parametrize("config", configs(), ids=name)
def test_a_schedule_keeps_every_promise(config):
    """Checked on the times alone, by other code than the simulation's:

    each pass exactly once; one at a time on a device; forward through the pieces in order, backward
    in the opposite order, W after its B; idle share and micro-batches held as the formulas say.
    """
    timeline = simulate(config)
    p, v = config.stages, config.pieces
    end, start, seen = {}, {}, Counter()
    for stage, kind, micro, chunk, begin, finish in passes(timeline):
        piece = chunk * p + stage
        seen[kind, micro, piece] += 1
        start[kind, micro, piece], end[kind, micro, piece] = begin, finish
    kinds = "FBW" if config.schedule == "zb-h1" else "FB"
    assert set(seen) == {
        (kind, micro, piece)
        for kind in kinds for micro in range(config.micro_batches) for piece in range(p * v)
    }  # fmt: skip
    assert set(seen.values()) == {1}
    for (kind, micro, piece), begin in start.items():
        if kind == "F" and piece:
            assert begin >= end["F", micro, piece - 1]
        if kind == "B":
            assert begin >= end["F", micro, piece]
            if piece < p * v - 1:
                assert begin >= end["B", micro, piece + 1]
        if kind == "W":
            assert begin >= end["B", micro, piece]
    for stage in range(p):
        mine = timeline.stage == stage
        assert (timeline.start_ms[mine][1:] >= timeline.end_ms[mine][:-1] - 1e-9).all()
    assert timeline.bubble_share == pytest.approx(bubble_formula(config))
    held = [float(in_flight(config.schedule, config.micro_batches, p, s, v)) for s in range(p)]
    assert timeline.held.tolist() == pytest.approx(held)


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b"])
def test_the_bubble_in_both_definitions(schedule):
    """p = 4, m = 8: 3 of 11 turns idle, or 3 for 8 of work."""
    timeline = simulate(PipelineConfig(schedule, 4, 8))
    assert timeline.bubble_share == pytest.approx(3 / 11)
    assert timeline.bubble_over_work == pytest.approx(3 / 8)


def test_interleaving_divides_the_bubble_by_the_number_of_pieces():
    """(p-1)/(v·m) over work: 3/8, 3/16, 3/32."""
    over_work = [
        simulate(PipelineConfig("interleaved", 4, 8, chunks)).bubble_over_work
        for chunks in (1, 2, 4)
    ]
    assert over_work == pytest.approx([3 / 8, 3 / 16, 3 / 32])


def test_zero_bubble_h1_leaves_a_third_when_f_b_and_w_are_equal():
    """arXiv:2401.10241: (p-1)(F+B-W) instead of (p-1)(F+B+W)."""
    plain, split = (simulate(PipelineConfig(s, 4, 8)) for s in ("1f1b", "zb-h1"))
    work = 8 * 30
    assert plain.total_ms - work == pytest.approx(90)
    assert split.total_ms - work == pytest.approx(30)
    assert split.held.max() == plain.held.max()  # and needs no more memory at the fullest stage


def test_gpipe_holds_everything_and_1f1b_only_what_lies_below():
    assert simulate(PipelineConfig("gpipe", 4, 16)).held.tolist() == [16] * 4
    assert simulate(PipelineConfig("1f1b", 4, 16)).held.tolist() == [4, 3, 2, 1]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_without_a_pipeline_there_is_no_bubble(schedule):
    """The negative control: one stage never waits, whatever the schedule is called."""
    assert simulate(PipelineConfig(schedule, 1, 5)).bubble_share == 0


def test_hops_lengthen_the_bubble_by_a_round_trip():
    """1F1B, one micro-batch, four stages: three hops down and three back, 2 ms each, and 4 · 30 ms."""
    timeline = simulate(PipelineConfig("1f1b", 4, 1, hop_ms=2.0))
    assert timeline.total_ms == pytest.approx(4 * 30 + 6 * 2)


def test_more_micro_batches_shrink_the_share_but_never_to_nothing():
    shares = [simulate(PipelineConfig("1f1b", 4, m)).bubble_share for m in (1, 2, 4, 8, 16, 32)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == pytest.approx(0.75)
    assert shares[-1] > 0


def test_the_order_of_the_second_of_three_stages_by_hand():
    """1F1B: two forward passes, then backward and forward in turn."""
    order = order_of_passes("1f1b", 1, 3, 4)
    assert "".join(one.kind for one in order) == "FFBFBFBB"
    assert [one.micro_batch for one in order] == [0, 1, 0, 2, 1, 3, 2, 3]


def test_zero_bubble_puts_weight_gradients_off_by_one_more_per_stage():
    first, second, third = (order_of_passes("zb-h1", stage, 3, 4) for stage in range(3))
    assert "".join(one.kind for one in first) == "FFFBWFBWBWBW"
    assert "".join(one.kind for one in second) == "FFBFBWFBWBWW"
    assert "".join(one.kind for one in third) == "FBFBFBWFBWWW"


def test_a_simulation_repeats_itself():
    config = PipelineConfig("interleaved", 4, 8, 3, hop_ms=1.5)
    first, second = simulate(config), simulate(config)
    assert np.array_equal(first.start_ms, second.start_ms)
    assert np.array_equal(first.stage, second.stage)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"schedule": "chimera"}, "known_choice"),
        ({"stages": 0}, "at_least"),
        ({"forward_ms": 0.0}, "positive"),
        ({"weight_ms": -1.0}, "positive"),
        ({"hop_ms": -1.0}, "at_least"),
        ({"hop_ms": float("nan")}, "at_least"),
        ({"stages": 100, "micro_batches": 100}, "too_many_passes"),
    ],
)
def test_a_pipeline_that_cannot_be_is_refused(changes, rule):
    with pytest.raises(LabInputError, match=rule):
        PipelineConfig(**changes)


def test_interleaving_needs_whole_rounds():
    with pytest.raises(LabInputError, match="whole_rounds"):
        simulate(PipelineConfig("interleaved", 4, 6))
