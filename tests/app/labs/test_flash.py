"""The page of "FlashAttention": five parts, both languages, every knob to its ends."""

import numpy as np
import pytest

from app.charts import flash as row_charts
from app.charts import flash_tiles
from app.i18n import LANGUAGES, Words
from app.labs.inference import flash_exact, flash_time
from labcore.serving import online_softmax, tile_speed, tile_walk
from tests.app.conftest import checked, press, said

EN = Words("en", "flash")
RECORDED = {"en": "recorded", "zh": "实测录制"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_opens_on_a_row_of_a_head(open_lab, language):
    app = checked(open_lab("flash", language))
    assert len(app.get("echarts_chart")) == 2
    assert len(app.dataframe[0].value) == 3


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "knobs",
    [
        {"layer": "3", "head": "3", "query": "1", "key_tile": "16"},
        {"key_tile": "1", "offset": "150", "tile": "1"},
        {"offset": "-150", "format": "fp16"},
        {"source": "own", "own": "5", "tile": "1"},
        {"source": "own", "own": "0, 20, 40, 60", "key_tile": "1", "tile": "4", "format": "bf16"},
    ],
)
def test_a_row_at_the_ends_of_its_knobs(open_lab, language, knobs):
    app = checked(open_lab("flash", language, **knobs))
    assert len(app.get("echarts_chart")) == 2
    if abs(int(knobs.get("offset", 0))) == 150:
        assert app.dataframe[0].value.iloc[0, 2] == Words(language, "flash")("no_number")


@pytest.mark.parametrize("own", ["one, two", "", "1, 1e9", "nan"])
def test_a_row_that_is_none_is_answered_in_words(open_lab, own):
    app = open_lab("flash", source="own", own=own)
    assert not app.exception
    assert app.warning
    assert not app.get("echarts_chart")


def test_markup_in_the_text_stays_text(open_lab):
    app = checked(open_lab("flash", text="<script>alert(1)</script> **hat** {x}"))
    assert "<script>" not in said(app)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"length": "32", "query_tile": "256", "columns": "256", "step": "1"},
        {"length": "256", "query_tile": "8", "columns": "8", "causal": "0", "step": "1024"},
        {"device": "mi300x", "real_length": "131072", "width": "256"},
    ],
)
def test_the_square_at_the_ends_of_its_knobs(open_lab, language, knobs):
    app = checked(open_lab("flash", language, part="tiles", **knobs))
    assert len(app.get("plotly_chart")) == 1
    assert len(app.get("echarts_chart")) == 2


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("part", "knobs", "charts"),
    [("exact", {}, 2), ("time", {}, 3), ("time", {"time_causal": "1"}, 3)],
)
def test_what_was_measured_opens_on_its_recording(open_lab, language, part, knobs, charts):
    app = checked(open_lab("flash", language, part=part, **knobs))
    assert RECORDED[language] in said(app)
    assert len(app.get("echarts_chart")) == charts


def test_exactness_runs_and_scores_a_guess(open_lab):
    app = open_lab("flash", part="exact", exact_length="64", seeds="1", exact_causal="0")
    radio = next(radio for radio in app.radio if "error" in radio.key)
    app = press(radio.set_value("rounding").run(), "flash.predict.error.lock")
    app = checked(press(app, "flash.run"))
    assert "measured now" in said(app)
    assert app.success


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("tile", ["1", "16"])
def test_a_model_in_tiles_says_the_same(open_lab, language, tile):
    app = checked(open_lab("flash", language, part="exact", model_tile=tile))
    assert app.dataframe[1].value.iloc[0, 2] == "100%"


def test_a_model_is_asked_for_a_text(open_lab):
    app = open_lab("flash", part="exact", text="  ")
    assert not app.exception
    assert app.warning


def test_time_is_measured_anew(open_lab):
    app = open_lab("flash", part="time", longest="512", rounds="3", loop_tile="512")
    app = checked(press(app, "flash.run"))
    assert "measured now" in said(app)
    assert len(app.get("echarts_chart")) == 3


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "knobs", [{}, {"back_length": "192", "back_tile": "8", "back_causal": "0"}]
)
def test_the_way_back(open_lab, language, knobs):
    app = checked(open_lab("flash", language, part="backward", **knobs))
    assert len(app.get("echarts_chart")) == 1
    assert len(app.dataframe[0].value) == 3


@pytest.mark.parametrize(
    "link",
    [{"part": "dance"}, {"offset": "nan"}, {"layer": "-4"}, {"format": "int1"}, {"tile": "0"}],
)
def test_a_link_with_nonsense_opens_on_the_default(open_lab, link):
    app = open_lab("flash", **link)
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize(
    ("error", "answer"), [(0, "none"), (8e-7, "rounding"), (1e-3, "thousandth"), (0.5, "percent")]
)
def test_the_size_of_an_error(error, answer):
    assert flash_exact.size_of(error) == answer


@pytest.mark.parametrize(
    ("loop", "verdict"), [((2, 2, 2), "never"), ((2, 2, 0.5), "long"), ((0.5,) * 3, "always")]
)
def test_the_verdict_on_the_loop(loop, verdict):
    found = [
        tile_speed.Timed(length, 1, ((1.0,) * 3, (one,) * 3, *[(1.0,) * 3] * 2), (1,) * 4)
        for length, one in zip((128, 256, 512), loop, strict=True)
    ]
    assert flash_time.verdict(tile_speed.gathered(tile_speed.SpeedConfig(), found)) == verdict


def test_bars_are_stacked_from_what_was_taken_and_what_was_not():
    """Every key in one of the three series alone; the red line ends where the tile ends."""
    result = online_softmax.run(online_softmax.OnlineConfig(own=(1.0, 3.0, 2.0, 5.0), key_tile=2))
    figure = row_charts.row(result, 0, EN)
    assert figure.spec["xAxis"]["data"] == ["0", "1", "2", "3"]
    bars = figure.spec["series"]
    there = np.array([[value is not None for value in one["data"]] for one in bars[:3]])
    assert there.tolist() == [[False] * 4, [True, True, False, False], [False, False, True, True]]
    assert bars[3]["data"] == [3, 3, None, None]
    later = row_charts.row(result, 1, EN).spec["series"]
    assert later[3]["data"] == [3, 3, 5, 5]


@pytest.mark.parametrize(
    ("offset", "ends"), [(0, (None, None)), (100, (100, 106)), (-100, (-100, -94))]
)
def test_scores_far_from_zero_are_still_told_apart(offset, ends):
    config = online_softmax.OnlineConfig(own=(1.0, 3.0, 2.0, 5.0), offset=offset)
    axis = row_charts.row(online_softmax.run(config), 0, EN).spec["yAxis"]
    assert (axis.get("min"), axis.get("max")) == ends


def test_a_tile_s_place_in_the_square_is_its_order():
    walk = tile_walk.run(tile_walk.WalkConfig(32, 16, 16, 8))
    to_come, visited = flash_tiles.square(walk, 2, EN).spec.data
    assert np.array_equal(visited.z, [[1, 2, np.nan, np.nan], [np.nan] * 4], equal_nan=True)
    assert np.isnan(to_come.z).tolist() == [[True] * 4, [False] * 4]
    assert list(visited.x) == [0, 8, 16, 24, 32]


@pytest.mark.parametrize(
    ("value", "words"),
    [(136_314_880, "136 MB"), (34_359_738_368, "34.36 GB"), (148_480, "148 kB")],
)
def test_sizes_read_well(value, words):
    assert flash_tiles.size(value) == words
