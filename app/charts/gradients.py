"""Gradients: a landscape with three walks, rates up to the cliff, a graph with values and slopes.

Axes: K steps, E rates, H steps of a difference, L layers.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.foundations.descent import DescentResult, SweepResult
from labcore.foundations.graph import LEAVES, ChainResult, GraphResult

ROLES = {"plain": "sgd", "momentum": "muon", "adamw": "adamw"}
LOWEST = 1e-16  # what is smaller is drawn there
# Where the nodes stand: x to the right with the forward pass, y upwards.
PLACES = {"w": (0, 2.5), "x": (0, 1.3), "b": (1, 0.2), "v": (3, 0.2), "wx": (1, 1.9), "a": (2, 1.0),
          "h": (3, 1.9), "s": (4, 1.0), "loss": (5, 1.9)}  # fmt: skip
BELOW = ("x", "b", "v", "a", "s")  # nodes whose numbers stand below them, and
ASIDE = ("a", "s")  # those where they stand to the right, as an arrow comes from below


def powers(values: np.ndarray, lowest: float = LOWEST) -> np.ndarray:
    """As powers of ten: over thirty of them an axis of numbers cannot be read."""
    return np.log10(np.clip(values, lowest, 1e60))


def walks(result: DescentResult, text: Words) -> Figure:
    """Lines of equal height, and the way of each rule."""
    heights = np.log10(result.heights + 1e-3)  # near the bottom as well there is something to see
    traces = [
        go.Contour(
            x=result.xs, y=result.ys, z=heights, ncontours=26, showscale=False, hoverinfo="skip",
            contours={"coloring": "none"}, line={"width": 0.8, "color": theme.MEANING["neutral"]},
            opacity=0.55, showlegend=False,
        )
    ]  # fmt: skip
    for rule, walk in result.walks.items():
        colour = theme.MEANING[ROLES[rule]]
        shown = walk.points[: len(walk.points) - walk.diverged]
        traces.append(
            go.Scatter(
                x=shown[:, 0], y=shown[:, 1], mode="lines+markers", name=text(f"rule.{rule}"),
                line={"color": colour, "width": 2}, marker={"color": colour, "size": 4},
                customdata=np.stack([np.arange(len(shown)), walk.heights[: len(shown)]], axis=1),
                hovertemplate=text("walk.hover"),
            )
        )  # fmt: skip
    start = next(iter(result.walks.values())).points[0]
    traces.append(
        go.Scatter(
            x=[start[0]], y=[start[1]], mode="markers", name=text("walk.start"), hoverinfo="name",
            marker={"symbol": "star", "size": 13, "color": theme.MEANING["rejected"]},
        )
    )  # fmt: skip
    figure = plotly_figure(
        *traces,
        x_title="x",
        y_title="y",
        colours="sequential",
        colour_title=text("axis.log_height"),
    )
    # As long to the right as upwards: a gradient stands at right angles to the lines.
    figure.update_xaxes(range=(result.xs[0], result.xs[-1]), constrain="domain")
    figure.update_yaxes(range=(result.ys[0], result.ys[-1]), scaleanchor="x", constrain="domain")
    table = pd.concat(
        [
            pd.DataFrame({text("column.rule"): text(f"rule.{rule}"),
                          text("axis.step"): np.arange(len(w.points)),
                          "x": w.points[:, 0], "y": w.points[:, 1], text("axis.height"): w.heights})
            for rule, w in result.walks.items()
        ]
    )  # fmt: skip
    ends = {rule: f"{walk.heights[-1]:.2g}" for rule, walk in result.walks.items()}
    return Figure("plotly", figure, text("alt.walks", **ends), table, 520)


def heights(result: DescentResult, text: Words) -> Figure:
    """How high each rule stands after each step."""
    return curve(
        [
            Series(text(f"rule.{rule}"), np.arange(len(walk.heights)), powers(walk.heights), ROLES[rule])
            for rule, walk in result.walks.items()
        ],
        x_title=text("axis.step"), y_title=text("axis.log_height"), height=300,
        alt=text("alt.heights", **{rule: f"{walk.heights[-1]:.2g}" for rule, walk in result.walks.items()}),
    )  # fmt: skip


def sweep(result: SweepResult, text: Words) -> Figure:
    """The height after all steps, for every learning rate; where a rule diverges its line ends."""
    return curve(
        [
            Series(text(f"rule.{rule}"), result.rates, np.where(heights < 1e6, powers(heights), np.nan),
                   ROLES[rule])
            for rule, heights in result.heights.items()
        ],
        x_title=text("axis.rate"), y_title=text("axis.log_height"), log_x=True,
        x_range=(0.001, 5),
        marks=[(result.limits[rule], "") for rule in ("plain", "momentum")],
        height=340,
        alt=text("alt.sweep", plain=f"{result.limits['plain']:.3g}",
                 momentum=f"{result.limits['momentum']:.3g}"),
    )  # fmt: skip


def graph(result: GraphResult, text: Words) -> Figure:
    """The graph: at each node its value and its gradient, at each arrow the local slope."""
    values = dict(zip(result.names, result.values, strict=True))
    gradients = dict(zip(result.names, result.gradients, strict=True))
    x, y = (np.array([PLACES[name][axis] for name in result.names]) for axis in (0, 1))
    colours = [theme.MEANING["key" if name in LEAVES else "dropped" if name == "loss" else "changed"]
               for name in result.names]  # fmt: skip
    nodes = go.Scatter(
        x=x, y=y, mode="markers+text", hoverinfo="text", showlegend=False, textposition="middle center",
        text=[f"<b>{name}</b>" for name in result.names], textfont={"color": "white", "size": 12},
        marker={"size": 36, "color": colours},
        hovertext=[f"{name} = {values[name]:.4f}<br>∂loss/∂{name} = {gradients[name]:.4f}"
                   for name in result.names],
    )  # fmt: skip
    figure = plotly_figure(nodes)
    for start, end, slope in result.edges:
        (x0, y0), (x1, y1) = PLACES[start], PLACES[end]
        figure.add_annotation(
            x=x1, y=y1, ax=x0, ay=y0, axref="x", ayref="y", xref="x", yref="y", showarrow=True, text="",
            arrowhead=2, arrowwidth=1.6, arrowcolor=theme.MEANING["neutral"], standoff=20, startstandoff=20,
        )  # fmt: skip
        # Beside the arrow, on the side and at the height where no other number stands.
        along = 0.35 if start in "bv" else 0.68 if start in ASIDE else 0.5
        figure.add_annotation(
            x=x0 + along * (x1 - x0), y=y0 + along * (y1 - y0), text=f"×{slope:.2f}", showarrow=False,
            xshift=18 if y1 < y0 and start != "w" else -18,
            font={"color": theme.MEANING["gradient"], "size": 12},
        )  # fmt: skip
    for name in result.names:
        px, py = PLACES[name]
        below, aside = name in BELOW, 16 if name in ASIDE else 0
        for row, (said, role) in enumerate(
            ((f"{values[name]:.3f}", "forward"), (f"∂ {gradients[name]:.3f}", "gradient"))
        ):
            figure.add_annotation(
                x=px, y=py, text=said, showarrow=False, xshift=aside, xanchor="left" if aside else "center",
                yshift=(8 if aside else 0) - 26 - 14 * row if below else 40 - 14 * row,
                font={"color": theme.MEANING[role]},
            )  # fmt: skip
    figure.update_xaxes(visible=False, range=(-0.45, 5.45))
    figure.update_yaxes(visible=False, range=(-0.7, 3.1))
    table = pd.DataFrame({text("column.node"): result.names, text("column.value"): result.values,
                          text("column.gradient"): result.gradients})  # fmt: skip
    alt = text("alt.graph", loss=f"{values['loss']:.3f}", slope=f"{gradients['w']:.3f}")
    return Figure("plotly", figure, alt, table, 400)


def differences(result: GraphResult, text: Words) -> Figure:
    """The error of a finite difference against its step: two slopes that meet."""
    roles = {"one_sided": "baseline", "central": "changed", "central_32": "rejected"}
    return curve(
        [
            Series(text(f"difference.{name}"), -np.log10(result.steps), powers(found), roles[name],
                   points=True)
            for name, found in result.errors.items()
        ],
        x_title=text("axis.h"), y_title=text("axis.error"), height=320,
        alt=text("alt.differences", one=f"{result.errors['one_sided'].min():.0e}",
                 two=f"{result.errors['central'].min():.0e}"),
    )  # fmt: skip


def chain(result: ChainResult, text: Words) -> Figure:
    """The slope that arrives at a place so many layers before the output."""
    return curve(
        [
            Series(text(f"chain.{kind}"), result.depth, powers(slopes, 1e-60), role, points=len(slopes) < 32)
            for (kind, slopes), role in zip(result.slopes.items(), ("rejected", "changed"), strict=True)
        ],
        x_title=text("axis.layers"), y_title=text("axis.slope"), height=300,
        alt=text("alt.chain", plain=f"{result.slopes['plain'][-1]:.1e}",
                 residual=f"{result.slopes['residual'][-1]:.1e}"),
    )  # fmt: skip
