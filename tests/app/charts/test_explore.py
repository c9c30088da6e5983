"""Plotly figures in the lab's manner."""

import plotly.graph_objects as go

from app import theme
from app.charts.explore import plotly_figure
from app.figures import themed


def test_backgrounds_let_both_themes_through():
    spec = plotly_figure(go.Scatter(x=[1], y=[1]), x_title="step", y_title="loss")
    assert spec.layout.paper_bgcolor == spec.layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert spec.layout.xaxis.title.text == "step"


def test_three_dimensions_get_three_titles():
    spec = plotly_figure(
        go.Scatter3d(x=[1], y=[1], z=[1]), x_title="x", y_title="y", z_title="z", log=["z"]
    )
    assert spec.layout.scene.zaxis.title.text == "z"
    assert spec.layout.scene.zaxis.type == "log"


def test_a_heatmap_changes_its_map_with_the_theme_and_the_original_stays():
    """The figure may be shared by thirty sessions: one learner's dark theme must not reach another."""
    spec = plotly_figure(go.Heatmap(z=[[1]], coloraxis="coloraxis"), colours="sequential")
    dark = themed(spec, dark=True)
    assert [stop for _, stop in dark.layout.coloraxis.colorscale] == list(theme.SEQUENTIAL_DARK)
    assert [stop for _, stop in spec.layout.coloraxis.colorscale] == list(theme.SEQUENTIAL_LIGHT)


def test_a_figure_without_a_map_is_left_alone():
    spec = plotly_figure(go.Scatter(x=[1], y=[1]))
    assert themed(spec, dark=True) is spec
