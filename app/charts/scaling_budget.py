"""The scaling lab's other parts: curves of equal compute and their lowest points, and the model held out.

Lines of a law are dashed where it is asked about what nobody measured.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.explore import plotly_figure
from app.charts.scaling import FORM_ROLES, GRID, level, size_name
from app.figures import Figure
from app.i18n import Words as Text
from labcore.scaling.extrapolation import Extrapolation
from labcore.scaling.isoflop import IsoFlop
from labcore.scaling.law import Law
from labcore.scaling.sweep import Progress

COUNT_ROLES = {"blocks": "changed", "all": "rejected"}
BAND_OPACITY = 0.15
ON_BUDGET = 60  # points of a drawn line
RATIO_TICKS = (5, 10, 20, 30, 50, 80, 120, 200)


def isoflop(found: IsoFlop, text: Text) -> Figure:
    """Loss against size at each budget, with the parabola and its lowest point."""
    traces = []
    for k, budget in enumerate(found.gigaflops):
        colour = theme.CATEGORICAL[k % len(theme.CATEGORICAL)]
        name = text("budget", gigaflops=f"{budget:g}")
        there = np.isfinite(found.nats[k]).all(axis=1)
        sizes, nats = found.parameters[there], found.nats[k][there]  # (s,), (s, R)
        mean = nats.mean(axis=1)
        traces.append(
            go.Scatter(
                x=sizes, y=mean, mode="markers", name=name, legendgroup=name,
                marker={"size": 8, "color": colour}, hovertemplate="N = %{x:.3s}: %{y:.3f}",
                error_y={"type": "data", "symmetric": False, "array": nats.max(axis=1) - mean,
                         "arrayminus": mean - nats.min(axis=1), "thickness": 1.5, "width": 3},
            )
        )  # fmt: skip
        if np.isfinite(found.parabolas[k]).all():
            n = np.geomspace(sizes.min(), sizes.max(), ON_BUDGET)
            y = np.polyval(found.parabolas[k], np.log(n))
            traces.append(_plain(n, y, name, colour))
        if found.bracketed[k]:
            at = found.best[k]
            traces.append(
                go.Scatter(
                    x=[at], y=[np.polyval(found.parabolas[k], np.log(at))], mode="markers", name=name,
                    legendgroup=name, showlegend=False, hovertemplate="N* = %{x:.3s}<extra></extra>",
                    marker={"size": 14, "color": colour, "symbol": "star"},
                )
            )  # fmt: skip
    spec = plotly_figure(
        *traces, x_title=text("axis.parameters"), y_title=text("axis.loss"), log="x",
        legend_title_text=text("legend.budgets"),
    )  # fmt: skip
    spec.update_xaxes(gridcolor=GRID, exponentformat="SI", dtick="D2")
    spec.update_yaxes(gridcolor=GRID)
    alt = text("alt.isoflop", budgets=len(found.gigaflops), bracketed=int(found.bracketed.sum()))
    return Figure("plotly", spec, alt, lambda: _slices(found, text), height=430)


def _plain(x: np.ndarray, y: np.ndarray, name: str, colour: str, dash: str = "solid") -> go.Scatter:
    return go.Scatter(
        x=x, y=y, mode="lines", name=name, legendgroup=name, showlegend=False, hoverinfo="skip",
        line={"color": colour, "width": 1.5, "dash": dash},
    )  # fmt: skip


def _slices(found: IsoFlop, text: Text) -> pd.DataFrame:
    rows = [
        {text("column.gigaflops"): found.gigaflops[k], text("column.parameters"): n,
         text("column.tokens"): round(found.tokens[k, s]),
         text("column.mean"): found.nats[k, s].mean(), text("column.low"): found.nats[k, s].min(),
         text("column.high"): found.nats[k, s].max()}
        for k in range(len(found.gigaflops))
        for s, n in enumerate(found.parameters)
        if np.isfinite(found.nats[k, s]).all()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def best_sizes(found: IsoFlop, laws: Mapping[str, Law], text: Text) -> Figure:
    """N* against compute: from the parabolas, and from each form of the law."""
    there = found.bracketed
    traces = [
        go.Scatter(
            x=found.gigaflops[there], y=found.best[there], mode="markers",
            name=text("series.parabolas"), marker={"size": 11, "symbol": "star", "color": theme.GRAY},
            error_y=_seeds(found.best_by_seed[there], found.best[there]),
            hovertemplate="%{x:g}: N* = %{y:.3s}<extra></extra>",
        )
    ]  # fmt: skip
    c = np.geomspace(found.gigaflops.min() / 2, found.gigaflops.max() * 2, ON_BUDGET)
    for form, law in laws.items():
        n, _ = law.optimal(c * 1e9)
        colour = theme.MEANING[FORM_ROLES[form]]
        line = {"color": colour, "width": 2}
        traces.append(go.Scatter(x=c, y=n, mode="lines", name=text(f"form.{form}"), line=line))
    spec = plotly_figure(
        *traces, x_title=text("axis.compute_g"), y_title=text("axis.best"), log="xy"
    )
    spec.update_xaxes(gridcolor=GRID, tickvals=found.gigaflops)
    spec.update_yaxes(gridcolor=GRID, exponentformat="SI", dtick="D2")
    table = pd.DataFrame(
        {text("column.gigaflops"): found.gigaflops, text("series.parabolas"): found.best}
        | {
            text(f"form.{form}"): law.optimal(found.gigaflops * 1e9)[0]
            for form, law in laws.items()
        }
    )
    alt = text("alt.best", exponent=f"{found.exponent:.2f}")
    return Figure("plotly", spec, alt, table, height=400)


def _seeds(by_seed: np.ndarray, best: np.ndarray) -> dict:
    """From the lowest to the highest of the seeds that are bracketed themselves.  (K, R), (K,)"""
    high, low = np.nanmax(by_seed, axis=1, initial=0), np.nanmin(by_seed, axis=1, initial=np.inf)
    return {
        "type": "data", "symmetric": False, "array": np.maximum(0, high - best),
        "arrayminus": np.where(np.isfinite(low), np.maximum(0, best - low), 0), "thickness": 1.5,
    }  # fmt: skip


def ratios(found: Mapping[str, IsoFlop], laws: Mapping[str, Law], text: Text) -> Figure:
    """Tokens per parameter at the best size, by both ways of counting parameters."""
    traces, columns = [], {}
    for count, curves in found.items():
        colour, name = theme.MEANING[COUNT_ROLES[count]], text(f"option.count.{count}")
        there = curves.bracketed
        c = np.geomspace(curves.gigaflops.min() / 2, curves.gigaflops.max() * 2, ON_BUDGET)
        n, d = laws[count].optimal(c * 1e9)
        traces += [
            go.Scatter(
                x=curves.gigaflops[there], y=curves.tokens_per_parameter[there], mode="markers",
                name=name, legendgroup=name, marker={"size": 11, "symbol": "star", "color": colour},
                hovertemplate="%{x:g}: %{y:.0f}<extra></extra>",
            ),
            _plain(c, d / n, name, colour, "dash"),
        ]  # fmt: skip
        columns[text("column.gigaflops")] = curves.gigaflops
        columns[name] = curves.tokens_per_parameter
        n, d = laws[count].optimal(curves.gigaflops * 1e9)
        columns[text("column.by_law", count=name)] = d / n
    spec = plotly_figure(
        *traces, x_title=text("axis.compute_g"), y_title=text("axis.ratio"), log="xy"
    )
    level(spec, 20, text("level.twenty"), log=True)
    spec.update_xaxes(gridcolor=GRID, tickvals=curves.gigaflops)
    spec.update_yaxes(gridcolor=GRID, tickvals=RATIO_TICKS)
    return Figure("plotly", spec, text("alt.ratios"), pd.DataFrame(columns), height=380)


# The model held out.


def predictions(
    found: Extrapolation, revealed: bool, live: Sequence[Progress], text: Text
) -> Figure:
    """What three laws say about the held-out model; what it came to, once it may be seen."""
    traces, columns = [], {text("column.tokens"): found.tokens}
    for form, (middle, low, high) in zip(
        found.forms, found.predicted.transpose(0, 2, 1), strict=True
    ):
        colour, name = theme.MEANING[FORM_ROLES[form]], text(f"form.{form}")
        traces += [
            go.Scatter(
                x=np.concatenate([found.tokens, found.tokens[::-1]]), legendgroup=name,
                y=np.concatenate([low, high[::-1]]), fill="toself", fillcolor=colour, mode="lines",
                opacity=BAND_OPACITY, line={"width": 0}, hoverinfo="skip", showlegend=False,
            ),
            go.Scatter(
                x=found.tokens, y=middle, mode="lines+markers", name=name, legendgroup=name,
                line={"color": colour, "dash": "dash"}, hovertemplate="%{x:.3s}: %{y:.3f}",
            ),
        ]  # fmt: skip
        columns |= {name: middle, f"{name} (5 %)": low, f"{name} (95 %)": high}
    if revealed:
        seeds = found.measured.shape[1]
        traces.append(
            go.Scatter(
                x=np.repeat(found.tokens, seeds), y=found.measured.ravel(), mode="markers",
                name=text("series.measured"), hovertemplate="%{x:.3s}: %{y:.3f}<extra></extra>",
                marker={"size": 9, "color": theme.MEANING["baseline"]},
            )
        )  # fmt: skip
        columns[text("series.measured")] = found.measured.mean(axis=1)
    if live:
        traces.append(
            go.Scatter(
                x=[event.point.tokens for event in live], mode="markers", name=text("series.live"),
                y=[event.point.annealed_nats for event in live],
                marker={"size": 12, "symbol": "diamond", "color": theme.MEANING["live"]},
            )
        )  # fmt: skip
    spec = plotly_figure(*traces, x_title=text("axis.tokens"), y_title=text("axis.loss"), log="x")
    spec.update_xaxes(gridcolor=GRID, exponentformat="SI", tickvals=found.tokens)
    spec.update_yaxes(gridcolor=GRID)
    last = {form: found.predicted[f, -1, 0] for f, form in enumerate(found.forms)}
    alt = text("alt.predictions", **{form: f"{nats:.3f}" for form, nats in last.items()})
    return Figure("plotly", spec, alt, pd.DataFrame(columns), height=420)


def reach(found: Extrapolation, text: Text) -> Figure:
    """How far each law is off, by the largest size that it was fitted to."""
    names = [size_name(n) for n in found.sizes]
    traces = [
        go.Scatter(
            x=names, y=errors, mode="lines+markers", name=text(f"form.{form}"),
            line={"color": theme.MEANING[FORM_ROLES[form]]}, marker={"size": 9},
            hovertemplate="%{x}: %{y:+.3f}",
        )
        for form, errors in zip(found.forms, found.errors, strict=True)
    ]  # fmt: skip
    spec = plotly_figure(*traces, x_title=text("axis.largest"), y_title=text("axis.error"))
    level(spec, 0.0, text("level.exact"))
    spec.update_xaxes(type="category")
    spec.update_yaxes(gridcolor=GRID)
    columns = {text("axis.largest"): names} | {
        text(f"form.{form}"): errors for form, errors in zip(found.forms, found.errors, strict=True)
    }
    alt = text("alt.reach", size=names[-1], free=f"{found.errors[0, -1]:+.3f}")
    return Figure("plotly", spec, alt, pd.DataFrame(columns), height=340)
