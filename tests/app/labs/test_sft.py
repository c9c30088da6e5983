"""The page of "Instruction tuning": four parts, both languages, every knob to its ends."""

import numpy as np
import pytest

from app.charts import sft as charts
from app.i18n import LANGUAGES, Words
from app.labs.alignment import sft_mistakes, sft_real, sft_run
from labcore.errors import LabInputError
from labcore.tuning import instructions, sft, sft_smollm2, sft_template
from labcore.tuning.sft_smollm2 import RealLook
from tests.app.conftest import checked, press, said

EN = Words("en", "sft")
QUICK = {"part": "run", "steps": "50"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "knobs",
    [{}, {"model": "words", "end": "padding", "mask_prompt": "0", "conversations": "4", "row_tokens": "64"},
     {"end": "left_out", "conversations": "32", "row_tokens": "192"}],
)  # fmt: skip
def test_it_opens_on_a_conversation_and_its_rows(open_lab, language, knobs):
    app = checked(open_lab("sft", language, **knobs))
    assert "%" in said(app)


def test_smollm2s_own_template_is_drawn(open_lab):
    app = checked(open_lab("sft", model=sft_template.REAL))
    assert "helpful" not in said(app)  # tokens travel to the canvas, not through markdown


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_recorded_run_is_drawn(open_lab, language):
    app = checked(open_lab("sft", language, part="run"))
    assert {"en": "recorded", "zh": "实测录制"}[language] in said(app)
    assert len(app.get("echarts_chart")) == 4
    assert len(app.dataframe[0].value) == sft.SAMPLES


def test_a_run_answers_the_learners_own_question_and_scores_the_guess(open_lab):
    app = open_lab(
        "sft", **QUICK, taught="en", replay="20", run_mask="0", train_end="0", asked_with="words"
    )
    radio = next(radio for radio in app.radio if "forgets" in radio.key)
    app = press(radio.set_value("worse").run(), "sft.predict.forgets.lock")
    app = checked(press(app, "sft.run"))
    assert "measured now" in said(app)
    assert [*app.success, *app.info]
    assert EN("own.not_yet") not in said(app)
    asked = next(box for box in app.text_area if "prompt" in box.key)
    app = checked(asked.set_value("What is the capital of Peru? <b>x</b>").run())
    assert "capital" in said(app)
    assert any("peru" in caption.value for caption in app.caption)


def test_an_empty_question_is_met_with_a_sentence(open_lab):
    app = open_lab("sft", part="run")
    box = next(box for box in app.text_area if "prompt" in box.key)
    app = box.set_value("  ").run()
    assert not app.exception
    assert [warning.value for warning in app.warning]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("group", sft_mistakes.GROUPS)
def test_every_comparison_is_drawn(open_lab, language, group):
    app = checked(open_lab("sft", language, part="mistakes", group=group, unveil="1"))
    assert len(app.get("plotly_chart")) == len(sft_mistakes.MEASURES[group])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_recorded_real_run_is_drawn(open_lab, language):
    app = checked(open_lab("sft", language, part="real"))
    assert len(app.dataframe[0].value) == 6
    assert any(button.key == "sft.real.ask" for button in app.button)


def test_the_real_model_answers_the_learner_twice(open_lab, monkeypatch):
    monkeypatch.setattr(sft_smollm2, "MOST_ANSWER_TOKENS", 3)
    app = checked(press(open_lab("sft", part="real"), "sft.real.ask"))
    assert len(app.text) == 2
    assert all(answer.value for answer in app.text)


def test_without_a_hub_its_sets_are_refused_in_a_sentence(open_lab, monkeypatch):
    def refuse(name):
        raise LabInputError("instructions", name, "data_unreachable")

    monkeypatch.setattr(instructions, "from_hub", refuse)
    app = press(open_lab("sft", part="real", data="tatsu-lab/alpaca"), "sft.run")
    assert not app.exception
    assert any("bundled sets work" in warning.value for warning in app.warning)


def test_settings_that_were_not_run_ask_for_a_run_or_a_file(open_lab):
    app = checked(open_lab("sft", part="real", epochs="5", data="zh", real_rate="0.005"))
    assert EN("real.press_run") in said(app)
    app = checked(open_lab("sft", part="real", data="own"))
    assert EN("own_data.about") in said(app)


@pytest.mark.parametrize(
    "link",
    [{"part": "dance"}, {"model": "gpt"}, {"part": "run", "replay": "90"}, {"part": "run", "taught": "fr"}],
)  # fmt: skip
def test_a_link_with_nonsense_opens_on_the_default(open_lab, link):
    app = open_lab("sft", **link)
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize(("change", "verdict"), [(-0.3, "better"), (0.05, "same"), (1.0, "worse")])
def test_the_verdict_on_the_stories(change, verdict):
    looks = [
        sft.Look(at, 0.0, 1.0, 0.5, 1.0, np.zeros(8), np.zeros(2), 0.45 + at * change)
        for at in (0, 1)
    ]
    assert sft_run.verdict(looks) == verdict


def test_where_one_language_is_taught_both_are_drawn():
    looks = [sft.Look(0, 0.0, 1.0, 0.5, 1.0, np.zeros(8), np.array([1.0, 0.25]), 0.45)]
    names = {
        taught: [
            line["name"] for line in charts.learnt(looks, sft.SFTConfig(taught), EN).spec["series"]
        ]
        for taught in ("both", "en")
    }
    assert names["both"] == [EN("series.right"), EN("series.stopped")]
    assert names["en"] == [EN("series.right.en"), EN("series.right.zh"), EN("series.stopped")]
    figure = charts.learnt(looks, sft.SFTConfig("zh"), EN)
    assert figure.spec["series"][1]["data"] == [[0.0, 0.25]]


def test_the_colours_of_a_conversation_follow_its_roles():
    def told(**knobs):
        result = sft_template.run(sft_template.TemplateConfig("Who?", "Tom.", **knobs))
        return [charts.KINDS[kind] for kind in charts.kinds(result)]

    usual = told()
    assert usual[0] == "template"
    assert usual[-2:] == ["answer", "end"]
    assert told(end="left_out")[-1] == told(end="padding")[-1] == "end_left_out"
    assert "prompt_asked" in told(mask_prompt=False)
    figure = charts.conversation(sft_template.run(sft_template.TemplateConfig("Who?", "Tom.")), EN)
    notes = figure.spec.header["notes"]
    assert "Tom" in notes[usual.index("answer") - 1]  # the template's last token asks for it
    assert notes[-1] == EN("note.asks_nothing")


def test_the_time_left_is_told_from_the_steps_made():
    class Page:
        def caption(self, key, **numbers):
            self.told = key, numbers

    page = Page()
    sft_real.expected_time(page, RealLook(10, 40, 0.25, 1.0, 1.0, 4.0))
    assert page.told == ("real.left", {"each": "4.0", "steps": 30, "minutes": "2.0"})
    sft_real.expected_time(page, RealLook(0, 40, 0.0, 1.0, 1.0, float("nan")))
    assert page.told[0] == "real.first_step"
