"""The page of "Self-attention by hand": its worksheet, its links, its three parts, in both languages."""

import json

import pytest

from app import results
from app.charts import by_hand as charts
from app.charts import causal_leak as leak_charts
from app.charts import score_scale as scale_charts
from app.i18n import LANGUAGES, Words
from labcore.architecture import by_hand, causal_leak, score_scale
from labcore.architecture.by_hand import ByHandConfig
from tests.app.conftest import checked, elements, press, said

EN = Words("en", "by_hand")
QUICK = {"part": "leak", "num_layers": "1", "length": "8", "steps": "50"}
TOKENS = ["a", "b", "c", "d"]


def sheet(app) -> dict:
    """What the browser was given to draw."""
    (element,) = elements(app, "bidi_component")
    return json.loads(element.proto.json)


def matrices(app) -> dict[str, dict]:
    return {matrix["id"]: matrix for stage in sheet(app)["stages"] for matrix in stage["matrices"]}


def edited(app, matrix: str, values: list[list[float]]):
    """The page after the learner has typed into the sheet, as the browser reports it."""
    app.session_state["by_hand.figure.walk"] = {
        "selection": {"matrix": matrix, "values": values, "count": 1}
    }
    return app.run()


# The worksheet.


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", ["walk", "scale", "leak"])
def test_every_part_opens_in_both_languages(open_lab, language, part):
    app = checked(open_lab("by_hand", language, part=part))
    assert not app.warning
    assert len(elements(app, "bidi_component")) == (part == "walk")
    assert len(app.get("echarts_chart")) == (0 if part == "walk" else 2)


def test_the_sheet_shows_the_numbers_of_the_walk(open_lab):
    """0.669 is e² / (e² + 2 + e^½), worked out in the tests of the walk."""
    found = matrices(open_lab("by_hand"))
    assert found["weights"]["shown"][3] == ["0.091", "0.669", "0.091", "0.149"]
    assert found["weights"]["sums"] == ["1"] * 4
    assert found["weights"]["columns"] == ["the", "cat", "licks", "itself"]
    assert found["masked"]["shown"][0] == ["0.5", "−∞", "−∞", "−∞"]
    assert {name for name, matrix in found.items() if matrix["edit"]} == {"q", "k", "v", "upstream"}
    assert "L = Σ G ⊙ O = 1.232" in said(open_lab("by_hand"))


def test_a_link_carries_matrices_and_switches(open_lab):
    app = checked(
        open_lab("by_hand", tokens="x y", width="2", q="1,2;3,4", scale="none", mask="none")
    )
    found = matrices(app)
    assert found["q"]["raw"] == [[1, 2], [3, 4]]
    assert found["q"]["rows"] == ["x", "y"]
    assert found["scores"]["formula"] == "S = R"
    assert "masked" not in found
    # K opens with the rows (0, 1) and (2, 0): q·k = 2, 2; 4, 6.
    assert found["products"]["shown"] == [["2", "2"], ["4", "6"]]


def test_a_typed_number_goes_into_the_link_and_into_everything_that_depends_on_it(open_lab):
    app = open_lab("by_hand", tokens="x y", width="2")
    before = matrices(app)
    app = checked(edited(app, "v", [[1, 0], [0, 7.5]]))
    after = matrices(app)
    assert app.query_params["v"] == "1,0;0,7.5"
    assert after["v"]["raw"] == [[1, 0], [0, 7.5]]
    assert after["outputs"]["shown"][1] != before["outputs"]["shown"][1]
    assert after["outputs"]["shown"][0] == before["outputs"]["shown"][0]  # the mask keeps it away
    assert after["weights"] == before["weights"]


def test_numbers_survive_a_change_of_language_and_of_size_and_can_be_reset(open_lab):
    app = edited(open_lab("by_hand"), "q", [[5.0] * 4] * 4)
    app.session_state["language"] = "zh"
    app = checked(app.run())
    assert matrices(app)["q"]["raw"] == [[5] * 4] * 4
    app.query_params["width"] = "2"
    app = checked(app.run())
    assert matrices(app)["q"]["raw"] == [[5, 5]] * 4
    app = checked(press(app, "by_hand.reset"))
    assert matrices(app)["q"]["raw"] == [[0, 1], [1, 1], [2, 0], [2, 0]]
    assert "q" not in app.query_params


@pytest.mark.parametrize("how", ["lock", "hide"])
def test_a_teacher_can_hold_a_matrix(open_lab, how):
    app = open_lab("by_hand", tokens="x", width="1", q="4", **{how: "q"})
    assert matrices(app)["q"]["fixed"]
    assert not matrices(app)["k"]["fixed"]
    assert matrices(checked(edited(app, "q", [[9]])))["q"]["raw"] == [[4]]


@pytest.mark.parametrize("value", ["", "nan", "1,2;3", "100", "<b>1</b>", "1e400", "0;" * 700])
def test_a_link_with_nonsense_for_a_matrix_says_so_and_opens_on_the_first_numbers(open_lab, value):
    app = checked(open_lab("by_hand", v=value))
    assert any("“V”" in box.value for box in app.warning)
    assert matrices(app)["v"]["raw"][0] == [1, 0, 0, 0]


def test_what_the_browser_should_never_send_gets_a_sentence(open_lab):
    app = checked(edited(open_lab("by_hand", tokens="x", width="1"), "q", [[1e9]]))
    assert any("must lie between -99" in box.value for box in app.warning)
    assert matrices(app.run())["q"]["raw"] == [[0]]


