"""The page of training objectives: four parts, two languages, odd text and links, what was recorded."""

import numpy as np
import pytest

from app import results
from app.charts import objectives as charts
from app.charts import objectives_text as text_charts
from app.i18n import LANGUAGES, Words
from app.labs.pretraining import objectives, objectives_measure, objectives_natural
from labcore.pretraining import objective_natural, objective_world
from labcore.pretraining.objective_kinds import Objective
from labcore.pretraining.objective_natural import NaturalResult
from labcore.pretraining.objective_units import BYTES, UnitsResult
from labcore.pretraining.objective_world import CAUSAL, MASKED, PREFIX, SPAN, WorldResult
from tests.app.conftest import checked, elements, press, said

EN = Words("en", "objectives")
PICTURES = {"measure": (3, 0), "views": (1, 1), "natural": (6, 2), "bytes": (3, 3)}


def load(name: str, kind: type):
    return results.load(results.RECORDINGS / f"objectives-{name}.safetensors", kind).result


@pytest.fixture(scope="module")
def world() -> WorldResult:
    return load("world", WorldResult)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", list(objectives.PARTS))
def test_every_part_opens_in_both_languages(open_lab, language, part):
    app = checked(open_lab("objectives", language, part=part))
    assert not app.warning
    drawn = tuple(len(elements(app, kind)) for kind in ("echarts_chart", "bidi_component"))
    assert drawn == PICTURES[part]


def test_the_world_is_told_in_the_learners_language(open_lab):
    row = objective_world.judged()[0][0].tolist()
    for language in LANGUAGES:
        app = open_lab("objectives", language)
        assert objective_world.world.phrases(row, language)[0] in said(app)


@pytest.mark.parametrize(
    "ends",
    [
        {"use_causal": "0", "use_masked": "0", "steps": "60"},
        {"noun": "0", "share": "0.5", "mean_length": "5", "use_span": "1"},
        {"part": "views", "objective": "masked", "hidden": "0.6", "draw": "9999"},
        {"part": "views", "objective": "prefix", "prefix": "22"},
        {"part": "views", "objective": "span", "length": "1.0", "hidden": "nan"},
        {"part": "natural", "source": "kept", "axis": "answers", "place": "0"},
        {"part": "bytes", "first": "1024", "second": "1024", "units_axis": "read"},
        {"part": "sideways", "noun": "99"},
    ],
    ids=lambda ends: "-".join(ends.values())[:40],
)
def test_the_ends_of_the_knobs_and_a_broken_link_hold(open_lab, ends):
    checked(open_lab("objectives", **ends))


@pytest.mark.parametrize("text", ["", "x", "<b>*_`</b> $x$", "汉" * 300, "[MASK] <|mask|> ⟨1⟩"])
def test_any_sentence_gets_a_picture_or_a_sentence(open_lab, text):
    app = open_lab("objectives", part="views")
    area = next(one for one in app.text_area if one.key.startswith("objectives.sentence"))
    app = checked(area.set_value(text).run())
    assert bool(app.warning) == (len(text) < 2)


def test_a_run_is_pictured_and_its_guess_scored(open_lab, monkeypatch):
    """Ten steps of the causal model alone teach it no more than how common the words are."""
    short = objective_world.WorldConfig((CAUSAL,), steps=10)
    monkeypatch.setattr(objectives_measure, "knobs", lambda page: short)
    app = open_lab("objectives")
    app.radio(key="objectives.predict.ceiling.widget@en").set_value("quarter").run()
    app = press(app, "objectives.predict.ceiling.lock")
    app = checked(press(app, "objectives.run"))
    assert "Finished in" in said(app)
    assert any("6 of 24" in box.value for box in app.success)


def test_a_run_on_text_is_pictured_and_reads_the_learners_sentence(open_lab, monkeypatch):
    kept = objectives_natural.knobs

    def knobs(page, text):
        return objective_natural.NaturalConfig(kept(page, text).text, steps=2, gaps=2, texts=2)

    monkeypatch.setattr(objectives_natural, "knobs", knobs)
    app = checked(press(open_lab("objectives", part="natural"), "objectives.run"))
    assert "Finished in" in said(app)
    area = next(one for one in app.text_area if one.key.startswith("objectives.own"))
    assert "at least two tokens" in said(checked(area.set_value("").run()))


