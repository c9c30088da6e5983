"""LoRA's mechanics: where it begins, and what becomes of sums of adapters.

Axes: S seeds, W weights.
"""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from app.charts.bars import grouped
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.tuning.lora_arithmetic import GRID, LINE, ArithmeticStudy
from labcore.tuning.lora_mechanics import Merged, Starts
from labcore.tuning.tale_tasks import TASKS

HIGHEST_NATS = 10.0
ROLES = dict(zip(TASKS, ("rejected", "value", "query", "key"), strict=True))


def starts(result: Starts, text: Words) -> Figure:
    """Loss before any training, and the largest change of a logit, over the spread of B."""
    places = range(len(result.spreads))  # evenly spaced: 0 has no logarithm
    figure = curve(
        [
            Series(text("series.old"), places, result.nats, "rejected", points=True),
            Series(text("series.change"), places, result.change, "divergence", points=True,
                   right=True),
        ],
        x_title=text("axis.spread"), y_title=text("axis.nats"), right_title=text("axis.change"),
        floor=(result.base_nats, text("series.base")), height=300,
        alt=text("alt.starts", zero=f"{result.nats[0]:.2f}", wide=f"{result.nats[-1]:.2f}"),
    )  # fmt: skip
    figure.spec["xAxis"] |= {"type": "category", "data": [f"{s:g}" for s in result.spreads]}
    figure.table.insert(1, text("axis.spread") + " σ", result.spreads)
    return figure


def merged_table(result: Merged, text: Words) -> pd.DataFrame:
    """The four states, with the largest difference of any logit from what it should be."""
    states = ("base", "beside", "merged", "unmerged")
    off = (None, None, result.merged_difference, result.unmerged_difference)
    return pd.DataFrame(
        {
            text("column.state"): [text(f"state.{state}") for state in states],
            text("axis.nats"): [round(getattr(result, f"{state}_nats"), 4) for state in states],
            text("column.difference"): ["" if d is None else f"{d:.1e}" for d in off],
        }
    )


def mixed(nats: Mapping[str, float], base: Mapping[str, float], text: Words) -> Figure:
    """Losses on all ways of telling, with the adapters and without."""
    parts = [
        (text("series.base"), [base[task] for task in TASKS], "baseline"),
        (text("series.with"), [nats[task] for task in TASKS], "changed"),
    ]
    alt = text("alt.mixed", **{task: f"{nats[task]:.2f}" for task in TASKS})
    names = [text(f"told.{task}") for task in TASKS]
    return grouped(parts, names, text, alt=alt, value_title=text("axis.nats"))


def line(study: ArithmeticStudy, adapter: str, text: Words) -> Figure:
    """One adapter alone, from taken away to overdone."""
    values = study.line[adapter].clip(max=HIGHEST_NATS)  # (S, W, 4)
    series = [
        Series(
            text(f"told.{task}"), LINE, values[..., place].mean(axis=0), ROLES[task], points=True,
            spread=(values[..., place].min(axis=0), values[..., place].max(axis=0)),
        )
        for place, task in enumerate(TASKS)
    ]  # fmt: skip
    figure = curve(
        series, x_title=text("axis.weight"), y_title=text("axis.nats"), y_range=(0, HIGHEST_NATS),
        floor=(study.floor_nats, text("series.floor")), alt=text("alt.line"), height=340,
    )  # fmt: skip
    # The weights begin below zero; the axis and its title stay at the left.
    figure.spec["yAxis"][0]["axisLine"] = {"onZero": False}
    return figure


def grid(study: ArithmeticStudy, told: str, text: Words) -> Figure:
    """Loss on one way of telling over the weights of both adapters: mean over the seeds."""
    place = TASKS.index(told)
    values = study.grid[..., place]  # (S, W, W): cipher's weight, then backwards'
    mean, width = values.mean(axis=0), values.max(axis=0) - values.min(axis=0)
    heat = go.Heatmap(
        z=mean.T, x=[f"{w:g}" for w in GRID], y=[f"{w:g}" for w in GRID], coloraxis="coloraxis",
        text=[[f"{v:.2f}" for v in row] for row in mean.T], texttemplate="%{text}",
        customdata=width.T, hovertemplate="%{x} / %{y}: %{z:.2f} ± %{customdata:.2f}<extra></extra>",
    )  # fmt: skip
    figure = plotly_figure(
        heat, x_title=text("axis.cipher_weight"), y_title=text("axis.backwards_weight"),
        colours="sequential", colour_title=text("axis.nats_short"),
    )  # fmt: skip
    figure.update_xaxes(type="category")
    figure.update_yaxes(type="category")
    table = pd.DataFrame(
        [
            {
                text("axis.cipher_weight"): one,
                text("axis.backwards_weight"): other,
                text("axis.nats"): round(float(mean[i, j]), 3),
                text("column.width"): round(float(width[i, j]), 3),
            }
            for i, one in enumerate(GRID)
            for j, other in enumerate(GRID)
        ]
    )
    return Figure("plotly", figure, text("alt.grid", told=text(f"told.{told}")), table, 420)


def controls(study: ArithmeticStudy, text: Words) -> pd.DataFrame:
    """The base, the sum of the two adapters, and adapters that were trained for it: lowest to highest."""
    one = GRID.index(1.0)
    rows = {
        "base": study.base[None],
        "sum": study.grid[:, one, one],
        "both": study.trained["both"],
        "mixed": study.trained["mixed"],
    }
    columns = {text("column.adapter"): [text(f"control.{name}") for name in rows]}
    for place, task in enumerate(TASKS):
        columns[text(f"told.{task}")] = [
            f"{v[:, place].min():.2f}–{v[:, place].max():.2f}"
            if len(v) > 1
            else f"{v[0, place]:.2f}"
            for v in rows.values()
        ]
    return pd.DataFrame(columns)
