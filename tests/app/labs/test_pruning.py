"""The page of "Pruning": four parts, both languages, every knob to its ends; its charts and verdicts."""

from dataclasses import replace

import numpy as np
import pytest

from app import results
from app.charts import pruning as charts
from app.charts import pruning_forms, pruning_units
from app.i18n import LANGUAGES, Words
from app.labs.inference import pruning_speed, pruning_structured
from labcore.compression import structured as cutting
from labcore.compression import unstructured as lab
from labcore.compression.matrix_forms import SHARES, FormsResult
from labcore.compression.repair import Look, RepairConfig
from labcore.compression.structured import StructuredConfig, StructuredResult
from tests.app.conftest import checked, press, said

EN = Words("en", "pruning")


def recorded(name: str, kind: type):
    return results.load(results.RECORDINGS / f"pruning-{name}.safetensors", kind).result


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_opens_on_single_weights(open_lab, language):
    app = checked(open_lab("pruning", language))
    assert "0.446" in said(app)
    assert "0.464" in said(app)
    assert len(app.get("plotly_chart")) == 2
    assert len(app.get("echarts_chart")) == 1


@pytest.mark.parametrize(
    "knobs",
    [
        {"method": "wanda", "compared": "model", "ratio": "95", "planted": "1"},
        {"method": "sparsegpt", "compared": "n:m", "what": "error", "stories": "2"},
        {"method": "sparsegpt", "compared": "model"},  # which SparseGPT does not have
        {"method": "random", "ratio": "0", "matrix": "stack.layers.3.mlp.down"},
    ],
)
def test_every_way_of_choosing_draws(open_lab, knobs):
    app = checked(open_lab("pruning", **knobs))
    assert len(app.get("plotly_chart")) == 2


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", ["structured", "repair", "speed"])
def test_every_other_part_opens_on_what_was_recorded(open_lab, language, part):
    app = checked(open_lab("pruning", language, part=part, unveil="1"))
    assert {"en": "recorded", "zh": "实测录制"}[language] in said(app)
    charts = len(app.get("plotly_chart")) + len(app.get("echarts_chart"))
    assert charts == {"structured": 4, "repair": 2, "speed": 2}[part]


@pytest.mark.parametrize(
    "knobs",
    [
        {"unit": "neurons", "removed_neurons": "75"},
        {"unit": "layers", "removed_layers": "3", "importance": "random"},
        {"unit": "heads", "removed_heads": "12", "importance": "slope"},
    ],
)
def test_units_are_cut_out_live(open_lab, knobs):
    app = checked(press(open_lab("pruning", part="structured", **knobs), "pruning.run"))
    assert "measured now" in said(app)


def test_a_guess_about_the_layers_is_scored(open_lab):
    app = open_lab("pruning", part="structured")
    radio = next(radio for radio in app.radio if "layer" in radio.key)
    app = checked(press(radio.set_value("first").run(), "pruning.predict.layer.lock"))
    assert app.success


def test_forms_are_timed_live_and_the_guess_is_scored(open_lab):
    app = open_lab("pruning", part="speed", size="256")
    radio = next(radio for radio in app.radio if "csr" in radio.key)
    app = press(radio.set_value("slower").run(), "pruning.predict.csr.lock")
    app = checked(press(app, "pruning.run"))
    assert "measured now" in said(app)
    assert [*app.success, *app.info]


@pytest.mark.parametrize(
    "link", [{"part": "dance"}, {"ratio": "nan"}, {"compared": "all"}, {"unit": "x", "part": "structured"}]
)  # fmt: skip
def test_a_link_with_nonsense_opens_on_the_default(open_lab, link):
    app = open_lab("pruning", **link)
    assert not app.exception
    assert not app.error


# Charts.


def test_your_own_point_stands_at_its_ratio_and_two_four_at_a_half():
    study, result = recorded("unstructured", lab.Study), lab.run(lab.UnstructuredConfig(stories=4))
    for config, ratio in (
        (lab.UnstructuredConfig(ratio=0.8), 0.8),
        (lab.UnstructuredConfig(ratio=0.8, compared="n:m"), 0.5),
    ):
        figure = charts.losses(study, False, (config, result), EN)
        own = next(line for line in figure.spec["series"] if line.get("name") == "your setting")
        assert own["data"] == [[ratio, result.loss_nats - result.dense_nats]]


def test_the_mask_is_drawn_as_it_is():
    result = lab.run(lab.UnstructuredConfig(stories=4))
    figure = charts.mask(result, result.names[0], EN)
    drawn = np.asarray(figure.spec.data[0].z)
    assert (drawn == result.kept[result.names[0]]).all()


def test_a_cross_stands_on_every_head_that_went():
    result = recorded("smaller", StructuredResult)
    figure = pruning_units.gone_first(result, StructuredConfig(), EN)
    labels = np.asarray(figure.spec.data[0].text)
    crosses = np.char.startswith(labels, pruning_units.GONE)
    assert (crosses == ~result.kept).all()


def test_heads_are_ordered_by_what_they_are_worth():
    study = recorded("structured", cutting.Study)
    table = pruning_units.alone(study, "heads", EN).data()
    assert list(table["mean"]) == sorted(table["mean"], reverse=True)
    assert len(table) == 16


def test_the_course_begins_where_pruning_left_it():
    looks = [Look(0, 0.0, 1.0, 0.45), Look(10, 1.0, 0.5, 0.46)]
    figure = pruning_units.course(looks, 0.43, RepairConfig(steps=10), EN)
    assert figure.spec["series"][0]["data"] == [[0, 1.0], [10, 0.5]]


def test_two_four_is_one_point_of_the_bytes():
    figure = pruning_forms.stored(recorded("forms", FormsResult), EN)
    assert figure.spec["series"][-1]["data"] == [[0.5, pytest.approx(2.125 * 1024**2 / 1e6)]]


# Verdicts.


@pytest.mark.parametrize(("csr", "verdict"), [(2.0, "slower"), (1.1, "same"), (0.5, "faster")])
def test_the_verdict_on_csr_at_a_half(csr, verdict):
    times = {name: np.ones((len(SHARES), 3)) for name in ("dense", "csr", "smaller")}
    times["csr"] *= csr
    result = replace(recorded("forms", FormsResult), milliseconds=times)
    assert pruning_speed.csr_at_half(result) == verdict


@pytest.mark.parametrize(
    ("rise", "verdict"),
    [
        ([7, 0.1, 0.1, 0.1], "first"),
        ([0, 3, 1, 0], "middle"),
        ([0, 0, 1, 3], "last"),
        ([1, 1.5, 1, 1], "alike"),
    ],
)
def test_the_verdict_on_the_layers(rise, verdict):
    study = recorded("structured", cutting.Study)
    study = replace(study, first={"layers": np.array([rise], np.float32)})
    assert pruning_structured.hurts_most(study) == verdict
