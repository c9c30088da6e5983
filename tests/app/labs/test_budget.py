"""The budget lab's screen: four parts, both languages, the ends of the knobs, odd links, a run."""

import pytest

from app.charts import budget
from app.charts import experts as charts
from app.i18n import LANGUAGES, Words
from app.labs.pretraining import budget_evolution, budget_experts
from labcore.events import drain
from labcore.scaling import chinchilla, experts, overtrain
from labcore.scaling.experts import ExpertsConfig
from tests.app.conftest import checked, elements, press, said

EN = Words("en", "budget")


def plots(app) -> tuple[int, int]:
    return len(app.get("plotly_chart")), len(app.get("echarts_chart"))


@pytest.fixture
def quick(monkeypatch):
    """The learner's run with a few of its steps and two experts."""

    def knobs(page):
        config = kept(page)
        return ExpertsConfig(config.text, 2, steps=5, look_every=5, seeds=config.seeds)

    kept = budget_experts.knobs
    monkeypatch.setattr(budget_experts, "knobs", knobs)


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_opens_on_gophers_budget(open_lab, language):
    app = checked(open_lab("budget", language))
    assert plots(app) == (1, 1)
    assert {"en": "**67.8B** parameters", "zh": "**67.8B** 参数"}[language] in said(app)
    assert {"en": "analytic", "zh": "公式"}[language] in said(app)


@pytest.mark.parametrize(
    ("knobs", "seen"),
    [
        ({"law": "kaplan"}, "**485B** parameters"),
        ({"law": "printed", "look": "ratio"}, "**92.6** tokens per parameter"),
        ({"look": "counting", "law": "approach3"}, "0.75 without embeddings"),
        ({"look": "bill", "exponent": "18.0", "devices": "16384", "pue": "2.0"}, "rule of thumb"),
        ({"exponent": "99", "law": "newton", "look": "away"}, "**67.8B** parameters"),
    ],
)
def test_every_view_of_a_budget_and_a_broken_link(open_lab, knobs, seen):
    assert seen in said(checked(open_lab("budget", **knobs)))


def test_a_guess_about_tenfold_compute_is_scored(open_lab):
    app = open_lab("budget", law="kaplan")
    app.slider(key="budget.predict.growth.widget@en").set_value(5.4).run()
    app = checked(press(app, "budget.predict.growth.lock"))
    assert any("Well judged" in box.value for box in app.success)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_whole_life_opens_on_a_13b_quality(open_lab, language):
    app = checked(open_lab("budget", language, part="overtrain"))
    assert plots(app) == (1, 3)
    assert "6.1B" in said(app)
    assert "GPT-3 175B" in said(app)


@pytest.mark.parametrize(
    "ends",
    [
        {"reference": "1", "served": "16.0", "dearness": "50", "loss_law": "printed"},
        {"reference": "400", "served": "9.0", "loss_law": "approach3"},
    ],
)
def test_the_ends_of_a_life(open_lab, ends):
    assert plots(checked(open_lab("budget", part="overtrain", **ends))) == (1, 3)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_designs_open_on_published_models(open_lab, language):
    app = checked(open_lab("budget", language, part="evolution"))
    assert plots(app) == (1, 2)
    table = app.dataframe[0].value
    assert "DeepSeek-V3" in table.iloc[:, 0].tolist()
    assert "GPT-3 175B" in said(app)  # its positions end before this context


def test_the_skeleton_step_by_step_at_the_far_ends(open_lab):
    app = checked(
        open_lab(
            "budget", part="evolution", designs="steps", context="1048576", batch="1024",
            weight_bits="4", cache_bits="4", served_on="rtx4090", reference_steps="mla",
        )
    )  # fmt: skip
    assert plots(app) == (1, 2)
    assert "8.0 of its experts" in said(app)


def test_the_mixture_takes_longer_than_its_twin():
    assert budget_evolution.truth() == "longer"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_experts_open_on_the_recording(open_lab, language):
    app = checked(open_lab("budget", language, part="experts"))
    assert plots(app) == (0, 3)
    assert len(elements(app, "bidi_component")) == 2
    assert {"en": "recorded", "zh": "实测录制"}[language] in said(app)


def test_the_recorded_stories_show_languages_too(open_lab):
    app = checked(
        open_lab(
            "budget", part="experts", text="stories", measure="nats", against="seconds", layer="1",
            whose="free",
        )
    )  # fmt: skip
    assert plots(app) == (0, 4)


def test_a_run_of_ones_own_scores_the_guess(open_lab, quick):
    app = open_lab("budget", part="experts", against="operations")
    app.radio(key="budget.predict.slowest.widget@en").set_value("moe").run()
    app = press(app, "budget.predict.slowest.lock")
    app = checked(press(app, "budget.run"))
    assert "Finished in" in said(app)
    assert plots(app) == (0, 3)
    assert [*app.success, *app.info]


# Pictures: what is drawn is what was computed.


def test_a_live_course_is_drawn_from_its_events_like_its_result():
    events = []
    config = ExpertsConfig(experts=2, steps=6, look_every=3, seeds=(0,))
    result = drain(experts.train_side_by_side(config), events.append)
    course = charts.course_of(events, config.routed)
    flops = experts.step_flops(config)
    for shown in (course, result):
        figure = charts.courses(shown, "right", "operations", flops, None, EN)
        lines = {line["name"]: line["data"] for line in figure.spec["series"]}
        moe = lines[EN("variant.moe")]
        assert [x for x, _ in moe] == pytest.approx([n * flops[1] / 1e9 for n in (0, 3, 6)])
        assert moe[-1][1] == pytest.approx(100 * result.right[1, 0, -1], abs=1e-4)
        used = charts.in_use(shown, 1, EN).spec["series"][0]["data"]
        expected = experts.experts_in_use(result.load)[0, 0, -1, 1]
        assert used[-1][1] == pytest.approx(float(expected), abs=1e-4)
        assert charts.loads(shown, "free", 0, 0, EN).data().shape == (2, 4)


def test_lines_of_the_plane_meet_the_star():
    """The chosen law's line passes the budget's line at the point that is named the best."""
    result = chinchilla.run(chinchilla.OptimalConfig(1e24, "epoch"))
    traces = {trace.name: trace for trace in budget.plane(result, EN).spec.data}
    star = traces[EN("series.best")]
    assert 6 * star.x[0] * star.y[0] == pytest.approx(1e24)
    assert star.x[0] == pytest.approx(float(chinchilla.LAWS["epoch"].size(1e24)))


def test_published_demands_are_drawn_in_order():
    rows = overtrain.demands_of_landmarks("epoch")
    drawn = list(budget.implied_demands(rows, EN).spec.data[0].x)
    assert drawn == sorted(drawn)
    assert len(drawn) == sum(row.served is not None for row in rows)
