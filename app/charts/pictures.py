"""Small pictures side by side, as they are or with a look laid over them: one image, its labels, one frame.

Axes: K pictures, P pixels a side, N = G·G patches.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from PIL import Image

from app import theme
from app.charts.explore import plotly_figure
from app.figures import Figure

SCALE = 5  # image pixels of a picture's pixel
GAP = 10  # image pixels between two pictures
LABEL = 18  # image pixels of a line of labels
LOOKED = tuple(int(theme.VERMILION[at : at + 2], 16) for at in (1, 3, 5))
ASKING = tuple(int(theme.BLUE[at : at + 2], 16) for at in (1, 3, 5))
INK = 0.75  # share of the colour at the strongest look


def tiles(
    pictures: Sequence[np.ndarray],
    labels: Sequence[str],
    columns: int,
    *,
    alt: str,
    table: pd.DataFrame,
    scale: int = SCALE,
    tile_height: int = 150,
) -> Figure:
    """Pictures in rows, each with its label below.  `pictures`: K of (h, w, 3), 0 to 1."""
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    side = pictures[0].shape[0] * scale
    under = LABEL if any(labels) else 0
    step_x, step_y = side + GAP, side + GAP + under
    sheet = np.zeros(
        (rows * step_y, columns * step_x, 4), np.uint8
    )  # clear: both themes shine through
    figure = plotly_figure()
    for at, picture in enumerate(pictures):
        top, left = at // columns * step_y, at % columns * step_x
        large = np.kron((255 * np.clip(picture, 0, 1)).round(), np.ones((scale, scale, 1)))
        sheet[top : top + side, left : left + side, :3] = large
        sheet[top : top + side, left : left + side, 3] = 255
        if labels[at]:
            figure.add_annotation(
                x=left + side / 2, y=top + side, text=_plain(labels[at]), showarrow=False,
                yanchor="top", font={"size": 12},
            )  # fmt: skip
    figure.add_trace(go.Image(source=_png(sheet), hoverinfo="skip"))
    figure.update_xaxes(
        visible=False, range=[0, sheet.shape[1]], constrain="domain", fixedrange=True
    )
    figure.update_yaxes(
        visible=False,
        range=[sheet.shape[0], 0],
        constrain="domain",
        scaleanchor="x",
        fixedrange=True,
    )
    figure.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0})
    return Figure("plotly", figure, alt, table, rows * (tile_height + under + GAP))


def looked(picture: np.ndarray, weights: np.ndarray, asking: int | None = None) -> np.ndarray:
    """The picture, tinted where a look falls, the strongest place most.  (P, P, 3), (N,) -> (P, P, 3)"""
    grid = int(len(weights) ** 0.5)
    size = picture.shape[0] // grid
    share = weights / (weights.max() or 1.0) * INK
    ink = np.kron(share.reshape(grid, grid), np.ones((size, size)))[..., None]
    tinted = picture * (1 - ink) + np.array(LOOKED) / 255 * ink
    if asking is not None:
        top, left = asking // grid * size, asking % grid * size
        frame = np.zeros(picture.shape[:2], bool)
        frame[top : top + size, left : left + size] = True
        frame[top + 1 : top + size - 1, left + 1 : left + size - 1] = False
        tinted[frame] = np.array(ASKING) / 255
    return tinted


def places(weights: np.ndarray) -> list[str]:
    """Names of the patches, row and column from 1.

    >>> places(np.zeros(4))
    ['1·1', '1·2', '2·1', '2·2']
    """
    grid = int(len(weights) ** 0.5)
    return [f"{row + 1}·{column + 1}" for row in range(grid) for column in range(grid)]


def _png(sheet: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _plain(label: str) -> str:
    """Plotly reads a few tags in its labels; a model may write what looks like one."""
    return label.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