def test_a_run_of_one_part_is_not_taken_for_that_of_another(open_lab, monkeypatch):
    short = objective_world.WorldConfig((CAUSAL,), steps=1)
    monkeypatch.setattr(objectives_measure, "knobs", lambda page: short)
    app = press(open_lab("objectives"), "objectives.run")
    for part in ("natural", "bytes"):
        app.query_params["part"] = part
        app = checked(app.run())
        assert "recorded" in said(app)
        assert "Finished in" not in said(app)


def test_bands_are_said_in_words():
    assert [objectives_measure.band(s) for s in (0.2, 0.37, 0.5, 0.74, 0.9)] == [
        "quarter", "quarter", "half", "half", "all",
    ]  # fmt: skip


def test_lines_are_drawn_from_the_recording(world):
    courses = charts.recorded(world)
    figure = charts.right(courses, 600, EN)
    lines = {one["name"]: one["data"] for one in figure.spec["series"] if "name" in one}
    drawn = np.asarray(lines[charts.name_of(MASKED, EN)])[:, 1]
    at = world.objectives.index(MASKED)
    np.testing.assert_allclose(drawn, np.median(world.right[:, at], axis=0), atol=1e-6)
    above = charts.above_floor(courses, world.floor_nats.tolist(), 600, EN).spec["series"][at]
    expected = np.median(world.own_nats[:, at, -1]) - world.floor_nats[at]
    assert above["data"][-1][1] == pytest.approx(expected, abs=1e-6)


def test_a_line_over_answers_is_the_line_over_steps_pulled_apart():
    result = load("natural-english", NaturalResult)
    causal, masked = text_charts.natural_recorded(result)
    ratio = causal.x["answers"] / masked.x["answers"]
    np.testing.assert_allclose(ratio, result.targets[0] / result.targets[1])
    np.testing.assert_array_equal(causal.x["steps"], masked.x["steps"])


# What the recordings show: the words of the page rely on it. The worst seed counts, not the mean.


def of(world: WorldResult, objective: Objective, table: str) -> np.ndarray:
    """(R, M)"""
    return getattr(world, table)[:, world.objectives.index(objective)]


def test_who_reads_from_the_left_stays_at_a_quarter_and_at_the_floor(world):
    """Exactly 6 of 24 can be right, and no honest loss is below the floor."""
    for objective in (CAUSAL, PREFIX):
        settled = of(world, objective, "right")[:, world.looks >= 200]
        assert settled.max() <= 0.27
        gap = of(world, objective, "own_nats") - world.floor_nats[world.objectives.index(objective)]
        assert (gap[:, -1] > -0.005).all()
        assert (gap[:, -1] < 0.03).all()
        assert of(world, objective, "measure_nats")[:, -1].min() > 1.7376 - 0.01


def test_the_same_causal_model_knows_the_answer_when_rows_are_compared(world):
    settled = of(world, CAUSAL, "rescored")[:, world.looks >= 200]
    assert settled.min() == 1.0


def test_who_sees_both_sides_passes_the_ceiling(world):
    for objective in (MASKED, Objective("masked", 0.4)):
        assert of(world, objective, "right")[:, world.looks >= 240].min() > 0.95
    assert of(world, SPAN, "right")[:, -1].min() > 0.3


def test_a_recorded_floor_is_todays(world):
    for number, objective in enumerate(world.objectives):
        assert world.floor_nats[number] == pytest.approx(objective_world.floor(objective))


@pytest.mark.parametrize("language", list(objective_natural.VOCAB_SIZE))
def test_at_equal_compute_the_causal_model_fills_more_gaps_and_most_by_bayes_rule(language):
    for outcome in load(f"natural-{language}", NaturalResult).outcomes:
        ways = outcome.filled
        assert ways["rescored"] > ways["left"] > ways["both"]
        assert outcome.attested["real"] > outcome.attested["causal"] > outcome.attested["masked"]
        assert outcome.preferred["causal"] > outcome.preferred["masked"]


def test_perplexity_and_bits_per_byte_rank_vocabularies_the_other_way_round():
    result = load("units", UnitsResult)
    assert result.sizes[0] == BYTES
    for seed in range(len(result.seeds)):
        losses = [result.loss(seed, number) for number in range(len(result.sizes))]
        perplexities = [loss.perplexity for loss in losses]
        bits = [loss.bits_per_byte for loss in losses]
        assert perplexities == sorted(perplexities)
        assert bits == sorted(bits, reverse=True)
