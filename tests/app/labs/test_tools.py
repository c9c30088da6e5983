"""Tool use on the page: four parts in both languages, any schema and any request, the loop's ends."""

import json

import pytest

from app.i18n import LANGUAGES, Words
from labcore.frontier import calling
from tests.app.conftest import checked, press, said

PARTS = {"schema": (0, 0), "count": (0, 0), "learn": (2, 0), "loop": (2, 0)}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", PARTS)
def test_every_part_opens(open_lab, language, part):
    app = checked(
        open_lab("tools", language, part=part, **({"unveil_lies": "1"} if part == "loop" else {}))
    )
    assert len(app.get("echarts_chart")) == PARTS[part][0]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("schema", "rule"),
    [
        ("{", "not_json"), ("[]", "not_json"),
        ('{"type": "object", "patternProperties": {}}', "schema_keyword"),
        ('{"type": "<script>alert(1)</script>"}', "schema_keyword"),
        ('{"type": "string", "maxLength": 1000000}', "schema_value"), (" ", "not_json"),
    ],
)  # fmt: skip
def test_a_schema_that_cannot_be_kept_is_refused_in_a_sentence(open_lab, language, schema, rule):
    app = open_lab("tools", language, schema=schema)
    assert not app.exception
    told = Words(language)(f"error.{rule}", field="", keyword="", limit=0)[-12:]
    assert any(told in warning.value for warning in app.warning)
    assert not any("<script>" in one.value for one in app.markdown)


def test_a_run_writes_both_ways(open_lab, monkeypatch):
    """A short answer, so that the real model is asked for a few tokens only."""
    if not calling.load(calling.MODEL):
        pytest.fail("the model is fetched by the first test that needs it")
    app = open_lab("tools", schema=json.dumps({"enum": ["yes", "no"]}), request="Is snow white?")
    app = checked(press(app, "tools.run"))
    assert any(code.value in ('"yes"', '"no"') for code in app.code)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_count_is_shown_after_a_guess(open_lab, language):
    app = open_lab("tools", language, part="count")
    assert not app.success
    radio = next(one for one in app.radio if "predict.right" in one.key)
    app = checked(press(radio.set_value("few").run(), "tools.predict.right.lock"))
    assert app.success
    assert "40" in said(app)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("knobs", "end"),
    [
        ({}, "end.answered"), ({"allow_product": "0"}, "end.declined"), ({"failing": "1.0"}, "end.circle"),
        ({"most_calls": "1"}, "end.limit"), ({"wrong": "1.0"}, "end.answered"),
    ],
)  # fmt: skip
def test_the_loop_says_how_it_ended(open_lab, language, knobs, end):
    app = checked(open_lab("tools", language, part="loop", **knobs))
    text = Words(language, "tools")(end, answer="¦", right="").split("¦")[0][:8]
    assert any(text in one.value for one in (*app.success, *app.info))


def test_a_short_training_is_drawn(open_lab):
    app = checked(press(open_lab("tools", part="learn", updates="25", digits="2"), "tools.run"))
    assert "%" in said(app)


@pytest.mark.parametrize(
    "knobs", [{"part": "x"}, {"first": "9", "part": "loop"}, {"failing": "nan", "part": "loop"}]
)
def test_a_link_with_nonsense_opens_all_the_same(open_lab, knobs):
    checked(open_lab("tools", **knobs))
