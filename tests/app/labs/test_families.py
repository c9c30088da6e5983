"""The page of "Encoder, decoder, encoder–decoder": four experiments, in both languages."""

import pytest

from app.charts.payload import unpack
from app.i18n import LANGUAGES
from app.labs.transformer import families, families_tasks
from tests.app.conftest import checked, elements, press, said

PARTS = tuple(families.PARTS)
QUICK = {"steps": "50", "hidden_size": "32", "num_heads": "2"}


def canvases(app) -> dict[str, dict]:
    """{figure: header} of the canvases on the page."""
    return {
        element.proto.id.split(".figure.")[-1]: unpack(element.proto.bytes)[0]
        for element in elements(app, "bidi_component")
    }


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_part_opens_with_a_picture(open_lab, part, language):
    app = checked(open_lab("families", language, part=part))
    assert elements(app, "bidi_component") or app.get("echarts_chart")
    assert not app.warning


@pytest.mark.parametrize("shape", ["full", "causal", "prefix", "encoder_decoder"])
def test_every_mask_agrees_with_what_moves(open_lab, shape):
    app = checked(open_lab("families", shape=shape))
    assert "cells agree, counted over every layer" in said(app)
    rows = canvases(app)["mask"]["rows"]
    assert rows == canvases(app)["change"]["rows"]
    assert ("<|zh|>" in rows) == (shape == "encoder_decoder")


def test_the_padding_stands_where_the_knob_says(open_lab):
    """The second text has 9 tokens of 17."""
    right = canvases(open_lab("families"))["mask"]["rows"]
    left = canvases(open_lab("families", side="left"))["mask"]["rows"]
    assert right[9:] == left[:8] == ["<|pad|>"] * 8
    assert right[:9] == left[8:]


def test_the_token_to_follow_is_a_knob_and_is_spoken_of(open_lab):
    app = open_lab("families", row="first", token="3", window="2")
    text = said(app)
    assert "Token **3** may look at **2** of 17 tokens" in text
    assert "After **4** layers it has heard from **4**" in text


def test_a_prediction_about_the_window_is_scored_where_it_can_be_seen(open_lab):
    app = open_lab("families", row="first", window="3")
    app.radio(key="families.predict.window.widget@en").set_value("8").run()
    app = press(app, "families.predict.window.lock")
    assert any("the result is 8" in box.value for box in app.success)


def test_a_text_of_the_worlds_has_floors_and_another_has_none(open_lab):
    """Four readers, or the two models alone where the world never tells the text."""
    known = canvases(open_lab("families", part="text"))["surprise"]["rows"]
    unknown = canvases(open_lab("families", part="text", text="Hello 🙂 world"))["surprise"]["rows"]
    assert (len(known), len(unknown)) == (4, 2)


def test_a_chinese_text_asks_for_english_for_the_translator(open_lab):
    app = checked(open_lab("families", "zh", part="text"))
    assert any(area.key == "families.english@zh" for area in app.text_area)
    assert "有一天，莉莉带着一张小小的蓝色卡片去了花园。" in [block.value for block in app.code]


@pytest.mark.parametrize("text", ["", "   "])
@pytest.mark.parametrize("part", ["masks", "text"])
def test_an_empty_text_gets_one_sentence(open_lab, text, part):
    app = open_lab("families", part=part)
    knob = {"masks": "first", "text": "text"}[part]
    app = app.text_area(key=f"families.{knob}@en").set_value(text).run()
    assert not app.exception
    assert any("Please type something" in box.value for box in app.warning)


@pytest.mark.parametrize("text", ["<script>alert(1)</script> $x$ **b**", "字" * 5000, "שלום 🙂"])
@pytest.mark.parametrize("part", ["masks", "text"])
def test_a_learners_text_is_never_markup(open_lab, text, part):
    app = open_lab("families", part=part)
    knob = {"masks": "first", "text": "text"}[part]
    app = checked(app.text_area(key=f"families.{knob}@en").set_value(text).run())
    assert not any("<script>" in element.value for element in [*app.markdown, *app.caption])


def test_tasks_can_be_measured_again(open_lab):
    app = open_lab("families", part="tasks", passages="20", tasks_seed="7")
    assert "recorded" in said(app)
    app = checked(press(app, "families.run"))
    assert "measured now" in said(app)
    assert len(app.get("echarts_chart")) == 2


def test_a_run_is_drawn_over_the_recorded_ones(open_lab):
    app = open_lab("families", part="alignment", sources="shuffled", **QUICK)
    before = said(app)
    app = checked(press(app, "families.run"))
    assert "measured now" not in before
    assert "measured now" in said(app)
    assert "Finished in" in said(app)


@pytest.mark.parametrize("knobs", [{"num_layers": "2", "num_heads": "8"}, {"num_heads": "1"}])
def test_the_ends_of_the_knobs_run(open_lab, knobs):
    app = press(open_lab("families", part="alignment", **QUICK | knobs), "families.run")
    assert "Finished in" in said(checked(app))


def test_a_run_of_one_part_is_not_pictured_in_another(open_lab):
    app = press(open_lab("families", part="alignment", **QUICK), "families.run")
    app.query_params.update({"part": "tasks"})
    app = checked(app.run())
    assert "Finished in" not in said(app)
    assert "Filling a gap" in said(app)


@pytest.mark.parametrize("probe", ["1", "8"])
def test_the_finished_translator_can_be_looked_at(open_lab, probe):
    app = open_lab("families", part="alignment", whose="bundled", probe=probe, beside="need")
    assert "5,000 steps" in said(checked(app))
    assert {"heads", "attention", "need", "head_table"} <= set(canvases(app))


@pytest.mark.parametrize(
    ("share", "band"), [(0.0, "none"), (0.05, "tenth"), (0.5, "half"), (0.9, "most")]
)
def test_bands(share, band):
    assert families_tasks.band(share) == band
