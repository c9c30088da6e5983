"""Variants trained side by side: their losses with the spread over seeds, their cache, their speed.

Axes: N variants, S seeds, M looks at held-out text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts import bars
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.architecture.decode_speed import Speed
from labcore.architecture.head_variants import Progress, VariantsResult


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """A live run so far: the seed under way."""

    names: tuple[str, ...]  # (N,)
    steps: np.ndarray  # (M,)
    loss_nats: np.ndarray  # (N, M)


def course_of(events: Sequence[Progress]) -> Course:
    """The looks of the latest seed."""
    seed = events[-1].seed
    looks = [event for event in events if event.loss_nats and event.seed == seed]
    losses = np.array([event.loss_nats for event in looks]).T
    return Course(events[-1].names, np.array([event.step for event in looks]), losses)


def name_of(variant: str, text: Words) -> str:
    """`heads-4` or `gqa` in the learner's words."""
    _, _, count = variant.partition("-")
    return text("variant.heads", count=count) if count.isdigit() else text(f"variant.{variant}")


def losses(shown: VariantsResult | Course, recorded: VariantsResult, text: Words) -> Figure:
    """Held-out loss over steps, and behind each line the spread over seeds.

    The spread is the run's own if it has several seeds, else that of the recording if it looked at
    the same steps.
    """
    lines = [_line(number, shown, recorded, text) for number in range(len(shown.names))]
    floor = recorded.floor_nats
    last = float(lines[0].y[-1])
    return curve(
        lines, x_title=text("axis.step"), y_title=text("axis.nats"), height=380,
        floor=(floor, text("series.floor", nats=f"{floor:.2f}")),
        alt=text("alt.losses", variants=len(lines), last=f"{last:.2f}"),
    )  # fmt: skip


def _line(
    number: int, shown: VariantsResult | Course, recorded: VariantsResult, text: Words
) -> Series:
    name, live = shown.names[number], isinstance(shown, Course)
    own = shown.loss_nats[number][None] if live else shown.loss_nats[number]  # (S, M)
    looks = len(shown.steps)
    band = _spread(own) if len(own) > 1 else None
    alike = np.array_equal(shown.steps, recorded.steps[:looks])
    if band is None and alike and name in recorded.names:
        band = _spread(recorded.loss_nats[recorded.names.index(name)][:, :looks])
    return Series(name_of(name, text), shown.steps, own.mean(axis=0), points=True, spread=band)


