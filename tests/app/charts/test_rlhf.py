"""Charts of reinforcement learning: what is drawn where, and what is left out."""

import math

import numpy as np
import pytest

from app import results
from app.charts import kl_estimators as estimator_charts
from app.charts import rlhf as charts
from app.charts import rlhf_study as study_charts
from app.i18n import LANGUAGES, Words
from labcore.tuning import best_of_n, kl_estimators
from labcore.tuning.rlhf import RLHFResult
from labcore.tuning.rlhf_config import RLHFConfig
from labcore.tuning.rlhf_exam import Look
from labcore.tuning.rlhf_study import MEASURES, Case

EN = Words("en", "rlhf")


def look(step: int, **changes) -> Look:
    values = dict.fromkeys(MEASURES, 0.5)
    if step == 0:
        trained = ("train_score", "loss", "clipped", "gradient_norm", "dead", "foretold")
        values |= dict.fromkeys(trained, math.nan)
    return Look(step=step, share=step / 10, answers=["85!"] * 8, **(values | changes))


LOOKS = [look(0), look(5), look(10, sampled_right=0.1, proxy=2.5)]


def names(figure) -> list[str]:
    return [line["name"] for line in figure.spec["series"] if "name" in line]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("draw", ["scores", "distance", "habits", "mechanics", "loss"])
def test_every_course_says_what_it_shows(language, draw):
    figure = getattr(charts, draw)(LOOKS, RLHFConfig(), Words(language, "rlhf"))
    assert figure.alt
    assert len(figure.data()) >= 2


def test_a_verifiers_score_is_the_truth_and_is_drawn_once():
    assert EN("series.proxy") in names(charts.scores(LOOKS, RLHFConfig(), EN))
    assert EN("series.proxy") not in names(charts.scores(LOOKS, RLHFConfig(reward="verifier"), EN))


def test_clip_and_critic_are_drawn_where_there_are_any():
    once, ppo = RLHFConfig(epochs=1), RLHFConfig("ppo")
    assert names(charts.mechanics(LOOKS, once, EN)) == [EN("series.dead")]
    assert EN("series.foretold") in names(charts.mechanics(LOOKS, ppo, EN))


def test_what_training_has_not_told_yet_is_left_out():
    data = charts.loss(LOOKS, RLHFConfig(), EN).spec["series"][0]["data"]
    assert [step for step, _ in data] == [5, 10]


def test_right_answers_are_marked_whatever_their_marks():
    table = charts.answers(["37+48=", "10+11="], ["1", "2"], ["85!!", "22"], EN)
    assert table[EN("column.right")].tolist() == ["✓", ""]


def test_pass_at_k_of_a_run():
    """Half of the sums always solved, half never: 0.5 whatever k."""
    counts = np.array([32, 0])
    result = RLHFResult(LOOKS, ["37+48="], counts, counts[::-1], 1.0)
    data = charts.passes(result, EN).spec["series"][1]["data"]
    assert [y for _, y in data] == pytest.approx([0.5] * 6)


def case() -> Case:
    measures = {name: np.array([[0.0, 4.0], [0.0, 9.0]]) for name in MEASURES}
    ones = np.ones(2, np.int64)
    return Case(np.array([0, 10]), measures, np.ones(6), np.ones((2, 6)), ones, ones, ones)


def test_the_frontier_has_a_dot_per_seed_at_the_root_of_its_distance():
    counts = np.array(best_of_n.COUNTS)
    gone = np.array([best_of_n.divergence(n) for n in counts])
    best = best_of_n.BestOfN(counts, gone, gone, gone / 10, gone, 1.0)
    figure = study_charts.frontier({"grpo": case()}, ["grpo"], best, "sampled_right", EN)
    line, _, dots = figure.spec.data
    assert line.x == pytest.approx(np.sqrt(gone))
    assert list(line.text) == ["1", "2", "4", "8", "16", "32", "64"]
    assert sorted(dots.x) == [2, 3]
    assert len(figure.data()) == len(counts) + 2


def test_a_run_is_held_against_best_of_n():
    counts = np.array(best_of_n.COUNTS)
    best = best_of_n.BestOfN(counts, counts / 10, counts, counts / 100, counts, 1.0)
    figure = study_charts.own_frontier([look(0, divergence_nats=-1e-9), look(5)], best, EN)
    line, way = figure.spec.data
    assert way.x == pytest.approx([0, 0.5**0.5])  # rounding below zero has no root
    assert line.y == pytest.approx(counts / 100)
    assert len(figure.data()) == 2 + len(counts)


def test_the_ends_give_mean_and_range():
    table = study_charts.ends({"grpo": case()}, ["grpo"], EN)
    assert table[EN("measure.proxy")].tolist() == ["6.50 (4.00 … 9.00)"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_estimators_in_either_language(language):
    text = Words(language, "rlhf")
    result = kl_estimators.run(kl_estimators.EstimatorConfig(3.0, 1))
    for figure in (
        estimator_charts.policies(result, text), estimator_charts.estimates(result, text),
        estimator_charts.over_distance(result, "means", text),
        estimator_charts.over_distance(result, "spreads", text),
        estimator_charts.slopes(result, text),
    ):  # fmt: skip
        assert figure.alt
        assert len(figure.data())


def test_a_divergence_is_never_negative_but_k1_is():
    result = kl_estimators.run(kl_estimators.EstimatorConfig(draws=1))
    table = estimator_charts.estimates(result, EN).data().set_index(EN("column.estimator"))
    below = table[EN("column.negative")]
    assert below["k1"] > 0.2
    assert below["k2"] == below["k3"] == 0


def test_recordings_are_small():
    for name in ("default", "hacking", "ability", "noise"):
        assert (results.RECORDINGS / f"rlhf-{name}.safetensors").stat().st_size < 3e5
