"""The depth lab's screen: two experiments, both languages, every knob to its ends, and its recorded grid."""

import numpy as np
import pytest

from app import results
from app.charts import depth as charts
from app.i18n import LANGUAGES, Words
from app.labs.transformer import depth, depth_trainability
from labcore.architecture import depth_signal, depth_training
from labcore.architecture.deep_stacks import Design
from labcore.architecture.depth_signal import SignalConfig
from labcore.architecture.depth_training import Grid, SweepConfig
from tests.app.conftest import checked, elements, press, said

EN = Words("en", "depth")


def charts_on(app) -> int:
    return len(app.get("echarts_chart"))


@pytest.fixture
def quick(monkeypatch):
    """The learner's run with a seventieth of its steps."""

    def own_run(page, names, rate):
        config = kept(page, names, rate)
        return SweepConfig(config.design, config.warm_up, rate, (1, 16), 3, config.seed)

    kept = depth_trainability.own_run
    monkeypatch.setattr(depth_trainability, "own_run", own_run)


@pytest.fixture(scope="module")
def grid() -> Grid:
    return results.load(results.RECORDINGS / "depth-grid.safetensors", Grid).result


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_opens_on_the_standard_design_with_four_panels_and_one_map(open_lab, language):
    app = checked(open_lab("depth", language))
    assert charts_on(app) == 4
    assert len(elements(app, "bidi_component")) == 1
    assert {"en": "computed", "zh": "现场计算"}[language] in said(app)


def test_another_design_stands_beside_the_standard_one(open_lab):
    app = checked(open_lab("depth", residual="0"))
    assert len(elements(app, "bidi_component")) == 2
    result = depth_signal.run(SignalConfig(Design(residual=False)))
    assert f"**{result.alike[:, -1].mean():.3f}**" in said(app)


def test_a_guess_about_the_collapse_is_scored_once_residuals_are_off(open_lab):
    app = open_lab("depth", num_layers="8")
    app.radio(key="depth.predict.collapse.widget@en").set_value("all").run()
    app = press(app, "depth.predict.collapse.lock")
    assert not [*app.success, *app.info]
    app.toggle(key="depth.residual@en").set_value(False)
    app = checked(app.run())
    assert any("the same average" in box.value for box in app.success)


@pytest.mark.parametrize(
    "ends",
    [
        {"num_layers": "1", "layer": "0"},
        {"num_layers": "32", "gain": "4.0", "placement": "none", "scaled_writers": "0"},
        {"num_layers": "32", "gain": "0.25", "placement": "none", "residual": "0"},
        {"placement": "post", "norm": "rmsnorm", "mlp": "0", "seed": "9999"},
        {"num_layers": "99", "gain": "nan", "placement": "sideways", "layer": "-1", "part": "x"},
    ],
)
def test_the_ends_of_the_knobs_and_a_broken_link_give_pictures(open_lab, ends):
    app = checked(open_lab("depth", **ends))
    assert charts_on(app) == 4


def test_numbers_that_left_the_computer_are_told_in_a_sentence(open_lab):
    lost = {"num_layers": "32", "gain": "0.25", "placement": "none", "residual": "0"}
    assert "left what a computer can hold" in said(open_lab("depth", **lost))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_second_experiment_opens_on_the_recording(open_lab, language):
    app = checked(open_lab("depth", language, part="trainability"))
    assert charts_on(app) == 1
    assert {"en": "recorded", "zh": "实测录制"}[language] in said(app)


@pytest.mark.parametrize(
    "knobs", [{}, {"axis": "rate", "compare": "warm_up", "variant": "post_cold"}]
)
def test_a_run_of_ones_own_adds_points_and_its_courses(open_lab, quick, knobs):
    app = open_lab("depth", part="trainability", **knobs)
    app = checked(press(app, "depth.run"))
    assert "Finished in" in said(app)
    assert charts_on(app) == 2


def test_a_guess_about_depth_is_scored_by_the_run(open_lab, quick):
    """Three steps teach nothing: both stacks end at the level of a constant guess or above."""
    app = open_lab("depth", part="trainability", rate="0.001")
    app.radio(key="depth.predict.deepest.widget@en").set_value("stuck").run()
    app = press(app, "depth.predict.deepest.lock")
    app = checked(press(app, "depth.run"))
    assert any("You predicted" in box.value or "Stuck" in box.value for box in app.success)


@pytest.mark.parametrize("compare", list(depth_trainability.COMPARED))
@pytest.mark.parametrize("rate", depth_trainability.RATES)
def test_every_comparison_has_its_recorded_lines(grid, compare, rate):
    names = depth_trainability.COMPARED[compare]
    figure = charts.by_depth(grid, names, float(rate), {2: 3.0}, EN)
    drawn = {line["name"]: line["data"] for line in figure.spec["series"] if "name" in line}
    for name in names:
        values = grid.final_nats[grid.variants.index(name), grid.rates.index(float(rate))]
        at = np.asarray(drawn[EN(f"option.variant.{name}")])
        np.testing.assert_allclose(at[:, 1], np.median(values, axis=1), rtol=1e-6)
    assert drawn[EN("series.live")] == [[2.0, 3.0]]


