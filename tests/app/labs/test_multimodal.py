"""The multimodal lab: its parts, both languages, the ends of the knobs, a stranger's file."""

import io

import numpy as np
import pytest
from PIL import Image

from app import results
from app.charts import pictures as tile_charts
from app.charts import vision as charts
from app.charts import vision_tell as tell_charts
from app.i18n import LANGUAGES, Words
from app.labs.frontier import multimodal_tell
from labcore.vision import telling
from labcore.vision.looking import SightConfig, look_at
from labcore.vision.own_picture import EXAMPLE, read_drawing
from labcore.vision.pair_study import PairStudy
from labcore.vision.pair_training import Trained
from labcore.vision.picture_reader import PictureReader
from labcore.vision.reader_study import ReaderStudy
from labcore.vision.reader_training import ReaderTrained
from tests.app.conftest import checked, elements, press, said

EN = Words("en", "multimodal")


def recorded(name, kind):
    return results.load(results.RECORDINGS / f"multimodal-{name}.safetensors", kind).result


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"eye": "untrained", "view": "all", "relation": "alone"},
        {
            "row": "1",
            "column": "6",
            "relation": "above",
            "first_shape": "cross",
            "scene_seed": "9999",
        },
        {"source": "drawn"},
        {"source": "drawn", "drawing": "6" * 576},
    ],
)
def test_it_looks_at_the_ends_of_the_knobs(open_lab, language, knobs):
    app = checked(open_lab("multimodal", language, **knobs))
    assert not app.warning
    assert len(app.get("plotly_chart")) == 2
    assert len(app.get("echarts_chart")) == 1


def test_a_drawing_in_a_link_that_is_none_is_refused(open_lab):
    app = checked(open_lab("multimodal", source="drawn", drawing="<script>alert(1)</script>"))
    assert "link" in " ".join(one.value for one in app.warning)
    assert "script" not in said(app)
    assert len(elements(app, "component_v2")) or app.get("plotly_chart")


def a_png(colour="red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(file, "PNG")
    return file.getvalue()


def test_a_file_is_shown_as_patches_or_refused_in_a_sentence(open_lab):
    app = checked(open_lab("multimodal", source="brought"))
    assert not app.get("plotly_chart")
    app = checked(app.file_uploader[0].set_value([("a.png", a_png(), "image/png")]).run())
    assert len(app.get("plotly_chart")) == 2
    app = app.file_uploader[0].set_value([("<b>a</b>.png", b"<svg onload=alert(1)>", "image/png")])
    app = checked(app.run())
    assert "no PNG and no JPEG" in app.warning[0].value
    assert "onload" not in said(app)
    assert not app.get("plotly_chart")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("knobs", [{}, {"matrix": "held_out"}, {"batch": "8", "temperature": "1"}])
def test_the_pairs_open_on_their_recording(open_lab, language, knobs):
    app = checked(open_lab("multimodal", language, part="pairs", **knobs))
    assert len(app.get("echarts_chart")) == (0 if "batch" in knobs else 3)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_study_waits_for_a_guess(open_lab, language):
    waiting = checked(open_lab("multimodal", language, part="pairs"))
    shown = checked(open_lab("multimodal", language, part="pairs", unveil="1"))
    assert len(shown.get("echarts_chart")) == len(waiting.get("echarts_chart")) + 2


@pytest.mark.parametrize("reader", ["transformer", "bag"])
def test_pairs_are_trained_on_the_page(open_lab, reader):
    app = open_lab(
        "multimodal", part="pairs", updates="50", batch="8", reader=reader, negatives="hard"
    )
    app = checked(press(app, "multimodal.run"))
    assert "ties: " in said(app)
    if reader == "bag":
        assert "ties: 100 %" in said(app)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"task": "colour", "asked_shape": "square", "layer": "4", "head": "4"},
        {"task": "shape", "asked_colour": "black", "given": "shuffled"},
        {"given": "blank", "mode": "frozen", "source": "drawn"},
    ],
)
def test_it_tells_at_the_ends_of_the_knobs(open_lab, language, knobs):
    app = checked(open_lab("multimodal", language, part="tell", **knobs))
    assert not app.warning
    assert app.get("plotly_chart") or "wrote nothing" in said(app) or "什么也没写" in said(app)


def test_the_opening_picture_is_told(open_lab):
    app = checked(open_lab("multimodal", part="tell"))
    assert "a red circle left of a blue square" in [code.value for code in app.code]


def test_the_screen_knows_how_deep_the_language_model_is():
    config = telling.bundled_reader().writer.config
    assert (config.num_layers, config.num_heads) == (multimodal_tell.LAYERS, multimodal_tell.HEADS)
    assert isinstance(telling.bundled_reader(), PictureReader)


def test_a_look_is_reddest_where_it_falls_and_leaves_the_rest():
    picture = np.full((24, 24, 3), 0.5)
    weights = np.zeros(36)
    weights[7] = 0.4
    tinted = tile_charts.looked(picture, weights)
    changed = np.abs(tinted - picture).sum(-1) > 0
    assert changed[4:8, 4:8].all()
    assert changed.sum() == 16


def test_a_model_that_writes_a_tag_writes_text():
    figure = tile_charts.tiles([np.zeros((4, 4, 3))], ["<a href='x'>&"], 1, alt="", table=None)
    assert figure.spec.layout.annotations[0].text == "&lt;a href='x'&gt;&amp;"


def test_figures_say_what_was_measured():
    trained = recorded("pairs", Trained)
    figure = charts.told_apart(trained.steps, trained.won[0], trained.tied[0], EN)
    assert f"order {100 * trained.won[0, -1, 0]:.0f} %" in figure.alt
    matrix = charts.pairs(trained.matrices[-1, 0], trained.captions["en"][0], EN)
    assert matrix.data().shape == (12, 13)
    sight = look_at(SightConfig())
    assert np.allclose(charts.looks(sight, 7, EN).data().iloc[:, 1:].sum(), 1, atol=1e-4)
    reader = recorded("reader", ReaderTrained)
    assert f"{100 * reader.controls[0, 0, 0]:.0f} %" in tell_charts.controls(reader, EN).alt


def test_the_recordings_say_what_the_page_says():
    """What the prose quotes of them, with room for the spread of seeds."""
    study = recorded("study", PairStudy)
    at = {name: study.names.index(name) for name in study.names}
    order = study.won[:, :, 0, 0].mean(axis=1)
    assert order[at["hard"]] > order[at["default"]] + 0.1
    assert study.tied[at["bag"], :, 0, 0].min() == 1
    found = study.found.mean(axis=(1, 3))[:, 0]
    assert found[at["default"]] > max(found[at["batch_8"]], found[at["warm"]])
    assert study.tied[at["bag_hard"], :, 0, 0].min() == 1
    modes = recorded("modes", ReaderStudy)
    captions = dict(zip(modes.modes, modes.right[:, 0, 0, 0], strict=True))
    assert captions["full"] > captions["lora"] > captions["frozen"]


def test_the_first_drawing_is_one():
    assert read_drawing(EXAMPLE).shape == (24, 24, 3)
