"""The page of "Distillation": three parts, both languages, the ends of its knobs."""

from types import SimpleNamespace

import numpy as np
import pytest

from app.charts import distillation as charts
from app.i18n import LANGUAGES, Words
from app.labs.inference import distillation as screen
from labcore.compression import dark_knowledge
from tests.app.conftest import checked, press, said

QUICK = {"steps": "20"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_opens_on_the_recorded_run(open_lab, language):
    app = checked(open_lab("distillation", language))
    assert {"en": "recorded", "zh": "实测录制"}[language] in said(app)
    assert len(app.get("echarts_chart")) == 2
    assert len(app.dataframe[0].value) == 3


@pytest.mark.parametrize(
    "knobs",
    [
        {"temperature": "8.0", "weight": "0", "passages": "2000"},
        {"match": "all", "direction": "reverse", "passages": "100"},
    ],
)
def test_a_run_draws_its_students(open_lab, knobs):
    app = checked(press(open_lab("distillation", **QUICK, **knobs), "distillation.run"))
    assert "measured now" in said(app)
    assert len(app.get("echarts_chart")) == 2
    assert app.dataframe[0].value["Steps"].tolist() == [20, 20, 88]


def test_a_guess_is_scored(open_lab):
    app = open_lab("distillation", **QUICK)
    radio = next(radio for radio in app.radio if "best" in radio.key)
    app = press(radio.set_value("alike").run(), "distillation.predict.best.lock")
    app = checked(press(app, "distillation.run"))
    assert [*app.success, *app.info]


@pytest.mark.parametrize(
    ("taught", "alone", "verdict"),
    [((2.0, 1.2), (1.5, 2.0), "distilled"), ((1.2,), (1.21,), "alike"), ((1.5,), (1.0, 3.0), "compute")],
)  # fmt: skip
def test_the_verdict_compares_best_moments(taught, alone, verdict):
    looks = {"distilled": taught, "compute": alone}
    result = SimpleNamespace(of=lambda name: [SimpleNamespace(nats=nats) for nats in looks[name]])
    assert screen.verdict(result) == verdict


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("group", screen.GROUPS)
def test_every_comparison_is_drawn(open_lab, language, group):
    app = checked(open_lab("distillation", language, part="study", group=group, unveil="1"))
    kind = "echarts_chart" if group == "data" else "plotly_chart"
    assert len(app.get(kind)) == 2


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("passage", "place", "heat"), [(1, 1, "0.5"), (dark_knowledge.PASSAGES, dark_knowledge.PLACES, "16.0")]
)  # fmt: skip
def test_one_token_is_drawn_at_the_ends_of_its_knobs(open_lab, language, passage, place, heat):
    knobs = {"part": "dark", "passage": str(passage), "place": str(place), "heat": heat}
    app = checked(open_lab("distillation", language, **knobs))
    assert len(app.get("echarts_chart")) == 1
    assert len(app.dataframe[0].value) == 4


@pytest.mark.parametrize(
    "link", [{"part": "dance"}, {"temperature": "nan"}, {"weight": "-5"}, {"group": "x"}, {"place": "99"}]
)  # fmt: skip
def test_a_link_with_nonsense_opens_on_the_default(open_lab, link):
    app = open_lab("distillation", **link)
    assert not app.exception
    assert not app.error


def test_every_opinion_sums_to_one_with_all_others():
    shares = {"world": np.array([0.5, 0.25]), "teacher": np.array([0.4, 0.1])}
    dark = dark_knowledge.Dark("a", "b", 1, ["c", "b"], shares, {}, {})
    figure = charts.opinions(dark, Words("en", "distillation"))
    for bars, left in zip(figure.spec["series"], (0.25, 0.5), strict=True):
        assert sum(bars["data"]) == pytest.approx(1)
        assert bars["data"][-1] == pytest.approx(left)
    assert "b ◂" in str(figure.spec["yAxis"])
