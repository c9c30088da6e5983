"""Probability: a town of people, a curve of prevalences, a story's surprises, and plots that are ruled out.

Axes: P people, C prevalences, T tokens, N results.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts import bars, maps
from app.charts.curves import Series, curve, strided
from app.charts.explore import plotly_figure
from app.charts.paths import plain
from app.figures import Figure
from app.i18n import Words
from labcore.foundations.bayes import TOWN, ScreeningResult
from labcore.foundations.next_word import NextResult
from labcore.foundations.which_plot import NAMES, PlotResult

GROUPS = ("ill_positive", "ill_negative", "healthy_positive", "healthy_negative")
GROUP_COLOURS = (theme.GREEN, theme.AMBER, theme.VERMILION, theme.GRAY)
COLUMNS = 50  # people in a row
READ = 8  # tokens of a story for which its plot is drawn


def town(result: ScreeningResult, text: Words) -> Figure:
    """The first thousand people, a square each: who is ill, who tests positive. Sorted, to be compared."""
    ill, tested = result.ill[:TOWN], result.tested[:TOWN]
    kinds = np.where(ill, np.where(tested, 0, 1), np.where(tested, 2, 3))
    order = np.argsort(kinds, kind="stable")
    place = np.arange(len(order))
    x, y = place % COLUMNS, place // COLUMNS
    sorted_kinds = kinds[order]
    traces = []
    for number, (group, colour) in enumerate(zip(GROUPS, GROUP_COLOURS, strict=True)):
        here = sorted_kinds == number
        traces.append(
            go.Scatter(
                x=x[here], y=y[here], mode="markers", hoverinfo="name",
                name=text(f"group.{group}", count=int(here.sum())),
                marker={"symbol": "square", "size": 8, "color": colour,
                        "opacity": 0.35 if group == "healthy_negative" else 1.0},
            )
        )  # fmt: skip
    figure = plotly_figure(*traces)
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, autorange="reversed")
    counts = [int((kinds == number).sum()) for number in range(4)]
    table = pd.DataFrame({text("column.group"): [text(f"name.{group}") for group in GROUPS],
                          text("column.people"): counts})  # fmt: skip
    alt = text("alt.town", people=len(kinds), true=counts[0], false=counts[2])
    return Figure("plotly", figure, alt, table, 320)


def prevalence(result: ScreeningResult, now: float, text: Words) -> Figure:
    """What a positive result is worth, by how common the illness is."""
    return curve(
        [
            Series(text("series.posterior"), 100 * result.prevalences, 100 * result.curve, "changed"),
            Series(text("series.prior"), 100 * result.prevalences, 100 * result.prevalences, "baseline",
                   True),
        ],
        x_title=text("axis.prevalence"), y_title=text("axis.ill"), log_x=True, x_range=(0.01, 50),
        y_range=(0, 100), marks=[(100 * now, text("mark.now"))], height=300,
        alt=text("alt.prevalence", value=f"{100 * result.posterior:.1f}"),
    )  # fmt: skip


def running(result: ScreeningResult, text: Words) -> Figure:
    """The share counted so far among the positive, and the exact value that it goes to."""
    people = np.arange(1, len(result.running) + 1)
    shown = strided(len(people))
    return curve(
        [Series(text("series.counted"), people[shown], 100 * result.running[shown], "measured")],
        x_title=text("axis.people"), y_title=text("axis.ill_positive"), y_range=(0, 100),
        floor=(100 * result.posterior, text("series.exact")), height=280,
        alt=text("alt.running", last=f"{100 * result.running[-1]:.1f}",
                 exact=f"{100 * result.posterior:.1f}"),
    )  # fmt: skip


def repeats(result: ScreeningResult, text: Words) -> Figure:
    """More positive results: independent ones, and one told again and again."""
    times = np.arange(len(result.independent))
    return curve(
        [
            Series(text("series.independent"), times, 100 * result.independent, "changed", points=True),
            Series(text("series.repeated"), times, 100 * result.repeated, "baseline", True, points=True),
        ],
        x_title=text("axis.results"), y_title=text("axis.ill"), y_range=(0, 100), height=280,
        alt=text("alt.repeats", last=f"{100 * result.independent[-1]:.2f}",
                 once=f"{100 * result.repeated[-1]:.1f}"),
    )  # fmt: skip


def story(result: NextResult, text: Words) -> Figure:
    """The tokens of a story, darker the less they were to be expected."""
    return maps.token_row(
        result.labels, result.exact_nats, text, value_title=text("axis.surprise"), signed=False,
        details=result.likely, selected=result.position,
        alt=text("alt.story", tokens=len(result.labels), nats=f"{result.exact_nats.sum():.1f}"),
    )  # fmt: skip


def next_tokens(result: NextResult, text: Words) -> Figure:
    """What may come next: exactly, counted, and by the model."""
    parts = [(text("series.exact"), result.exact, "expected")]
    if np.isfinite(result.counted).all():
        parts.append((text("series.counted"), result.counted, "guess"))
    parts.append((text("series.model"), result.model, "changed"))
    return bars.grouped(
        parts, result.names, text, value_title=text("axis.probability"),
        alt=text("alt.next", token=result.names[0], exact=f"{result.exact[0]:.2f}",
                 model=f"{result.model[0]:.2f}"),
    )  # fmt: skip


def matches(result: NextResult, text: Words) -> Figure:
    """How many stories begin like this one, the further one reads."""
    places = np.arange(len(result.matches))
    seen = np.where(result.matches > 0, result.matches, np.nan)
    return curve(
        [Series(text("series.matches"), places, seen, "guess", points=True)],
        x_title=text("axis.read"), y_title=text("axis.stories"), log_y=True, x_range=(0, len(places) - 1),
        marks=[(result.position, text("mark.here"))], height=240,
        alt=text("alt.matches", last=int(np.flatnonzero(result.matches)[-1])),
    )  # fmt: skip


def summed(result: NextResult, text: Words) -> Figure:
    """The chain rule: surprises add up to that of the whole story."""
    places = np.arange(1, len(result.labels) + 1)
    return curve(
        [
            Series(text("series.exact"), places, np.cumsum(result.exact_nats), "expected"),
            Series(text("series.model"), places, np.cumsum(result.model_nats), "changed"),
        ],
        x_title=text("axis.token"), y_title=text("axis.summed"), y_range=(0, None), height=280,
        alt=text("alt.summed", exact=f"{result.exact_nats.sum():.1f}",
                 model=f"{result.model_nats.sum():.1f}"),
    )  # fmt: skip


def plots(result: PlotResult, which: str, text: Words) -> Figure:
    """The probability of each plot, before the first token and after each of the first ones.

    `which` is "posterior" or "naive".
    """
    shares = np.vstack([result.prior, getattr(result, which)])[: READ + 1]
    # subtle: categories repeat, so each column carries its own place.
    names = [
        text("plots.before"),
        *(f"{n}. {name}" for n, name in enumerate(result.labels[:READ], 1)),
    ]
    plots = [text(f"option.plot.{plot}") for plot in NAMES]
    heat = go.Heatmap(
        z=shares.T, x=[plain(name) for name in names], y=plots, coloraxis="coloraxis",
        text=[[f"{share:.2f}" if share >= 0.005 else "" for share in row] for row in shares.T],
        texttemplate="%{text}", hovertemplate="%{x}<br>%{y}: %{z:.4f}<extra></extra>", xgap=2, ygap=2,
    )  # fmt: skip
    figure = plotly_figure(heat, colours="sequential")
    figure.update_layout(coloraxis={"cmin": 0, "cmax": 1, "showscale": False})
    figure.update_yaxes(autorange="reversed")
    table = pd.DataFrame(shares.T, columns=names)
    table.insert(0, text("column.plot"), plots)
    alt = text("alt.plots", settled=result.settled)
    return Figure("plotly", figure, alt, table, 400)


def learnt(result: PlotResult, text: Words) -> Figure:
    """What each token has taught about the plot, and how much is still open."""
    places = np.arange(1, min(READ, len(result.labels)) + 1)
    return curve(
        [
            Series(text("series.learnt"), places, result.learnt_nats[:READ], "changed", points=True),
            Series(text("series.open"), places, result.entropy_nats[:READ], "expected", True, points=True),
        ],
        x_title=text("axis.token"), y_title=text("axis.nats"), y_range=(0, None), height=280,
        alt=text("alt.learnt", most=f"{result.learnt_nats.max():.2f}"),
    )  # fmt: skip
