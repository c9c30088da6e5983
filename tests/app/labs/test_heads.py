"""The heads lab's screen: switches that turn, a control beside them, runs that draw, nothing that breaks."""

from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.charts import head_variants as variant_charts
from app.charts import heads as charts
from app.charts.payload import unpack
from app.i18n import LANGUAGES, Words
from app.labs.transformer import heads_ablate, heads_ranking, heads_variants
from labcore import zoo
from labcore.architecture import head_ablation
from labcore.architecture.head_ablation import AblationConfig
from labcore.architecture.head_ranking import RankingResult
from labcore.architecture.head_variants import VariantsResult
from tests.app.conftest import checked, elements, press, said

EN = Words("en", "heads")
QUICK = {"samples": "2", "rows": "1", "steps": "20"}


def board(app: AppTest) -> tuple[dict, dict]:
    """Header and arrays of the board of switches."""
    element = next(
        one for one in elements(app, "bidi_component") if one.proto.id.endswith("figure.board")
    )
    return unpack(element.proto.bytes)


def heads_off(app: AppTest) -> int:
    header, arrays = board(app)
    size = len(header["rows"]) * len(header["columns"])
    return size - int(np.unpackbits(arrays["mask"])[:size].sum())


def click(app: AppTest, figure: str, **cell: int) -> AppTest:
    """The page after the learner has chosen a cell: what the component would put into the session."""
    app.session_state[f"heads.figure.{figure}"] = {"selection": cell}
    return checked(app.run())


# Switching heads off.


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_opens_with_one_head_of_the_copier_off_and_a_control(open_lab, language):
    app = checked(open_lab("heads", language))
    assert heads_off(app) == 1
    text = Words(language, "heads")("default.text")
    result = head_ablation.run(AblationConfig(text=text))
    before, after, control = [metric.value for metric in app.metric]
    assert (before, after) == (f"{result.before.loss_nats:.3f}", f"{result.after.loss_nats:.3f}")
    assert float(control) < float(after) - 1
    assert len(elements(app, "bidi_component")) == 3  # board, tokens, maps


def test_the_heads_that_are_off_travel_in_the_link(open_lab):
    app = checked(open_lab("heads", model="world-decoder", off="1.3 2.*"))
    assert heads_off(app) == 5
    assert "1.3 2.*" in app.query_params["off"]


def test_a_click_turns_a_head_and_a_second_click_turns_it_back(open_lab, monkeypatch):
    app = checked(open_lab("heads"))
    monkeypatch.setattr("app.page.LabPage.clicked", clicks(board={"row": 1, "column": 2}))
    app = checked(app.run())
    assert app.text_input(key="heads.off@en").value == "0.1 1.2"
    assert heads_off(app) == 2
    app = checked(app.run())
    assert app.text_input(key="heads.off@en").value == "0.1"


def clicks(**figures):
    """What `page.clicked` says when every run follows a click."""
    return lambda page, key: figures.get(key)


def test_all_on_again_leaves_nothing_changed(open_lab):
    app = press(open_lab("heads"), "heads.all_on")
    assert heads_off(checked(app)) == 0
    assert EN("control.none") in said(app)
    before, after = [metric.value for metric in app.metric]
    assert before == after


def test_a_locked_board_cannot_be_turned_by_a_click(open_lab, monkeypatch):
    monkeypatch.setattr("app.page.LabPage.clicked", clicks(board={"row": 1, "column": 2}))
    app = checked(open_lab("heads", lock="off", off="0.0"))
    assert app.text_input(key="heads.off@en").value == "0.0"


@pytest.mark.parametrize(
    ("mode", "off", "left_off"),
    [
        ("head", set(), {(0, 1)}),
        ("head", {(0, 1), (1, 0)}, {(1, 0)}),
        ("row", {(1, 0)}, {(0, 0), (0, 1), (0, 2), (1, 0)}),
        ("row", {(0, 0), (0, 1), (0, 2)}, set()),
        ("only", {(0, 1), (1, 0)}, {(0, 0), (0, 2), (1, 0)}),
    ],
)
def test_what_a_click_on_head_1_of_row_0_leaves_off(mode, off, left_off):
    assert heads_ablate.turned(off, 0, 1, heads=3, mode=mode) == left_off


@pytest.mark.parametrize(
    "off",
    [set(), {(0, 0)}, {(0, 0), (0, 1), (2, 1)}, {(r, h) for r in range(30) for h in range(9)}],
)
def test_writing_and_reading_switches_is_a_round_trip(off):
    text = heads_ablate.written(off, heads=9)
    assert set(heads_ablate.parse(text, rows=30, heads=9)) == off
    assert len(text) <= heads_ablate.OFF_LIMIT


