"""The monitor's screen: six parts in both languages, a run taken home and back, what its recordings show."""

from dataclasses import replace

import numpy as np
import pytest

from app import results
from app.charts import monitor as charts
from app.charts import monitor_studies as studies
from app.charts.monitor import Band
from app.i18n import LANGUAGES, Words
from app.labs.pretraining import (
    monitor,
    monitor_compare,
    monitor_faults,
    monitor_knobs,
    monitor_optimisers,
    monitor_resume,
    monitor_run,
    monitor_session,
)
from labcore.pretraining import monitor as lab
from labcore.pretraining import mystery
from labcore.pretraining.fault_study import FaultStudy
from labcore.pretraining.hyper_search import SearchConfig, SearchResult
from labcore.pretraining.monitor import MonitorConfig, MonitorResult
from labcore.pretraining.mystery import MysteryConfig
from labcore.pretraining.optimiser_study import OPTIMISERS, RateConfig, StudyResult
from labcore.pretraining.resume_study import WAYS, ResumeConfig, ResumeResult
from labcore.pretraining.training_text import TrainingTextConfig
from labcore.training.diagnosis import CALLED, diagnose
from labcore.training.faults import FAULTS, blind
from tests.app.conftest import checked, press, said

EN = Words("en", "monitor")
QUICK = {"steps": "20", "num_layers": "1", "hidden_size": "16", "batch_size": "4"}


def recorded(name: str, kind):
    return results.load(results.RECORDINGS / f"monitor-{name}.safetensors", kind).result


@pytest.fixture(scope="module")
def study() -> StudyResult:
    return recorded("optimisers", StudyResult)


@pytest.fixture(scope="module")
def faults() -> FaultStudy:
    return recorded("faults", FaultStudy)


def charts_on(app) -> int:
    return len(app.get("echarts_chart"))


@pytest.fixture
def small(monkeypatch):
    """The lab's own runs with a fraction of their steps."""

    def quick(config: MysteryConfig) -> MonitorConfig:
        return replace(kept(config), num_layers=1, hidden_size=16, batch_size=4, steps=10)

    kept = MysteryConfig.monitor
    monkeypatch.setattr(MysteryConfig, "monitor", quick)


# The parts.


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_opens_on_the_recorded_run_with_all_of_its_panels(open_lab, language):
    app = checked(open_lab("monitor", language))
    assert charts_on(app) == 8
    assert {"en": "recorded", "zh": "实测录制"}[language] in said(app)
    assert len(app.metric) == 5


def test_a_run_can_be_taken_home_and_gone_on_with(open_lab):
    app = checked(press(open_lab("monitor", **QUICK, stop_after="10"), "monitor.run"))
    assert "Finished in" in said(app)
    app = checked(press(app, "monitor.go_on"))
    assert "**Going on** from step 10 of 20" in said(app)
    app = checked(press(app, "monitor.run"))
    taken = list(app.session_state["monitor.runs"].values())
    assert [int(one.log.step[0]) for one in taken] == [1, 11]
    app.query_params["part"] = "compare"
    app = checked(app.run())
    assert "11–20" in app.dataframe[0].value.to_string()
    app = checked(press(app, "monitor.forget"))
    assert not app.dataframe


def test_a_file_that_is_none_is_refused_and_a_real_one_is_taken_up(monkeypatch):
    """The uploader's part, without a browser: what it does with the bytes that it is given."""
    told = []
    page = type("Page", (), {"error": staticmethod(told.append), "text": staticmethod(EN)})

    def given(data):
        file = type("File", (), {"getvalue": staticmethod(lambda: data)})
        monkeypatch.setattr(
            monitor_session.st, "file_uploader", lambda *_, **__: file if data else None
        )
        monitor_session.put_away()
        monitor_session.bring(page)
        return monitor_session.taken_up()

    small = MonitorConfig(num_layers=1, hidden_size=16, batch_size=2, steps=10)
    good = lab.run(small).checkpoint.tobytes()
    assert given(b"") == given(b"nonsense") == b""
    assert [error.field for error in told] == ["checkpoint"]
    assert given(good) == good


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_mystery_is_solved_only_after_a_guess(open_lab, small, language):
    app = checked(open_lab("monitor", language, part="faults", number="5"))
    assert charts_on(app) == 0
    app = checked(press(app, "monitor.run"))
    words = Words(language, "monitor")
    assert charts_on(app) == 8
    assert words("findings") not in said(app)
    assert not [*app.success, *app.info]
    app.radio(key=f"monitor.predict.fault.widget@{language}").set_value(blind(5)).run()
    app = checked(press(app, "monitor.predict.fault.lock"))
    assert any(words("predict.fault.why") in box.value for box in app.success)
    assert words("findings") in said(app)
    app.number_input(key=f"monitor.number@{language}").set_value(6)
    app = checked(app.run())
    assert words("findings") not in said(app)