def _spread(losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(S, M) -> the lowest and the highest, (M,) each"""
    return losses.min(axis=0), losses.max(axis=0)


def gaps(shown: VariantsResult | Course, recorded: VariantsResult, text: Words) -> Figure:
    """How much more each variant loses than the reference at every look, seed by seed.

    A live run of one seed is drawn as points before the recorded gaps, if it looked at the same steps.
    """
    against = reference(shown.names)
    lines = []
    for name in shown.names:
        own, band = _gap(shown, name, against), None
        alike = np.array_equal(shown.steps, recorded.steps[: len(shown.steps)])
        if len(own) > 1:
            band = _spread(own)
        elif alike and {name, against} <= set(recorded.names):
            band = _spread(_gap(recorded, name, against)[:, : len(shown.steps)])
        mean = own.mean(axis=0)
        spread = None if name == against else band
        lines.append(Series(name_of(name, text), shown.steps, mean, points=True, spread=spread))
    last = max(float(line.y[-1]) for line in lines)
    return curve(
        lines, x_title=text("axis.step"), height=340,
        y_title=text("axis.gap", reference=name_of(against, text)),
        alt=text("alt.gaps", reference=name_of(against, text), last=f"{last:.3f}"),
    )  # fmt: skip


def reference(names: Sequence[str]) -> str:
    """What the others are held against: MHA, or of several numbers of heads eight or the largest."""
    return next((name for name in ("mha", "heads-8") if name in names), names[-1])


def _gap(shown: VariantsResult | Course, name: str, against: str) -> np.ndarray:
    """One variant's loss less the reference's, of the same seed.  -> (S, M)"""
    one, other = (shown.loss_nats[shown.names.index(each)] for each in (name, against))
    return np.atleast_2d(one - other)


def last_losses(shown: VariantsResult, recorded: VariantsResult, text: Words) -> Figure:
    """The loss at the end by number of heads: every seed a point, their mean a line.

    One live seed is drawn before the recorded ones, if it made as many steps.
    """
    counts = [name.removeprefix("heads-") for name in shown.names]
    alike = shown.steps[-1] == recorded.steps[-1] and set(shown.names) <= set(recorded.names)
    behind = recorded if len(shown.seeds) == 1 and alike else shown
    seeds = [behind.loss_nats[behind.names.index(name), :, -1] for name in shown.names]
    mean = shown.loss_nats[:, :, -1].mean(axis=1)
    best = int(mean.argmin())
    spec = plotly_figure(
        go.Scatter(
            x=[count for count, each in zip(counts, seeds, strict=True) for _ in each],
            y=np.concatenate(seeds), mode="markers", name=text("series.seeds"),
            marker={"color": theme.MEANING["baseline"], "size": 7, "opacity": 0.7},
        ),
        go.Scatter(
            x=counts, y=mean, mode="lines+markers",
            name=text("series.mean" if len(shown.seeds) > 1 else "series.this_run"),
            line={"color": theme.MEANING["changed"]}, marker={"size": 9},
        ),
        x_title=text("axis.heads"), y_title=text("axis.nats"),
    )  # fmt: skip
    spec.update_xaxes(type="category", categoryorder="array", categoryarray=counts)
    table = pd.DataFrame({text("axis.heads"): counts, text("axis.nats"): mean})
    for number, seed in enumerate(behind.seeds):
        table[text("series.seed", seed=seed)] = [each[number] for each in seeds]
    alt = text("alt.last", heads=counts[best], best=f"{mean[best]:.3f}")
    return Figure("plotly", spec, alt, table, height=320)


def summary(result: VariantsResult, text: Words) -> pd.DataFrame:
    """One row per variant: what it costs and what it gains, and with how many seeds it loses to the best.

    Variants of a seed read the same batches, so they are compared seed by seed.
    """
    final = result.loss_nats[:, :, -1]  # (N, S)
    best = int(final.mean(axis=1).argmin())
    rows = []
    for number, name in enumerate(result.names):
        row = {
            text("column.variant"): name_of(name, text),
            text("column.parameters"): int(result.parameters[number]),
            text("column.cache"): int(result.cache_bytes[number]),
            text("column.loss"): round(float(final[number].mean()), 3),
        }
        if final.shape[1] > 1:
            row[text("column.lowest")] = round(float(final[number].min()), 3)
            row[text("column.highest")] = round(float(final[number].max()), 3)
            worse = int((final[number] > final[best]).sum())
            row[text("column.worse")] = "–" if number == best else f"{worse} / {final.shape[1]}"
        rows.append(row)
    return pd.DataFrame(rows)


def decoding(speed: Speed, text: Words) -> Figure:
    """Milliseconds for one more token in one layer, over the length of the cache."""
    return curve(
        [
            Series(name_of(name, text), speed.lengths, times, points=True,
                   dashed=name.endswith("absorbed"))
            for name, times in zip(speed.names, speed.milliseconds, strict=True)
        ],
        x_title=text("axis.cached"), y_title=text("axis.ms"), log_x=True, log_y=True, height=340,
        alt=text("alt.decoding", length=int(speed.lengths[-1]),
                 mha=f"{speed.milliseconds[0, -1]:.2f}", mqa=f"{speed.milliseconds[2, -1]:.2f}"),
    )  # fmt: skip


def published(caches: Sequence[tuple[str, str, float]], text: Words) -> Figure:
    """Kilobytes of cache per token of published models: title, kind of sharing, bytes."""
    names = [f"{title} · {name_of(kind, text)}" for title, kind, _ in caches]
    kilobytes = [size / 1024 for _, _, size in caches]
    return bars.stacked(
        [(text("axis.kib"), kilobytes, "cache")], names, text, value_title=text("axis.kib"),
        alt=text("alt.published", most=f"{max(kilobytes):.0f}", least=f"{min(kilobytes):.0f}"),
        height=70 + 34 * len(names),
    )  # fmt: skip
