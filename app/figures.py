"""`Figure`, and how it is put on the page.

A chart function in `app/charts` turns a result into a `Figure`; the frame draws it with its badge, its
text alternative and its table.  This is the only module of the figures that imports Streamlit.

>>> from app.charts.curves import Series, curve
>>> from app.figures import draw
>>> figure = curve([Series("train", steps, losses, "train")], x_title="step", y_title="loss (nats)",
...                alt="Loss falls from 4.1 to 1.7 nats.", floor=(1.73, "entropy"))   # doctest: +SKIP
>>> draw(figure, key="loss")   # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import theme
from app.components import bits, blueprint, canvas, cells, sheet

Kind = Literal["plotly", "echarts", "canvas", "blueprint", "cells", "sheet", "bits", "html"]
Selection = dict[str, Any]

PLOTLY_CONFIG = {"displaylogo": False, "scrollZoom": False, "responsive": True}


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A picture, said in words, and as numbers.

    `spec` is a `plotly.graph_objects.Figure`, an ECharts option, a `charts.payload.Canvas`, the data of a
    blueprint, of a table of cells or of rows of bits, or a page of HTML, by `kind`.  `table` holds exactly
    the numbers drawn; a callable where building it costs something.
    """

    kind: Kind
    spec: Any
    alt: str  # one sentence: what the picture shows, for those who cannot see it
    table: pd.DataFrame | Callable[[], pd.DataFrame]
    height: int = 360  # CSS pixels; the most that a canvas takes before it scrolls
    selects: bool = False  # the learner's click or selection comes back to Python

    def data(self) -> pd.DataFrame:
        """The numbers drawn: the text alternative and the CSV."""
        return self.table() if callable(self.table) else self.table


def draw(figure: Figure, key: str) -> Selection | None:
    """Draw, and return what the learner has selected in it, or None.

    `key` keeps the picture's identity between runs: a live curve is updated, not rebuilt.
    """
    return _DRAWERS[figure.kind](figure, key)


def is_dark() -> bool:
    """Whether the learner looks at the dark theme."""
    return st.context.theme.type == "dark"


def _draw_plotly(figure: Figure, key: str) -> Selection | None:
    event = st.plotly_chart(
        themed(figure.spec, is_dark()),
        key=key,
        height=figure.height,
        config=PLOTLY_CONFIG,
        on_select="rerun" if figure.selects else "ignore",
        alt=figure.alt,
    )
    return dict(event.selection) if figure.selects else None


def themed(spec: go.Figure, dark: bool) -> go.Figure:
    """The figure with its colour map in the learner's theme; `layout.meta["map"]` names the map."""
    name = (spec.layout.meta or {}).get("map")
    if name is None:
        return spec
    return go.Figure(spec).update_layout(coloraxis_colorscale=theme.colour_scale(name, dark))


def _draw_echarts(figure: Figure, key: str) -> None:
    st.echarts_chart(figure.spec, key=key, height=figure.height, alt=figure.alt)


def _draw_canvas(figure: Figure, key: str) -> Selection | None:
    chosen = (st.session_state.get(key) or {}).get("selection")
    return canvas.mount(figure.spec.pack(chosen), key)


def _draw_blueprint(figure: Figure, key: str) -> Selection | None:
    return blueprint.mount(figure.spec, key)


def _draw_cells(figure: Figure, key: str) -> Selection | None:
    return cells.mount(figure.spec, key)


def _draw_sheet(figure: Figure, key: str) -> Selection | None:
    return sheet.mount(figure.spec, key)


def _draw_bits(figure: Figure, key: str) -> Selection | None:
    return bits.mount(figure.spec, key)


def _draw_html(figure: Figure, key: str) -> None:
    with st.container(key=key):
        st.iframe(figure.spec, height=figure.height, alt=figure.alt)


_DRAWERS: dict[Kind, Callable[[Figure, str], Selection | None]] = {
    "plotly": _draw_plotly,
    "echarts": _draw_echarts,
    "canvas": _draw_canvas,
    "blueprint": _draw_blueprint,
    "cells": _draw_cells,
    "sheet": _draw_sheet,
    "bits": _draw_bits,
    "html": _draw_html,
}
