"""Matrices: a letter sent through two of them, the circle and its ellipse, the spectrum of a learnt one.

Axes: P points, R singular values, C ranks.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.foundations.plane import PlaneResult, ProductResult
from labcore.foundations.spectrum import JudgedResult, SpectrumResult

SHAPE_ROLES = {"before": "neutral", "halfway": "key", "product": "changed", "swapped": "rejected"}
CORNER = 64  # rows and columns of a matrix that are drawn
GRID = np.arange(-2, 3)


def shapes(result: ProductResult, text: Words) -> Figure:
    """The letter F: untouched, after the first map, after both, and in the other order."""
    traces = [
        go.Scatter(
            x=points[:, 0], y=points[:, 1], mode="lines", name=text(f"shape.{name}"),
            fill="toself", opacity=0.75, hoverinfo="name",
            line={"color": theme.MEANING[SHAPE_ROLES[name]], "width": 2,
                  "dash": "dot" if name == "halfway" else "solid"},
        )
        for name, points in result.shapes.items()
    ]  # fmt: skip
    figure = square(plotly_figure(*traces, x_title="x", y_title="y"), *result.shapes.values())
    table = pd.DataFrame(
        [
            (text(f"shape.{name}"), *point)
            for name, points in result.shapes.items()
            for point in points
        ],
        columns=[text("column.shape"), "x", "y"],
    )
    alt = text("alt.shapes", apart=f"{result.apart:.2f}")
    return Figure("plotly", figure, alt, table, 440)


def plane(result: PlaneResult, text: Words) -> Figure:
    """The circle, its image, the half axes and where they come from, and directions that stay."""
    grid = grid_lines() @ result.matrix.T
    traces = [
        line(grid, text("plane.grid"), "neutral", width=0.7, opacity=0.45, hover=False, shown=False),
        line(result.circle, text("plane.circle"), "baseline", dash="dash", hover=False),
        go.Scatter(
            x=result.image[:, 0], y=result.image[:, 1], mode="lines", name=text("plane.image"),
            line={"color": theme.MEANING["changed"], "width": 3}, fill="toself",
            fillcolor="rgba(69,150,200,0.12)",
            customdata=np.stack([result.degrees, result.lengths, result.turns], axis=1),
            hovertemplate=text("plane.hover"),
        ),
    ]  # fmt: skip
    for number, role in enumerate(("key", "value")):
        source = result.right[:, number]
        image = result.values[number] * result.left[:, number]
        name = text("plane.axis", n=number + 1, value=f"{result.values[number]:.2f}")
        traces.append(
            arrow(source, text("plane.source", n=number + 1), role, dash="dot", shown=False)
        )
        traces.append(arrow(image, name, role))
    for number, vector in enumerate(result.eigenvectors):
        ends = np.array([-vector, vector]) * 2.2
        name = text("plane.eigen", value=f"{own_value(result, vector):.2f}")
        traces.append(line(ends, name, "divergence", dash="dashdot", width=1.5, shown=number < 2))
    figure = square(
        plotly_figure(*traces, x_title="x", y_title="y"), result.circle, result.image, margin=1.12
    )
    table = pd.DataFrame(
        {text("axis.degrees"): result.degrees, "x": result.image[:, 0], "y": result.image[:, 1],
         text("axis.length"): result.lengths, text("axis.turn"): result.turns}
    )  # fmt: skip
    alt = text("alt.plane", large=f"{result.values[0]:.2f}", small=f"{result.values[1]:.2f}",
               count=len(result.eigenvectors))  # fmt: skip
    return Figure("plotly", figure, alt, table, 560)


def own_value(result: PlaneResult, vector: np.ndarray) -> float:
    """The eigenvalue of an eigenvector: how long its image is along itself."""
    return float(vector @ result.matrix @ vector)


def grid_lines() -> np.ndarray:
    """Lines of whole numbers, one after the other, parted by gaps.  -> (points, 2)"""
    ends = [((at, -2), (at, 2), (np.nan, np.nan)) for at in GRID]
    ends += [((-2, at), (2, at), (np.nan, np.nan)) for at in GRID]
    return np.array(ends, float).reshape(-1, 2)


def line(
    points: np.ndarray, name: str, role: str, dash: str = "solid", width: float = 1.5,
    opacity: float = 1.0, hover: bool = True, shown: bool = True,
) -> go.Scatter:  # fmt: skip
    return go.Scatter(
        x=points[:, 0], y=points[:, 1], mode="lines", name=name, opacity=opacity, showlegend=shown,
        line={"color": theme.MEANING[role], "dash": dash, "width": width},
        hoverinfo="name" if hover else "skip",
    )  # fmt: skip


def arrow(
    tip: np.ndarray, name: str, role: str, dash: str = "solid", shown: bool = True
) -> go.Scatter:
    return go.Scatter(
        x=[0, tip[0]], y=[0, tip[1]], mode="lines+markers", name=name, showlegend=shown,
        line={"color": theme.MEANING[role], "width": 3, "dash": dash},
        marker={"size": [0, 10], "color": theme.MEANING[role],
                "symbol": "circle-open" if dash == "dot" else "circle"},
        hovertemplate="(%{x:.2f}, %{y:.2f})<extra></extra>",
    )  # fmt: skip


def square(figure: go.Figure, *points: np.ndarray, margin: float = 1.1) -> go.Figure:
    """One unit is as long to the right as upwards, and everything has room."""
    reach = margin * max(1.0, *(float(np.abs(one).max()) for one in points))
    figure.update_xaxes(range=(-reach, reach), zeroline=True, constrain="domain")
    figure.update_yaxes(range=(-reach, reach), zeroline=True, scaleanchor="x", constrain="domain")
    return figure


def stretch(result: PlaneResult, text: Words) -> Figure:
    """How far each direction is stretched, and how far it is turned."""
    half = result.degrees <= 180  # the other half is the same
    return curve(
        [
            Series(text("series.length"), result.degrees[half], result.lengths[half], "changed"),
            Series(text("series.turn"), result.degrees[half], result.turns[half], "divergence", True,
                   right=True),
        ],
        x_title=text("axis.degrees"), y_title=text("axis.length"), right_title=text("axis.turn"),
        x_range=(0, 180), y_range=(0, None), height=300,
        alt=text("alt.stretch", small=f"{result.lengths.min():.2f}", large=f"{result.lengths.max():.2f}"),
    )  # fmt: skip


def power(result: PlaneResult, text: Words) -> Figure:
    """By how many degrees each further multiplication still turns the line."""
    steps = np.arange(1, len(result.step_degrees) + 1)
    series = [Series(text("series.step"), steps, result.step_degrees, "changed", points=True)]
    seen = result.step_degrees[result.step_degrees > 1e-9]
    if 0 < result.ratio < 1 - 1e-9 and len(seen) > 2:
        # The law holds once the smaller part is small: hang it on the middle of what is seen.
        at = min(len(seen) - 1, 6)
        law = seen[at] * result.ratio ** (steps - (at + 1.0))
        series.append(
            Series(text("series.law", ratio=f"{result.ratio:.2f}"), steps, law, "formula", True)
        )
    return curve(
        series, x_title=text("axis.multiplications"), y_title=text("axis.step_degrees"), log_y=True,
        y_range=(1e-6, 100), height=280,
        alt=text("alt.power", first=f"{result.step_degrees[0]:.1f}", last=f"{result.step_degrees[-1]:.2g}"),
    )  # fmt: skip


def spectrum(result: SpectrumResult, rank: int, text: Words) -> Figure:
    """Singular values from large to small, of the learnt matrix and of the shuffled one."""
    numbers = np.arange(1, len(result.values) + 1)
    real = result.values > 1e-9 * result.values[0]
    return curve(
        [
            Series(text("series.learnt"), numbers[real], result.values[real], "changed"),
            Series(text("series.shuffled"), numbers, result.shuffled, "baseline", True),
        ],
        x_title=text("axis.number"), y_title=text("axis.singular"), x_range=(0, len(numbers)),
        y_range=(0, None), marks=[(rank, text("mark.rank", rank=rank))] if rank else [], height=320,
        alt=text("alt.spectrum", first=f"{result.values[0]:.2f}", shuffled=f"{result.shuffled[0]:.2f}",
                 count=int(real.sum())),
    )  # fmt: skip


def errors(result: SpectrumResult, rank: int, text: Words) -> Figure:
    """What is missing from the best matrix of each rank."""
    ranks = np.arange(len(result.errors))
    return curve(
        [
            Series(text("series.learnt"), ranks, 100 * result.errors, "changed"),
            Series(text("series.shuffled"), ranks, 100 * result.shuffled_errors, "baseline", True),
        ],
        x_title=text("axis.rank"), y_title=text("axis.error"), x_range=(0, len(ranks) - 1),
        y_range=(0, 100), marks=[(rank, "")], height=300,
        alt=text("alt.errors", rank=rank, error=f"{100 * result.errors[min(rank, len(ranks) - 1)]:.0f}"),
    )  # fmt: skip


def corner(matrix: np.ndarray, most: float, which: str, text: Words) -> Figure:
    """The upper left corner of a matrix; `most` is the end of the colours, the same for all."""
    shown = matrix[:CORNER, :CORNER]
    heat = go.Heatmap(
        z=shown.astype(np.float32), coloraxis="coloraxis",
        hovertemplate=f"{text('axis.row')} %{{y}}, {text('axis.column')} %{{x}}: %{{z:.3f}}<extra></extra>",
    )  # fmt: skip
    figure = plotly_figure(
        heat,
        x_title=text("axis.column"),
        y_title=text("axis.row"),
        colours="diverging",
        colour_centre=0,
    )
    figure.update_layout(coloraxis={"cmin": -most, "cmax": most, "cmid": None})
    figure.update_yaxes(autorange="reversed", scaleanchor="x", constrain="domain")
    figure.update_xaxes(constrain="domain")
    alt = text("alt.corner", which=text(f"corner.{which}"), size=CORNER)
    return Figure("plotly", figure, alt, lambda: pd.DataFrame(shown), 380)


def judged(result: JudgedResult, text: Words) -> Figure:
    """What the whole model loses if this one matrix has fewer terms."""
    ranks: Sequence[int] = np.maximum(
        result.ranks, 0.5
    )  # rank 0 has no place on an axis of doublings
    return curve(
        [
            Series(text("series.large"), ranks, result.nats, "changed", points=True),
            Series(text("series.small"), ranks, result.small_nats, "rejected", True, points=True),
            Series(text("series.full"), ranks, np.full(len(ranks), result.full_nats), "expected", True),
        ],
        x_title=text("axis.terms"), y_title=text("axis.nats"), log_x=True, x_range=(0.5, 128), height=340,
        y_range=(round(result.floor_nats - 0.01, 2), None),
        floor=(result.floor_nats, text("series.floor")),
        alt=text("alt.judged", full=f"{result.full_nats:.3f}", none=f"{result.nats[0]:.3f}",
                 worst=f"{max(result.nats.max(), result.small_nats.max()):.3f}"),
    )  # fmt: skip
