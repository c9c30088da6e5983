"""Pictures of plans and pipelines: what is drawn is what was computed."""

from dataclasses import replace

import numpy as np
import pytest

from app.charts import pipeline, planner, published_runs
from app.i18n import Words
from labcore.distributed import planner as lab
from labcore.distributed.layout import Layout
from labcore.distributed.planner import PlannerConfig
from labcore.distributed.published import compare
from labcore.distributed.schedules import SCHEDULES
from labcore.distributed.search import VERDICTS
from labcore.distributed.simulation import PipelineConfig, bubble_formula, simulate

EN = Words("en", "planner")


@pytest.fixture(scope="module")
def result():
    return lab.run(PlannerConfig())


def test_bars_of_memory_add_up_to_each_stage(result):
    plan = result.best
    table = planner.memory_by_stage(plan, EN).data()
    total = table.iloc[:, 1:].sum(axis=1)
    assert total.tolist() == pytest.approx((plan.memory.total / 1e9).tolist())
    assert total.max() == pytest.approx(plan.memory_bytes / 1e9)
    assert table.iloc[0, 0] == "stage 1 (holds 8)"


def test_the_lines_stand_at_what_is_usable_and_at_the_whole_card(result):
    figure = planner.memory_by_stage(result.best, EN)
    lines = figure.spec["series"][0]["markLine"]["data"]
    assert [line["xAxis"] for line in lines] == [72.0, 80.0]
    assert figure.spec["xAxis"]["max"] >= 80


def test_bars_of_time_add_up_to_the_step(result):
    plans = {"best": result.best, "alone": result.without["split"]}
    table = planner.step_parts(plans, EN).data()
    total = table.iloc[:, 1:].sum(axis=1).tolist()
    assert total == pytest.approx([plan.seconds for plan in plans.values()], rel=1e-2)


def test_a_part_that_nobody_has_is_not_drawn():
    plan = lab.evaluate(PlannerConfig("llama-3-8b", "h100", 1), Layout(dp=8, zero=3))
    columns = planner.step_parts({"mine": plan}, EN).data().columns
    assert EN("time.recompute") not in columns
    assert EN("time.waiting") not in columns


def test_every_part_of_a_step_has_its_place_in_the_picture():
    drawn = [field for fields, _ in planner.TIME_PARTS.values() for field in fields]
    assert sorted(drawn) == sorted(lab.StepTime.__dataclass_fields__)
    roles = [role for _, role in planner.TIME_PARTS.values()]
    assert len(set(roles)) == len(roles)


def test_candidates_are_points_of_two_kinds_and_a_star(result):
    figure = planner.candidates(result, EN)
    names = [trace.name for trace in figure.spec.data]
    assert names == ["fits", "too much memory", "best plan"]
    fits, lacks, best = figure.spec.data
    assert max(fits.x) <= 72 < min(lacks.x)
    assert best.y[0] == result.best.seconds
    assert len(fits.x) + len(lacks.x) <= planner.MOST_POINTS + 1
    assert len(figure.data()) == len(fits.x) + len(lacks.x)


def test_a_large_search_is_thinned_but_keeps_its_fastest():
    big = lab.run(PlannerConfig("mixtral-8x7b", "h100", 16, sequence=4096))
    shown = planner.sampled(big.judged)
    assert len(shown) <= planner.MOST_POINTS
    possible = big.judged.seconds[big.judged.verdict <= 1]
    assert np.sort(big.judged.seconds[shown])[:1000].tolist() == np.sort(possible)[:1000].tolist()


@pytest.mark.parametrize("verdict", VERDICTS)
def test_ranking_shows_one_verdict_best_first(result, verdict):
    where = planner.ranked(result.judged, verdict)
    assert set(result.judged.verdict[where].tolist()) <= {VERDICTS.index(verdict)}
    by = result.judged.memory_bytes if verdict == "memory" else result.judged.seconds
    assert (np.diff(by[where]) >= 0).all()


def test_a_row_says_how_much_is_lacking(result):
    where = planner.ranked(result.judged, "memory", most=1)
    row = planner.candidate_table(result.judged, where, EN).iloc[0]
    lack = result.judged.memory_bytes[where[0]] / 1e9 - 72
    assert row["verdict"] == f"lacks {lack:.1f} GB"


def test_a_plan_in_short():
    plan = Layout(16, 4, 8, 2, 1, 1, 2, 2)
    assert planner.in_short(plan, EN) == (
        "DP 16 · TP 4 · PP 8 · CP 2 · ZeRO-1 · b = 2 · full recomputation"
    )
    assert planner.in_short(Layout(dp=2), EN) == "DP 2 · no ZeRO · b = 1"
    assert planner.in_short(Layout(), EN) == "DP 1 · b = 1"  # nobody to share with


def test_messages_are_a_row_each(result):
    table = planner.messages(result.best, EN)
    assert len(table) == len(result.best.flows)
    assert table["GB sent per device"].tolist() == [
        round(flow.sent_bytes / 1e9, 2) for flow in result.best.flows
    ]


def test_speed_and_the_straight_line_start_together():
    figure = planner.scaling(lab.strong_scaling(PlannerConfig()), 1024, EN)
    table = figure.data()
    speed, linear = table[EN("series.speed")], table[EN("series.linear")]
    assert speed[0] == pytest.approx(linear[0])
    assert (speed[1:] < linear[1:]).all()


def test_sizes_at_which_nothing_fits_are_left_out():
    scaling = lab.strong_scaling(PlannerConfig(nodes=8))
    assert np.isnan(scaling.tokens_per_second[0])  # one node of eight is too small for GPT-3
    table = planner.scaling(scaling, 64, EN).data()
    assert table.iloc[0, 0] == 64


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_timeline_draws_every_pass_where_it_ran(schedule):
    config = PipelineConfig(schedule, 4, 8)
    timeline = simulate(config)
    figure = pipeline.gantt(timeline, config, EN)
    assert sum(len(trace.x) for trace in figure.spec.data) == len(timeline.start_ms)
    ends = [
        base + width for trace in figure.spec.data
        for base, width in zip(trace.base, trace.x, strict=True)
    ]  # fmt: skip
    assert max(ends) == pytest.approx(timeline.total_ms)
    assert len(figure.data()) == len(timeline.start_ms)
    assert len(figure.spec.data) == (3 if schedule == "zb-h1" else 2)


def test_the_bubbles_lines_are_the_formula_and_its_points_the_simulation():
    config = PipelineConfig("1f1b", 4, 8)
    simulated = {s: simulate(replace(config, schedule=s)).bubble_share for s in SCHEDULES}
    table = pipeline.bubble_curve(config, simulated, SCHEDULES, EN).data()
    here = table[table.iloc[:, 0] == 8].iloc[0]
    for schedule in SCHEDULES:
        name = EN(f"option.schedule.{schedule}")
        expected = 100 * bubble_formula(replace(config, schedule=schedule))
        assert here[name] == pytest.approx(expected)
        assert here[EN("series.simulated", schedule=name)] == pytest.approx(expected)


def test_published_and_expected_stand_side_by_side():
    rows = compare()
    table = published_runs.utilisations(rows, EN).data()
    assert len(table) == len(rows)
    assert table.iloc[0, 1:].tolist() == [100 * rows[0].published, 100 * rows[0].expected]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([15.0, 120.0], [10, 20, 50, 100, 200]), ([0.3], [0.2, 0.5]), ([], []), ([5.0], [5])],
)
def test_ticks_are_round_and_reach_all_values(values, expected):
    assert planner.ticks(np.array(values)) == pytest.approx(expected)
