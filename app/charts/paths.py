"""The residual stream in three dimensions, to be turned by hand.  R stages, T tokens."""

import html
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.explore import plotly_figure
from app.figures import Figure
from labcore.architecture.paths import Paths

Text = Callable[..., str]
CAMERA = {"eye": {"x": 1.45, "y": 1.45, "z": 0.8}, "center": {"x": 0, "y": 0, "z": -0.18}}


def stream(paths: Paths, chosen: int, text: Text) -> Figure:
    """One line per token, from its embedding to its last block. The chosen token and its equals, which
    begin at one point, stand out; every other one says its name when pointed at."""
    stages = stage_names(paths, text)
    traces = [
        _path(label, path, stages, label == paths.labels[chosen])
        for label, path in zip(paths.labels, paths.points.transpose(1, 0, 2), strict=True)
    ]
    shares = [f"{share:.0%}" for share in paths.explained]
    titles = [text("axis.component", number=i + 1, share=share) for i, share in enumerate(shares)]
    spec = plotly_figure(*traces, x_title=titles[0], y_title=titles[1], z_title=titles[2])
    spec.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0}, scene_camera=CAMERA)
    alt = text("alt.paths", tokens=len(paths.labels), share=f"{paths.explained.sum():.0%}")
    return Figure("plotly", spec, alt, lambda: _table(paths, stages, text), height=520)


def _path(label: str, points: np.ndarray, stages: Sequence[str], stands_out: bool) -> go.Scatter3d:
    """(R, 3)"""
    colour = theme.MEANING["query" if stands_out else "neutral"]
    name = plain(label)
    shown = [name if stands_out and stage == stages[-1] else "" for stage in stages]
    return go.Scatter3d(
        x=points[:, 0], y=points[:, 1], z=points[:, 2], mode="lines+markers+text", name=name,
        text=shown, textposition="top center", customdata=list(stages), showlegend=False,
        line={"color": colour, "width": 5 if stands_out else 1},
        marker={"size": [5.0 if stands_out else 2.5] * len(stages), "color": colour},
        opacity=1.0 if stands_out else 0.7,
        hovertemplate=f"{name}<br>%{{customdata}}<extra></extra>",
    )  # fmt: skip


def stage_names(paths: Paths, text: Text) -> list[str]:
    blocks = [text("stage.layer", layer=layer) for layer in range(len(paths.stages) - 1)]
    return [text("stage.embedding"), *blocks]


def plain(label: str) -> str:
    """A token as Plotly's text: never markup, never a formula."""
    return html.escape(label).replace("$", "&#36;")


def _table(paths: Paths, stages: Sequence[str], text: Text) -> pd.DataFrame:
    count = len(paths.labels)
    flat = paths.points.reshape(-1, 3)
    return pd.DataFrame(
        {
            text("axis.stage"): np.repeat(stages, count),
            text("axis.token"): list(paths.labels) * len(stages),
            **{str(axis + 1): flat[:, axis] for axis in range(3)},
        }
    )
