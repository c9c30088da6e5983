"""The page of "Induction heads", in both languages, and the recordings that it opens on."""

from dataclasses import replace
from itertools import islice

import pytest

from app import results
from app.charts import induction as charts
from app.charts.payload import unpack
from app.i18n import LANGUAGES, Words
from labcore.architecture import induction
from labcore.architecture.induction_cases import CASES, Comparison
from tests.app.conftest import checked, elements, press, said

QUICK = {"steps": "50", "num_heads": "1"}
TEXT = Words("en", "induction")


def canvases(app) -> list[str]:
    """The names of the canvases on the page."""
    return [element.proto.id.split(".figure.")[-1] for element in elements(app, "bidi_component")]


@pytest.fixture(scope="module")
def cases() -> dict:
    path = results.RECORDINGS / "induction-cases.safetensors"
    return results.load(path, Comparison).result.cases


@pytest.fixture(scope="module")
def default() -> induction.InductionResult:
    path = results.RECORDINGS / "induction-default.safetensors"
    return results.load(path, induction.InductionResult).result


# The page.


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_picture_is_the_recorded_run_with_its_controls(open_lab, language):
    app = checked(open_lab("induction", language, unveil="1"))
    assert {"en": "recorded", "zh": "实测录制"}[language] in said(app)
    assert len(app.get("echarts_chart")) == 5  # circuit, losses, wires, controls, periods
    assert len(app.get("plotly_chart")) == 1
    assert sorted(canvases(app)) == ["head_off", "maps"]


@pytest.mark.parametrize("knobs", [{}, {"num_layers": "1", "period": "fixed"}, {"num_layers": "3"}])
def test_a_run_draws_its_course_its_heads_and_its_knife(open_lab, knobs):
    app = checked(press(open_lab("induction", **QUICK, **knobs), "induction.run"))
    assert "measured now" in said(app)
    assert "Finished in" in said(app)
    assert sorted(canvases(app)) == ["head_off", "maps"]


def test_the_moment_chooses_the_maps(open_lab, default):
    """The map drawn is that of the step asked for: byte for byte the recorded one."""
    step = default.looks[17].step
    app = checked(open_lab("induction", moment=str(step)))
    maps = next(e for e in elements(app, "bidi_component") if e.proto.id.endswith("figure.maps"))
    header, _ = unpack(maps.proto.bytes)[:2]
    assert header["alt"] == TEXT("alt.maps", step=step)
    assert header["heads"][0] == "L0 H0"


def test_settings_that_were_not_run_show_the_controls_alone(open_lab):
    app = checked(open_lab("induction", seed="7", unveil="1"))
    assert "have not been run yet" in said(app)
    assert len(app.get("echarts_chart")) == 2
    assert canvases(app) == []


def test_a_guess_is_scored_by_what_the_curve_did(open_lab):
    app = open_lab("induction", **QUICK)
    radio = next(radio for radio in app.radio if "growth" in radio.key)
    app = press(radio.set_value("never").run(), "induction.predict.growth.lock")
    app = checked(press(app, "induction.run"))
    assert any("Well judged" in box.value for box in app.success)  # 50 steps: not yet


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("model", ["world-copier", "world-decoder"])
def test_the_text_is_told_and_every_head_tried(open_lab, language, model):
    app = checked(open_lab("induction", language, part="surgery", model=model))
    assert sorted(canvases(app)) == ["text_off", "told"]
    assert len(app.get("plotly_chart")) == 1


@pytest.mark.parametrize("silent", ["0.1", "0.most", "0.all"])
def test_heads_with_readers_are_cut_wire_by_wire(open_lab, silent):
    app = checked(open_lab("induction", part="surgery", silent=silent))
    assert len(app.get("echarts_chart")) == 1
    assert TEXT("wires.none") not in said(app)


def test_heads_of_the_last_layer_have_no_wires(open_lab):
    assert TEXT("wires.none") in said(open_lab("induction", part="surgery", silent="1.all"))


def test_the_guess_about_the_wire_is_scored_on_the_head_it_is_about(open_lab):
    app = open_lab("induction", part="surgery")
    radio = next(radio for radio in app.radio if "wire" in radio.key)
    app = press(radio.set_value("keys").run(), "induction.predict.wire.lock")
    assert not app.success
    chosen = next(box for box in app.selectbox if "silent" in box.key)
    assert not chosen.set_value("0.2").run().success  # a bystander answers nothing
    chosen = next(box for box in app.selectbox if "silent" in box.key)
    assert any("Well judged" in box.value for box in chosen.set_value("0.1").run().success)


@pytest.mark.parametrize("text", ["", "   ", "🙂", "a", "<b>x</b> **y** $z$", "x" * 2000])
@pytest.mark.parametrize("silent", ["nobody", "0.1"])
def test_any_text_gets_a_picture_or_a_sentence(open_lab, text, silent):
    app = open_lab("induction", part="surgery", text=text, silent=silent)
    assert not app.exception
    assert not app.error
    assert app.warning if not text.strip() else canvases(app)


