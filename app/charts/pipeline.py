"""Pictures of a pipeline schedule: who does what when, and how the bubble shrinks with micro-batches."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from labcore.distributed.simulation import PipelineConfig, Timeline, bubble_formula

Text = Callable[..., str]
ROLES = {"F": "forward", "B": "backward", "W": "weight_gradient"}


def gantt(timeline: Timeline, config: PipelineConfig, text: Text) -> Figure:
    """One row per stage, one block per pass, numbered by micro-batch; later chunks are paler."""
    labels = np.array([text("bar.stage_only", stage=s + 1) for s in range(config.stages)])
    traces = []
    for kind, role in ROLES.items():
        where = timeline.kind == kind
        if not where.any():
            continue
        name = (
            text("pass.BW") if kind == "B" and config.schedule != "zb-h1" else text(f"pass.{kind}")
        )
        faded = 0.55 * timeline.chunk[where] / max(1, config.pieces - 1)
        traces.append(
            go.Bar(
                y=labels[timeline.stage[where]],
                x=timeline.end_ms[where] - timeline.start_ms[where],
                base=timeline.start_ms[where],
                orientation="h",
                name=name,
                marker={
                    "color": theme.MEANING[role],
                    "opacity": 1 - faded,
                    "line": {"width": 0.6, "color": "rgba(127,127,127,0.6)"},
                },
                text=timeline.micro_batch[where] + 1,
                textposition="inside",
                insidetextanchor="middle",
                textangle=0,
                insidetextfont={"color": "white"},
                customdata=np.column_stack(
                    [
                        timeline.micro_batch[where] + 1,
                        timeline.chunk[where] + 1,
                        timeline.end_ms[where],
                    ]
                ),
                hovertemplate=text("hover.pass", name=name),
            )
        )
    spec = plotly_figure(*traces, x_title=text("axis.milliseconds"), barmode="overlay", bargap=0.18)
    spec.update_layout(uniformtext={"minsize": 8, "mode": "hide"})
    spec.update_yaxes(autorange="reversed", fixedrange=True, type="category")
    spec.update_yaxes(categoryorder="array", categoryarray=labels)
    alt = text(
        "alt.gantt", stages=config.stages, micro_batches=config.micro_batches,
        total=f"{timeline.total_ms:.0f}", idle=f"{timeline.bubble_share:.1%}",
    )  # fmt: skip
    return Figure("plotly", spec, alt, lambda: passes(timeline, text), 110 + 38 * config.stages)


def passes(timeline: Timeline, text: Text) -> pd.DataFrame:
    return pd.DataFrame(
        {
            text("column.stage"): timeline.stage + 1,
            text("column.pass"): timeline.kind,
            text("column.micro_batch_number"): timeline.micro_batch + 1,
            text("column.chunk"): timeline.chunk + 1,
            text("column.start"): timeline.start_ms.round(3),
            text("column.end"): timeline.end_ms.round(3),
        }
    )


def bubble_curve(
    config: PipelineConfig, simulated: dict[str, float], schedules: Sequence[str], text: Text
) -> Figure:
    """Idle share over micro-batches by formula, a line per schedule; simulated values as points."""
    colours = ("baseline", "query", "key", "value")
    series = []
    for schedule, role in zip(schedules, colours, strict=True):
        counts = micro_batch_counts(config, schedule)
        formula = [
            bubble_formula(replace(config, schedule=schedule, micro_batches=m)) for m in counts
        ]
        name = text(f"option.schedule.{schedule}")
        # GPipe and 1F1B idle alike: the dashes let the line below show.
        series.append(
            Series(name, counts, np.multiply(100, formula), role, dashed=schedule == "1f1b")
        )
    for schedule, role in zip(schedules, colours, strict=True):
        if schedule in simulated:
            name = text("series.simulated", schedule=text(f"option.schedule.{schedule}"))
            point = [100 * simulated[schedule]]
            series.append(Series(name, [config.micro_batches], point, role, points=True))
    figure = curve(
        series, x_title=text("axis.micro_batches"), y_title=text("axis.idle"), y_range=(0, None),
        alt=text("alt.bubble", stages=config.stages, micro_batches=config.micro_batches),
    )  # fmt: skip
    lines = series[: len(schedules)]  # the points are explained below the picture
    figure.spec["legend"]["data"] = [one.name for one in lines]
    return figure


def micro_batch_counts(config: PipelineConfig, schedule: str) -> list[int]:
    """Those for which the formula holds: interleaving takes rounds of p, ZB-H1 at least p."""
    p, most = config.stages, max(32, config.micro_batches, 2 * config.stages)
    if schedule == "interleaved":
        return list(range(p, most + 1, p))
    return list(range(p if schedule == "zb-h1" else 1, most + 1))
