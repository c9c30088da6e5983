"""Bars: ordered, complete, and equal to their table."""

import numpy as np
import pytest

from app import theme
from app.charts.bars import FADED, grouped, probabilities, stacked
from app.i18n import Words

TEXT = Words("en", "any_lab")


def test_the_likeliest_token_stands_on_top():
    figure = probabilities(["a", "b", "c"], [0.2, 0.5, 0.3], TEXT, alt="p")
    assert figure.spec["yAxis"]["data"] == ["b", "c", "a"]
    assert figure.spec["yAxis"]["inverse"] is True  # ECharts counts upwards otherwise
    assert figure.data()["Probability"].tolist() == [0.5, 0.3, 0.2]


def test_what_is_not_listed_is_one_bar_and_the_whole_is_one():
    """Two of five listed and 95 more in the vocabulary: 98 others hold 1 − 0.6 − 0.2 = 0.2."""
    figure = probabilities(
        list("abcde"), [0.6, 0.2, 0.05, 0.02, 0.01], TEXT, alt="p", top=2, rest=95
    )
    table = figure.data()
    assert table["Token"].tolist() == ["a", "b", "all others (98)"]
    assert table["Probability"].sum() == pytest.approx(1)
    assert table["Probability"].iloc[-1] == pytest.approx(0.2)


def test_tokens_that_look_alike_keep_a_bar_each():
    figure = probabilities(["a", "a"], [0.4, 0.6], TEXT, alt="p")
    assert figure.spec["series"][0]["data"] == [0.6, 0.4]
    assert figure.spec["yAxis"]["data"] == ["a", "a"]


def test_what_a_sampler_dropped_is_pale():
    figure = probabilities(["a", "b"], [0.4, 0.6], TEXT, alt="p", kept=[False, True])
    opacities = [bar["itemStyle"]["opacity"] for bar in figure.spec["series"][0]["data"]]
    assert opacities == [1.0, FADED]


def test_former_probabilities_stand_beside_the_same_tokens():
    figure = probabilities(["a", "b"], [0.4, 0.6], TEXT, alt="p", before=[0.9, 0.1])
    assert figure.data().to_dict("list") == {
        "Token": ["b", "a"],
        "Probability": [0.6, 0.4],
        "Before": [0.1, 0.9],
    }


def test_a_stack_wears_its_meanings_and_its_table_adds_up():
    figure = stacked(
        [("weights", [2, 4], "parameters"), ("Adam", np.array([8, 16]), "optimizer")],
        ["small", "large"],
        TEXT,
        alt="s",
        value_title="MB",
    )
    colours = [one["itemStyle"]["color"] for one in figure.spec["series"]]
    assert colours == [theme.MEANING["parameters"], theme.MEANING["optimizer"]]
    assert figure.data()[["weights", "Adam"]].sum(axis=1).tolist() == [10, 20]
    assert {one["stack"] for one in figure.spec["series"]} == {"whole"}


def test_grouped_bars_stand_side_by_side_over_the_same_table():
    parts = [("before", [1.0, 2.0], "baseline"), ("after", [3.0, 4.0], "changed")]
    figure = grouped(parts, ["a", "b"], TEXT, alt="g", value_title="x")
    assert all("stack" not in one for one in figure.spec["series"])
    assert [one["data"] for one in figure.spec["series"]] == [[1.0, 2.0], [3.0, 4.0]]
    assert figure.data()["after"].tolist() == [3.0, 4.0]
