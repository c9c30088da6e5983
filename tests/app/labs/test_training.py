"""The page of "Build and train your own": its knobs, its run, its way back, in both languages."""

import pytest

from app.i18n import LANGUAGES
from tests.app.conftest import elements, press, said

QUICK = {"steps": "50", "hidden_size": "16", "num_layers": "1", "batch_size": "4"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_picture_is_the_recorded_run(open_lab, language):
    app = open_lab("training", language)
    assert not app.exception
    assert not app.error
    assert len(app.get("echarts_chart")) == 2
    assert {"en": "recorded", "zh": "实测录制"}[language] in said(app)


def test_the_size_follows_the_knobs(open_lab):
    """98,944 in the blocks and 1,920 · 64 = 122,880 in the table at the default width of 64."""
    assert "221,824 parameters" in said(open_lab("training"))
    wide = open_lab("training", hidden_size="128")
    assert "245,760 in the table" in said(wide)


@pytest.mark.parametrize("kind", ["decoder", "encoder", "encoder_decoder"])
def test_a_run_draws_its_curve_its_sample_and_its_maps(open_lab, kind):
    app = press(open_lab("training", kind=kind, **QUICK), "training.run")
    assert not app.exception
    assert not app.error
    text = said(app)
    assert "Finished in" in text
    assert "measured now" in text
    assert len(app.get("echarts_chart")) == 2
    maps = 2 if kind == "encoder_decoder" else 1
    assert len(elements(app, "bidi_component")) == maps


def test_a_locked_prediction_is_scored_after_the_run(open_lab):
    app = open_lab("training", **QUICK)
    app = press(app, "training.predict.loss.lock")
    app = press(app, "training.run")
    scored = [*app.info, *app.success]
    assert any("You predicted 4 nats per token" in box.value for box in scored)


def test_a_run_too_fast_is_told_to_have_diverged(open_lab):
    app = press(
        open_lab("training", learning_rate="1.0", schedule="constant", **QUICK), "training.run"
    )
    assert any("diverged" in box.value for box in app.warning)


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "Please type something"), ("word", "too short"), ("🙂" * 10, "too short")],
)
def test_a_text_that_cannot_be_learnt_from_gets_one_sentence(open_lab, text, told):
    app = open_lab("training", corpus="own", own_text=text, **QUICK)
    if told == "too short":
        app = press(app, "training.run")
    assert not app.exception
    assert any(told in box.value for box in app.warning)


@pytest.mark.parametrize(
    "ends",
    [
        {"num_layers": "1", "num_heads": "1", "hidden_size": "16", "steps": "50"},
        {"num_heads": "8", "num_key_value_heads": "1", "hidden_size": "16", "positions": "none"},
        {"norm": "rmsnorm", "norm_placement": "post", "activation": "swiglu", "positions": "t5"},
        {"positions": "alibi", "kind": "encoder", "learning_rate": "0.00001"},
    ],
)
def test_the_ends_of_the_knobs_run(open_lab, ends):
    app = press(open_lab("training", **{**QUICK, **ends}), "training.run")
    assert not app.exception
    assert not app.error
    assert "Finished in" in said(app)


def test_trained_weights_open_in_the_other_labs(open_lab):
    app = press(open_lab("training", **QUICK), "training.run")
    assert app.get("download_button")
    assert {button.key for button in app.button} >= {
        "training.open.attention",
        "training.open.dataflow",
    }
