"""Reward models of several seeds, answers that nobody labelled, and a person's own choices.

Axes: S seeds, C causes of worth, M numbers of marks, N choices.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.charts.reward import KIND_ROLES
from app.figures import Figure
from app.i18n import Words
from labcore.tuning.preferences import CAUSES
from labcore.tuning.reward import flattened
from labcore.tuning.reward_labels import FIRST, SAME, Labels
from labcore.tuning.reward_probe import Misread
from labcore.tuning.reward_study import Strangers, Study
from labcore.tuning.sums import MOST_MARKS

ROW_PIXELS = 44
CERTAIN = 1.96  # standard errors either side of a 95 % interval
DASHES = {"informed": False, "no-taste": True, "shallow": False, "shallow-no-taste": True}


# Several seeds.


def case_name(name: str, group: str, text: Words) -> str:
    """A case may go by another name where it is compared with others."""
    return text.find(f"case.{group}.{name}") or text(f"case.{name}")


def found(study: Study, names: Sequence[str], cause: str, group: str, text: Words) -> Figure:
    """The worth of one cause in every case: planted, in the pairs, found; a dot per seed."""
    at, cases = CAUSES.index(cause), [study.cases[name] for name in names]
    rows = [
        ("planted", "baseline", "diamond", [case.planted[at : at + 1] for case in cases]),
        ("fitted", "key", "circle-open", [case.fitted[:, at] for case in cases]),
        ("found", "changed", "circle", [case.found[:, at] for case in cases]),
    ]
    title = text(f"axis.worth.{cause}")
    return _dots(
        rows,
        [case_name(name, group, text) for name in names],
        title,
        text(f"alt.found.{cause}"),
        text,
    )


def score(study: Study, names: Sequence[str], measure: str, group: str, text: Words) -> Figure:
    """Pair accuracy beside the best possible, or the calibration error."""
    cases = [study.cases[name] for name in names]
    rows = [(measure, "changed", "circle", [getattr(case, measure) for case in cases])]
    if measure == "accuracy":
        best = [np.array([case.best_accuracy]) for case in cases]
        rows.insert(0, ("best", "baseline", "diamond", best))
    labels = [case_name(name, group, text) for name in names]
    return _dots(rows, labels, text(f"axis.{measure}"), text(f"alt.score.{measure}"), text)


def _dots(
    rows: Sequence[tuple[str, str, str, Sequence[np.ndarray]]],
    labels: Sequence[str], title: str, alt: str, text: Words,
) -> Figure:  # fmt: skip
    """rows: name, role, symbol, and per label the values."""
    traces, tables = [], []
    for name, role, symbol, values in rows:
        traces.append(
            go.Scatter(
                x=np.concatenate(values), y=np.repeat(labels, [len(one) for one in values]),
                mode="markers", name=text(f"series.{name}"), opacity=0.85,
                marker={
                    "size": 11, "color": theme.MEANING[role], "symbol": symbol,
                    "line": {"width": 2, "color": theme.MEANING[role]} if "open" in symbol else None,
                },
                hovertemplate="%{x:.3f}<extra></extra>",
            )
        )  # fmt: skip
        columns = {
            text("column.case"): labels,
            text("column.measure"): text(f"series.{name}"),
            text("column.mean"): [round(float(one.mean()), 3) for one in values],
            text("column.low"): [round(float(one.min()), 3) for one in values],
            text("column.high"): [round(float(one.max()), 3) for one in values],
        }
        tables.append(pd.DataFrame(columns))
    figure = plotly_figure(*traces, x_title=title, showlegend=len(rows) > 1)
    figure.update_yaxes(autorange="reversed")
    height = 110 + ROW_PIXELS * len(labels)
    return Figure("plotly", figure, alt, pd.concat(tables), height)


def dependence(study: Study, names: Sequence[str], text: Words) -> Figure:
    """What marks add to a right answer: means over seeds with bands."""
    series = []
    for name in names:
        right = study.cases[name].dependence[:, 0]  # (S, M)
        gain = right - right[:, :1]
        role = KIND_ROLES["shallow" if "shallow" in name else "informed"]
        series.append(
            Series(
                text(f"case.{name}"), np.arange(gain.shape[1]), gain.mean(axis=0), role,
                dashed=DASHES[name], points=True, spread=(gain.min(axis=0), gain.max(axis=0)),
            )
        )  # fmt: skip
    return curve(
        series, x_title=text("axis.marks"), y_title=text("axis.gain"),
        marks=[(MOST_MARKS, text("mark.seen"))], height=320, alt=text("alt.gain"),
    )  # fmt: skip


def flattening(study: Study, names: Sequence[str], text: Words) -> Figure:
    """What being right seems to be worth to a rater whose hand slips: the formula, and what was found."""
    at, planted = CAUSES.index("right"), float(study.cases[names[0]].planted[0])
    slips = np.linspace(0, 0.4, 41)
    where = [float(name.split("-")[1]) if "-" in name else 0.0 for name in names]
    series = [
        Series(text("series.formula"), slips, [flattened(planted, one) for one in slips], "formula")
    ]
    for measure, role in (("fitted", "key"), ("found", "changed")):
        values = np.stack([getattr(study.cases[name], measure)[:, at] for name in names])  # (C, S)
        series.append(
            Series(
                text(f"series.{measure}"), where, values.mean(axis=1), role, points=True,
                spread=(values.min(axis=1), values.max(axis=1)),
            )
        )  # fmt: skip
    return curve(
        series, x_title=text("axis.slips"), y_title=text("axis.worth.right"), height=300,
        alt=text("alt.flattening"),
    )  # fmt: skip


# Answers that nobody labelled.


def strangers(result: Strangers, text: Words) -> Figure:
    """Rewards above a right answer without marks, one dot per seed and kind of model."""
    first = next(iter(result.probes.values()))[0]
    rows = [
        (
            "planted",
            "baseline",
            "diamond",
            [first.planted[at : at + 1] for at in range(len(first.names))],
        )
    ]
    for kind, probes in result.probes.items():
        means = np.stack([probe.mean for probe in probes])  # (S, kinds of answer)
        rows.append((kind, KIND_ROLES[kind], "circle", list(means.T)))
    labels = [text(f"stranger.{name}") for name in first.names]
    return _dots(rows, labels, text("axis.above"), text("alt.strangers"), text)


def misread(result: Misread, text: Words) -> Figure:
    """Scores at the padding over scores at the end: on the dashed line they would agree."""
    low, high = (
        float(
            bound(
                [bound(one) for one in (result.at_end, result.at_padding, result.in_narrower_rows)]
            )
        )
        for bound in (np.min, np.max)
    )
    honest = go.Scatter(
        x=[low, high], y=[low, high], mode="lines", name=text("series.agree"), hoverinfo="skip",
        line={"color": theme.MEANING["floor"], "dash": "dash", "width": 1.5},
    )  # fmt: skip
    dots = [
        go.Scatter(
            x=result.at_end, y=values, mode="markers", name=text(f"series.{name}"), opacity=0.6,
            marker={"size": 7, "color": theme.MEANING[role], "symbol": symbol},
            hovertemplate="%{x:.2f} → %{y:.2f}<extra></extra>",
        )
        for name, values, role, symbol in (
            ("wide", result.at_padding, "rejected", "x"),
            ("narrow", result.in_narrower_rows, "key", "circle"),
        )
    ]  # fmt: skip
    figure = plotly_figure(
        honest, *dots, x_title=text("axis.at_end"), y_title=text("axis.at_padding")
    )
    table = pd.DataFrame(
        {
            text("axis.at_end"): result.at_end.round(3),
            text("series.wide"): result.at_padding.round(3),
            text("series.narrow"): result.in_narrower_rows.round(3),
        }
    )
    return Figure("plotly", figure, text("alt.misread"), table, 340)


def padding(result: Strangers, text: Words) -> Figure:
    """Pair accuracy of the same models, read where the answer ends and in the last column."""
    labels = [text(f"option.kind.{kind}") for kind in result.probes]
    rows = [
        (
            place, role, symbol,
            [np.array([getattr(probe, place) for probe in probes]) for probes in result.probes.values()],
        )
        for place, role, symbol in (("at_end", "changed", "circle"), ("at_padding", "rejected", "x"))
    ]  # fmt: skip
    return _dots(rows, labels, text("axis.accuracy"), text("alt.padding"), text)


# A person's own choices.


def own_worths(labels: Labels, planted: Sequence[float] | None, text: Words) -> Figure:
    """Worths with their 95 % intervals; a known rater's own beside them."""
    names = [text(f"cause.{cause}") for cause in CAUSES]
    width = CERTAIN * labels.errors
    dots = go.Scatter(
        x=labels.worths, y=names, mode="markers", name=text("series.own"),
        marker={"size": 12, "color": theme.MEANING["changed"]},
        error_x={"type": "data", "array": width, "color": theme.MEANING["changed"], "thickness": 2},
        hovertemplate="%{x:.2f}<extra></extra>",
    )  # fmt: skip
    traces = [dots]
    if planted is not None:
        traces.append(
            go.Scatter(
                x=list(planted), y=names, mode="markers", name=text("series.planted"),
                marker={"size": 11, "color": theme.MEANING["baseline"], "symbol": "diamond"},
            )
        )  # fmt: skip
    figure = plotly_figure(*traces, x_title=text("axis.worth"), showlegend=planted is not None)
    figure.update_yaxes(autorange="reversed")
    figure.add_vline(0, line={"color": theme.MEANING["floor"], "dash": "dash", "width": 1.5})
    table = pd.DataFrame(
        {
            text("column.cause"): names,
            text("axis.worth"): labels.worths.round(2),
            text("column.low"): (labels.worths - width).round(2),
            text("column.high"): (labels.worths + width).round(2),
        }
    )
    return Figure("plotly", figure, text("alt.own_worths"), table, 240)


def foretold(labels: Labels, choices: str, text: Words) -> Figure:
    """The chance that each choice was given beforehand."""
    numbers = np.arange(1, len(choices) + 1)
    first = np.array([choice == FIRST for choice in choices.lower()])
    given = np.where(first, labels.foretold, 1 - labels.foretold)
    told = np.array([choice != SAME for choice in choices.lower()]) & np.isfinite(given)
    hit = given > 0.5
    traces = [
        go.Bar(
            x=numbers[told & which], y=given[told & which], name=text(f"series.{name}"),
            marker_color=theme.MEANING[role], hovertemplate="%{x}: %{y:.0%}<extra></extra>",
        )
        for name, role, which in (("hit", "kept", hit), ("miss", "dropped", ~hit))
    ]  # fmt: skip
    figure = plotly_figure(*traces, x_title=text("axis.choice"), y_title=text("axis.given"))
    figure.update_yaxes(range=[0, 1])
    figure.add_hline(0.5, line={"color": theme.MEANING["floor"], "dash": "dash", "width": 1.5})
    table = pd.DataFrame(
        {text("axis.choice"): numbers[told], text("axis.given"): given[told].round(3)}
    )
    return Figure("plotly", figure, text("alt.foretold"), table, 240)