@pytest.mark.parametrize(
    "link",
    [
        {"part": "dance"}, {"num_layers": "9"}, {"fixed_period": "99", "period": "fixed"},
        {"part": "surgery", "silent": "7.7"}, {"part": "surgery", "model": "gpt"},
        {"moment": "-1"}, {"learning_rate": "nan"},
    ],
)  # fmt: skip
def test_a_link_with_nonsense_opens_on_the_default(open_lab, link):
    app = open_lab("induction", **link)
    assert not app.exception
    assert not app.error


# What was recorded: five seeds of four cases. Shapes, not digits, so that another machine may make it again.


def test_two_layers_rise_and_one_does_not_however_many_heads(cases):
    assert cases["two"].accuracy.shape[0] >= 3
    assert cases["two"].accuracy[:, -1].min() > 0.9
    assert max(cases["one"].accuracy.max(), cases["wide"].accuracy.max()) < 0.3


def test_the_rise_is_short(cases):
    """From a quarter to three quarters within 3/10 of the run, for every seed."""
    case = cases["two"]
    for accuracy in case.accuracy:
        start, end = (case.steps[accuracy >= share][0] for share in (0.25, 0.75))
        assert end - start <= 0.3 * case.steps[-1]


def test_the_shortcut_is_perfect_first_and_helpless_elsewhere(cases):
    """It looks 12 places back: right where 12 is a whole number of periods, nowhere else."""
    case, two = cases["fixed"], cases["two"]
    assert (case.accuracy[:, case.steps == 100] > 0.95).all()
    assert case.hard_accuracy[:, -1].max() < 0.35
    assert case.induction[:, -1].min() > 0.8 > 0.5 > case.hard_induction[:, -1].max()
    for place, period in enumerate(case.tested_periods.tolist()):
        low, high = case.by_period[:, place].min(), case.by_period[:, place].max()
        assert low > 0.8 if 12 % period == 0 else high < 0.2
    assert two.by_period.min() > 0.85


def test_the_cut_that_matters_is_the_one_to_the_keys(cases):
    """In every seed; and single induction heads are not missed, all together are."""
    case = cases["two"]
    wires = dict(zip(case.conditions, case.wires.T, strict=True))
    assert max(wires["silent"].max(), wires["keys"].max()) < 0.2
    assert min(wires[name].min() for name in ("queries", "values", "only_keys")) > 0.85
    assert case.layer_off[:, 1].max() < 0.1
    assert case.head_off[:, 1].min() > 0.85
    assert (case.head_off[:, 0].min(axis=1) < 0.65).all()  # some heads of layer 0 matter
    assert (case.head_off[:, 0].max(axis=1) > 0.9).all()  # and some do not


def test_the_recorded_run_begins_as_a_run_of_today_does(default):
    """Kernels of other machines may differ in the last digits."""
    today = list(islice(induction.form(induction.InductionConfig()), 2))
    for now, then in zip(today, default.looks, strict=False):
        assert now.step == then.step
        assert now.own.nats_new == pytest.approx(then.own.nats_new, rel=1e-3)
        assert now.own.nats_known == pytest.approx(then.own.nats_known, rel=1e-3)
        assert now.floor_new_nats == pytest.approx(then.floor_new_nats, rel=1e-6)


def test_the_recorded_default_is_seed_0_of_the_recorded_cases(default, cases):
    assert replace(CASES["two"], seed=0) == induction.InductionConfig()
    accuracy = [look.own.accuracy for look in default.looks]
    assert accuracy == pytest.approx(cases["two"].accuracy[0].tolist(), abs=1e-3)
    assert induction.growth(default.looks) == "jump"


# The charts.


def test_a_head_carries_the_name_of_its_pattern_only_from_a_score_on(default):
    first, last = (
        charts.maps(look, default.probe, TEXT, 0).spec.header["patterns"]
        for look in (default.looks[0], default.looks[-1])
    )
    assert first == [None] * 8
    assert [bool(name) for name in last] == [True, False, False, True, True, True, True, True]
    assert last[0].startswith("previous token")
    assert last[4].startswith("induction")


def test_dots_show_every_seed(cases):
    figure = charts.surgery_over_seeds(cases["two"], TEXT)
    assert len(figure.spec.data[0].x) == 10 * len(cases["two"].wires)
    table = figure.data()
    assert (table["Lowest"] <= table["Mean"]).all()
    assert (table["Mean"] <= table["Highest"]).all()


def test_the_learners_run_is_one_more_line_beside_the_recorded_ones(default, cases):
    names = charts.controls(Comparison(cases), default.looks, TEXT).spec["legend"]["data"]
    assert names == ["2 layers", "1 layer", "1 layer, 8 heads", "1 layer, fixed period", "your run"]
