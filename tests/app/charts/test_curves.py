"""Live curves: few points, true points, the floor in sight."""

import json
import math

import numpy as np
import pytest

from app import theme
from app.charts.curves import MOST_POINTS, Series, curve, strided


def drawn(*series: Series, **more):
    return curve(series, x_title="step", y_title="loss (nats)", alt="loss falls", **more)


@pytest.mark.parametrize("count", [0, 1, 2, 399, 400, 401, 799, 800, 12345])
def test_striding_keeps_both_ends_and_at_most_400_points(count):
    kept = strided(count)
    assert len(kept) <= MOST_POINTS
    assert len(np.unique(kept)) == len(kept)
    if count:
        assert (kept[0], kept[-1]) == (0, count - 1)
    if count <= MOST_POINTS:
        assert len(kept) == count


def test_every_point_drawn_was_measured():
    """Thinning picks points; it neither averages nor invents."""
    x, y = np.arange(5000), np.random.default_rng(0).normal(size=5000)
    data = drawn(Series("a", x, y)).spec["series"][0]["data"]
    assert all(y[int(step)] == value for step, value in data)


def test_the_table_is_what_is_drawn():
    figure = drawn(
        Series("training", [1, 2, 3], [3.0, 2.0, 1.5], "train"),
        Series("validation", [1, 3], [3.5, 2.5], "validation"),
        floor=(1.2, "entropy"),
    )
    table = figure.data()
    assert table["step"].tolist() == [1, 2, 3]
    assert table["training"].tolist() == [3.0, 2.0, 1.5]
    assert table["validation"].dropna().tolist() == [3.5, 2.5]
    assert table["entropy"].tolist() == [1.2] * 3


def test_lines_wear_the_colour_of_their_meaning():
    figure = drawn(Series("a", [1], [1], "validation"), Series("b", [1], [1]))
    colours = [line["lineStyle"]["color"] for line in figure.spec["series"]]
    assert colours == [theme.MEANING["validation"], theme.CATEGORICAL[1]]


def test_the_floor_is_inside_the_picture_even_when_no_line_reaches_it():
    """ECharts scales an axis to its series and forgets marks."""
    axis = drawn(Series("a", [0, 1], [3.0, 2.0]), floor=(1.0, "floor")).spec["yAxis"][0]
    assert axis["min"] < 1.0
    axis = drawn(Series("a", [0, 1], [3.0, 2.0]), floor=(5.0, "chance")).spec["yAxis"][0]
    assert axis["max"] > 5.0


def test_log_axes_leave_out_what_has_no_logarithm():
    figure = drawn(Series("a", [0, 1, 2, 3], [1.0, 0.0, -1.0, 2.0]), log_x=True, log_y=True)
    assert figure.spec["series"][0]["data"] == [[3.0, 2.0]]
    assert figure.spec["xAxis"]["type"] == "log"
    assert figure.data()["a"].tolist() == [2.0]


def test_a_diverged_run_can_be_drawn():
    """NaN and infinity are no JSON; the finite part of the run stays on screen."""
    figure = drawn(Series("a", [0, 1, 2, 3], [1.0, math.inf, math.nan, 9.0]))
    assert figure.spec["series"][0]["data"] == [[0, 1.0], [3, 9.0]]
    json.dumps(figure.spec, allow_nan=False)


def test_a_run_that_has_not_begun_can_be_drawn():
    figure = drawn(Series("a", [], [], "train"), floor=(1.0, "floor"))
    assert figure.spec["series"][0]["data"] == []
    assert figure.data().empty


def test_nothing_moves_by_itself():
    assert drawn(Series("a", [0, 1], [1, 2])).spec["animation"] is False


def test_a_second_axis_appears_when_a_line_asks_for_it():
    figure = drawn(
        Series("loss", [0, 1], [3, 2]),
        Series("lr", [0, 1], [0, 1e-3], right=True),
        right_title="lr",
    )
    assert [axis["name"] for axis in figure.spec["yAxis"]] == ["loss (nats)", "lr"]
    assert figure.spec["series"][1]["yAxisIndex"] == 1


def test_braces_in_a_label_are_no_echarts_template():
    """`{b}` in a formatter would be replaced by ECharts."""
    mark = drawn(Series("a", [0, 1], [1, 2]), floor=(0.5, "{b}")).spec["series"][0]["markLine"]
    assert "{" not in mark["data"][0]["label"]["formatter"]


def test_a_spread_is_a_band_from_the_lowest_to_the_highest_seed():
    """The upper half is stacked on the lower one, so it holds the way between them: 4 − 1 and 3 − 2."""
    line = Series("a", [0, 1], [2.0, 2.5], "train", spread=([1.0, 2.0], [4.0, 3.0]))
    figure = drawn(line, floor=(0.5, "floor"))
    own, low, way = figure.spec["series"]
    assert own["data"] == [[0, 2.0], [1, 2.5]]
    assert low["data"] == [[0, 1.0], [1, 2.0]]
    assert way["data"] == [[0, 3.0], [1, 1.0]]
    assert low["stack"] == way["stack"]
    assert way["areaStyle"]["color"] == theme.MEANING["train"]
    assert figure.spec["legend"]["data"] == ["a"]
    assert figure.data()[["a", "a (min)", "a (max)"]].values.tolist() == [[2, 1, 4], [2.5, 2, 3]]
