"""The page of "From roofline to production": four parts, both languages, every knob to its ends."""

import pytest

from app.charts import production as charts
from app.i18n import LANGUAGES, Words
from labcore.serving import capacity, deployment, step_roof
from labcore.serving.capacity import CapacityConfig
from labcore.serving.step_roof import RoofConfig
from tests.app.conftest import checked, press, said

EN = Words("en", "production")
RECORDED = {"en": "recorded", "zh": "实测录制"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("part", "echarts", "plotly"),
    [("roofline", 0, 1), ("machine", 0, 1), ("capacity", 4, 0), ("plans", 0, 0)],
)
def test_every_part_opens_with_its_pictures(open_lab, language, part, echarts, plotly):
    app = checked(open_lab("production", language, part=part, unveil="1"))
    assert len(app.get("echarts_chart")) == echarts
    assert len(app.get("plotly_chart")) == plotly
    if part in ("machine", "capacity"):
        assert RECORDED[language] in said(app)


def test_the_first_picture_says_what_the_text_quotes(open_lab):
    text = said(checked(open_lab("production")))
    assert "**4.56 ms**" in text
    assert "**219 tokens per second**" in text
    assert "0.36 %" in text
    assert "**328 texts**" in text
    assert EN("roof.never") in text


def test_a_guess_shows_the_curve_and_is_scored(open_lab):
    app = open_lab("production")
    slider = next(one for one in app.slider if "predict.gain" in one.key)
    app = checked(press(slider.set_value(46.0).run(), "production.predict.gain.lock"))
    assert app.success
    assert len(app.get("echarts_chart")) == 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "knobs",
    [
        {"preset": "gpt3-175b", "device": "v100", "batch": "4096", "weight_bits": "4"},
        {"preset": "mixtral-8x7b", "context": "131072", "cache_bits": "4", "unveil_rate": "1"},
        {"preset": "smollm2-135m", "phase": "read", "context": "128", "device": "b200"},
        {"phase": "read", "context": "131072", "batch": "4096"},
    ],
)
def test_the_roofline_at_the_ends_of_its_knobs(open_lab, language, knobs):
    app = open_lab("production", language, **knobs)
    assert not app.exception
    assert app.get("plotly_chart") or app.warning  # learned positions end


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("knobs", "told"),
    [
        ({"preset": "llama-3-70b"}, "warning"),
        ({"next_ms": "1"}, "warning"),
        ({"preset": "gpt2", "prompt": "131072"}, "warning"),
        ({"preset": "qwen2.5-0.5b", "group": "8"}, "warning"),
        ({"price": "a lot"}, "warning"),
        ({"price": "nan"}, "warning"),
        ({"price": "<b>1</b>"}, "warning"),
    ],
)
def test_what_has_no_plan_gets_a_sentence(open_lab, language, knobs, told):
    for part in ("capacity", "plans"):
        app = open_lab("production", language, part=part, **knobs)
        assert not app.exception
        assert getattr(app, told)


@pytest.mark.parametrize(
    "knobs",
    [
        {"requests": "10000", "prompt": "1", "answer": "2", "first_ms": "60000", "next_ms": "1000"},
        {"preset": "llama-3.1-405b", "group": "8", "device": "b200", "weight_bits": "4",
         "cache_bits": "4", "load_share": "1.0", "reserve": "0.0", "next_ms": "1000"},
        {"preset": "mixtral-8x7b", "group": "2", "peak_share": "0.1", "bandwidth_share": "1.0"},
    ],
)  # fmt: skip
def test_plans_at_the_ends_of_the_knobs(open_lab, knobs):
    for part in ("capacity", "plans"):
        checked(open_lab("production", part=part, **knobs))


def test_the_plan_of_the_text(open_lab):
    app = checked(open_lab("production", part="capacity"))
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics[EN("metric.batch")] == "175"
    assert metrics[EN("metric.devices")] == "2"
    assert metrics[EN("metric.next")] == "12.3 ms"


def test_the_files_are_shown_as_they_are_packed(open_lab):
    app = checked(open_lab("production", part="plans", answer="100"))
    shown = [block.value.strip() for block in app.code]
    for text in deployment.run(CapacityConfig(answer=100)).values():
        assert text.strip() in shown
    assert EN("plans.form_only") in said(app)


def test_a_model_without_weights_has_no_files(open_lab):
    app = checked(open_lab("production", part="plans", preset="gpt3-175b", group="8"))
    assert app.info


@pytest.mark.parametrize(
    "knobs",
    [
        {"part": "machine", "rounds": "3", "side": "128", "unveil": "1"},
        {"part": "capacity", "prompt": "100", "answer": "40", "next_ms": "20"},
    ],
)
def test_a_run_draws_what_it_found(open_lab, knobs):
    app = checked(press(open_lab("production", **knobs), "production.run"))
    assert "measured now" in said(app)


@pytest.mark.parametrize("link", [{"part": "dance"}, {"batch": "3"}, {"device": "abacus"}])
def test_a_link_with_nonsense_opens_on_the_default(open_lab, link):
    checked(open_lab("production", **link))


def test_no_operator_is_above_the_roof_and_all_are_drawn():
    for config in (RoofConfig(), RoofConfig(phase="read"), RoofConfig("mixtral-8x7b", batch=4096)):
        result = step_roof.run(config)
        figure = charts.roof(result, EN)
        drawn = 0
        for trace in figure.spec.data[1:]:
            for x, y in zip(trace.x, trace.y, strict=True):
                limit = min(x * result.bandwidth, result.peak_flops) / charts.TERA
                assert y == pytest.approx(limit)
                drawn += 1
        assert drawn == len(result.names) == len(figure.data())


def test_a_plan_of_one_text_is_drawn():
    config = CapacityConfig(
        "llama-3-70b", "mi300x", prompt=70_000, next_ms=1000.0, first_ms=60_000.0
    )
    result = capacity.run(config)
    assert 1 <= len(result.batches) <= 2
    assert charts.waiting(result, config, EN).data().shape[0] == len(result.batches)