def test_the_longest_list_of_switches_fits():
    """All heads but one of each of SmolLM2's 30 rows of 9: 240 names."""
    most = {(row, head) for row in range(30) for head in range(8)}
    text = heads_ablate.written(most, heads=9)
    assert len(text) <= heads_ablate.OFF_LIMIT


@pytest.mark.parametrize(
    ("off", "count"), [("9.9", 0), ("x <b>y</b> 0.1", 1), ("0.", 0), ("²·0.1 -1.0", 0), ("٣.٣", 0)]
)
def test_a_switch_that_is_no_head_is_left_out_and_told(open_lab, off, count):
    app = checked(open_lab("heads", off=off))
    assert heads_off(app) == count
    assert "name no head of this model" in said(app)
    assert "<b>" not in said(app)


@pytest.mark.parametrize(
    ("knobs", "told"),
    [
        ({"model": "world-encoder", "off": "0.*"}, "Guesses for this token"),
        ({"model": "world-translator", "off": "0.1 3.2"}, "Guesses for this token"),
        ({"model": "minilm-l6", "off": "0.*"}, "ends in vectors"),
        ({"model": "world-decoder", "off": "0.*", "method": "mean", "when": "before"}, "Control"),
        ({"text": "a", "off": ""}, "All heads are on"),
        ({"text": "<script>alert(1)</script> $x$ **b** 🦊"}, "Control"),
        ({"text": "字" * 3000}, "more were left out"),
        ({"row": "7", "asked": "99", "click": "nonsense"}, "Control"),
    ],
)
@pytest.mark.parametrize("language", ["en"])
def test_any_model_text_and_link_is_drawn(open_lab, knobs, told, language):
    if knobs.get("model") in zoo.real_names():
        zoo.load(knobs["model"])  # a machine that never held it would be asked to fetch it first
    app = checked(open_lab("heads", language, **knobs))
    assert told in said(app)
    assert not any("<script>" in element.value for element in [*app.markdown, *app.caption])


def test_an_empty_text_gets_one_sentence(open_lab):
    app = open_lab("heads", text=" ")
    (warning,) = app.warning
    assert warning.value.startswith("Please type something")


def test_a_locked_guess_about_the_row_is_scored(open_lab):
    app = checked(open_lab("heads"))
    app.radio(key="heads.predict.adds_up.widget@en").set_value("more")
    app = press(checked(app.run()), "heads.predict.adds_up.lock")
    assert any("Well judged" in box.value for box in app.success)
    assert "together" in said(app)


def test_another_model_opens_with_all_its_heads_on(open_lab):
    app = checked(open_lab("heads", off="0.2 1.1"))
    app.selectbox(key="heads.model@en").set_value("world-decoder")
    app = checked(app.run())
    assert heads_off(app) == 0


def test_a_head_that_is_off_is_told_in_words_too(open_lab):
    header, _ = board(checked(open_lab("heads")))
    assert header["words"]["hidden"] == EN("head.is_off")
    assert header["rows"] == ["Layer 0", "Layer 1"]


# Ranking.


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_recorded_ranking_is_shown_before_any_run(open_lab, language):
    app = checked(open_lab("heads", language, part="ranking"))
    assert {"en": "recorded", "zh": "实测录制"}[language] in said(app)
    assert len(app.get("echarts_chart")) == 1
    assert len(app.get("plotly_chart")) == 2


def test_a_ranking_runs_and_scores_the_guess(open_lab):
    app = open_lab("heads", part="ranking", ranked="world-copier", **QUICK)
    assert "have not been run yet" in said(app)
    app = press(checked(app), "heads.predict.can_go.lock")
    app = checked(press(app, "heads.run"))
    assert "Finished in" in said(app)
    assert any("You predicted" in box.value for box in [*app.info, *app.success])


def test_a_model_without_words_cannot_be_ranked(open_lab):
    assert "minilm-l6" not in open_lab("heads", part="ranking").selectbox[0].options


def test_how_many_can_go_stops_at_the_first_point_that_is_too_high():
    """0.05 is within a tenth, 0.2 is not, and what comes down again later does not count."""
    losses = np.array([[1.0, 1.05, 1.2, 1.0, 2.0]])
    result = RankingResult(
        (), 1, np.zeros(1), np.zeros((1, 1, 4)), np.zeros((1, 1, 4)), np.zeros(1), np.arange(5),
        {"measured": losses}, np.zeros(5), 0.0,
    )  # fmt: skip
    assert heads_ranking.can_go(result) == 1


# Variants.


