"""The reasoning lab: its four parts, in both languages, at the ends of the knobs, with anything typed."""

import numpy as np
import pytest

from app import results
from app.charts import reasoning as think_charts
from app.charts import reasoning_search as search_charts
from app.charts import reasoning_votes as charts
from app.i18n import LANGUAGES, Words
from app.labs.frontier import reasoning as screen
from app.labs.frontier import reasoning_cost, reasoning_search, reasoning_votes
from labcore.reasoning import grid, search24, vote
from labcore.reasoning.cost_study import CurvesStudy, StepStudy
from labcore.reasoning.search24_study import Search24Study
from labcore.reasoning.think import Look, Thinking
from labcore.reasoning.vote_curves import CurvesConfig
from labcore.reasoning.writers import WRITERS
from tests.app.conftest import checked, press, said

EN = Words("en", "reasoning")
HOSTILE = "<b>4</b> $x$ 9；DROP"


def recorded(name: str, kind: type):
    return results.load(results.RECORDINGS / f"reasoning-{name}.safetensors", kind).result


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_opens_on_the_recorded_run_and_the_lengths(open_lab, language):
    app = checked(open_lab("reasoning", language))
    assert {"en": "recorded", "zh": "实测录制"}[language] in said(app)
    assert len(app.get("echarts_chart")) == 5
    assert "65,536" in said(app)


@pytest.mark.parametrize("task", ["parity", "sum"])
def test_a_run_of_ones_own_is_measured(open_lab, task):
    app = open_lab("reasoning", task=task, digits="2", updates="20", seed="9999")
    assert "have not been run" in said(app)
    app = checked(press(app, "reasoning.run"))
    assert "measured now" in said(app)


@pytest.mark.parametrize("digits", ["16", "2"])
def test_the_guess_is_scored_by_the_run_that_it_was_about(open_lab, digits):
    """Sixteen bits and 200 updates: the recorded run. A run on two digits says nothing about it."""
    app = open_lab("reasoning")
    radio = next(radio for radio in app.radio if "direct" in radio.key)
    app = press(radio.set_value("guess").run(), "reasoning.predict.direct.lock")
    if digits == "2":
        app.query_params.update({"digits": digits, "updates": "20"})
        app = press(app.run(), "reasoning.run")
    assert len(checked(app).success) == (digits == "16")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"samples": "1", "temperature": "0.5", "votes_seed": "9999", "right_chance": "0"},
        {"writer": "chance", "samples": "128", "right_chance": "100"},
        {"writer": "weak", "question": "0 0 0 0 0 0 0 0 0 0 0 0"},
    ],
)
def test_chains_vote_at_the_ends_of_the_knobs(open_lab, language, knobs):
    app = checked(open_lab("reasoning", language, part="votes", **knobs))
    table = app.dataframe[0].value
    assert len(table) == len(vote.WAYS) + 1
    known = knobs.get("votes_seed") is None
    assert len(app.get("plotly_chart")) == int(known)


@pytest.mark.parametrize("question", [HOSTILE, "", "12345", "９" * 12])
def test_what_is_no_question_is_said_in_a_sentence(open_lab, question):
    app = open_lab("reasoning", part="votes", question=question)
    assert not app.exception
    assert "exactly 12 digits" in app.warning[0].value


def test_curves_of_ones_own_are_measured(open_lab, monkeypatch):
    small = CurvesConfig(questions=3, samples=4)
    monkeypatch.setattr(reasoning_votes, "CurvesConfig", lambda *knobs, seed: small)
    app = checked(press(open_lab("reasoning", part="votes"), "reasoning.run"))
    assert "measured now" in said(app)


