"""Pictures of positional encodings: what a line stands for, and what is left out of it."""

import numpy as np
import pytest

from app.charts import positions, positions_length
from app.i18n import Words
from labcore.architecture.positions_shapes import ShapesConfig, run

TEXT = Words("en", "positions")
LENGTHS = np.array([64, 128, 256])


@pytest.mark.parametrize(
    ("change", "said"), [(0.0, "0"), (4.4e-7, "4e-07"), (9.9e-4, "1e-03"), (1.681, "1.68")]
)
def test_a_difference_is_said_as_nothing_as_rounding_or_as_a_number(change, said):
    assert positions.size(change) == said


def test_the_gallery_opens_on_the_chosen_encoding_with_its_true_weights():
    result = run(ShapesConfig(tokens=8))
    figure = positions.gallery(result, "none", TEXT)
    header = figure.spec.header
    chosen = header["selected"]
    assert header["heads"][chosen] == "none"
    assert figure.spec.exact[chosen] == pytest.approx(result.shapes["none"].alone)


def against_length(live=None):
    """Two encodings, two seeds, three lengths: their nats count 0, 1, 2, …"""
    recorded = np.arange(12.0).reshape(2, 2, 3)
    return positions_length.against_length(
        "encoding", recorded, ["rope", "alibi"], LENGTHS, 0.5, TEXT, live
    )


def test_recorded_lines_are_means_with_their_spread():
    """RoPE's seeds are (0, 1, 2) and (6, 7, 8): the mean is (3, 4, 5)."""
    table = against_length().data()
    at = table.set_index(table.columns[0])
    assert at["RoPE"].dropna().tolist() == [3, 4, 5]
    assert at["RoPE (min)"].dropna().tolist() == [0, 1, 2]
    assert at["RoPE (max)"].dropna().tolist() == [6, 7, 8]
    assert set(at["floor 0.50"].dropna()) == {0.5}


def test_a_live_run_shows_its_own_encodings_before_their_bands():
    table = against_length({"alibi": (LENGTHS[:1], np.array([2.5]))}).data()
    assert not any(name.startswith("RoPE") for name in table.columns)
    assert table["ALiBi"].dropna().tolist() == [2.5]
    assert table["ALiBi, recorded"].dropna().tolist() == [6, 7, 8]


def test_a_point_of_a_training_curve_is_the_mean_of_ten_steps():
    """Losses 0, 1, …, 24: the means of the first two tens are 4.5 and 14.5; five steps wait."""
    steps, nats = positions_length.smoothed(np.arange(25.0))
    assert steps.tolist() == [10, 20]
    assert nats.tolist() == [4.5, 14.5]
