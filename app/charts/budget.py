"""Pictures of budgets: where a law puts them, what a wrong size costs, what a whole life costs."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.amounts import short
from app.charts.bars import grouped
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from labcore.scaling.budget import Implied
from labcore.scaling.chinchilla import KAPLAN, PASSES, Counted, OptimalResult
from labcore.scaling.landmarks import LANDMARKS
from labcore.scaling.overtrain import Demand, OvertrainResult

Text = Callable[..., str]
ZETTA = 1e21  # FLOPs, the unit of a life's cost
# Named beside their points, where there is room; the others tell their name under the pointer.
NAMED = {
    "GPT-3 175B": "bottom left", "Gopher 280B": "bottom center", "Chinchilla 70B": "bottom right",
    "PaLM 540B": "top center", "Llama 3 8B": "bottom center", "Llama 3.1 405B": "top center",
    "DeepSeek-V3": "top center", "Qwen2.5 0.5B": "top center", "SmolLM2 135M": "top center",
    "Llama 1 7B": "bottom center",
}  # fmt: skip
PLANE = {"x": (7.7, 12.6), "y": (9.6, 14.2)}  # powers of ten on show: parameters, tokens


# One budget.


def plane(result: OptimalResult, text: Text) -> Figure:
    """Parameters against tokens: published models, each law's line, the budget, and its best point."""
    chosen = result.chosen
    flops = PASSES * chosen.parameters * chosen.tokens
    traces = [law_line(result, name, text) for name in result.sizes]
    ends = np.array([10.0 ** PLANE["x"][0], 10.0 ** PLANE["x"][1]])
    traces += [
        go.Scatter(
            x=ends, y=flops / PASSES / ends, mode="lines", hoverinfo="skip",
            name=text("series.budget", flops=f"{flops:.2e}"),
            line={"color": theme.MEANING["guess"], "dash": "dot", "width": 2},
        ),
        landmarks(text),
        go.Scatter(
            x=[chosen.parameters], y=[chosen.tokens], mode="markers", name=text("series.best"),
            marker={"color": theme.MEANING["guess"], "size": 17, "symbol": "star"},
            hovertemplate=point(chosen.parameters, chosen.tokens, text) + "<extra></extra>",
        ),
    ]  # fmt: skip
    spec = plotly_figure(
        *traces, x_title=text("axis.parameters"), y_title=text("axis.tokens"), log=("x", "y")
    )
    spec.update_xaxes(range=PLANE["x"], tickvals=10.0 ** np.arange(8, 13))
    spec.update_yaxes(range=PLANE["y"], tickvals=10.0 ** np.arange(10, 15))
    spec.update_layout(legend={"y": 1.0, "font": {"size": 11}})
    alt = text(
        "alt.plane", models=len(LANDMARKS), flops=f"{flops:.2e}",
        parameters=short(chosen.parameters), tokens=short(chosen.tokens),
    )  # fmt: skip
    return Figure("plotly", spec, alt, lambda: landmark_table(text), 560)


def law_line(result: OptimalResult, name: str, text: Text) -> go.Scatter:
    """The best size and its tokens over all budgets, under one law."""
    sizes, here = result.sizes[name], name == result.chosen.law
    return go.Scatter(
        x=sizes, y=result.budgets / PASSES / sizes, mode="lines", name=text(f"option.law.{name}"),
        line={"color": theme.colour(name), "width": 3.5 if here else 1.5},
        opacity=1.0 if here else 0.65, hoverinfo="skip",
    )  # fmt: skip


