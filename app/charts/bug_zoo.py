"""The curve of a test: the patient's, a second one's beside it, and the one that should be."""

from collections.abc import Callable, Mapping

from app.charts.curves import Series, curve
from app.figures import Figure
from labcore.bugs.case import Reading

ROLES = {"patient": "measured", "healthy": "chosen", "sick": "rejected"}


def curves(test: str, lines: Mapping[str, Reading], text: Callable[..., str]) -> Figure:
    """`lines` by the key of their name; what should be is the same for all of them."""
    last = list(lines.values())[-1]
    series = [
        Series(text(f"series.{key}"), reading.x, reading.curve, ROLES[key], points=True)
        for key, reading in lines.items()
    ]
    series.append(Series(text("series.wanted"), last.x, last.wanted, "expected", dashed=True))
    return curve(
        series, x_title=text(f"test.{test}.x"), y_title=text(f"test.{test}.y"),
        alt=text(
            "alt.reading", test=text(f"test.{test}"), measured=f"{last.measured:.3g}"
        ),
        height=260,
    )  # fmt: skip
