"""The guard lab: its four parts, in both languages, at the ends of the knobs, with anything typed."""

import pytest

from app.i18n import LANGUAGES
from app.labs.frontier import guard as screen
from labcore.guard.classifiers import GUARDS
from labcore.guard.injection import PAGES, TRAININGS
from tests.app.conftest import checked, press, said

HOSTILE = "<script>x</script> **b** $x$ {y} :red[z] \u202e４１１１ 1111 1111 1111"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("example", screen.EXAMPLES)
def test_every_example_walks(open_lab, language, example):
    app = checked(open_lab("guard", language, example=example))
    stops = {
        "seal": 1,
        "disguised": 1,
        "look_alike": 1,
        "own": 1,
        "page": 1,
        "leak": 1,
        "personal": 0,
    }
    assert said(app).count(screen.ICONS["stops"]) == stops[example]
    assert len(app.get("echarts_chart")) == 1


def test_a_layer_switched_off_lets_the_look_alike_through(open_lab):
    app = checked(open_lab("guard", example="look_alike", layer_rules="0"))
    assert screen.ICONS["stops"] not in said(app)
    assert "Passes all **6**" in said(app)


@pytest.mark.parametrize("text", [HOSTILE, "", " ", "x" * 5000])
def test_anything_typed_is_shown_as_text(open_lab, text):
    app = checked(open_lab("guard", example="own", message=text, fetched=text, answer=text))
    for markdown in app.markdown:
        assert "script" not in markdown.value


@pytest.mark.parametrize("ends", [
    {"threshold": "0", "earlier": "20", "seconds_apart": "0", "per_second": "0.1"},
    {"threshold": "100", "earlier": "0", "seconds_apart": "10", "per_second": "2.0"},
])  # fmt: skip
def test_the_ends_of_the_knobs(open_lab, ends):
    app = checked(open_lab("guard", example="personal", **ends))
    stopped = screen.ICONS["stops"] in said(app)
    assert stopped == (ends["threshold"] == "0")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("guard", GUARDS)
def test_every_guard_is_judged(open_lab, language, guard):
    app = checked(
        open_lab("guard", language, part="attacks", guard=guard, exam="new", alarms="40", tries="1")
    )
    assert len(app.get("echarts_chart")) == 4


@pytest.mark.parametrize("stack", [{"stack_rules": "0"}, {"stack_classifier": "0", "undo": "0"},
                                   {"stack_rules": "0", "stack_classifier": "0"}])  # fmt: skip
def test_every_stack_is_attacked(open_lab, stack):
    assert len(checked(open_lab("guard", part="attacks", line="95", **stack)).dataframe) == 1


def test_runs_of_ones_own_are_measured(open_lab):
    app = open_lab("guard", part="attacks", steps="50", look_alikes="0", disguised="1")
    assert "have not been run" in said(app)
    app = open_lab("guard", part="injection", updates="100", injection_seed="5")
    assert "measured now" in said(checked(press(app, "guard.run")))
    app = open_lab("guard", part="watermark", texts="10", bias="6.0", story="zh")
    assert "measured now" in said(checked(press(app, "guard.run")))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("training", TRAININGS)
@pytest.mark.parametrize("hidden", PAGES)
def test_every_training_has_its_fates(open_lab, language, training, hidden):
    app = checked(open_lab("guard", language, part="injection", training=training, hidden=hidden))
    assert len(app.get("echarts_chart")) == 2


@pytest.mark.parametrize(
    ("knobs", "goes"),
    [({}, False), ({"from_page": "0"}, True), ({"tool": "say"}, True),
     ({"tool": "say", "listed": "0"}, False),
     ({"from_page": "0", "from_tool": "1", "tool": "erase"}, False)],
)  # fmt: skip
def test_the_rule_can_be_tried(open_lab, knobs, goes):
    app = checked(open_lab("guard", part="injection", **knobs))
    assert ("goes through" in said(app)) == goes
    assert ("is held back" in said(app)) != goes


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "knobs", [{}, {"mark_writer": "smollm2"}, {"bias": "0.0"}, {"bias": "4.0"}]
)
def test_marks_are_drawn(open_lab, language, knobs):
    app = checked(open_lab("guard", language, part="watermark", **knobs))
    assert len(app.get("echarts_chart")) == 4


@pytest.mark.parametrize(
    ("part", "id", "right"),
    [
        ("attacks", "forms", "half"),
        ("injection", "luck", "luck"),
        ("watermark", "entropy", "smollm2"),
    ],
)
def test_guesses_are_scored_by_the_recordings(open_lab, part, id, right):
    app = open_lab("guard", part=part)
    radio = next(radio for radio in app.radio if id in radio.key)
    app = checked(press(radio.set_value(right).run(), f"guard.predict.{id}.lock"))
    assert app.success


@pytest.mark.parametrize("link", [
    {"part": "moat"}, {"example": "x"}, {"threshold": "101"}, {"part": "attacks", "alarms": "x"},
    {"part": "injection", "updates": "-1"}, {"part": "watermark", "bias": "nan"},
])  # fmt: skip
def test_a_link_with_nonsense_opens_on_the_default(open_lab, link):
    app = open_lab("guard", **link)
    assert not app.exception
    assert not app.error
