"""The page of "Faster decoding and batching": four parts, both languages, every knob to its ends."""

import numpy as np
import pytest

from app.charts import decoding as charts
from app.charts import queueing as queue_charts
from app.i18n import LANGUAGES, Words
from app.labs.inference import decoding as screen
from app.labs.inference import decoding_constrained, decoding_exactness
from labcore.serving import queueing, speculating
from labcore.serving.exactness import Exactness
from labcore.serving.speculating_speed import Speed, SpeedConfig
from tests.app.conftest import checked, press, said

EN = Words("en", "decoding")


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_opens_on_a_story_and_the_recorded_speed(open_lab, language):
    app = checked(open_lab("decoding", language))
    assert {"en": "recorded", "zh": "实测录制"}[language] in said(app)
    assert len(app.get("echarts_chart")) == 2


@pytest.mark.parametrize(
    "knobs",
    [
        {"guesses": "1", "temperature": "0", "story": "zh"},
        {"guesses": "10", "temperature": "1.6", "draft": "untrained", "opening": "Zeppelins <b>§"},
        {"draft": "itself", "seed": "9999"},
    ],
)
def test_a_story_is_written_at_the_ends_of_the_knobs(open_lab, knobs):
    app = checked(open_lab("decoding", **knobs))
    assert knobs.get("opening", "") in app.text[0].value
    assert ("token for token" in said(app)) == (knobs.get("temperature") == "0")
    assert "have not been run" in said(app)


def test_a_guess_is_scored_by_the_speed_measured(open_lab, monkeypatch):
    quick = SpeedConfig(guesses=(1, 4), stories=1, tokens=16, repeats=1)
    monkeypatch.setattr(screen, "SpeedConfig", lambda *knobs: quick)
    app = open_lab("decoding")
    radio = next(radio for radio in app.radio if "speed" in radio.key)
    app = press(radio.set_value("more").run(), "decoding.predict.speed.lock")
    app = checked(press(app, "decoding.run"))
    assert "measured now" in said(app)
    assert [*app.success, *app.info]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("knobs", [{}, {"unlike": "0"}, {"unlike": "100", "rule": "likelier"}])
def test_six_words_are_drawn(open_lab, language, knobs):
    app = checked(open_lab("decoding", language, part="exactness", **knobs))
    assert len(app.get("echarts_chart")) == 1


def test_draws_of_ones_own_are_tested(open_lab):
    app = open_lab("decoding", part="exactness", look="draws", draws="500", shown_way="redraw")
    table = checked(press(app, "decoding.run")).dataframe[0].value
    assert table["Chi-square test"].tolist() == ["passes", "passes", "fails", "fails"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", decoding_exactness.CASES)
def test_every_recorded_draft_has_its_dots_and_counts(open_lab, language, case):
    app = checked(open_lab("decoding", language, part="exactness", look="study", case=case))
    assert len(app.get("plotly_chart")) == 1
    assert len(app.get("echarts_chart")) == 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"load": "10", "places": "1", "answer_mean": "4"},
        {"load": "120", "places": "16", "requests": "80"},
    ],
)  # fmt: skip
def test_the_queue_is_worked_off_in_both_ways(open_lab, language, knobs):
    app = checked(open_lab("decoding", language, part="queue", **knobs))
    assert len(app.get("plotly_chart")) == 2
    assert len(app.get("echarts_chart")) == 3
    assert len(app.dataframe[0].value) == 2


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("grammar", decoding_constrained.GRAMMARS)
def test_a_text_is_written_under_every_pattern(open_lab, language, grammar):
    app = checked(open_lab("decoding", language, part="constrained", grammar=grammar, unveil="1"))
    assert len(app.get("echarts_chart")) == (2 if grammar == "trap" else 1)
    assert len(app.get("plotly_chart")) == 1


@pytest.mark.parametrize(
    ("pattern", "says"), [("(a", "cannot be read"), ("[ab]{2}", "The text matches")]
)
def test_a_pattern_of_ones_own_is_read_or_refused_in_a_sentence(open_lab, pattern, says):
    app = open_lab(
        "decoding", part="constrained", grammar="own", own_pattern=pattern, own_opening="<i>x"
    )
    assert not app.exception
    assert says in said(app)


@pytest.mark.parametrize(
    "link", [{"part": "dance"}, {"guesses": "99"}, {"temperature": "hot"}, {"draft": "x"}]
)
def test_a_link_with_nonsense_opens_on_the_default(open_lab, link):
    app = open_lab("decoding", **link)
    assert not app.exception
    assert not app.error


# Charts.


def test_each_guess_has_the_colour_of_what_became_of_it():
    """Two kept of four: then one refused, one unread, and what was written instead."""
    one = speculating.Round([5, 6, 7, 8], 2, [5, 6, 9], [0.9, 0.9, 0.2, 0.9])
    whole = speculating.Round([5, 6, 7, 8], 4, [5, 6, 7, 8, 9], [1.0] * 4)
    ended = speculating.Round([5, 6, 7, 8], 2, [5, 6], [1.0] * 4)
    labels = {token: f"t{token}" for token in range(5, 10)}
    figure = charts.rounds(speculating.Speculation([one, whole, ended], labels, "", None), 4, EN)
    fates = {tone: fate for fate, tone in charts.TONES.items()}
    drawn = [
        [(cell["word"], fates.get(cell["tone"])) for cell in row] for row in figure.spec["cells"]
    ]
    assert drawn[0] == [
        ("t5", "kept"), ("t6", "kept"), ("t7", "refused"), ("t8", "unread"), ("t9", "instead"),
    ]  # fmt: skip
    assert drawn[1][-1] == ("t9", "free")
    assert [fate for _, fate in drawn[2]] == ["kept", "kept", "unread", "unread", None]


@pytest.mark.parametrize(("factor", "verdict"), [(0.9, "slower"), (1.2, "little"), (1.5, "more")])
def test_the_verdict_on_speed(factor, verdict):
    plain = np.ones(3)
    one = Speed(
        np.array([1, 4]), plain, np.stack([plain, plain / factor]), np.ones(2), 0.9, 0.3, np.ones(2)
    )
    assert screen.gain(one) == verdict


def test_the_table_of_verdicts_names_who_fails():
    expected = np.array([0.5, 0.3, 0.2])
    right, wrong = np.array([502, 297, 201]), np.array([600, 300, 100])
    counts = {"plain": right, "exact": right, "likelier": wrong, "redraw": wrong}
    table = charts.verdicts(Exactness(["a", "b", "…"], expected, counts), EN)
    assert table["Chi-square test"].tolist() == ["passes", "passes", "fails", "fails"]
    assert table["Distance"].tolist() == ["0.003", "0.003", "0.100", "0.100"]


def test_a_static_place_is_drawn_as_held_until_its_batch_is_done():
    result = queueing.run(queueing.QueueConfig(load=1.0, requests=12, places=3))
    held = {
        policy: np.array(queue_charts.places(result, policy, EN).spec.data[1].x)
        for policy in ("static", "continuous")
    }
    assert (held["static"] > 0).any()
    assert (held["continuous"] == 0).all()
