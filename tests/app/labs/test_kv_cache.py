"""The page of "KV cache": six parts, both languages, every knob to its ends."""

import numpy as np
import pytest

from app.charts import kv_cache as charts
from app.charts import kv_pages
from app.i18n import LANGUAGES, Words
from app.labs.inference import kv_cache as screen
from app.labs.inference import kv_cache_batch, kv_cache_loss
from labcore.serving import cache_size, page_server
from labcore.serving.forgetting import WAYS, ForgetResult
from tests.app.conftest import checked, press, said

EN = Words("en", "kv_cache")
QUICK = {"new_tokens": "32", "rounds": "2"}
RECORDED = {"en": "recorded", "zh": "实测录制"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("part", "echarts", "plotly"),
    [
        ("race", 3, 0), ("memory", 2, 0), ("batch", 3, 0), ("pages", 4, 4), ("forgetting", 2, 0),
        ("bits", 1, 0),
    ],
)  # fmt: skip
def test_every_part_opens_with_its_pictures(open_lab, language, part, echarts, plotly):
    app = checked(open_lab("kv_cache", language, part=part))
    assert len(app.get("echarts_chart")) == echarts
    assert len(app.get("plotly_chart")) == plotly
    if part != "memory":
        assert RECORDED[language] in said(app)


@pytest.mark.parametrize(
    "knobs",
    [
        {"part": "race", "model": "smollm2-135m-instruct"},
        {"part": "forgetting", "reader": "world-decoder"},
        {"part": "bits", "rounded_model": "world-decoder", "what": "both"},
        {"part": "bits", "what": "both"},
    ],
)
def test_the_other_models_open_on_their_recordings(open_lab, knobs):
    assert "recorded" in said(checked(open_lab("kv_cache", **knobs)))


@pytest.mark.parametrize(
    "knobs",
    [
        QUICK,
        {"part": "batch", "size": "small", "cached": "16"},
        {"part": "forgetting", "reader": "world-decoder", "window": "16", "sinks": "8"},
        {"part": "bits", "rounded_model": "world-decoder"},
    ],
)
def test_a_run_draws_what_it_measured(open_lab, knobs):
    app = checked(press(open_lab("kv_cache", **knobs), "kv_cache.run"))
    assert "measured now" in said(app)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "knobs",
    [
        {"preset": "gpt3-175b", "context": "1048576", "batch": "1024", "bits": "4", "devices": "16"},
        {"preset": "deepseek-v2", "context": "512", "batch": "1", "device": "rtx4090"},
        {"preset": "mistral-7b", "device": "b200"},
    ],
)  # fmt: skip
def test_memory_at_the_ends_of_its_knobs(open_lab, language, knobs):
    app = checked(open_lab("kv_cache", language, part="memory", **knobs))
    assert len(app.dataframe) == 2
    assert bool(app.info) == (knobs["preset"] == "deepseek-v2")  # weights alone too large


@pytest.mark.parametrize(
    "knobs",
    [
        {"block": "1", "system_tokens": "64", "arrivals": "60"},
        {"block": "64", "system_tokens": "0", "arrivals": "5"},
    ],
)  # fmt: skip
def test_the_server_at_the_ends_of_its_knobs(open_lab, knobs):
    app = checked(open_lab("kv_cache", part="pages", **knobs))
    assert len(app.get("plotly_chart")) == 4
    assert len(app.dataframe[0].value) == len(page_server.WAYS)


def test_a_guess_at_the_server_is_scored_at_once(open_lab):
    app = open_lab("kv_cache", part="pages")
    radio = next(radio for radio in app.radio if "predict.pages" in radio.key)
    app = checked(press(radio.set_value("shared").run(), "kv_cache.predict.pages.lock"))
    assert app.success


def test_an_empty_beginning_is_refused_in_a_sentence(open_lab):
    app = open_lab("kv_cache", text="   ")
    assert not app.exception
    assert [*app.error, *app.warning]


@pytest.mark.parametrize(
    "link",
    [
        {"part": "dance"}, {"new_tokens": "nan"}, {"part": "memory", "context": "7"},
        {"part": "pages", "block": "3"},
    ],
)  # fmt: skip
def test_a_link_with_nonsense_opens_on_the_default(open_lab, link):
    app = open_lab("kv_cache", **link)
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize(("gain", "option"), [(1.2, "1"), (6, "5"), (16, "20"), (50, "64")])
def test_the_nearest_option(gain, option):
    assert kv_cache_batch.nearest(gain) == option


def test_the_verdict_on_the_first_tokens():
    positions, low = np.array([200.0]), np.full((3, 1), 2.0)

    def costing(nats: float) -> ForgetResult:
        losses = {way: low + (nats if way == "window" else 0.0) for way in WAYS}
        return ForgetResult(positions, losses, {}, {}, window=96)

    verdicts = [kv_cache_loss.verdict(costing(cost)) for cost in (0.01, 0.3, 1.4)]
    assert verdicts == ["nothing", "little", "much"]


def test_the_memory_line_is_inside_the_picture():
    for model in ("smollm2-135m", "gpt3-175b"):
        result = cache_size.run(cache_size.SizeConfig(model))
        spec = charts.parts(result, EN).spec
        assert spec["series"][0]["markLine"]["data"][0]["xAxis"] <= spec["xAxis"]["max"]


def test_the_maps_table_counts_every_slot():
    result = page_server.run(page_server.ServerConfig())
    table = kv_pages.memory_map(result, "paged", EN).data()
    assert (table.drop(columns=EN("axis.step")).sum(axis=1) == page_server.SLOTS).all()


def test_every_part_has_its_words():
    for language in LANGUAGES:
        words = Words(language, "kv_cache")
        assert all(words(f"option.part.{part}") and words(f"part.{part}") for part in screen.PARTS)