@pytest.mark.parametrize(
    ("tokens", "told"), [("   ", "Please type something"), ("a b c d e f g", "at most 6 fit")]
)
def test_too_few_or_too_many_tokens_get_a_sentence(open_lab, tokens, told):
    app = checked(open_lab("by_hand", tokens=tokens))
    assert any(told in box.value for box in app.warning)


@pytest.mark.parametrize(
    "ends",
    [
        {"tokens": "一二三四五六", "width": "6", "start": "x", "vector": "6", "mask": "after"},
        {"tokens": "x", "width": "1", "start": "x", "vector": "1", "scale": "d"},
        {"tokens": "<script>alert(1)</script> **b** {x} 🙂", "mask": "none"},
        {"q": "99,-99", "k": "-99,99", "scale": "none"},
    ],
)
def test_the_ends_of_the_sheet_open(open_lab, ends):
    app = checked(open_lab("by_hand", **ends))
    assert not app.warning
    assert matrices(app)["weights"]["rows"][0] == (ends.get("tokens", "the")).split()[0][:16] or (
        len(matrices(app)["weights"]["rows"]) == 6
    )


def test_what_a_cell_is_made_of_stands_on_the_sheet():
    """The browser lights these cells up; a name that is not there would break it."""
    for start in by_hand.STARTS:
        for mask in by_hand.MASKS:
            given = tuple(
                (name, by_hand.fitted(name, by_hand.FIRST[name], 4, 4))
                for name in (*by_hand.STARTS[start], "upstream")
            )
            walk = by_hand.run(ByHandConfig(given, start, "d", mask))
            spec = charts.worksheet(walk, TOKENS, (), EN).spec
            all = [matrix for stage in spec["stages"] for matrix in stage["matrices"]]
            names = {matrix["id"] for matrix in all}
            assert names == set(walk.matrices)
            assert {line[0] for matrix in all for line in matrix["sources"]} <= names


def test_the_table_holds_every_number():
    walk = by_hand.run(ByHandConfig())
    table = charts.worksheet(walk, TOKENS, (), EN).data()
    assert len(table) == sum(values.size for values in walk.matrices.values())
    assert table.loc[table["matrix"] == "A", "value"].sum() == pytest.approx(4)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0056712, "0.006"), (1.2345, "1.23"), (-0.5, "−0.5"), (0.99996, "1"), (-0.00012, "−0.0001"),
     (2e-7, "2e−07"), (1e-17, "0"), (-40000.0, "−4e+04"), (float("-inf"), "−∞")],
)  # fmt: skip
def test_numbers_in_narrow_cells(value, shown):
    assert charts.short(value) == shown


# Why √d.


@pytest.mark.parametrize("measure", score_scale.MEASURES)
def test_every_measure_has_its_picture_and_its_sentence(open_lab, measure):
    app = checked(open_lab("by_hand", part="scale", measure=measure, seeds="1"))
    assert EN(f"measure.{measure}")[:40] in said(app)


def test_the_band_reaches_from_the_lowest_draw_to_the_highest():
    result = score_scale.run(score_scale.ScoreScaleConfig(seeds=3))
    table = scale_charts.against_width(result, "largest", 32, EN).data()
    drawn = result.measures["largest"]["none"]
    name = EN("scale.none")
    assert table[f"{name} (min)"].tolist() == drawn.min(axis=0).tolist()
    assert table[f"{name} (max)"].tolist() == drawn.max(axis=0).tolist()


def test_a_prediction_about_the_largest_weight_is_scored(open_lab):
    app = open_lab("by_hand", part="scale", seeds="1")
    app = app.radio[0].set_value("one").run()
    app = checked(press(app, "by_hand.predict.peak.lock"))
    assert any("Well judged" in box.value for box in app.success)


@pytest.mark.parametrize("end", [0, 1])
def test_the_ends_of_the_scale_open(open_lab, end):
    ends = {name: str(limits[end]) for name, limits in score_scale.LIMITS.items()}
    checked(open_lab("by_hand", part="scale", d="16", **ends))


# The leak.


def test_before_a_run_the_recorded_seeds_are_shown(open_lab):
    app = checked(open_lab("by_hand", part="leak"))
    assert "recorded run of 5 seeds" in said(app)
    assert "just above the floor of 1.627" in said(app)


def test_a_run_ends_in_curves_a_proof_and_writing(open_lab):
    app = checked(press(open_lab("by_hand", **QUICK), "by_hand.run"))
    assert "of the steps break a rule" not in said(app)
    app = checked(app.toggle(key="by_hand.unveil@en").set_value(True).run())
    text = said(app)
    assert "Finished in" in text
    assert "measured now" in text
    assert "of the steps break a rule" in text
    assert len(app.get("echarts_chart")) == 2


def test_behind_a_live_run_stand_the_recorded_seeds():
    path = results.RECORDINGS / "by_hand-leak.safetensors"
    recorded = results.load(path, causal_leak.CausalLeakResult).result
    events = [
        causal_leak.Progress(0, 0, 0.0, (3.0, 3.1), 1.63),
        causal_leak.Progress(0, 1, 0.1, None, 1.63),
        causal_leak.Progress(0, 7, 0.2, (2.0, 1.5), 1.63),
    ]
    table = leak_charts.losses_of_events(events, 150, EN, recorded).data()
    assert table[EN("series.open")].dropna().tolist() == [3.1, 1.5]
    name = EN("series.open.recorded", seeds=5)
    assert table[f"{name} (max)"].dropna().tolist() == recorded.nats[:, 1].max(axis=0).tolist()
