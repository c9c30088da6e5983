"""The curve clinic's pages: patients before and after a guess, logs from outside, the table."""

import json
from itertools import islice

import numpy as np
import pytest

from app import results
from app.charts import clinic as charts
from app.i18n import Words
from app.labs.pretraining import clinic_own, clinic_table
from app.labs.pretraining.findings import evidence, number
from labcore.pretraining import monitor
from labcore.pretraining.clinic import CASES, RECIPES, PairConfig, make, moments
from labcore.pretraining.clinic_study import (
    LEVELS,
    Judged,
    PairsStudy,
    Table,
    blinded,
    of_pairs,
)
from labcore.pretraining.monitor import MonitorConfig
from labcore.training.diagnosis import diagnose
from labcore.training.log_files import log_of, read_table
from labcore.training.log_writing import as_csv
from tests.app.conftest import checked, press, said

EN, ZH = Words("en", "clinic"), Words("zh", "clinic")


@pytest.fixture(scope="module")
def study() -> PairsStudy:
    path = results.RECORDINGS / "clinic-pairs.safetensors"
    return results.load(path, PairsStudy).result


@pytest.fixture(scope="module")
def table() -> Table:
    return results.load(results.RECORDINGS / "clinic-table.safetensors", Table).result


def series_names(app) -> list[str]:
    """Lines of the first picture."""
    option = json.loads(app.get("echarts_chart")[0].proto.spec)
    return [line.get("name") for line in option["series"]]


# The patients.


@pytest.mark.parametrize("language", ["en", "zh"])
def test_twin_and_diagnosis_stay_hidden_until_a_guess_is_locked(open_lab, language):
    words = {"en": EN, "zh": ZH}[language]
    app = checked(open_lab("clinic", language))
    assert words("complaint.1") in said(app)
    assert words("series.twin.train") not in series_names(app)
    assert words("cause.1") not in said(app)
    app.radio[0].set_value("rate_too_low")
    app = press(app.run(), "clinic-1.predict.patient.lock")
    checked(app)
    assert words("series.twin.train") in series_names(app)
    assert words("cause.1") in said(app)
    assert Words(language, "diagnosis")("fault.rate_too_low") in said(app)
    assert any(words("predict.patient.why") in box.value for box in app.success)


@pytest.mark.parametrize("case", ["5", "8", "9"])
def test_a_patient_is_told_what_was_done(open_lab, case):
    """No update at all, a run that ends early, and one whose steps go back."""
    app = checked(open_lab("clinic", case=case, told="1", signal="layer_update_ratio", seed="1"))
    name = Words("en", "diagnosis")(f"fault.{CASES[case].fault}")
    assert any(name in box.value for box in app.warning)
    assert EN(f"cause.{case}", **moments(PairConfig().steps)) in said(app)


def test_every_patient_that_is_recorded_is_named_rightly_and_every_twin_healthy(study):
    for case in CASES.values():
        for sick, twin in zip(study.runs[case.sick], study.runs[case.twin], strict=True):
            assert diagnose(sick)[0].fault == case.fault
            assert diagnose(twin)[0].fault == "healthy"


def test_a_pair_of_ones_own_is_run(open_lab):
    app = checked(open_lab("clinic", case="8", told="1", steps="40", seed="5"))
    assert EN("press_run") in said(app)
    app = checked(press(app, "clinic.run"))
    assert EN("cause.8", **moments(40)) in said(app)
    assert "24" in EN("cause.8", **moments(40))  # 0.6 of 40 steps


# One's own log.


@pytest.mark.parametrize(
    ("example", "language"),
    list(zip(clinic_own.EXAMPLES, ("zh", "en", "zh", "en"), strict=True)),
)
def test_every_example_is_read_and_diagnosed(open_lab, language, example):
    app = checked(open_lab("clinic", language, part="own", example=example))
    faults = {
        "trainer": "overfitting", "events": "nan", "wandb": "sawtooth", "printed": "poisoned_batch",
    }  # fmt: skip
    words = Words(language, "diagnosis")
    shown = [box.value for box in (*app.warning, *app.success)]
    assert any(words(f"fault.{faults[example]}") in value for value in shown)
    assert words("unjudged") in said(app)


