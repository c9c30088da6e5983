"""The distributed lab's screen: five parts from recordings, in both languages, and what its words rely on.

That Run starts real processes is proven in `tests/app/test_shown.py` and, for every way, in
`tests/labcore/distributed/test_torchrun.py`.
"""

import numpy as np
import pytest

from app import results
from app.charts import distributed as charts
from app.i18n import LANGUAGES, Words
from app.labs.pretraining import (
    distributed_knobs,
    distributed_pipeline,
    distributed_resume,
    distributed_run,
)
from labcore.distributed import real_pipeline
from labcore.distributed.parallel_config import BUGS, WAYS
from labcore.distributed.parallel_run import RunResult, rounding
from labcore.distributed.parallel_study import Case, Study, recorded_cases
from labcore.distributed.parallel_training import fresh_model, rows_of_step
from labcore.distributed.real_pipeline import RealPipelineResult
from labcore.distributed.recovery import Happened, RecoveryConfig, RecoveryResult
from labcore.training.objectives import mean_token_loss
from tests.app.conftest import checked, said

EN = Words("en", "distributed")


def recorded(name, kind):
    return results.load(results.RECORDINGS / f"distributed-{name}.safetensors", kind).result


@pytest.fixture(scope="module")
def study() -> Study:
    return recorded("study", Study)


@pytest.fixture(scope="module")
def default() -> RunResult:
    return recorded("default", RunResult)


