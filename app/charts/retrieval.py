"""Pictures of a search: where each method puts a piece, and how well it does over many questions.

Axes: C pieces, M methods, P sizes. A title may be a learner's: it is escaped wherever Plotly would read tags.
"""

from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.bars import grouped
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.retrieval.finding import METHODS, Finding, Judged
from labcore.retrieval.finding_study import FindingStudy
from labcore.retrieval.library import KINDS, LANGUAGES

ROLES = {"bm25": "guess", "minilm": "changed", "fused": "divergence"}
MEASURES = ("recall", "reciprocal", "ndcg")
MOST_LINES = 12


def places(result: Finding, text: Words) -> Figure:
    """One line per piece that any method has among its first, through its place in each method."""
    methods = list(result.found)
    shown = list(dict.fromkeys(one.chunk for method in methods for one in result.found[method]))
    shown = [*(one for one in sorted(result.answering) if one not in shown), *shown]
    unfound = len(result.chunks) + 1
    rows = []
    for chunk in shown[:MOST_LINES]:
        at = [int(result.places[method][chunk]) for method in methods]
        rows.append((chunk, at, name_of(result, chunk)))
    names = [text(f"method.{method}") for method in methods]
    traces = [
        go.Scatter(
            x=names, y=[place or unfound for place in at], mode="lines+markers+text",
            name=escape(name), showlegend=False,
            text=[f"{place}" if place else "–" for place in at], textposition="top center",
            line={
                "color": theme.MEANING["kept" if chunk in result.answering else "baseline"],
                "width": 4 if chunk in result.answering else 1.5,
            },
            marker={"size": 9},
            hovertemplate=f"{escape(name)}<extra></extra>",
        )
        for chunk, at, name in rows
    ]  # fmt: skip
    spec = plotly_figure(*traces, y_title=text("axis.place"), log=("y",))
    spec.update_yaxes(range=[np.log10(unfound * 1.3), np.log10(0.7)], tickvals=ticks(unfound))
    spec.update_xaxes(range=[-0.3, len(methods) - 0.7])
    table = pd.DataFrame(
        {text("column.piece"): [name for _, _, name in rows]}
        | {name: [at[n] for _, at, _ in rows] for n, name in enumerate(names)}
    )
    holding = list(result.answering)
    best = [min(result.places[method][holding], default=0) for method in methods]
    alt = text(
        "alt.places", pieces=len(rows), all=len(result.chunks),
        places=", ".join(f"{name} {at or '–'}" for name, at in zip(names, best, strict=True)),
    )  # fmt: skip
    return Figure("plotly", spec, alt, table, 340)


def ticks(most: int) -> list[int]:
    return [tick for tick in (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000) if tick < most]


def name_of(result: Finding, chunk: int) -> str:
    """A piece by its document's title and its place in it."""
    one = result.chunks[chunk]
    before = sum(other.document == one.document for other in result.chunks[:chunk])
    return f"{result.documents[one.document].title} · {before + 1}"


def judged(result: Judged, text: Words, top: int) -> Figure:
    """Recall, MRR and nDCG of each method, for the two ways of asking."""
    kinds = np.array(result.kinds)
    bars = [f"{text(f'measure.{name}', top=top)}, {text(f'kind.{kind}')}"
            for kind in KINDS for name in MEASURES]  # fmt: skip
    parts = [
        (
            text(f"method.{method}"),
            [getattr(result, name)[method][kinds == kind].mean() for kind in KINDS for name in MEASURES],
            ROLES[method],
        )
        for method in result.recall
    ]  # fmt: skip
    means = ", ".join(f"{name} {np.mean(values):.2f}" for name, values, _ in parts)
    return grouped(
        parts, bars, text, alt=text("alt.judged", means=means), value_title=text("axis.judged")
    )


def by_size(study: FindingStudy, language: str, text: Words) -> Figure:
    """Recall over the size of the pieces, under the share of questions whose evidence is whole."""
    series = [
        Series(
            text(f"method.{method}"), study.sizes, study.recall[f"{language}-{method}"],
            ROLES[method], points=True,
        )
        for method in METHODS
    ]  # fmt: skip
    whole = 1 - study.torn[language]
    series.append(Series(text("series.whole"), study.sizes, whole, "floor", dashed=True))
    last = ", ".join(f"{one.name} {one.y[0]:.0%}–{one.y[-1]:.0%}" for one in series)
    return curve(
        series, x_title=text("axis.chunk_words"), y_title=text("axis.recall3"), y_range=(0, 1),
        log_x=True, x_range=(float(study.sizes[0]), float(study.sizes[-1])),
        alt=text("alt.by_size", values=last), height=340,
    )  # fmt: skip


def by_kind(study: FindingStudy, text: Words) -> Figure:
    """MRR of each method, by language and way of asking, with the interval over questions."""
    groups = [f"{language}-{kind}" for language in LANGUAGES for kind in KINDS]
    names = [
        f"{text(f'option.library.{language}')}<br>{text(f'kind.{kind}')}"
        for language in LANGUAGES
        for kind in KINDS
    ]
    traces, rows = [], []
    for n, method in enumerate(METHODS):
        mean = np.array([study.by_kind[group][n] for group in groups])
        ends = np.array([study.interval[group][n] for group in groups])
        traces.append(
            go.Bar(
                x=names, y=mean, name=text(f"method.{method}"),
                marker={"color": theme.MEANING[ROLES[method]]},
                error_y={
                    "type": "data", "symmetric": False, "array": np.clip(ends[:, 1] - mean, 0, None),
                    "arrayminus": np.clip(mean - ends[:, 0], 0, None),
                    "color": theme.MEANING["neutral"], "thickness": 1.5, "width": 4,
                },
                hovertemplate="%{y:.2f}<extra>%{fullData.name}</extra>",
            )
        )  # fmt: skip
        rows += [
            (name.replace("<br>", ", "), text(f"method.{method}"), value, *interval)
            for name, value, interval in zip(names, mean, ends, strict=True)
        ]
    spec = plotly_figure(*traces, y_title=text("measure.reciprocal", top=3), barmode="group")
    spec.update_yaxes(range=[0, 1.05])
    table = pd.DataFrame(
        rows,
        columns=[
            text("column.asked"),
            text("column.method"),
            "MRR",
            text("column.low"),
            text("column.high"),
        ],
    )
    values = "; ".join(f"{a}, {m}: {v:.2f}" for a, m, v, *_ in rows)
    return Figure("plotly", spec, text("alt.by_kind", values=values), table, 380)
