"""Open models on a map: date across, parameters upwards; and what fits into a memory.

Axes: M models.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.bars import stacked
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.ecosystem.catalogue import OpenModel
from labcore.ecosystem.fit import Fit

BILLION, TRILLION = 1e9, 1e12
KIND_ROLE = {"open": "kept", "conditions": "optimizer", "research": "rejected"}
ATTENTION_ROLE = {"mha": "baseline", "gqa": "query", "mla": "value", "sliding": "key"}
NAMED = 14  # names fit while there are no more points than this


def link(source: str) -> str:
    """An address that a browser opens."""
    return source.replace("arXiv:", "https://arxiv.org/abs/")


def model_map(models: Sequence[OpenModel], colour: str, text: Words) -> Figure:
    """Circles are dense models, diamonds mixtures, whose second, smaller mark is what a token meets."""
    roles = KIND_ROLE if colour == "licence" else ATTENTION_ROLE
    traces = []
    for value, role in roles.items():
        here = [one for one in models if _value(one, colour) == value]
        if not here:
            continue
        traces.append(
            go.Scatter(
                x=[one.year for one in here], y=[one.parameters / BILLION for one in here],
                mode="markers+text" if len(models) <= NAMED else "markers",
                text=[one.name for one in here], textposition="top center", cliponaxis=False,
                name=text(f"{colour}.{value}"),
                marker={
                    "color": theme.MEANING[role], "size": 12, "opacity": 0.85,
                    "symbol": ["diamond" if one.active else "circle" for one in here],
                },
                customdata=[[one.name, one.date, one.licence.name] for one in here],
                hovertemplate="%{customdata[0]} (%{customdata[1]})<br>%{y:.3g} B · %{customdata[2]}"
                "<extra></extra>",
            )
        )  # fmt: skip
    mixtures = [one for one in models if one.active]
    if mixtures:
        traces.append(
            go.Scatter(
                x=np.ravel([[one.year, one.year, np.nan] for one in mixtures]),
                y=np.ravel([[one.parameters / BILLION, one.active / BILLION, np.nan] for one in mixtures]),
                mode="lines+markers", name=text("series.active"), hoverinfo="skip",
                line={"color": theme.MEANING["baseline"], "width": 1},
                marker={"color": theme.MEANING["baseline"], "size": 5},
            )
        )  # fmt: skip
    figure = plotly_figure(
        *traces, x_title=text("axis.date"), y_title=text("axis.parameters"), log=("y",)
    )
    figure.update_yaxes(dtick=1)
    figure.update_xaxes(dtick=1, tickformat="d")
    alt = text("alt.map", count=len(models), first=models[0].name, last=models[-1].name)
    return Figure("plotly", figure, alt, table(models, text), 460)


def _value(one: OpenModel, colour: str) -> str:
    return one.licence.kind if colour == "licence" else one.attention


def table(models: Sequence[OpenModel], text: Words) -> pd.DataFrame:
    """Every row with its facts and its first source; what is not published stays empty."""
    return pd.DataFrame([
        {
            text("column.model"): one.name,
            text("column.maker"): one.maker,
            text("column.date"): one.date,
            text("column.parameters"): one.parameters / BILLION,
            text("column.active"): one.active / BILLION if one.active else None,
            text("column.context"): one.context,
            text("column.attention"): text(f"attention.{one.attention}"),
            text("column.licence"): one.licence.name,
            text("column.tokens"): one.tokens / TRILLION if one.tokens else None,
            text("column.source"): link(one.sources[0]),
        }
        for one in models
    ])  # fmt: skip


def fits(found: Sequence[Fit], memory_gb: float, text: Words) -> Figure:
    """Weights and cache of each model against the memory, smallest first."""
    shown = [one for one in found if one.weights_gb <= 2 * memory_gb] or list(found[:3])
    names = [("✓ " if one.fits else "✗ ") + one.model.name for one in shown]
    return stacked(
        [
            (text("series.weights"), [one.weights_gb for one in shown], "parameters"),
            (text("series.cache"), [one.cache_gb or 0.0 for one in shown], "value"),
        ],
        names, text, value_title=text("axis.gigabytes"), height=90 + 26 * len(shown),
        alt=text("alt.fits", count=sum(one.fits for one in found), memory=f"{memory_gb:g}"),
    )  # fmt: skip
