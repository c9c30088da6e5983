"""The planner's figures beside published ones."""

from collections.abc import Callable, Sequence

from app.charts.bars import grouped, stacked
from app.figures import Figure
from labcore.distributed.published import Comparison

Text = Callable[..., str]


def utilisations(rows: Sequence[Comparison], text: Text) -> Figure:
    """Share of the peak, measured by the authors and expected here, run by run."""
    labels = [text("bar.run", title=row.title, devices=row.devices) for row in rows]
    worst = max(abs(row.expected / row.published - 1) for row in rows)
    return grouped(
        [
            (text("series.published"), [100 * row.published for row in rows], "baseline"),
            (text("series.expected"), [100 * row.expected for row in rows], "changed"),
        ],
        labels, text, value_title=text("axis.peak_share"), height=120 + 34 * len(rows),
        alt=text("alt.published", runs=len(rows), worst=f"{worst:.0%}"),
    )  # fmt: skip


def zero_bars(states: Sequence[tuple[float, float, float]], text: Text) -> Figure:
    """Weights, gradients, optimizer states of one device under ZeRO 0 to 3, in GB."""
    columns = list(zip(*states, strict=True))
    names = ("parameters", "gradients", "optimizer")
    parts = [
        (text(f"part.{name}"), [size / 1e9 for size in column], name)
        for name, column in zip(names, columns, strict=True)
    ]
    totals = [sum(row) / 1e9 for row in states]
    labels = [text("bar.zero", stage=stage) for stage in range(len(states))]
    return stacked(
        parts, labels, text, value_title=text("axis.gigabytes"),
        alt=text("alt.zero", totals=", ".join(f"{total:.1f}" for total in totals)),
    )  # fmt: skip
