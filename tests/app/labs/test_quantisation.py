"""The page of "Quantisation": five parts, both languages, every knob to its ends."""

import numpy as np
import pytest

from app.i18n import LANGUAGES
from app.labs.inference import quantisation as screen
from app.labs.inference import quantisation_model as model_part
from app.labs.inference import quantisation_outliers as outliers_part
from app.labs.inference import quantisation_speed as speed_part
from labcore.compression import judged, levels, outliers, quantise_speed
from labcore.compression.rounding import blocks_of
from tests.app.conftest import checked, press, said


def pictures(app) -> int:
    return len(app.get("plotly_chart")) + len(app.get("echarts_chart"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_opens_on_a_matrix_and_its_levels(open_lab, language):
    app = checked(open_lab("quantisation", language))
    assert pictures(app) == 2
    assert "3.00" in said(app)  # bits per weight


@pytest.mark.parametrize(
    "knobs",
    [
        {
            "bits": "2",
            "granularity": "group",
            "group_size": "16",
            "symmetric": "0",
            "block": "4095",
        },
        {"bits": "8", "kind": "down", "layer": "0", "granularity": "row", "clip": "percentile"},
        {"bits": "4", "clip": "mse", "kind": "q"},
        {"scheme": "nf4", "block_size": "128", "kind": "k"},
        {"scheme": "fp4", "block_size": "16"},
    ],
)
def test_levels_at_the_ends_of_the_knobs(open_lab, knobs):
    assert pictures(checked(open_lab("quantisation", **knobs))) == 2


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", screen.PARTS[1:])
def test_every_other_part_opens_on_what_was_recorded(open_lab, language, part):
    app = checked(open_lab("quantisation", language, part=part))
    assert {"en": "recorded", "zh": "实测录制"}[language] in said(app)
    assert pictures(app) >= 2


@pytest.mark.parametrize(
    "link",
    [
        {"part": "model", "family": "clip"},
        {"part": "model", "family": "method", "method": "fp4"},
        {"part": "outliers", "view": "seeds", "setting": "weights-3"},
        {"part": "outliers", "view": "smollm2", "place": "attn.in"},
        {"part": "outliers", "rounded": "weights"},
        {"part": "speed", "rows": "64"},
        {"part": "speed", "timed": "smollm2", "tokens": "48"},
        {"part": "speed", "width": "256"},
        {"part": "sensitivity", "budget": "3.5"},
    ],
)
def test_every_view_opens(open_lab, link):
    checked(open_lab("quantisation", **link))


def test_a_model_is_quantised_and_the_guess_is_scored(open_lab):
    app = open_lab("quantisation", part="model", bits="2", granularity="row")
    radio = next(radio for radio in app.radio if "rise" in radio.key)
    app = press(radio.set_value("much").run(), "quantisation.predict.rise.lock")
    app = checked(press(app, "quantisation.run"))
    assert "measured now" in said(app)
    assert [*app.success]


def test_a_map_is_timed_live(open_lab):
    app = checked(press(open_lab("quantisation", part="speed", width="256"), "quantisation.run"))
    assert "measured now" in said(app)
    assert pictures(app) == 2


@pytest.mark.parametrize(
    "link", [{"part": "x"}, {"bits": "99"}, {"granularity": "no"}, {"block": "-1"}, {"scheme": "7"}]
)
def test_a_link_with_nonsense_opens_on_the_default(open_lab, link):
    app = open_lab("quantisation", **link)
    assert not app.exception
    assert not app.error


def test_the_screen_counts_blocks_as_labcore_does():
    model = judged.load(judged.MODEL).model
    grids = [screen.GridConfig(4, granularity=g) for g in ("tensor", "row", "group")]
    for name, linear in judged.matrices(model).items():
        kind = name.rpartition(".")[2]
        assert name == f"stack.layers.{name.split('.')[2]}.{screen.KINDS[kind]}.{kind}"
        for grid in grids:
            expected = len(blocks_of(linear.weight, grid))
            assert screen.count_blocks(kind, "uniform", grid, 64) == expected
        assert screen.count_blocks(kind, "nf4", grids[0], 64) == linear.weight.numel() // 64


def test_the_best_choice_of_columns_is_the_one_with_the_lowest_loss():
    cases = ["nearest", *(f"keep-{ranking}" for ranking in outliers.RANKINGS)]
    nothing = np.zeros((8, 4))
    for best, ranking in enumerate(outliers.RANKINGS):
        losses = np.full(4, 0.5)
        losses[1 + best] = 0.4
        result = outliers.OutliersResult(
            [1], cases, losses, losses, 0.3, 0.3, 0.2, outliers_part.NORMS, *[nothing] * 5, {}
        )
        assert outliers_part.best_kept(result) == ranking


def test_verdicts():
    times = np.array([[1.0, 1.0, 1.0], [1.1, 1.1, 1.1]])
    forms = ["fp32", speed_part.OURS]
    for factor, verdict in ((1.0, "same"), (2.0, "slower"), (0.5, "faster")):
        row = np.stack([times[0], factor * times[1]])
        result = quantise_speed.SpeedResult(forms, row, np.ones(2), np.zeros(2))
        assert speed_part.verdict(result) == verdict
    assert levels.SCHEMES == ("uniform", "nf4", "fp4")
    assert outliers_part.NORMS[7] == "3.mlp"
    assert model_part.LITTLE < model_part.MUCH