@pytest.mark.parametrize("part", ["count", "sharing"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_recorded_races_are_shown_before_any_run(open_lab, language, part):
    app = checked(open_lab("heads", language, part=part))
    assert {"en": "recorded run with 5 seeds", "zh": "5 个种子录制"}[language] in said(app)
    assert len(app.get("echarts_chart")) == {"count": 2, "sharing": 4}[part]
    assert len(app.get("plotly_chart")) == {"count": 1, "sharing": 0}[part]
    table = app.dataframe[0].value
    assert len(table) == 4
    assert table.iloc[:, 1].nunique() == {"count": 1, "sharing": 4}[part]  # parameters


def test_a_race_runs_and_its_picture_survives_another_choice(open_lab):
    app = checked(press(open_lab("heads", part="count", counts="ends", steps="20"), "heads.run"))
    assert "Finished in" in said(app)
    assert "One seed cannot tell" in said(app)
    app.query_params["counts"] = "1-32"
    app = checked(app.run())
    assert len(app.dataframe[0].value) == 2  # still the run that was asked for
    app.query_params["part"] = "sharing"
    assert "recorded run" in said(checked(app.run()))


def made(losses: list[list[float]], names=("heads-1", "heads-8", "heads-32")) -> VariantsResult:
    final = np.array(losses, np.float32)[:, :, None]
    n = len(losses)
    return VariantsResult(
        names, tuple(range(final.shape[1])), np.array([20]), final, 0.4, np.ones(n), np.ones(n),
        None, 1.0,
    )  # fmt: skip


def test_variants_are_compared_with_the_best_seed_by_seed():
    table = variant_charts.summary(made([[1.2, 1.3], [1.0, 1.1], [0.9, 1.4]]), EN)
    assert table[EN("column.worse")].tolist() == ["2 / 2", "–", "1 / 2"]
    one_seed = variant_charts.summary(made([[1.2], [1.0], [1.1]]), EN)
    assert EN("column.worse") not in one_seed


def test_the_best_count_is_none_where_nobody_loses_with_every_seed():
    assert heads_variants.best_count(made([[1.2, 1.3], [1.0, 1.1], [0.9, 1.4]])) == "middle"
    assert heads_variants.best_count(made([[0.9, 1.3], [1.0, 1.1], [0.95, 1.4]])) == "none"
    assert heads_variants.best_count(made([[0.9, 0.9], [1.0, 1.1], [1.2, 1.4]])) == "few"


def test_a_run_of_one_seed_is_drawn_before_the_recorded_spread():
    live, recorded = made([[1.2], [1.0], [1.1]]), made([[1.1, 1.3], [0.9, 1.1], [1.0, 1.2]])
    table = variant_charts.losses(live, recorded, EN).data()
    assert table["1 heads (min)"].tolist() == pytest.approx([1.1])
    assert table["1 heads (max)"].tolist() == pytest.approx([1.3])


def test_gaps_are_taken_seed_by_seed():
    """0.2 and 0.2 above the reference: no spread, though the seeds themselves differ by 0.1."""
    table = variant_charts.gaps(made([[1.2, 1.3], [1.0, 1.1], [1.1, 1.1]]), made([[1, 1]] * 3), EN)
    table = table.data()
    assert table["1 heads"].tolist() == pytest.approx([0.2])
    for side in ("min", "max"):
        assert table[f"1 heads ({side})"].tolist() == pytest.approx([0.2])
    assert table["32 heads (min)"].tolist() == pytest.approx([0.0], abs=1e-6)
    assert table["8 heads"].tolist() == [0.0]


@pytest.mark.parametrize(
    ("names", "against"),
    [
        (("gqa", "mha"), "mha"),
        (("heads-1", "heads-8", "heads-32"), "heads-8"),
        (("heads-1", "heads-4"), "heads-4"),
    ],
)
def test_the_reference_is_mha_or_eight_heads_or_the_most(names, against):
    assert variant_charts.reference(names) == against


def test_one_seed_stands_before_the_recorded_ones_only_after_as_many_steps():
    live, recorded = made([[1.2], [1.0], [1.1]]), made([[1.1, 1.3], [0.9, 1.1], [1.0, 1.2]])
    table = variant_charts.last_losses(live, recorded, EN).data()
    assert table["seed 1"].tolist() == pytest.approx([1.3, 1.1, 1.2])
    longer = replace(recorded, steps=np.array([400]))
    assert "seed 1" not in variant_charts.last_losses(live, longer, EN).data()


def test_the_guesses_are_those_of_both_passes():
    result = head_ablation.run(AblationConfig())
    table = charts.guesses(result, 10, EN).data()
    assert table.shape[0] == head_ablation.CANDIDATES
    either = table.iloc[:, 1:].max(axis=1)
    assert either.is_monotonic_decreasing