def test_the_guess_about_the_outcome_verifier_is_scored_by_the_recording(open_lab):
    app = open_lab("reasoning", part="votes")
    radio = next(radio for radio in app.radio if "outcome" in radio.key)
    app = checked(press(radio.set_value("falls").run(), "reasoning.predict.outcome.lock"))
    assert app.success


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("method", search24.METHODS)
def test_every_way_searches_the_game(open_lab, language, method):
    app = checked(
        open_lab("reasoning", language, part="search", method=method, width="1", shown="0")
    )
    assert len(app.get("plotly_chart")) == 1
    assert len(app.get("echarts_chart")) == 1


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ("1 1 1 1", "no solution"),
        ("13，13 13, 13", "no solution"),
        ("3 3 8 8", "Found"),
        (HOSTILE, "exactly 4 whole numbers"),
        ("4 9 10 99", "between 1 and 13"),
    ],
)
def test_numbers_of_ones_own_are_searched_or_refused(open_lab, numbers, says):
    app = open_lab("reasoning", part="search", numbers=numbers, budget="500")
    assert not app.exception
    assert says in said(app)


def test_a_budget_too_small_is_told_from_a_game_without_solution(open_lab):
    app = checked(open_lab("reasoning", part="search", method="depth", budget="3"))
    assert "There is a solution" in said(app)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("layout", grid.MAPS)
def test_every_map_is_searched_in_every_way(open_lab, language, layout):
    for method in grid.METHODS:
        app = checked(
            open_lab(
                "reasoning", language, part="search", look="path", layout=layout,
                path_method=method, path_width="4", path_shown="30",
            )
        )  # fmt: skip
    assert len(app.dataframe[0].value) == len(grid.METHODS)


@pytest.mark.parametrize(
    ("text", "says"),
    [("SG", "1** steps"), (HOSTILE, "made of"), ("S.\n.", "equally long"), ("..", "exactly one S"),
     ("S#G", "no path")],
)  # fmt: skip
def test_a_map_of_ones_own_is_searched_or_refused(open_lab, text, says):
    app = open_lab("reasoning", part="search", look="path", layout="own", map=text)
    assert not app.exception
    assert says in said(app)


@pytest.mark.parametrize("language", LANGUAGES)
def test_walls_across_the_gate_leave_no_path(open_lab, language):
    """Column 5 of the gate has one opening, at row 8: a click on it shuts the way, another opens it."""
    app = open_lab("reasoning", language, part="search", look="path", layout="gate")
    words = Words(language, "reasoning")
    for count, key in ((1, "path.none"), (2, "path.found")):
        place = {"row": 7, "column": 4, "count": count}
        app.session_state["reasoning.figure.plan"] = {"selection": place}
        app = checked(app.run())
        begins = words(key, expanded=0, steps=17, shortest=17).split("**")[1]
        assert begins in said(app)
    assert "own" in app.query_params["layout"]


def test_a_locked_map_stays_as_it_is(open_lab):
    app = open_lab("reasoning", part="search", look="path", layout="gate", lock="layout")
    app.session_state["reasoning.figure.plan"] = {"selection": {"row": 7, "column": 4, "count": 1}}
    assert "17** steps" in said(checked(app.run()))


def test_a_click_builds_a_wall_and_tears_it_down():
    """Never on an end, never beside the map, and twice is as before."""
    built = reasoning_search.with_wall("S..\n..G", {"row": 0, "column": 1})
    assert built == "S#.\n..G"
    assert reasoning_search.with_wall(built, {"row": 0, "column": 1}) == "S..\n..G"
    for row, column in ((0, 0), (1, 2), (2, 0), (0, 3)):
        assert reasoning_search.with_wall("S..\n..G", {"row": row, "column": column}) is None
    assert reasoning_search.with_wall("S", {"row": 0, "column": 0}) is None


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("writer", WRITERS)
def test_every_writer_has_its_costs(open_lab, language, writer):
    app = checked(open_lab("reasoning", language, part="cost", cost_writer=writer, tokens="50"))
    assert len(app.get("echarts_chart")) == 1


@pytest.mark.parametrize(
    "link", [{"part": "dance"}, {"digits": "99"}, {"part": "votes", "temperature": "hot"},
             {"part": "search", "budget": "-1"}, {"part": "cost", "tokens": "x"}],
)  # fmt: skip
def test_a_link_with_nonsense_opens_on_the_default(open_lab, link):
    app = open_lab("reasoning", **link)
    assert not app.exception
    assert not app.error