def landmarks(text: Text) -> go.Scatter:
    return go.Scatter(
        x=[one.worked for one in LANDMARKS], y=[one.tokens for one in LANDMARKS],
        mode="markers+text", name=text("series.models"),
        textposition=[NAMED.get(one.title, "top center") for one in LANDMARKS],
        text=[one.title if one.title in NAMED else "" for one in LANDMARKS], textfont={"size": 10},
        marker={
            "color": theme.MEANING["gradient"], "size": 8,
            "symbol": ["circle" if one.active is None else "diamond" for one in LANDMARKS],
        },
        customdata=[
            f"<b>{one.title}</b> ({one.year})<br>{point(one.worked, one.tokens, text)}<br>{one.source}"
            for one in LANDMARKS
        ],
        hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip


def point(parameters: float, tokens: float, text: Text) -> str:
    return text(
        "hover.point", parameters=short(parameters), tokens=short(tokens),
        ratio=short(tokens / parameters),
    )  # fmt: skip


def landmark_table(text: Text) -> pd.DataFrame:
    rows = [
        {
            text("column.model"): one.title,
            text("column.year"): one.year,
            text("column.parameters"): one.parameters,
            text("column.active"): one.worked,
            text("column.tokens"): one.tokens,
            text("column.ratio"): round(one.tokens_per_parameter, 1),
            text("column.flops"): one.flops,
            text("column.source"): one.source,
        }
        for one in LANDMARKS
    ]
    return pd.DataFrame(rows)


def valley(result: OptimalResult, text: Text) -> Figure:
    """The loss at this budget over the size: how much a wrong size costs."""
    lines = [
        Series(text(f"option.law.{name}"), result.valley_sizes / 1e9, nats, name)
        for name, nats in result.valleys.items()
    ]
    lowest = {name: float(nats.min()) for name, nats in result.valleys.items()}
    return curve(
        lines, x_title=text("axis.billions"), y_title=text("axis.nats"), log_x=True, height=360,
        alt=text("alt.valley", lowest=", ".join(f"{nats:.3f}" for nats in lowest.values())),
        x_range=ends(result.valley_sizes / 1e9),
    )  # fmt: skip


def ends(values: np.ndarray) -> tuple[float, float]:
    """The ends of a logarithmic axis, with digits that can be read.

    >>> ends(np.array([3.719, 1492.0]))
    (3.7, 1500.0)
    """
    return float(f"{values[0]:.2g}"), float(f"{values[-1]:.2g}")


def ratios(result: OptimalResult, text: Text) -> Figure:
    """Tokens per parameter over the budget, law by law."""
    lines = [
        Series(
            text(f"option.law.{name}"), np.log10(result.budgets),
            result.budgets / PASSES / sizes**2, name,
        )
        for name, sizes in result.sizes.items()
    ]  # fmt: skip
    last = {name: line.y[-1] for name, line in zip(result.sizes, lines, strict=True)}
    return curve(
        lines, x_title=text("axis.flops"), y_title=text("axis.ratio"), log_y=True,
        x_range=(18, 28), y_range=(0.1, 1000), height=400,
        alt=text("alt.ratios", low=f"{last['kaplan']:.2g}", high=f"{last['printed']:.0f}"),
    )  # fmt: skip


def counting(counted: Counted, text: Text) -> Figure:
    """The best size over the budget, both in powers of ten: one law in two counts, and Kaplan's line."""
    kaplan = KAPLAN.size(counted.inner_flops)
    shown = (
        (text("series.total"), counted.total_flops, counted.total, "chosen", False),
        (text("series.inner"), counted.inner_flops, counted.inner, "changed", False),
        (text("option.law.kaplan"), counted.inner_flops, kaplan, "kaplan", True),
    )
    lines = [
        Series(name, np.log10(flops), np.log10(sizes), role, dashed=dashed)
        for name, flops, sizes, role, dashed in shown
    ]
    return curve(
        lines, x_title=text("axis.flops"), y_title=text("axis.best"), height=400,
        alt=text("alt.counting", inner=f"{counted.inner_exponent:.2f}",
                 total=f"{counted.total_exponent:.2f}"),
    )  # fmt: skip


def implied(rows: Sequence[Implied], text: Text) -> Figure:
    """Share of the peak over all hours that were reported."""
    labels = [f"{row.run.title} · {row.run.device.upper()}" for row in rows]
    shares = [100 * row.peak_share for row in rows]
    figure = grouped(
        [(text("axis.peak_share"), shares, "changed")], labels, text, height=80 + 30 * len(rows),
        value_title=text("axis.peak_share"),
        alt=text("alt.implied", low=f"{min(shares):.0f}", high=f"{max(shares):.0f}"),
    )  # fmt: skip
    table = pd.DataFrame(
        {
            text("column.model"): [row.run.title for row in rows],
            text("column.hours"): [row.run.device_hours for row in rows],
            text("column.flops"): [row.flops for row in rows],
            text("axis.peak_share"): [round(share, 1) for share in shares],
            text("column.energy"): [round(row.megawatt_hours) for row in rows],
            text("column.source"): [row.run.source for row in rows],
        }
    )
    return Figure(figure.kind, figure.spec, figure.alt, table, figure.height)


# A whole life.


def lifetime(result: OvertrainResult, text: Text) -> Figure:
    """Cost of training, serving and both over the size, all of one quality."""
    sizes, total = result.sizes / 1e9, (result.training + result.serving) / ZETTA
    lines = [
        Series(text("series.training"), sizes, result.training / ZETTA, "parameters"),
        Series(text("series.serving"), sizes, result.serving / ZETTA, "optimizer"),
        Series(text("series.both"), sizes, total, "chosen"),
    ]
    best, reference = result.best, result.reference
    return curve(
        lines, x_title=text("axis.billions"), y_title=text("axis.cost"), log_x=True, log_y=True,
        marks=[
            (best.parameters / 1e9, text("mark.best", size=short(best.parameters))),
            (reference.parameters / 1e9, text("mark.reference", size=short(reference.parameters))),
        ],
        x_range=ends(sizes), height=400, y_range=ends(np.array([total.min() / 30, 30 * total.min()])),
        alt=text("alt.lifetime", best=short(best.parameters), reference=short(reference.parameters),
                 saved=f"{1 - best.flops / reference.flops:.0%}"),
    )  # fmt: skip


def ratio_by_demand(result: OvertrainResult, served: float, text: Text) -> Figure:
    """Tokens per parameter of the cheapest life."""
    line = Series(text("axis.ratio"), np.log10(result.demands), result.best_ratios, "changed")
    return curve(
        [line], x_title=text("axis.served"), y_title=text("axis.ratio"), log_y=True, height=320,
        marks=[(float(np.log10(served)), short(served))], x_range=(9, 16),
        alt=text("alt.ratio_by_demand", low=short(result.best_ratios[0]),
                 high=short(result.best_ratios[-1])),
    )  # fmt: skip


def saved_by_demand(result: OvertrainResult, served: float, text: Text) -> Figure:
    """What the cheapest life saves beside the compute-optimal model of the same quality."""
    line = Series(text("axis.saved"), np.log10(result.demands), 100 * result.saved, "chosen")
    return curve(
        [line], x_title=text("axis.served"), y_title=text("axis.saved"), height=320,
        marks=[(float(np.log10(served)), short(served))], x_range=(9, 16), y_range=(0, 100),
        alt=text("alt.saved_by_demand", high=f"{100 * result.saved[-1]:.0f}"),
    )  # fmt: skip


def implied_demands(rows: Sequence[Demand], text: Text) -> Figure:
    """For how many served tokens each published model would be the cheapest of its quality."""
    shown = sorted((row for row in rows if row.served), key=lambda row: row.served)
    titles = [row.landmark.title for row in shown]
    spec = plotly_figure(
        go.Scatter(
            x=[row.served for row in shown], y=titles, mode="markers",
            marker={"size": 11, "color": theme.MEANING["changed"]},
            customdata=[
                f"<b>{row.landmark.title}</b><br>"
                + text("hover.served", served=short(row.served), trained=short(row.landmark.tokens))
                for row in shown
            ],
            hovertemplate="%{customdata}<extra></extra>",
        ),
        x_title=text("axis.served_tokens"), log=("x",),
    )  # fmt: skip
    ticks = 10.0 ** np.arange(10, 17)
    spec.update_xaxes(tickvals=ticks, ticktext=[short(tick) for tick in ticks])
    table = pd.DataFrame(
        {
            text("column.model"): [row.landmark.title for row in rows],
            text("column.ratio"): [round(row.landmark.tokens_per_parameter, 1) for row in rows],
            text("axis.served_tokens"): [row.served for row in rows],
        }
    )
    alt = text("alt.demands", most=titles[-1], served=short(shown[-1].served))
    return Figure("plotly", spec, alt, table, 110 + 26 * len(shown))
