"""The page of "Safety alignment": six parts, both languages, every knob to its ends."""

from types import SimpleNamespace

import numpy as np
import pytest

from app.charts import safety as charts
from app.charts import safety_inside as inside
from app.i18n import LANGUAGES, Words
from app.labs.alignment import safety as screen
from labcore.tuning import constitution, refusal_direction
from labcore.tuning.refusal import Look
from tests.app.conftest import checked, press, said

EN = Words("en", "safety")
QUICK = {"steps": "20"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_opens_on_the_recorded_run(open_lab, language):
    app = checked(open_lab("safety", language))
    assert {"en": "recorded", "zh": "实测录制"}[language] in said(app)
    assert len(app.get("echarts_chart")) == 3
    assert len(app.dataframe[0].value) == 10  # true, likeliest, four samples before and after


def test_a_run_draws_its_course_and_answers_questions(open_lab):
    knobs = {
        "depth": "deep",
        "rewrites": "all",
        "borderline": "100",
        "refusals": "20",
        "phrasing": "story",
    }
    app = checked(press(open_lab("safety", **QUICK, **knobs), "safety.run"))
    assert "measured now" in said(app)
    assert len(app.get("echarts_chart")) == 3
    assert len(app.dataframe[0].value) == 2


def test_a_guess_is_scored_by_the_borderline_things(open_lab):
    app = open_lab("safety", **QUICK, borderline="0", refusals="1")
    radio = next(radio for radio in app.radio if "borderline" in radio.key)
    app = press(radio.set_value("few").run(), "safety.predict.borderline.lock")
    app = checked(press(app, "safety.run"))
    assert [*app.success, *app.info]


@pytest.mark.parametrize(
    ("share", "verdict"),
    [(0.0, "few"), (0.09, "few"), (0.1, "third"), (0.6, "most"), (1.0, "most")],
)
def test_the_verdict_on_borderline_things(share, verdict):
    refused = np.full(6, share)
    assert screen.extent(Look(1, 1.0, 0.1, refused, 1 - refused)) == verdict


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("varied", "threshold"), [("borderline", "1"), ("refusals", "99")])
def test_the_trade_off_at_the_ends_of_its_threshold(open_lab, language, varied, threshold):
    for allowed in ("all", "harmless"):
        app = open_lab(
            "safety", language, part="tradeoff", varied=varied, threshold=threshold, allowed=allowed
        )
        assert len(checked(app).get("plotly_chart")) == 3


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"model": "deep", "opening": "grandmother", "naming": "swapped", "prefilled": "4",
         "prefill_of": "new"},
    ],
)  # fmt: skip
def test_attacks_are_asked_and_counted(open_lab, language, knobs):
    app = checked(open_lab("safety", language, part="attacks", unveil="1", **knobs))
    assert len(app.get("plotly_chart")) == 1
    assert len(app.get("echarts_chart")) == 2
    words, verdicts = Words(language, "safety"), ("refused", "answered", "neither")
    openings = [words(f"verdict.{verdict}", chance="").split("**")[1] for verdict in verdicts]
    assert sum(f"**{opening}**" in said(app) for opening in openings) == 1


@pytest.mark.parametrize("measure", inside.REWRITE_MEASURES)
def test_every_measure_of_the_rewrites_is_drawn(open_lab, measure):
    checked(open_lab("safety", part="attacks", unveil="1", rewrite_measure=measure))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("way", refusal_direction.WAYS)
def test_every_change_of_the_stream_is_drawn(open_lab, language, way):
    app = checked(open_lab("safety", language, part="direction", way=way, site="5", strength="3.0"))
    assert len(app.get("plotly_chart")) == 1
    assert len(app.get("echarts_chart")) == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_harmless_lesson_is_run_and_recorded_ones_are_beside_it(open_lab, language):
    app = open_lab(
        "safety", language, part="later", unveil="1", later_steps="20", lesson="short", kept="50"
    )
    app = checked(press(app, "safety.run"))
    assert len(app.get("echarts_chart")) == 2
    assert Words(language, "safety")("provenance.measured") in said(app)


@pytest.mark.parametrize("measure", charts.LATER_MEASURES)
def test_every_measure_of_later_lessons_is_drawn(open_lab, measure):
    checked(open_lab("safety", part="later", unveil="1", later_measure=measure))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("asked_in", constitution.LANGUAGES)
def test_recorded_self_critique_shows_every_stage(open_lab, language, asked_in):
    app = checked(
        open_lab("safety", language, part="constitution", asked_in=asked_in, question="7")
    )
    assert len(app.text) == 5  # answer, critique, revision and two controls
    assert len(app.get("echarts_chart")) == 1


def test_a_question_of_ones_own_goes_through_three_stages(open_lab, monkeypatch):
    """With a stub instead of the model; what was typed stays plain text."""
    loaded = SimpleNamespace(model=None, tokenizer=None)
    monkeypatch.setattr(constitution.zoo, "load", lambda name: loaded)
    monkeypatch.setattr(constitution, "write", lambda *given: ["<i>said</i>"])
    knobs = {"mode": "own", "own_principle": "own", "own_question": "<b>typed</b>"}
    app = open_lab("safety", part="constitution", **knobs)
    app = checked(press(app, "safety.run"))
    assert [text.value for text in app.text] == ["<i>said</i>"] * 3
    assert not any("<b>" in element.value for element in app.markdown)
    assert any("<b>typed</b>" in element.value for element in app.code)


def test_an_empty_question_is_said_in_a_sentence(open_lab):
    app = open_lab("safety", part="constitution", mode="own", own_question=" ")
    assert not app.exception
    assert len(app.warning) == 1


@pytest.mark.parametrize(
    "link",
    [{"part": "dance"}, {"refusals": "-5"}, {"make": "99"}, {"part": "direction", "site": "x"}],
)
def test_a_link_with_nonsense_opens_on_the_default(open_lab, link):
    app = open_lab("safety", **link)
    assert not app.exception
    assert not app.error
