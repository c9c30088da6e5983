"""The page of the data pipeline: eight stages in both languages, odd text, odd links, what goes home."""

import json

import pytest

from app import datasets
from app.i18n import LANGUAGES
from app.labs.pretraining import data, data_knobs
from labcore.pretraining import pipeline
from labcore.pretraining.pipeline import FilterConfig, NearConfig, PipelineConfig, SourceConfig
from labcore.pretraining.training_text import TrainingTextConfig
from labcore.text import evaluation_sets
from tests.app.conftest import checked, elements, press, said

STAGES = tuple(data.VIEWS)
SMALL = {"kilobytes": "20"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_opens_in_both_languages(open_lab, language, stage):
    app = checked(open_lab("data", language, stage=stage, **SMALL))
    assert not app.warning
    pictures = {"source": 2, "exact": 0, "near": 2, "pack": 3}.get(stage, 1)
    drawn = ("echarts_chart", "plotly_chart", "bidi_component")
    assert sum(len(elements(app, kind)) for kind in drawn) == pictures + (stage == "tokenise")


def test_a_knob_of_one_stage_counts_in_all_the_others(open_lab):
    """The filter is set by the link and is not drawn at the stage of exact duplicates; it still works."""
    loose, strict = (
        open_lab("data", stage="exact", least_characters=least, **SMALL) for least in ("0", "200")
    )
    entered = [int(app.metric[0].value.replace(",", "")) for app in (loose, strict)]
    assert entered[1] < entered[0] / 2
    assert not [one for one in strict.slider if "least_characters" in one.key]
    assert strict.query_params["least_characters"] == "200"


def test_turning_a_knob_and_walking_on_keeps_it(open_lab):
    app = open_lab("data", stage="filter", **SMALL)
    slider = next(one for one in app.slider if one.key.startswith("data.least_characters"))
    app = slider.set_value(150).run()
    app.query_params["stage"] = "exact"
    app = checked(app.run())
    config = PipelineConfig(SourceConfig(kilobytes=20), filter=FilterConfig(least_characters=150))
    entered = pipeline.run(config).stage("exact").entered
    assert int(app.metric[0].value) == len(entered)


def test_the_numbers_on_the_page_are_those_of_the_pipeline(open_lab):
    app = open_lab("data", stage="near", bands="8", rows="8", **SMALL)
    result = pipeline.run(
        PipelineConfig(SourceConfig(kilobytes=20), near=NearConfig(bands=8, rows=8))
    )
    stage = result.stage("near")
    shown = [int(metric.value.replace(",", "")) for metric in app.metric[:3]]
    assert shown == [len(stage.entered), len(stage.kept), len(stage.dropped)]


def test_a_locked_guess_is_scored_by_the_formula(open_lab):
    """1 - (1 - 0.5^4)^32 = 0.873; the slider stands at 0.5."""
    app = press(open_lab("data", stage="near", **SMALL), "data.predict.half.lock")
    assert any("the result is 0.873" in box.value for box in [*app.info, *app.success])


def test_a_run_grows_a_vocabulary_and_the_rows_use_it(open_lab):
    app = press(open_lab("data", stage="tokenise", vocab_size="512", **SMALL), "data.run")
    checked(app)
    assert "Finished in" in said(app)
    assert "measured now" in said(app)
    assert "What a language costs" in said(app)
    app.query_params["stage"] = "pack"
    assert "the vocabulary that you learnt" in said(checked(app.run()))


@pytest.mark.parametrize(
    "text", ["", "<b>*_`</b> $x$", "😀" * 50, "\u202e\x07 \ud83d", "汉" * 500, "[UNK] <|eos|>"]
)
def test_any_text_can_be_spelt(open_lab, text):
    app = open_lab("data", stage="tokenise", **SMALL)
    area = next(one for one in app.text_area if one.key.startswith("data.text"))
    app = checked(area.set_value(text.encode(errors="replace").decode()).run())
    assert ("Type something" in said(app)) == (not text)


@pytest.mark.parametrize("stage", ["source", "near", "pack"])
@pytest.mark.parametrize(
    "text", ["", "one line", '{"text": "a"}', "<script>alert(1)</script>\n\nb"]
)
def test_any_own_text_gets_a_picture_or_a_sentence(open_lab, stage, text):
    app = open_lab("data", stage=stage, source="own", own_text=text, planted="0")
    checked(app)
    assert bool(app.warning) == (not text or stage == "pack")


ENDS = (
    {"stage": "near", "rows": "32", "bands": "4", "threshold": "1.0", "shingle": "12"},
    {"stage": "near", "rows": "1", "bands": "128", "threshold": "0.3", "shingle": "1"},
    {"stage": "near", "near_on": "0"},
    {"stage": "filter", "least_characters": "300", "most_symbols": "0.0", "most_repeated": "0.0"},
    {"stage": "filter", "signal": "characters", "blocked": "the\n的", "languages": "zh"},
    {"stage": "normalise", "form": "none", "repair": "0", "markup": "0", "spaces": "0", "private": "0"},
    {"stage": "contamination", "evaluation": "own", "gram": "2"},
    {"stage": "contamination", "evaluation": "none", "gram": "20"},
    {"stage": "source", "kilobytes": "10", "planted": "0"},
    {"stage": "source", "source": "world", "kilobytes": "10"},
    {"stage": "pack", "method": "pad", "row_tokens": "32"},
    {"stage": "pack", "method": "cut", "row_tokens": "1024"},
    {"stage": "exact", "exact": "off"},
)  # fmt: skip


@pytest.mark.parametrize("ends", ENDS, ids=lambda ends: "-".join(ends.values())[:40])
def test_the_ends_of_the_knobs_hold(open_lab, ends):
    checked(open_lab("data", **SMALL | ends))


def test_a_link_that_asks_for_too_many_bands_is_brought_back(open_lab):
    app = checked(open_lab("data", stage="near", rows="32", bands="128", **SMALL))
    assert not [box for box in app.warning if "Bands times rows" in box.value]


def test_nothing_left_is_said_in_a_sentence(open_lab):
    app = open_lab("data", stage="pack", blocked="a\ne\n的\n了\n。\n，\no\n不", **SMALL)
    checked(app)
    assert any("Too few documents" in box.value for box in app.warning)


def test_without_humaneval_the_page_offers_what_is_there(open_lab, monkeypatch):
    monkeypatch.setattr(evaluation_sets, "_humaneval_file", lambda: None)
    evaluation_sets.humaneval.cache_clear()
    pipeline.sourced.cache_clear()
    app = checked(open_lab("data", stage="contamination", seed="3", **SMALL))
    assert "HumanEval" not in str([group.options for group in app.button_group])
    pipeline.sourced.cache_clear()


def test_the_neighbours_price_is_measured_when_asked_for(open_lab):
    app = checked(open_lab("data", stage="pack", measure_leak="1", **SMALL))
    assert "What a stranger in front costs" in said(app)


def test_the_dataset_goes_home_and_is_kept_for_later_labs(open_lab):
    app = press(open_lab("data", stage="pack", row_tokens="256", **SMALL), "data.keep")
    assert len(app.get("download_button")) >= 2  # the dataset itself and the notebook
    kept = app.session_state[datasets._SLOT]
    assert kept == TrainingTextConfig(
        PipelineConfig(SourceConfig(kilobytes=20)), vocab_size=4096, row_tokens=256
    )
    assert "Kept:" in said(app)


def test_the_notebooks_config_is_the_pages():
    """What is told as code, evaluated by its own names, is the config again."""
    config = PipelineConfig(
        SourceConfig("world", kilobytes=30), filter=FilterConfig(blocked=("a'b",)), exact="off"
    )
    told = data.told(config)
    assert told == (
        "PipelineConfig(source=SourceConfig(source='world', kilobytes=30), "
        """filter=FilterConfig(blocked=("a'b",)), exact='off')"""
    )
    assert data.told(PipelineConfig()) == "PipelineConfig()"


def test_a_file_takes_precedence_until_it_is_put_away(open_lab):
    """What an upload leaves in the session is put there by hand."""
    app = open_lab("data", source="own", own_text="typed text here", **SMALL)
    app.session_state[data_knobs.UPLOAD] = json.dumps({"text": "from the file"})
    app = checked(app.run())
    assert "from the file" in str([frame.value.to_dict() for frame in app.dataframe])
    app = checked(press(app, "data.upload.forget"))
    assert "typed text here" in str([frame.value.to_dict() for frame in app.dataframe])
