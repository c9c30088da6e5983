"""Information: surprise at each token, the price of a wrong temperature, two fits, and what distance tells.

Axes: T tokens, τ temperatures, X points of a line, D distances.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts import bars, maps
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.foundations.entropy import EntropyResult
from labcore.foundations.mutual import MutualResult
from labcore.foundations.two_humps import HumpsResult

FITS = {"forward": "changed", "reverse": "rejected"}
HIGHEST = 3.0  # nats at which the colours of a landscape end


def story(result: EntropyResult, text: Words) -> Figure:
    """The tokens of a story, darker where more was open: the entropy of the true distribution."""
    return maps.token_row(
        result.labels, result.entropies, text, value_title=text("axis.entropy"), signed=False,
        selected=result.position,
        alt=text("alt.story", tokens=len(result.labels), mean=f"{result.floor:.2f}"),
    )  # fmt: skip


def both(result: EntropyResult, text: Words) -> Figure:
    """p and q side by side."""
    return bars.grouped(
        [(text("series.p"), result.p, "expected"), (text("series.q"), result.q, "changed")],
        result.names, text, value_title=text("axis.probability"),
        alt=text("alt.both", entropy=f"{result.entropy:.3f}", cross=f"{result.cross_entropy:.3f}"),
    )  # fmt: skip


def temperatures(result: EntropyResult, now: float, text: Words) -> Figure:
    """The mean cross-entropy over the story for every temperature, above its floor."""
    best = result.temperatures[result.by_temperature.argmin()]
    return curve(
        [Series(text("series.cross"), result.temperatures, result.by_temperature, "changed")],
        x_title=text("axis.temperature"), y_title=text("axis.nats"), log_x=True, x_range=(0.25, 3),
        floor=(result.floor, text("series.floor", nats=f"{result.floor:.3f}")), marks=[(now, "τ")],
        height=300,
        alt=text("alt.temperatures", best=f"{best:.2f}", lowest=f"{result.by_temperature.min():.3f}"),
    )  # fmt: skip


def fits(result: HumpsResult, text: Words) -> Figure:
    """p, and the two bells that are closest to it, each in its own sense."""
    return curve(
        [
            Series(text("series.humps"), result.line, result.p, "expected"),
            *(
                Series(text(f"fit.{name}"), result.line, result.fitted[name], role)
                for name, role in FITS.items()
            ),
        ],
        x_title="x", y_title="", x_range=(-6, 6), y_range=(0, None), height=320,
        alt=text("alt.fits", forward=f"{result.best['forward'][1]:.2f}",
                 reverse=f"{result.best['reverse'][1]:.2f}", mean=f"{result.best['reverse'][0]:.2f}"),
    )  # fmt: skip


def landscape(result: HumpsResult, which: str, text: Words) -> Figure:
    """KL for every mean and width; the lowest place is marked."""
    table = getattr(result, which)
    heat = go.Contour(
        x=result.means, y=result.widths, z=np.minimum(table, HIGHEST), coloraxis="coloraxis",
        ncontours=20, contours={"coloring": "fill"}, line={"width": 0.5},
        customdata=table, hovertemplate=text("landscape.hover"),
    )  # fmt: skip
    mean, width = result.best[which]
    best = go.Scatter(
        x=[mean], y=[width], mode="markers", showlegend=False, hoverinfo="skip",
        marker={"symbol": "star", "size": 15, "color": theme.MEANING["rejected"],
                "line": {"color": "white", "width": 1}},
    )  # fmt: skip
    figure = plotly_figure(
        heat, best, x_title=text("axis.mean"), y_title=text("axis.width"), log=("y",),
        colours="sequential", colour_title=text("axis.kl"),
    )  # fmt: skip
    figure.update_yaxes(tickvals=[0.3, 0.5, 1, 2, 4])
    frame = pd.DataFrame(table, columns=[f"{m:.2f}" for m in result.means])
    frame.insert(0, text("axis.width"), result.widths)
    alt = text(
        "alt.landscape", mean=f"{mean:.2f}", width=f"{width:.2f}", kl=f"{result.lowest[which]:.2f}"
    )
    return Figure("plotly", figure, alt, frame, 380)


def mutual(result: MutualResult, text: Words) -> Figure:
    """Mutual information by distance: estimated, of the shuffled text, corrected, and exactly if known."""
    series = [
        Series(text("series.plug_in"), result.distances, result.plug_in, "measured", points=True),
        Series(
            text("series.shuffled"),
            result.distances,
            result.shuffled,
            "rejected",
            True,
            points=True,
        ),
        Series(text("series.above"), result.distances, result.above, "kept"),
    ]
    if result.exact is not None:
        series.append(
            Series(text("series.exact"), result.distances, result.exact, "expected", True)
        )
    return curve(
        series, x_title=text("axis.distance"), y_title=text("axis.nats"), x_range=(1, len(result.distances)),
        y_range=(0, None), height=380,
        alt=text("alt.mutual", near=f"{result.plug_in[0]:.2f}", far=f"{result.plug_in[-1]:.3f}",
                 shuffled=f"{result.shuffled[-1]:.3f}"),
    )  # fmt: skip
