"""The scaling lab: three parts in both languages, odd links, a run of one's own; what was recorded."""

from dataclasses import astuple

import numpy as np
import pytest

from app import results
from app.charts import scaling as charts
from app.charts import scaling_budget as budget_charts
from app.i18n import LANGUAGES, Words
from app.labs.pretraining import scaling_isoflop, scaling_sweep
from labcore.scaling import isoflop, law, sweep
from labcore.scaling.answers import Answers, Asking, question
from labcore.scaling.extrapolation import Extrapolation
from labcore.scaling.sweep import SweepConfig, SweepResult
from tests.app.conftest import checked, press, said

EN = Words("en", "scaling")
PARTS = {"sweep": 4, "isoflop": 3, "extrapolate": 1}  # and how many plotly figures each opens with


def recorded(name: str, kind: type):
    return results.load(results.RECORDINGS / f"scaling-{name}.safetensors", kind).result


@pytest.fixture(scope="module")
def trained() -> SweepResult:
    return recorded("sweep", SweepResult)


@pytest.fixture
def quick(monkeypatch):
    """The learner's sweep with two to six steps a model."""
    monkeypatch.setattr(sweep, "FEWEST_STEPS", 2)
    tiny = SweepConfig((8, 12), (0.025, 0.04, 0.06), seeds=(0,))
    monkeypatch.setattr(sweep, "doublings", lambda largest, seed, exponent: tiny)


# The page.


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", PARTS)
def test_every_part_opens_in_both_languages(open_lab, part, language):
    app = checked(open_lab("scaling", language, part=part))
    assert len(app.get("plotly_chart")) == PARTS[part]


def test_odd_links_open_all_the_same(open_lab):
    checked(open_lab("scaling", part="x", count="half", form="cubic", axis="time", seed="-3"))
    odd = {
        "count": "all",
        "reading": "passing",
        "form": "none",
        "height": "known",
        "axis": "compute",
    }
    app = checked(open_lab("scaling", **odd))
    assert "without a floor" in said(app)


def test_a_guess_about_a_law_without_a_floor_is_scored_once_the_floor_is_left_out(open_lab):
    app = open_lab("scaling")
    app.radio(key="scaling.predict.without.widget@en").set_value("size").run()
    app = press(app, "scaling.predict.without.lock")
    assert not [*app.success, *app.info]
    next(one for one in app.button_group if one.key == "scaling.form@en").set_value("none")
    app = checked(app.run())
    assert len(app.success) == 1


def test_what_was_held_out_stays_hidden_until_a_guess_is_locked(open_lab):
    app = checked(open_lab("scaling", part="extrapolate"))
    truth = f"{recorded('extrapolation-blocks', Extrapolation).measured[-1].mean():.3f}"
    assert truth not in said(app)
    app = checked(press(app, "scaling.predict.held_out.lock"))
    assert truth in said(app)
    assert len(app.get("plotly_chart")) == 2


def test_a_sweep_of_ones_own_takes_the_place_of_the_recorded_one(open_lab, quick):
    app = checked(press(open_lab("scaling"), "scaling.run"))
    assert "measured now" in said(app)
    alts = [
        chart.proto.alt for kind in ("plotly_chart", "echarts_chart") for chart in app.get(kind)
    ]
    assert any("Losses of 2 sizes" in alt for alt in alts)


# The figures.


def test_the_points_drawn_are_the_means_over_seeds(trained):
    fit = law.fit(question(trained, Asking(resamplings=0)))
    figure = charts.losses(trained, fit.law, "tokens", "loss", "blocks", "annealed", EN)
    table = figure.data()
    assert len(table) == trained.fitted.sum() / 3
    first = (trained.blocks == 3576) & (trained.tokens == 349_184)
    assert table[EN("column.mean")][0] == pytest.approx(trained.annealed_nats[first].mean())
    assert table[EN("column.fitted")][0] == pytest.approx(fit.law.loss(3576, 349_184))


def test_stars_stand_only_where_a_best_size_is_bracketed(trained):
    found = isoflop.curves(trained, sweep.RECORDED.gigaflops)
    stars = [trace for trace in budget_charts.isoflop(found, EN).spec.data
             if trace.marker.symbol == "star"]  # fmt: skip
    assert len(stars) == found.bracketed.sum() == 3


@pytest.mark.parametrize("revealed", [False, True])
def test_measured_losses_are_neither_drawn_nor_tabled_before_they_may_be_seen(revealed):
    found = recorded("extrapolation-all", Extrapolation)
    figure = budget_charts.predictions(found, revealed, (), EN)
    names = [trace.name for trace in figure.spec.data]
    assert (EN("series.measured") in names) == revealed
    assert (EN("series.measured") in figure.data()) == revealed


# What was recorded.


def test_no_recorded_loss_lies_below_the_floor(trained):
    held_out = recorded("held-out", SweepResult)
    for result in (trained, held_out):
        assert len(set(result.seed.tolist())) == 3
        assert result.annealed_nats[result.fitted].min() > result.floor_nats
        assert result.passing_nats.min() > result.floor_nats
    assert (trained.cpu_seconds + held_out.cpu_seconds) / 60 < 8


def test_the_recorded_answers_are_what_the_recorded_points_give(trained):
    found = recorded("answers", Answers)
    fit = law.fit(question(trained, Asking(resamplings=0)))
    np.testing.assert_allclose(astuple(found.law("baseline")), astuple(fit.law), rtol=1e-2)


def test_the_answer_depends_on_what_is_counted_and_how_it_is_read(trained):
    """One sweep: the best size's power falls when the table counts, rises when losses are read in passing,
    and comes near 1 without a floor; it fits worse, and the fitted floor is not the true one."""
    found = recorded("answers", Answers)
    power = {way: found.law(way).size_exponent for way in found.ways}
    assert power["all"] < power["baseline"] < power["passing"] < power["none"]
    assert power["none"] > 0.9
    assert found.error[found.ways.index("none")] > 1.4 * found.error[found.ways.index("baseline")]
    assert found.low[0, 0] > found.floor_nats
    assert 0.3 < found.landings.reached.mean() < 0.9


def test_the_straight_line_is_furthest_off_at_the_held_out_model():
    free, known, none = recorded("extrapolation-blocks", Extrapolation).errors[:, -1]
    assert abs(none) > 1.5 * max(abs(free), abs(known))


def test_a_long_cosine_read_half_way_is_too_high_in_every_seed(trained):
    for tokens in np.unique(trained.tokens[trained.cosine])[:-1]:
        here = (trained.tokens == tokens) & (trained.width == 32)
        finished = trained.annealed_nats[here & ~trained.cosine]
        assert (trained.passing_nats[here & trained.cosine] > finished).all()


def test_the_questions_are_answered_by_what_was_measured(trained):
    assert scaling_sweep.band(recorded("answers", Answers).law("none").size_exponent) == "size"
    both = [isoflop.curves(trained, sweep.RECORDED.gigaflops, count) for count in ("blocks", "all")]
    blocks, everything = map(scaling_isoflop.ratio_at, both)
    assert scaling_isoflop.band(everything / blocks) == "less"
