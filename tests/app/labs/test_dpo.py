"""The page of "Direct preference optimisation": three parts, both languages, every knob to its ends."""

import pytest

from app.charts import dpo as charts
from app.i18n import LANGUAGES, Words
from app.labs.alignment import dpo as screen
from labcore.tuning import dpo, loss_shapes
from tests.app.conftest import checked, press, said

EN = Words("en", "dpo")
QUICK = {"steps": "20"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_opens_on_the_recorded_run(open_lab, language):
    app = checked(open_lab("dpo", language))
    assert {"en": "recorded", "zh": "实测录制"}[language] in said(app)
    assert len(app.get("echarts_chart")) == 3
    assert len(app.dataframe[0].value) == dpo.SAMPLES


@pytest.mark.parametrize(
    "knobs", [{"method": "kto", "beta": "3.0"}, {"method": "orpo", "source": "own", "flips": "50"}]
)
def test_a_run_draws_its_course_and_its_answers(open_lab, knobs):
    app = checked(press(open_lab("dpo", **QUICK, **knobs), "dpo.run"))
    assert "measured now" in said(app)
    assert len(app.get("echarts_chart")) == 3


def test_a_guess_is_scored_by_what_the_right_answers_did(open_lab):
    app = open_lab("dpo", **QUICK)
    radio = next(radio for radio in app.radio if "chosen" in radio.key)
    app = press(radio.set_value("up").run(), "dpo.predict.chosen.lock")
    app = checked(press(app, "dpo.run"))
    assert [*app.success, *app.info]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("group", screen.GROUPS)
def test_every_comparison_draws_ends_and_courses(open_lab, language, group):
    app = checked(open_lab("dpo", language, part="study", group=group, unveil="1"))
    assert len(app.get("plotly_chart")) == 2
    assert len(app.get("echarts_chart")) == 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("beta", [screen.BETA_KNOB[0], screen.BETA_KNOB[-1]])
def test_the_losses_are_drawn_at_the_ends_of_beta(open_lab, language, beta):
    app = checked(open_lab("dpo", language, part="shape", shape_beta=beta, smoothing="40"))
    assert len(app.get("echarts_chart")) == 2


@pytest.mark.parametrize(
    "link", [{"part": "dance"}, {"method": "ppo"}, {"beta": "nan"}, {"flips": "-5"}, {"group": "x"}]
)
def test_a_link_with_nonsense_opens_on_the_default(open_lab, link):
    app = open_lab("dpo", **link)
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize(
    ("change", "verdict"), [(-0.8, "down"), (-0.05, "still"), (0.09, "still"), (0.3, "up")]
)
def test_the_verdict_on_the_right_answers(change, verdict):
    look = dpo.Look(1, 1.0, 0.5, change, -1.0, 0.6, 0.3, 0.5, 1.0)
    assert screen.direction([look]) == verdict


def test_the_level_of_no_margin_is_drawn_for_dpo_alone():
    looks = [dpo.Look(10, 1.0, 0.6, -0.1, -1.0, 0.6, 0.3, 0.5, 1.0)]
    level, none = (
        charts.loss(looks, dpo.DPOConfig(method), EN).spec["series"][0].get("markLine")
        for method in ("dpo", "ipo")
    )
    assert level["data"][0]["yAxis"] == pytest.approx(0.693, abs=1e-3)
    assert none is None


def test_ipos_square_does_not_squeeze_the_others():
    figure = charts.shapes(loss_shapes.run(loss_shapes.ShapeConfig(0.03)), "losses", EN)
    assert figure.spec["yAxis"][0]["max"] == 2.5