def upload(app, data: bytes, name: str = "log.csv"):
    app.file_uploader[0].upload(name, data)
    return app.run()


def test_an_uploaded_log_takes_the_examples_place(open_lab, study):
    data = as_csv(study.runs["leak"][0])
    app = checked(upload(open_lab("clinic", part="own", vocabulary="1920"), data))
    assert EN("own.example") not in said(app)
    assert "160 rows" in said(app)
    assert Words("en", "diagnosis")("fault.frozen_layer") not in said(app)  # it can be judged


def test_a_column_of_another_name_can_be_picked(open_lab):
    rows = "\n".join(f"{step},{3 + step % 7}" for step in range(50))
    app = upload(open_lab("clinic", part="own"), f"a,b\n{rows}".encode())
    assert any(EN("error.log_has_loss") in box.value for box in app.warning)
    app.selectbox(key="clinic.column_loss_nats@en").set_value("b")
    app = checked(app.run())
    assert "50 rows" in said(app)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.", "log_readable"),
        (b'{"loss": [1, 2', "log_readable"),
        (b"step,loss\n1,2\n2,1\n", "log_points"),
    ],
)
def test_hostile_or_odd_files_are_refused_with_a_sentence(open_lab, data, rule):
    app = upload(open_lab("clinic", part="own"), data)
    assert not app.exception
    assert any(EN(f"error.{rule}", limit=8) in box.value for box in app.warning)


def test_a_foreign_name_is_never_shown_as_markup(open_lab):
    """Names from the file stand in tables and lists, never in markdown."""
    evil = "<img src=x onerror=alert(1)> loss"
    rows = "\n".join(f"{step},{3 - step / 50}" for step in range(50))
    app = checked(upload(open_lab("clinic", part="own"), f"step,{evil}\n{rows}".encode()))
    assert "onerror" not in "\n".join(str(m.value) for m in (*app.markdown, *app.caption))


# The table.


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_table_counts_its_runs(open_lab, table, language):
    app = checked(open_lab("clinic", language, part="table", level="trainer", unveil="1"))
    for group in clinic_table.GROUPS:
        inside = [run for run in table.runs if run.group == group]
        right = sum(run.right("trainer") for run in inside)
        words = Words(language, "clinic")
        assert words(f"table.group.{group}", right=right, runs=len(inside)) in said(app)


def test_a_click_on_a_cell_picks_a_run_of_it(open_lab, table):
    wrong = next(run for run in table.runs if not run.right("loss"))
    truths, columns, _ = clinic_table.lab.confusion(table.runs, "loss")
    app = checked(open_lab("clinic", part="table", level="loss", unveil="1"))
    place = {"row": truths.index(wrong.truth), "column": columns.index(wrong.named["loss"])}
    app.session_state["clinic.figure.confusion"] = {"selection": place | {"count": 1}}
    app = checked(app.run())
    assert app.selectbox(key="clinic.run@en").value == clinic_table.name_of(wrong)
    app.toggle(key="clinic.wrong_only@en").set_value(True)
    app = checked(app.run())
    assert len(app.selectbox(key="clinic.run@en").options) == sum(
        not run.right("loss") for run in table.runs
    )


# What was recorded.


def log_of_run(run: Judged, study: PairsStudy):
    return run.log or study.runs[run.recipe][study.seeds.index(run.seed)]


def test_todays_rules_say_what_the_table_says(table, study):
    """The names in the recording were given when it was made; a rule changed since then shows here."""
    for run in table.runs:
        for level in LEVELS:
            named = diagnose(blinded(log_of_run(run, study), level))[0].fault
            assert named == run.named[level], (run.truth, run.recipe, run.seed, level)