def test_a_mystery_that_is_not_solved_keeps_its_secret_on_the_table(open_lab, small):
    app = press(open_lab("monitor", part="faults", number="5"), "monitor.run")
    app.query_params["part"] = "compare"
    app = checked(app.run())
    table = app.dataframe[0].value
    assert table[EN("column.fault")].tolist() == [EN("compare.hidden")]
    assert table[EN("column.seed")].tolist() == ["?"]


@pytest.mark.parametrize("fault", ["leak", "exploding"])
def test_a_known_fault_opens_on_its_recording_and_is_named(open_lab, fault):
    app = checked(open_lab("monitor", part="faults", mode="known", fault=fault))
    assert Words("en", "diagnosis")(f"fault.{fault}") in said(app)
    assert charts_on(app) == 6


def test_the_other_optimisers_appear_with_a_guess(open_lab, monkeypatch):
    monkeypatch.setattr(
        RateConfig, "monitor",
        lambda one: MonitorConfig(
            1, 16, optimiser=one.optimiser, learning_rate=one.learning_rate, steps=10, batch_size=4
        ),
    )  # fmt: skip
    monkeypatch.setattr(
        monitor_optimisers, "RateConfig", lambda name, rate, seed: RateConfig(name, rate, 10, seed)
    )
    app = checked(open_lab("monitor", part="optimisers"))
    assert charts_on(app) == 1
    assert not app.dataframe
    app.radio(key="monitor.predict.sturdiest.widget@en").set_value("muon").run()
    app = checked(press(app, "monitor.predict.sturdiest.lock"))
    assert charts_on(app) == 2
    assert len(app.dataframe[0].value) == 4
    app = checked(press(app, "monitor.run"))
    assert "Your run ended at" in said(app)
    assert EN("series.own", optimiser="AdamW", rate="0.01") in str(
        app.get("echarts_chart")[0].proto
    )


def test_ways_of_going_on_are_recorded_and_can_be_run(open_lab, monkeypatch):
    app = checked(open_lab("monitor", part="resume"))
    assert EN("series.no_memory") not in str(app.get("echarts_chart")[0].proto)
    monkeypatch.setattr(
        monitor_resume, "ResumeConfig",
        lambda optimiser, rate, steps, stop, seed: ResumeConfig(optimiser, rate, 20, 10, seed),
    )  # fmt: skip
    app = checked(press(open_lab("monitor", part="resume", show_ways="1"), "monitor.run"))
    assert "the largest difference of a weight from the unbroken run is 0;" in said(app)


