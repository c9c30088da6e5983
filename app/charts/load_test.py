"""A served model under load: how long one waits over the rate of requests, measured and simulated.

Axes: L loads, R rounds.
"""

import numpy as np

from app.charts.curves import Series, curve
from app.figures import Figure
from app.i18n import Words
from labcore.serving.load_test import QUANTILES, LoadResult

ROLES = ("baseline", "changed")  # one seat, several
MS = 1e3


def waits(result: LoadResult, what: str, quantile: float, text: Words) -> Figure:
    """`what` is "first" or "total"; the band reaches over the rounds."""
    at = QUANTILES.index(quantile)
    series = []
    for role, server in zip(ROLES, result.servers, strict=True):
        seconds = getattr(server, f"{what}_seconds")[:, :, at] * MS  # (L, R)
        simulated = getattr(server, f"simulated_{what}")[:, :, at] * MS
        name = text("served.seats", seats=server.seats)
        series += [
            Series(
                name, server.rates, np.median(seconds, axis=1), role, points=True,
                spread=(seconds.min(axis=1), seconds.max(axis=1)),
            ),
            Series(text("served.simulated", name=name), server.rates, np.median(simulated, axis=1),
                   role, dashed=True),
        ]  # fmt: skip
    worst = max(float(np.nanmax(getattr(s, f"{what}_seconds")[:, :, at])) for s in result.servers)
    return curve(
        series, x_title=text("axis.requests"), y_title=text("axis.ms"), log_x=True, log_y=True,
        alt=text("alt.waits", percent=f"{100 * quantile:.0f}", worst=f"{worst * MS:,.0f}"),
    )  # fmt: skip


def throughput(result: LoadResult, text: Words) -> Figure:
    """Tokens per second that came out, over the rate that went in."""
    series = [
        Series(
            text("served.seats", seats=server.seats), server.rates,
            np.median(server.tokens_per_second, axis=1), role, points=True,
            spread=(server.tokens_per_second.min(axis=1), server.tokens_per_second.max(axis=1)),
        )
        for role, server in zip(ROLES, result.servers, strict=True)
    ]  # fmt: skip
    return curve(
        series, x_title=text("axis.requests"), y_title=text("series.rate"), log_x=True, height=260,
        alt=text("alt.throughput", one=f"{result.servers[0].tokens_per_second.max():,.0f}",
                 many=f"{result.servers[1].tokens_per_second.max():,.0f}"),
    )  # fmt: skip
