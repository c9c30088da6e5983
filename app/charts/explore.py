"""Plotly, for what one explores: zoom, three dimensions, selection.

>>> import plotly.graph_objects as go
>>> spec = plotly_figure(go.Scatter(x=[1, 2], y=[3, 4]), x_title="x", y_title="y")
>>> spec.layout.paper_bgcolor
'rgba(0,0,0,0)'
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import plotly.graph_objects as go

from app import theme

CLEAR = "rgba(0,0,0,0)"  # both themes shine through


def plotly_figure(
    *traces: Any,
    x_title: str = "",
    y_title: str = "",
    z_title: str = "",
    log: Iterable[str] = (),
    colours: theme.MapName | None = None,
    colour_title: str = "",
    colour_centre: float | None = None,
    **layout: Any,
) -> go.Figure:
    """A figure in the lab's manner: clear background, titled axes, colours by meaning.

    `log` names axes ("x", "y").  `colours` gives traces drawn with `coloraxis="coloraxis"` the lab's own
    map, in the learner's theme.  With `z_title` the titles go to a 3-D scene.
    """
    figure = go.Figure(list(traces))
    figure.update_layout(
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        colorway=list(theme.CATEGORICAL),
        margin={"l": 8, "r": 8, "t": 24, "b": 8},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hoverlabel={"align": "left"},
    )
    kinds = {axis: "log" if axis in log else None for axis in "xyz"}
    if z_title:
        titles = {"x": x_title, "y": y_title, "z": z_title}
        figure.update_scenes(
            {f"{a}axis": {"title": {"text": titles[a]}, "type": kinds[a]} for a in "xyz"}
        )
    else:
        figure.update_xaxes(title_text=x_title, type=kinds["x"], automargin=True)
        figure.update_yaxes(title_text=y_title, type=kinds["y"], automargin=True)
    if colours is not None:
        figure.update_layout(
            meta={"map": colours},
            coloraxis={
                "colorscale": theme.colour_scale(colours, dark=False),
                "colorbar": {"title": {"text": colour_title}, "thickness": 12},
                "cmid": colour_centre,
            },
        )
    return figure.update_layout(**layout)
