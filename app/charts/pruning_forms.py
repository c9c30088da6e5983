"""One matrix in several forms: the time of a product and the bytes it takes, over the share of zeros.

Axes: F shares, R rounds.
"""

import numpy as np

from app.charts.curves import Series, curve
from app.figures import Figure
from app.i18n import Words
from labcore.compression.matrix_forms import FormsResult

ROLES = {"dense": "baseline", "csr": "rejected", "smaller": "chosen", "bitmap": "query"}
LOW, HIGH = 10, 90  # percentiles of the rounds that the band reaches between


def times(result: FormsResult, text: Words) -> Figure:
    """The median round of each form, with a band for the middle four fifths of the rounds."""
    series = [
        Series(
            text(f"form.{name}"), result.shares, np.median(rounds, axis=1), ROLES[name], points=True,
            spread=tuple(np.percentile(rounds, (LOW, HIGH), axis=1)),
        )
        for name, rounds in result.milliseconds.items()
    ]  # fmt: skip
    dense = float(np.median(result.milliseconds["dense"]))
    return curve(
        series, x_title=text("axis.share"), y_title=text("axis.product"), log_y=True,
        x_range=(0, 1), height=360, alt=text("alt.form_times", dense=f"{dense:.3f}"),
    )  # fmt: skip


def stored(result: FormsResult, text: Words) -> Figure:
    """Megabytes of each form; 2:4 exists at one half only."""
    series = [
        Series(text(f"form.{name}"), result.shares, sizes / 1e6, ROLES[name], points=True)
        for name, sizes in result.stored_bytes.items()
    ]
    series.append(
        Series(text("form.two_four"), [0.5], [result.two_four_bytes / 1e6], "gradient", points=True)
    )
    return curve(
        series, x_title=text("axis.share"), y_title=text("axis.megabytes"), x_range=(0, 1),
        y_range=(0, None), height=340, alt=text("alt.stored"),
    )  # fmt: skip