@pytest.mark.parametrize("part", ["search", "compare"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_search_and_comparison_open_on_recordings(open_lab, language, part):
    app = checked(open_lab("monitor", language, part=part))
    assert charts_on(app) == {"search": 2, "compare": 1}[part]


def test_a_search_of_ones_own(open_lab, monkeypatch):
    monkeypatch.setattr(
        "app.labs.pretraining.monitor_search.SearchConfig",
        lambda *_: SearchConfig(trials=2, steps=20),
    )
    app = checked(press(open_lab("monitor", part="search", trials="4"), "monitor.run"))
    assert len(app.dataframe[0].value) == 2


@pytest.mark.parametrize(
    "odd",
    [
        {"optimiser": "adagrad", "steps": "-1", "corpus": "kept", "clip_norm": "none"},
        {"part": "faults", "mode": "known", "fault": "x", "fault_seed": "3"},
        {"part": "resume", "resumed_steps": "40", "broken_at": "999", "resumed": "sgd"},
        {"part": "nowhere"},
    ],
)
def test_odd_links_still_open(open_lab, odd):
    checked(open_lab("monitor", **odd))


# Charts.


def test_a_band_is_the_range_of_healthy_runs(faults):
    drawn = Band(faults.healthy).series("healthy", lambda log: log.loss_nats)
    values = np.stack([log.loss_nats for log in faults.healthy])
    np.testing.assert_allclose(drawn.spread[0], values.min(axis=0))
    np.testing.assert_allclose(drawn.y, np.median(values, axis=0))


def test_a_loss_far_above_a_blind_guess_is_drawn_on_a_log_axis(faults):
    axes = {
        fault: charts.losses(faults.log(fault), 150, EN).spec["yAxis"][0]["type"]
        for fault in ("healthy", "exploding")
    }
    assert axes == {"healthy": "value", "exploding": "log"}


def test_a_block_that_stands_still_is_told_to_those_who_cannot_see(faults):
    alts = [charts.updates(faults.log(f), 150, EN, None).alt for f in ("healthy", "frozen_layer")]
    assert "Block 3 does not move" not in alts[0]
    assert "Block 3 does not move" in alts[1]


def test_the_comparison_counts_tokens_seconds_and_arithmetic(faults):
    """16 rows of 32 tokens a step; 150 steps are 76,800 tokens."""
    log = faults.healthy[0]
    run = monitor_session.Kept(MonitorConfig(), log, 1.0, 1, 2, 1e6, 3.0)
    assert monitor_compare.line(run, "tokens", "train")[0][-1] == 76_800
    assert monitor_compare.line(run, "tflops", "train")[0][-1] == pytest.approx(0.0768)
    seconds = monitor_compare.line(run, "seconds", "train")[0]
    assert seconds[-1] == pytest.approx((512 / log.tokens_per_second).sum(), rel=1e-5)


def test_rates_on_offer_are_those_of_the_record(study):
    for name, rates in zip(study.optimisers, study.rates, strict=True):
        assert name in OPTIMISERS
        assert {str(float(rate)) for rate in rates} <= {*monitor_knobs.RATES}


# What the recordings show: the page's words rely on it.


def test_the_rules_name_every_recorded_fault_and_leave_the_healthy_runs_alone(faults):
    assert faults.faults == list(FAULTS)
    for fault, log in zip(faults.faults, faults.logs, strict=True):
        assert diagnose(log)[0].fault == fault
        assert diagnose(log)[0].strength >= CALLED
    assert all(diagnose(log)[0].fault == "healthy" for log in faults.healthy)


def test_each_fault_shows_in_the_signal_that_is_named_after_it(faults):
    final = dict(zip(faults.faults, faults.final_nats, strict=True))
    floor, log = faults.logs[0].floor_nats, faults.log
    assert floor < final["healthy"] < 1.2
    assert final["leak"] < floor / 2
    assert final["duplicates"] > 3
    assert log("duplicates").loss_nats[-10:].mean() < floor
    assert final["rate_too_high"] > 3
    assert final["bad_init"] > final["healthy"] + 1
    assert log("bad_init").loss_nats[0] > 1.3 * log("healthy").uniform_nats
    assert final["no_warmup"] > final["healthy"] + 0.1
    assert log("no_warmup").update_ratio[0] > 10 * log("healthy").update_ratio[0]
    assert log("poisoned_batch").loss_nats[99] > 10
    assert abs(final["poisoned_batch"] - final["healthy"]) < 0.1
    assert abs(final["frozen_layer"] - final["healthy"]) < 0.1
    assert log("frozen_layer").layer_update_ratio[:, 2].max() == 0
    grown = log("exploding").activation_rms[0]
    assert grown[-1] / grown[0] > 1000


def test_a_recorded_run_is_what_a_run_of_today_gives():
    """The first steps: later ones carry rounding of another machine on."""
    log = recorded("default", MonitorResult).log
    today = lab.run(MonitorConfig(stop_after=3)).log
    np.testing.assert_allclose(today.loss_nats, log.loss_nats[:3], rtol=1e-4)
    np.testing.assert_allclose(today.update_ratio, log.update_ratio[:3], rtol=1e-3)


def test_every_optimiser_has_a_valley_and_each_at_another_place(study):
    """The best rate lies within the range, not at an end; SGD's is the highest, ten times AdamW's."""
    for name in study.optimisers:
        assert 0 < study.best(name) < study.rates.shape[1] - 1
    best = {name: study.best_rate(name) for name in study.optimisers}
    assert best["sgd"] >= 10 * best["adamw"]
    lowest = {
        name: np.median(study.final_nats[at], axis=-1).min()
        for at, name in enumerate(study.optimisers)
    }
    assert max(lowest, key=lowest.get) == "sgd"
    assert min(lowest, key=lowest.get) == "muon"
    assert monitor_optimisers.sturdiest(study) == "muon"
    assert study.memory_share.round(2).tolist()[:3] == [1.0, 2.0, 1.0]
    assert (study.final_nats > study.floor_nats).all()


def test_the_recorded_resume_is_exact_and_what_is_lost_shows():
    result = recorded("resume", ResumeResult)
    assert result.apart[WAYS.index("all")] == 0
    at, lost = result.stop_after, WAYS.index("no_memory")
    jump = np.nanmax(result.loss_nats[lost, at : at + 10] - result.unbroken_nats[at : at + 10])
    assert jump > 0.5
    assert monitor_resume.harm(result) == "ruin"
    assert set(studies.courses_of(result)) == {"unbroken", *WAYS}


def test_the_recorded_search_found_a_rate_near_the_best_one_known(study):
    result = recorded("search", SearchResult)
    best = result.trials[result.best]
    assert 0.3 < best.learning_rate / study.best_rate("adamw") < 3


def test_a_notebook_can_spell_a_kept_dataset():
    """The config as text, read back by Python with the imports that the notebook has."""
    config = MonitorConfig(corpus=TrainingTextConfig(vocab_size=300))
    code = monitor_run.notebook(config)[0].rpartition("\n")[0]  # all but the run itself
    names = {}
    exec(compile(code, "notebook", "exec"), names)
    assert names["config"] == config


def test_parts_and_faults_have_words():
    for part in monitor.PARTS:
        assert EN(f"part.{part}.about")
    for fault in FAULTS:
        assert EN(f"option.fault.{fault}")
        assert EN(f"fault.{fault}.about")
        assert EN(f"predict.fault.{fault}")
    assert monitor_faults.MODES == ("mystery", "known")
    assert mystery.LAST_MYSTERY == 9999
