"""The page of "Reinforcement learning": four parts, both languages, every knob to its ends."""

import pytest

from app.i18n import LANGUAGES
from app.labs.alignment import rlhf as screen
from app.labs.alignment import rlhf_parts as parts
from labcore.tuning.rlhf_config import RLHFConfig
from labcore.tuning.rlhf_exam import SAMPLES
from tests.app.charts.test_rlhf import look
from tests.app.conftest import checked, press, said

QUICK = {"steps": "5", "prompts": "8"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_opens_on_the_recorded_run(open_lab, language):
    app = checked(open_lab("rlhf", language))
    assert {"en": "recorded", "zh": "实测录制"}[language] in said(app)
    assert len(app.get("echarts_chart")) == 6
    assert len(app.get("plotly_chart")) == 1
    assert len(app.dataframe[0].value) == SAMPLES


def test_answers_at_any_look_can_be_read(open_lab):
    app = checked(open_lab("rlhf", moment="0"))
    first, then = (app.dataframe[0].value.iloc[:, column].tolist() for column in (1, 2))
    assert first == then
    app = checked(open_lab("rlhf"))
    assert app.dataframe[0].value.iloc[:, 2].tolist() != first


@pytest.mark.parametrize(
    "knobs",
    [
        {"algorithm": "ppo", "reward": "verifier", "decay": "1.0", "averaging": "constant"},
        {"algorithm": "reinforce", "reward": "informed", "epochs": "1", "group_size": "2", "start": "weak"},
        {"beta": "1.0", "kl_place": "loss", "estimator": "k2", "divide_by_spread": "0", "clip": "0.5"},
    ],
)  # fmt: skip
def test_a_run_draws_its_course_and_its_answers(open_lab, knobs):
    app = checked(press(open_lab("rlhf", **QUICK, **knobs), "rlhf.run"))
    assert "measured now" in said(app)
    assert len(app.get("echarts_chart")) == 6
    # Best of n was recorded from the half-trained policy: a weak one is not held against it.
    assert len(app.get("plotly_chart")) == int("start" not in knobs)


def labels(app) -> str:
    kinds = ("slider", "select_slider", "selectbox", "toggle", "button_group", "number_input")
    return " ".join(widget.label for kind in kinds for widget in app.get(kind))


def test_knobs_without_effect_are_not_asked_for(open_lab):
    plain = labels(open_lab("rlhf"))
    assert "Where the price is paid" not in plain
    assert "Divide by the group's spread" in plain
    assert "GAE" not in plain
    ppo = labels(open_lab("rlhf", algorithm="ppo", beta="0.1"))
    assert "Where the price is paid" in ppo
    assert "Divide by the group's spread" not in ppo
    assert "GAE" in ppo
    assert "Clip" in plain
    assert "Clip" not in labels(open_lab("rlhf", epochs="1"))


def test_a_guess_is_scored_by_what_became_of_the_sums(open_lab):
    app = open_lab("rlhf", **QUICK)
    radio = next(radio for radio in app.radio if "truth" in radio.key)
    app = press(radio.set_value("down").run(), "rlhf.predict.truth.lock")
    app = checked(press(app, "rlhf.run"))
    assert [*app.success, *app.info]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("group", parts.GROUPS)
def test_every_price_is_drawn_beside_best_of_n(open_lab, language, group):
    app = checked(open_lab("rlhf", language, part="hacking", group=group))
    assert len(app.get("plotly_chart")) == 2
    assert len(app.dataframe[0].value) == len(parts.GROUPS[group])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("group", parts.ABILITIES)
def test_ability_is_drawn_before_and_after(open_lab, language, group):
    app = checked(open_lab("rlhf", language, part="ability", ability_group=group, unveil="1"))
    assert len(app.get("echarts_chart")) == (4 if group == "credit" else 3)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("distance", ["0.1", "3.0"])
def test_estimators_are_drawn_at_both_ends(open_lab, language, distance):
    app = checked(
        open_lab("rlhf", language, part="estimators", distance=distance, draws="1", unveil="1")
    )
    assert len(app.get("plotly_chart")) == 4
    assert len(app.get("echarts_chart")) == 2


@pytest.mark.parametrize(
    "link", [{"part": "x"}, {"algorithm": "dpo"}, {"beta": "nan"}, {"steps": "-5"}, {"moment": "7"}]
)
def test_a_link_with_nonsense_opens_on_the_default(open_lab, link):
    app = open_lab("rlhf", **link)
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize(
    ("after", "verdict"), [(0.1, "down"), (0.47, "still"), (0.53, "still"), (0.6, "up")]
)
def test_the_verdict_on_the_sums(after, verdict):
    assert screen.direction([look(0), look(10, sampled_right=after)]) == verdict


def test_the_notebook_repeats_what_was_changed():
    first, _ = screen.notebook(RLHFConfig("ppo", beta=0.1))
    assert "RLHFConfig(algorithm='ppo', beta=0.1)" in first