def test_each_line_of_a_comparison_looks_different():
    for names in depth_trainability.COMPARED.values():
        looks = {tuple(charts.look(name).items()) for name in names}
        assert len(looks) == len(names)


def test_layers_of_gradients_count_from_one_and_of_the_stream_from_zero():
    result = depth_signal.run(SignalConfig(num_layers=3))
    for measure, first in (("size", 0), ("gradient", 1)):
        data = charts.layers(result, None, measure, EN).spec["series"][0]["data"]
        assert [x for x, _ in data] == list(range(first, 4))


def test_bands_say_how_alike():
    assert [depth.band(cosine) for cosine in (0.0, 0.19, 0.2, 0.94, 0.95, 1.0)] == [
        "none", "none", "some", "some", "all", "all",
    ]  # fmt: skip


# What the recorded grid shows: orderings and jumps that the page's words rely on.


def final(grid: Grid, name: str, rate: float, depth: int) -> np.ndarray:
    """Nats of the seeds."""
    where = grid.variants.index(name), grid.rates.index(rate), grid.depths.index(depth)
    return grid.final_nats[where]


def test_the_grid_is_complete_and_above_its_floor(grid):
    assert grid.variants == list(depth_training.VARIANTS)
    assert grid.final_nats.shape == (8, 4, 4, 3)
    assert (grid.final_nats > grid.floor_nats).all()
    assert grid.floor_nats == pytest.approx(depth_training.floor_nats(), rel=1e-6)
    assert grid.constant_nats == pytest.approx(depth_training.constant_nats(), rel=1e-6)


def test_a_recorded_cell_is_what_a_run_of_today_gives(grid):
    """Kernels of other machines round differently, and a hundred steps carry that on."""
    result = depth_training.run(SweepConfig(depths=(2,)))
    assert result.final_nats[0] == pytest.approx(final(grid, "pre", 0.01, 2)[0], abs=0.05)


def medians(grid: Grid, rate: float, depth: int, *names: str) -> list[float]:
    return [float(np.median(final(grid, name, rate, depth))) for name in names]


def test_without_residuals_nothing_but_counts_is_learnt_from_eight_layers_on(grid):
    """Every rate, every seed: no better than a constant guess. The control has residuals and learns."""
    for rate in grid.rates:
        for deep in (8, 16):
            assert (final(grid, "no_residual", rate, deep) > grid.constant_nats).all()
    assert (final(grid, "no_residual", 0.01, 2) < grid.constant_nats - 0.5).all()
    assert (final(grid, "pre", 0.01, 16) < grid.constant_nats - 2).all()


def test_deep_post_norm_needs_its_warm_up_and_pre_norm_only_profits(grid):
    """The worst seed with warm-up against the best one without."""
    assert final(grid, "post", 0.01, 16).max() < final(grid, "post_cold", 0.01, 16).min() - 2
    assert final(grid, "pre", 0.01, 16).max() < final(grid, "pre_cold", 0.01, 16).min() - 1
    pre, post = medians(grid, 0.01, 16, "pre_cold", "post_cold")
    assert pre < post - 1
    shallow = medians(grid, 0.01, 2, "post", "post_cold")
    assert max(shallow) < 2.5


def test_scaled_writers_matter_when_deep_and_hardly_when_shallow(grid):
    for norm in ("pre", "post"):
        scaled, plain = medians(grid, 0.01, 16, norm, f"{norm}_plain")
        assert plain > scaled + 0.5
        scaled, plain = medians(grid, 0.01, 2, norm, f"{norm}_plain")
        assert abs(plain - scaled) < 0.3


def test_without_a_norm_a_deep_stack_learns_but_breaks_at_the_next_rate(grid):
    calm, wild = (medians(grid, rate, 16, "no_norm", "pre") for rate in (0.01, 0.03))
    assert calm[0] < calm[1] + 0.5
    assert wild[0] > 100
    assert wild[1] < grid.constant_nats - 0.5


def test_deeper_is_not_better_after_a_hundred_steps(grid):
    """The best of all variants and rates at each depth."""
    best = np.median(grid.final_nats, axis=-1).min(axis=(0, 1))
    assert best[grid.depths.index(16)] > best[grid.depths.index(4)] + 0.3


def test_points_of_a_run_at_another_rate_are_not_drawn(open_lab, quick):
    """Turn the rate after a run: the page still has the run, but its points belong to another chart."""
    app = checked(press(open_lab("depth", part="trainability", rate="0.003"), "depth.run"))
    assert EN("series.live") in str(app.get("echarts_chart")[0].proto)
    app.select_slider(key="depth.rate@en").set_value("0.01")
    app = checked(app.run())
    assert EN("series.live") not in str(app.get("echarts_chart")[0].proto)
