"""The page of "Reward model": four parts, both languages, every knob to its ends."""

import numpy as np
import pytest

from app import results
from app.charts import reward as charts
from app.charts import reward_study as study_charts
from app.i18n import LANGUAGES, Words
from app.labs.alignment import reward as screen
from app.labs.alignment import reward_label, reward_study
from labcore.tuning import reward, reward_labels, reward_probe
from labcore.tuning.reward_labels import LabelConfig
from labcore.tuning.reward_study import CASES, Strangers, Study
from tests.app.conftest import checked, press, said

EN = Words("en", "reward")
QUICK = {"part": "train", "pairs": "250", "epochs": "1"}


def recorded(name: str, kind: type):
    return results.load(results.RECORDINGS / f"reward-{name}.safetensors", kind).result


# You are the rater.


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_opens_on_the_first_pair(open_lab, language):
    app = checked(open_lab("reward", language))
    first = reward_labels.run(LabelConfig())
    assert first.asked[0] in said(app)
    assert not app.get("plotly_chart")


def test_a_choice_a_step_back_and_a_change_of_language(open_lab):
    app = press(press(open_lab("reward"), "reward.choose.a"), "reward.choose.s")
    assert app.query_params["labels"] == "0.as"
    app = checked(press(app, "reward.undo"))
    assert app.query_params["labels"] == "0.a"
    assert "From 1 of your choices" in said(app)
    app.session_state["language"] = "zh"
    app = checked(app.run())
    assert "你选了 1 次" in said(app)


def test_the_known_rater_does_the_rest_and_is_compared_with_the_truth(open_lab):
    app = checked(press(open_lab("reward"), "reward.finish"))
    assert "pays 4 for being right" in said(app)
    assert len(app.get("plotly_chart")) == 2
    app = checked(press(app, "reward.fresh"))
    assert app.query_params["labels"] == "1."


def test_worths_are_handed_on_to_training(open_lab):
    app = checked(press(open_lab("reward", labels="0." + "a" * 40), "reward.hand_on"))
    assert app.query_params["part"] == "train"
    worth = reward_labels.run(LabelConfig("a" * 40)).worths[1]
    slider = next(slider for slider in app.slider if "reward.marks" in slider.key)
    assert slider.value == pytest.approx(worth, abs=0.126)


def test_a_link_carries_choices_and_their_pairs():
    config = LabelConfig("absA", 7)
    assert reward_label.decoded(reward_label.encoded(config)) == config


@pytest.mark.parametrize("nonsense", ["", "x", "0.xyz", "-1.a", "0." + "a" * 41])
def test_a_link_with_other_letters_is_no_set_of_choices(nonsense):
    with pytest.raises(ValueError, match=r"invalid literal|choices|seed"):
        reward_label.decoded(nonsense)


# Train one.


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["shallow", "informed"])
def test_either_kind_opens_on_its_recorded_run(open_lab, language, kind):
    app = checked(open_lab("reward", language, part="train", kind=kind))
    assert {"en": "recorded", "zh": "实测录制"}[language] in said(app)
    assert len(app.get("echarts_chart")) == 4
    assert len(app.get("plotly_chart")) == 2


def test_a_run_draws_everything_and_scores_the_guess(open_lab):
    app = open_lab("reward", **QUICK, right="6", marks="-2", digits="2", slips="50", fans="50")
    radio = next(radio for radio in app.radio if "learnt" in radio.key)
    app = press(radio.set_value("both").run(), "reward.predict.learnt.lock")
    app = checked(press(app, "reward.run"))
    assert "measured now" in said(app)
    assert len(app.get("echarts_chart")) == 4
    assert [*app.success, *app.info]


@pytest.mark.parametrize(
    ("found", "verdict"),
    [((0.1, 0.4), "marks"), ((3.5, 0.5), "both"), ((3.5, 0.1), "right"), ((1.0, -0.5), "neither")],
)
def test_the_verdict_on_what_was_learnt(found, verdict):
    result = recorded("shallow", reward.RewardResult)
    result.exam.found[:2] = found
    assert screen.learnt(result) == verdict


def test_what_was_not_planted_was_not_learnt():
    result = recorded("shallow", reward.RewardResult)
    result.planted[:2] = 0
    assert screen.learnt(result) == "neither"


# The other parts.


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("group", "figures"), [("taste", 3), ("fans", 2), ("slips", 3), ("pairs", 3)]
)
def test_every_comparison_draws_its_figures(open_lab, language, group, figures):
    app = checked(open_lab("reward", language, part="study", group=group, unveil="1"))
    assert len(app.get("plotly_chart")) + len(app.get("echarts_chart")) == figures


