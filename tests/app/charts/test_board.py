"""The board's picture: what is drawn are the measured numbers, and nothing is drawn that is not."""

import numpy as np
import pytest

from app import results
from app.charts import board as charts
from app.i18n import LANGUAGES, Words
from labcore.compression import board
from labcore.compression.board import BoardResult
from labcore.compression.constraints import parse


@pytest.fixture(scope="module")
def recorded():
    return results.load(results.RECORDINGS / "board-field.safetensors", BoardResult).result


def drawn(recorded, x, y, above=False, wishes="", own=(), language="en", chosen=None):
    points = [p for p in recorded.points if p.config.batch == 1]
    return points, charts.scatter(
        points, list(own), x, y, parse(wishes)[0], chosen, recorded.floor_nats, above, "recorded",
        Words(language, "board"),
    )  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("x", board.QUANTITIES)
def test_every_point_is_drawn_where_it_was_measured(recorded, language, x):
    points, figure = drawn(recorded, x, "memory_mb", language=language)
    marks = [trace for trace in figure.spec.data if trace.mode == "markers"]
    found = sorted((a, b) for trace in marks for a, b in zip(trace.x, trace.y, strict=True))
    assert found == sorted((board.value(p, x), p.memory_mb) for p in points)
    assert len(figure.data()) == len(points)
    assert "{" not in figure.alt


def test_the_line_is_the_front_from_left_to_right(recorded):
    points, figure = drawn(recorded, "size_mb", "loss_nats")
    line = figure.spec.data[0]
    front = board.pareto(board.costs(points, ("size_mb", "loss_nats")))
    assert len(line.x) == front.sum()
    assert list(line.x) == sorted(line.x)
    assert list(line.y) == sorted(
        line.y, reverse=True
    )  # smaller costs loss, or it would not be a front


def test_above_the_floor_is_the_loss_less_its_floor_on_a_logarithmic_axis(recorded):
    _, plain = drawn(recorded, "size_mb", "loss_nats")
    _, above = drawn(recorded, "size_mb", "loss_nats", above=True)
    assert (plain.spec.layout.yaxis.type, above.spec.layout.yaxis.type) == (None, "log")
    for one, other in zip(plain.spec.data, above.spec.data, strict=True):
        np.testing.assert_allclose(np.array(one.y) - recorded.floor_nats, other.y, atol=1e-9)
    lines = [shape.y0 for shape in plain.spec.layout.shapes]
    assert lines == [recorded.floor_nats]
    assert not above.spec.layout.shapes  # the floor itself lies at minus infinity


def test_limits_are_drawn_on_their_axis(recorded):
    wishes = "under 2 MB, loss at most 0.46, under 3 ms"
    _, figure = drawn(recorded, "size_mb", "loss_nats", above=True, wishes=wishes)
    shapes = figure.spec.layout.shapes
    assert shapes[0].x0 == 2
    assert shapes[1].y0 == pytest.approx(0.46 - recorded.floor_nats)
    assert len(shapes) == 2  # time is on no axis
    _, below = drawn(recorded, "size_mb", "loss_nats", above=True, wishes="loss at most 0.1")
    assert not below.spec.layout.shapes


def test_bars_go_from_the_fastest_to_the_slowest_round(recorded):
    points, figure = drawn(recorded, "token_ms", "loss_nats")
    trace = next(t for t in figure.spec.data if t.mode == "markers")
    first = next(p for p in points if p.config.form == "fp32")
    assert trace.x[0] - trace.error_x.arrayminus[0] == pytest.approx(first.token_ms[1])
    assert trace.x[0] + trace.error_x.array[0] == pytest.approx(first.token_ms[2])
    assert trace.error_y.array is None


def test_ones_own_points_are_stars_and_in_the_table_by_their_source(recorded):
    own = [p for p in recorded.points if p.config.student][:1]
    points, figure = drawn(recorded, "size_mb", "loss_nats", own=own, chosen=own[0])
    star = next(t for t in figure.spec.data if t.marker.symbol == "star")
    assert list(star.x) == [own[0].size_mb]
    text = Words("en", "board")
    sources = list(figure.data()["source"])
    assert sources == [text("provenance.recorded")] * len(points) + [text("provenance.measured")]


def test_the_ring_says_whether_it_keeps_the_limits(recorded):
    point = recorded.points[0]
    text = Words("en", "board")
    for wishes, key in (("under 5 MB", "series.best"), ("under 4 MB", "series.nearest")):
        _, figure = drawn(recorded, "size_mb", "loss_nats", wishes=wishes, chosen=point)
        assert figure.spec.data[-1].name == text(key)


def test_nobody_on_the_board_is_an_empty_picture(recorded):
    empty = charts.scatter(
        [], [], "size_mb", "loss_nats", [], None, recorded.floor_nats, True, "recorded",
        Words("en", "board"),
    )  # fmt: skip
    assert not len(empty.data())


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_of_a_point_says_spread_only_of_times(recorded, language):
    table = charts.best_table(recorded.points[0], Words(language, "board"))
    spread = table.iloc[:, 2]
    assert [one != "–" for one in spread] == [name in board.TIMED for name in board.QUANTITIES]