# What the screen says of numbers.


@pytest.mark.parametrize(
    ("reached", "says"), [(0.5, "guess"), (0.58, "guess"), (0.7, "some"), (0.95, "all")]
)
def test_the_verdict_on_the_model_without_steps(reached, says):
    fates = {"follows": np.ones(2)}
    result = Thinking(np.array([1]), {"direct": np.array([0.1, reached]), "chain": np.ones(2)},
                      np.ones(3), fates, fates, 0.5, 4, {}, 0.0)  # fmt: skip
    assert screen.verdict(result) == says


def test_what_a_budget_buys_by_hand():
    """400 tokens: 30 chains of 13 allow 16 (208); judged chains cost 26, so 8 fit 208 and 16 need 416."""
    study, steps = recorded("votes-half", CurvesStudy), recorded("steps", StepStudy)
    reached = reasoning_cost.within(study, steps, "half", 400)
    counts = study.counts.tolist()
    assert reached["majority"] == study.accuracy["majority"].mean(axis=0)[counts.index(16)]
    assert reached["process"] == study.accuracy["process"].mean(axis=0)[counts.index(8)]
    assert reached["steps"] == steps.accuracy["half"].mean(axis=0)[3]  # 386 tokens
    assert reasoning_cost.within(study, steps, "half", 12) == {}


def test_only_the_recorded_settings_have_a_recording():
    assert reasoning_votes.case_of(CurvesConfig("half", 1.5)) == "half-hot"
    assert reasoning_votes.case_of(CurvesConfig("weak", 0.5)) is None
    assert reasoning_votes.case_of(CurvesConfig("half", 1.0, seed=3)) is None


def test_the_courses_that_the_predictions_ask_for():
    assert reasoning_votes.course(recorded("votes-half", CurvesStudy)) == "falls"
    assert reasoning_search.compared(recorded("search24", Search24Study)) == "more"


# Charts.


def test_bars_of_a_vote_add_up_to_the_chains():
    result = vote.run(vote.VoteConfig(samples=24))
    figure = charts.votes(result, EN)
    parts = [bar["data"] for bar in figure.spec["series"]]
    assert np.sum(parts) == 24
    assert f"{result.truth} ✓" in figure.spec["yAxis"]["data"]


def test_steps_have_the_colour_of_whether_they_follow():
    result = vote.run(vote.VoteConfig(samples=5))
    cells = charts.chains(result, EN).spec["cells"]
    tones = [[cell["tone"] == charts.RIGHT_TONE for cell in row] for row in cells]
    assert tones == result.valid.tolist()


def test_the_tree_grows_with_what_is_shown_and_ends_in_its_path():
    """After one expansion: the root and its children. In the end: every node, and four on the way to 24."""
    result = search24.run(search24.SearchConfig())
    first = search_charts.tree(result, 1, EN).data()
    assert len(first) == 1 + sum(node.parent == 0 for node in result.nodes)
    whole = search_charts.tree(result, result.expanded, EN)
    assert len(whole.data()) == len(result.nodes)
    path = next(trace for trace in whole.spec.data if trace.name == EN("fate.path"))
    assert sorted(path.y) == [0, 1, 2, 3]


def test_a_map_shows_its_path_only_at_the_end_of_the_search():
    result = grid.run(grid.PathConfig())
    tone = search_charts.TONES["path"]

    def marked(shown: int) -> int:
        cells = search_charts.plan(result, shown, EN).spec["cells"]
        return sum(cell["tone"] == tone for row in cells for cell in row)

    assert (marked(3), marked(result.expanded)) == (0, len(result.path))


def test_learning_is_drawn_from_the_first_look_on():
    figure = think_charts.learning([Look("direct", 20, 0.5, 0.1)], 0.5, EN)
    assert [line["name"] for line in figure.spec["series"]] == [EN("way.direct")]