def test_every_case_is_in_a_group_and_has_a_name():
    names = {name for names in reward_study.GROUPS.values() for name in names}
    assert names == set(CASES)
    assert all(EN.find(f"case.{name}") for name in names)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("answer", ["85!", "８５！", "", "!!!!!!!", "999999999999"])
def test_an_answer_of_ones_own_is_scored(open_lab, language, answer):
    app = checked(open_lab("reward", language, part="strangers", answer=answer))
    assert len(app.get("plotly_chart")) == 3
    assert not app.warning


def test_an_answer_in_letters_is_refused_in_a_sentence(open_lab):
    app = open_lab("reward", part="strangers", answer="eighty")
    assert "Only digits" in app.warning[0].value
    assert len(app.get("plotly_chart")) == 3


@pytest.mark.parametrize(
    "link",
    [{"part": "dance"}, {"labels": "0.xyz"}, {"part": "train", "marks": "nan", "pairs": "3"},
     {"part": "study", "group": "x"}, {"part": "strangers", "left": "7"}],
)  # fmt: skip
def test_a_link_with_nonsense_opens_on_the_default(open_lab, link):
    app = open_lab("reward", **link)
    assert not app.exception
    assert not app.error


# Charts and recordings.


def test_levels_are_drawn_once_they_are_known():
    result = recorded("informed", reward.RewardResult)
    with_exam, without = (
        charts.accuracy(result.looks, exam, EN).spec["series"][0].get("markLine")
        for exam in (result.exam, None)
    )
    assert with_exam["data"][0]["yAxis"] == result.exam.best_accuracy
    assert without is None


def test_calibration_dots_lie_where_the_numbers_are():
    exam = recorded("informed", reward.RewardResult).exam
    figure = charts.calibration(exam.calibration, EN)
    np.testing.assert_array_equal(figure.spec.data[2].x, exam.calibration.confidence)
    assert sum(figure.spec.data[0].y) == pytest.approx(1)


def test_a_case_has_another_name_among_others():
    study = recorded("study", Study)
    names = reward_study.GROUPS["pairs"]
    figure = study_charts.found(study, names, "right", "pairs", EN)
    assert set(figure.spec.data[1].y) == {"250 pairs", "1,000 pairs", "4,000 pairs"}


@pytest.mark.parametrize("kind", ["shallow", "informed"])
def test_scores_read_in_the_wrong_place_leave_the_line(kind):
    """Each dot is one answer; read where it ends, all would lie on the line."""
    found = reward_probe.misread(reward_probe.MisreadConfig(kind))
    figure = study_charts.misread(found, EN)
    np.testing.assert_array_equal(figure.spec.data[1].x, found.at_end)
    assert np.abs(found.at_padding - found.at_end).mean() > 0.3
    assert np.abs(found.at_padding - found.in_narrower_rows).mean() > 0.1


def test_a_choice_foretold_against_what_was_chosen_counts_as_a_miss():
    choices = "aaaaaaab"
    figure = study_charts.foretold(reward_labels.run(LabelConfig(choices)), choices, EN)
    assert sum(len(trace.x) for trace in figure.spec.data) == 3


def test_the_recorded_study_holds_what_the_page_says():
    """Found where planted, not found where not, and the shallow model blind to the sums."""
    cases = recorded("study", Study).cases
    marks = {name: one.found[:, 1] for name, one in cases.items()}
    assert cases["informed"].found[:, 0].min() > 3
    assert np.abs(cases["shallow"].found[:, 0]).max() < 0.5
    assert marks["informed"].min() > 0.35
    assert np.abs(marks["no-taste"]).max() < 0.2
    assert np.abs(marks["shallow-no-taste"]).max() < 0.15


def test_slips_in_the_recorded_study_follow_the_formula():
    cases = recorded("study", Study).cases
    for slips in (0.1, 0.2, 0.3):
        fitted = cases[f"slips-{slips}"].fitted[:, 0].mean()
        assert fitted == pytest.approx(reward.flattened(4.0, slips), abs=0.2)


def test_recorded_strangers_take_the_unfamiliar_for_wrong():
    probes = recorded("strangers", Strangers).probes
    at = probes["informed"][0].names.index("right-3")
    assert all(probe.mean[at] < -1 for probe in probes["informed"])
    assert all(probe.mean[at] > 0 for probe in probes["shallow"])