def test_the_table_holds_every_fault_with_three_seeds_none_of_which_was_tuned_on(table, study):
    seeds = {}
    for run in table.runs:
        seeds.setdefault(run.truth, set()).add(run.seed)
    assert all(len(found) >= 3 for found in seeds.values())
    assert max(max(found) for found in seeds.values()) < 100
    assert {case.fault for case in CASES.values()} < seeds.keys()
    assert [clinic_table.name_of(run) for run in of_pairs(study)] == [
        clinic_table.name_of(run) for run in table.runs if run.log is None
    ]


def test_recorded_runs_begin_as_runs_of_today_do(table, study):
    """One of the clinic, and one that the monitor made; other machines round differently."""
    seed = study.seeds[1]
    begun = [step.loss_nats for step in islice(make(RECIPES["few"], study.steps, seed), 5)]
    np.testing.assert_allclose(begun, study.runs["few"][1].loss_nats[:5], rtol=1e-3)
    watched = next(run for run in table.runs if (run.truth, run.seed) == ("bad_init", 2))
    events = islice(monitor.monitor(MonitorConfig(fault="bad_init", seed=2)), 4)
    begun = [event.step.loss_nats for event in events]
    np.testing.assert_allclose(begun, watched.log.loss_nats[:4], rtol=1e-3)


def test_what_the_table_shows(table):
    """The page's words rely on it: sure of what was tuned on, on other seeds; and not of smaller doses."""
    share = {
        (group, level): clinic_table.share(table.runs, level, group)
        for group in clinic_table.GROUPS
        for level in LEVELS
    }
    full = [share["full", level] for level in LEVELS]
    assert full == sorted(full, reverse=True)
    assert full[0] > 0.95
    assert clinic_table.band(full[-1]) == "half"
    assert all(share["healthy", level] == 1 for level in LEVELS)  # nobody is called ill who is not
    assert share["milder", "all"] < 0.5
    assert share["milder", "loss"] < share["milder", "all"]
    assert sum(run.group == "healthy" for run in table.runs) >= 20


# Words and charts.


def test_every_finding_of_every_run_has_its_sentence(study):
    """In both languages, with all the numbers that it quotes."""
    for language in ("en", "zh"):
        words = Words(language, "diagnosis")
        for logs in study.runs.values():
            for finding in diagnose(logs[0]):
                assert "{" not in evidence(words, finding)
                assert words(f"advice.{finding.fault}")


def test_numbers_are_written_as_one_reads_them():
    assert [number(x) for x in (106.0, 12345.0, 7.5601, 2e-5, float("nan"))] == [
        "106", "12,345", "7.56", "2e-05", "?",
    ]  # fmt: skip


def test_what_is_taken_home_comes_back_as_it_was(study):
    """Every signal and every block of a recorded run, by way of a CSV file."""
    log = study.runs["weights_only"][0]
    read = read_table(as_csv(log))
    again = log_of(read, read.columns, log.floor_nats, log.uniform_nats)
    assert [one.fault for one in diagnose(again)] == [one.fault for one in diagnose(log)]
    assert again.layer_update_ratio.shape == log.layer_update_ratio.shape


def test_a_twin_is_drawn_in_green_beside_each_line_of_the_patient(study):
    alone = charts.losses(study.runs["few"][0], None, EN, "alt")
    both = charts.losses(study.runs["few"][0], study.runs["healthy"][0], EN, "alt")
    names = [[line["name"] for line in figure.spec["series"]] for figure in (alone, both)]
    assert set(names[1]) - set(names[0]) == {EN("series.twin.train"), EN("series.twin.held_out")}
    assert json.dumps(both.spec)


def test_signals_that_a_log_lacks_are_not_offered(study):
    log = study.runs["healthy"][0]
    assert charts.available(log) == list(charts.SIGNALS)
    assert charts.available(blinded(log, "trainer")) == ["grad_norm", "learning_rate"]