def charts_on(app) -> int:
    return len(app.get("echarts_chart"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_opens_on_the_recorded_run_with_its_command(open_lab, language):
    app = checked(open_lab("distributed", language))
    assert charts_on(app) == 1
    assert {"en": "recorded", "zh": "实测录制"}[language] in said(app)
    here, there = (block.value for block in app.code[:2])
    recipe = "-m labcore.recipes.pretrain --way ddp --steps 30"
    assert recipe in here
    assert recipe in there
    assert "--nnodes 2 --nproc-per-node 8" in there


@pytest.mark.parametrize(
    ("language", "knobs", "pictures"),
    [
        ("zh", {"part": "equal", "way": "tp", "bug": "no_sum"}, 3),
        ("en", {"part": "traffic", "processes": "1", "unveil": "1", "precision": "float64"}, 2),
        ("zh", {"part": "resume", "die_at": "29", "checkpoint_every": "0"}, 1),
        ("zh", {"part": "pipeline", "schedule": "1f1b", "cut": "32"}, 2),
        ("en", {"part": "x", "way": "tp", "bug": "no_sync", "processes": "3", "seed": "-1"}, 1),
    ],
)
def test_every_part_and_the_ends_of_its_knobs_give_pictures(open_lab, language, knobs, pictures):
    app = checked(open_lab("distributed", language, **knobs))
    assert charts_on(app) == pictures


def test_a_guess_on_traffic_unveils_all_ways_and_is_scored(open_lab):
    app = open_lab("distributed", part="traffic", processes="4")
    assert charts_on(app) == 0
    app.radio(key="distributed.predict.zero.widget@en").set_value("same").run()
    app = checked(app.button(key="distributed.predict.zero.lock").click().run())
    assert charts_on(app) == 2
    assert any("two halves" in box.value for box in app.success)


def test_the_command_follows_the_knobs(open_lab):
    knobs = {"part": "resume", "way": "zero3", "resume_way": "tp", "processes_after": "4"}
    app = checked(open_lab("distributed", **knobs))
    assert "--max-restarts" not in app.code[0].value  # a second launch, not torchrun, goes on
    assert "--way zero3" in app.code[0].value
    assert "--max-restarts 1" in app.code[1].value
    assert "die-at" not in app.code[1].value


# Pictures.


def test_dots_stand_at_their_values_and_nothing_stands_at_the_edge(default):
    figure = charts.by_tensor(
        default.names, default.gradient_apart, default.weight_apart, default.rounding, EN
    )
    gradient, weight = (line["data"] for line in figure.spec["series"])
    worst = np.log10(default.gradient_apart.max(axis=0))
    np.testing.assert_allclose([dot["value"][0] for dot in gradient], worst)
    assert [dot["value"][1] for dot in weight] == list(range(len(default.names)))
    assert figure.data()[EN("series.gradient")].max() == default.gradient_apart.max()
    exact = charts.differences(["a"], [("x", [[0.0]], "gradient")], 1e-4, "", "", EN)
    assert exact.spec["series"][0]["data"] == [{"value": [-17.0, 0], "name": "0"}]


def test_every_case_of_the_table_has_a_name_of_its_own_in_both_languages(study):
    for language in LANGUAGES:
        text = Words(language, "distributed")
        names = list(charts.by_case(study, rounding("float32"), text).data().iloc[:, 0])
        assert len(set(names)) == len(names) == len(WAYS) + len(BUGS["ddp"]) + len(BUGS["tp"]) - 2


def test_a_live_recovery_is_drawn_by_run_and_attempt():
    told = [Happened(0, 0, 1, 7.0, 0.1), Happened(1, 0, 1, 7.1, 0.5), Happened(1, 1, 1, 7.2, 0.6)]
    lines = charts.recovering(told, RecoveryConfig(), EN).spec["series"]
    assert [line["data"] for line in lines] == [[[1, 7.0]], [[1, 7.1]], [[1, 7.2]]]


# What the recordings show, and the page's words rely on.


def test_the_recorded_default_is_the_same_training(default):
    assert default.config == distributed_knobs.DEFAULT
    assert not default.is_bug
    assert default.gradient_apart.max() < 1e-6
    assert default.ranks_apart.max() == 0
    assert np.abs(default.nats - default.alone_nats).max() < 1e-5
    assert 1 <= default.measured_bytes / default.expected_bytes[-1] < 1.001
    assert default.asked[0].payload_bytes == 4 * default.parameters


def test_the_recorded_run_begins_as_a_run_of_today_does(default):
    """The same rows and the same weights: kernels of other machines may differ in the last digits."""
    rows = rows_of_step(default.config.training, 1)
    loss, _ = mean_token_loss(fresh_model(default.config.training), rows)
    assert loss.item() == pytest.approx(default.alone_nats[0], rel=1e-5)


def test_a_killed_run_ended_to_the_bit_like_the_undisturbed_one():
    result = recorded("resume", RecoveryResult)
    assert result.config == distributed_resume.DEFAULT
    assert result.checkpoint_step == 10
    assert distributed_resume.outcome(result) == "same"
    np.testing.assert_array_equal(result.after_nats, result.undisturbed_nats[10:])


def test_the_study_is_complete(study):
    assert study.cases == recorded_cases()
    assert len(study.seeds) == 3


def test_rounding_shrinks_with_the_precision_and_a_bug_does_not(study):
    for case in study.cases:
        if case.precision == "float32" and charts.usual(case):
            single = study.gradient_apart[study.cases.index(case)]
            double = study.gradient_apart[study.cases.index(Case(case.way, case.bug, "float64"))]
            if case.bug == "none":
                assert (single < 2e-6).all()
                assert (double < 1e-7 * single).all()
            else:
                assert (single > 10 * rounding("float32")).all()
                np.testing.assert_allclose(single, double, rtol=1e-3)


def test_the_curve_hides_two_bugs_of_ddp(study):
    """A mean of means and a sum that nobody averaged stay within a hundredth of a nat."""
    for bug in ("mean_of_means", "not_averaged"):
        assert np.abs(study.loss_apart[study.at(way="ddp", bug=bug)]).max() < 0.01
    for bug in ("same_data", "no_sync"):
        assert study.loss_apart[study.at(way="ddp", bug=bug)].min() > 0.02


def test_adam_hides_a_doubled_gradient_and_sgd_does_not(study):
    adam, sgd = (
        study.weight_apart[study.at(way="ddp", bug="not_averaged", optimizer=optimizer)]
        for optimizer in ("adamw", "sgd")
    )
    assert adam.max() < 0.02
    assert sgd.min() > 5 * adam.max()


def test_adam_magnifies_rounding_and_sgd_does_not(study):
    adam, sgd = (
        study.weight_apart[study.at(way="ddp", optimizer=optimizer)]
        for optimizer in ("adamw", "sgd")
    )
    assert adam.min() > 10 * sgd.max()


@pytest.mark.parametrize("processes", [2, 4])
def test_stages_one_and_two_need_no_more_bytes_than_ddp_and_stage_three_half_as_much_again(
    study, processes
):
    """The textbook's volumes, measured: 1, 1 (by a ring of our own) and 1.5 times DDP's."""
    sent = {way: study.sent_bytes[study.at(way=way, processes=processes)].mean() for way in WAYS}
    assert sent["zero2"] == pytest.approx(sent["ddp"], rel=0.01)
    assert sent["zero3"] == pytest.approx(1.5 * sent["ddp"], rel=0.01)
    assert sent["zero1"] == pytest.approx(1.5 * sent["ddp"], rel=0.02)  # PyTorch's own takes more
    backend = study.sent_bytes[study.at(way="zero2", reduce_scatter="backend", processes=processes)]
    assert backend.mean() == pytest.approx(1.5 * sent["ddp"], rel=0.01)


@pytest.mark.parametrize("schedule", real_pipeline.SCHEDULES)
def test_cutting_finer_stops_paying(schedule):
    """Four micro-batches beat one; thirty-two take longer than four. The gradients are the same for all."""
    result = recorded(f"pipeline-{schedule}", RealPipelineResult)
    assert result.config.schedule == schedule
    assert result.micro_batches == list(real_pipeline.CUTS)
    one, four, finest = result.best_ms[[0, 2, -1]]
    assert four < 0.95 * one
    assert finest > 1.3 * four
    assert distributed_pipeline.against_four(result) == "longer"
    assert result.best_idle[0] == pytest.approx(0.5, abs=0.05)
    assert (np.diff(result.formula) < 0).all()
    assert result.best_idle[-1] > result.formula[-1] + 0.2
    assert result.gradients_apart < 1e-5


def test_gpipe_holds_all_micro_batches_and_one_forward_one_backward_no_more_than_there_are_stages():
    for schedule, held in (("gpipe", 8), ("1f1b", 2)):
        result = recorded(f"pipeline-{schedule}", RealPipelineResult)
        assert result.fastest[result.micro_batches.index(8)].timeline.held[0] == held


@pytest.mark.parametrize(
    ("gap", "band"), [(0.001, "unseen"), (-0.005, "unseen"), (0.1, "small"), (1.0, "large")]
)
def test_bands_say_how_far_a_curve_has_moved(default, gap, band):
    class Moved:
        alone_nats, nats = np.array([5.0]), np.array([5.0 + gap])

    assert distributed_run.seen(Moved) == band


def test_shares_are_told_as_one_would_say_them():
    told = [distributed_run.share(value) for value in (0.0, 2.9e-7, 0.0178, 1.0, 2.5)]
    assert told == ["0", "2.9e-07", "1.78 %", "100 %", "250 %"]
