"""Induction heads: a circuit that forms, its controls, and what is left of it under the knife.

Axes: M looks, L layers, H heads, T positions, R runs (seeds), P tested periods.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts import bars
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.charts.maps import attention_grid, matrix
from app.figures import Figure
from app.i18n import Words
from labcore.architecture.induction import InductionConfig, InductionResult, Look
from labcore.architecture.induction_cases import Case, Comparison
from labcore.architecture.induction_text import TextResult

CASE_ROLES = {"two": "query", "one": "key", "wide": "value", "fixed": "divergence"}
NAMED = 0.2  # the score from which a map carries the name of its pattern
ROW_PIXELS = 34


# A run on its time axis.


def circuit(looks: Sequence[Look], config: InductionConfig, text: Words) -> Figure:
    """What the model gets right, and how far its best heads follow the two patterns."""
    steps = [look.step for look in looks]

    def line(name: str, measure, role: str, dashed: bool = False) -> Series:
        return Series(text(name), steps, [measure(look) for look in looks], role, dashed)

    series = [line("series.accuracy", lambda look: look.own.accuracy, "chosen")]
    if config.period == "fixed":
        series.append(line("series.hard", lambda look: look.hard.accuracy, "rejected", True))
    series += [
        line("series.previous", lambda look: look.own.previous.max(), "key"),
        line("series.induction", lambda look: look.own.induction.max(), "query"),
    ]
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.share"), y_range=(0, 1),
        x_range=(0, config.steps),
        alt=text("alt.circuit", step=steps[-1], accuracy=f"{looks[-1].own.accuracy:.2f}"),
    )  # fmt: skip


def losses(looks: Sequence[Look], config: InductionConfig, text: Words) -> Figure:
    """The loss where copying helps, and where nothing does; the floor of the latter."""
    steps, floor = [look.step for look in looks], looks[0].floor_new_nats
    return curve(
        [
            Series(text("series.new"), steps, [look.own.nats_new for look in looks], "validation"),
            Series(text("series.known"), steps, [look.own.nats_known for look in looks], "train"),
        ],
        x_title=text("axis.step"), y_title=text("axis.nats"), x_range=(0, config.steps),
        y_range=(0, None), floor=(floor, text("series.floor", nats=f"{floor:.2f}")), height=260,
        alt=text("alt.losses", known=f"{looks[-1].own.nats_known:.2f}",
                 new=f"{looks[-1].own.nats_new:.2f}"),
    )  # fmt: skip


# The controls, over several seeds.


def controls(comparison: Comparison, looks: Sequence[Look] | None, text: Words) -> Figure:
    """Accuracy of every case: the mean over seeds, with a band from the worst to the best."""
    series = [
        _banded(text(f"case.{name}"), case.steps, case.accuracy, CASE_ROLES[name])
        for name, case in comparison.cases.items()
    ]
    if looks:
        mine = [look.own.accuracy for look in looks]
        steps = [look.step for look in looks]
        series.append(Series(text("series.mine"), steps, mine, "rejected", True))
    last = {name: float(case.accuracy[:, -1].mean()) for name, case in comparison.cases.items()}
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.accuracy"), y_range=(0, 1),
        alt=text("alt.controls", two=f"{last['two']:.2f}", one=f"{last['one']:.2f}",
                 fixed=f"{last['fixed']:.2f}"),
    )  # fmt: skip


def by_period(comparison: Comparison, result: InductionResult | None, text: Words) -> Figure:
    """Accuracy on rows of each period, also those never trained on."""
    series = [
        _banded(text(f"case.{name}"), case.tested_periods, case.by_period, CASE_ROLES[name])
        for name, case in comparison.cases.items()
        if name != "wide"
    ]
    if result is not None:
        x, y = result.tested_periods, result.by_period
        series.append(Series(text("series.mine"), x, y, "rejected", True, points=True))
    tested = comparison.cases["two"].tested_periods
    return curve(
        series, x_title=text("axis.period"), y_title=text("axis.accuracy"), y_range=(0, 1),
        x_range=(int(tested[0]), int(tested[-1])), alt=text("alt.by_period"),
    )  # fmt: skip


def _banded(name: str, x: np.ndarray, runs: np.ndarray, role: str) -> Series:
    """(R, M) -> the mean over runs with its spread."""
    return Series(name, x, runs.mean(axis=0), role, spread=(runs.min(axis=0), runs.max(axis=0)))


def impostor(comparison: Comparison, text: Words) -> Figure:
    """The induction score of the best head, on the rows it was trained on and on random periods."""
    names = [name for name in ("two", "fixed", "one") if name in comparison.cases]
    cases = [comparison.cases[name] for name in names]
    return dots(
        [text(f"case.{name}") for name in names],
        {
            "own": [case.induction[:, -1] for case in cases],
            "hard": [case.hard_induction[:, -1] for case in cases],
        },
        {"own": ("query", "circle"), "hard": ("rejected", "diamond-open")},
        text, x_title=text("axis.score"), alt=text("alt.impostor"), prefix="exam",
    )  # fmt: skip


def surgery_over_seeds(case: Case, text: Words) -> Figure:
    """Every cut, with one dot per seed."""
    wires = {name: case.wires[:, place] for place, name in enumerate(case.conditions)}
    cuts = {
        "intact": wires["intact"],
        "one_second": case.head_off[:, 1].min(axis=1),
        "all_second": case.layer_off[:, 1],
        "least_first": case.head_off[:, 0].max(axis=1),
        "most_first": case.head_off[:, 0].min(axis=1),
        "all_first": wires["silent"],
        "queries": wires["queries"],
        "values": wires["values"],
        "keys": wires["keys"],
        "only_keys": wires["only_keys"],
    }
    return dots(
        [text(f"cut.{name}") for name in cuts], {"accuracy": list(cuts.values())},
        {"accuracy": ("query", "circle")}, text, x_title=text("axis.accuracy"),
        alt=text("alt.surgery", runs=len(case.wires)), prefix="series",
    )  # fmt: skip


def dots(
    rows: Sequence[str], groups: dict[str, list[np.ndarray]], looks: dict[str, tuple[str, str]],
    text: Words, *, x_title: str, alt: str, prefix: str,
) -> Figure:  # fmt: skip
    """One dot per seed: `groups[name][row]` holds a value for each run."""
    traces = [
        go.Scatter(
            x=np.concatenate(values), y=np.repeat(list(rows), [len(one) for one in values]),
            mode="markers", name=text(f"{prefix}.{name}"), opacity=0.75,
            marker={"size": 11, "color": theme.colour(role), "symbol": symbol,
                    "line": {"width": 2, "color": theme.colour(role)}},
            hovertemplate="%{x:.3f}<extra></extra>",
        )
        for (name, values), (role, symbol) in zip(groups.items(), looks.values(), strict=True)
    ]  # fmt: skip
    figure = plotly_figure(*traces, x_title=x_title, showlegend=len(groups) > 1)
    figure.update_yaxes(autorange="reversed", categoryorder="array", categoryarray=list(rows))
    figure.update_xaxes(range=[-0.03, 1.03], gridcolor="rgba(128,128,128,0.25)")
    table = pd.DataFrame(
        [
            {text("column.what"): row, text("column.group"): text(f"{prefix}.{name}"),
             text("column.mean"): values[place].mean(), text("column.low"): values[place].min(),
             text("column.high"): values[place].max(), text("column.runs"): len(values[place])}
            for name, values in groups.items()
            for place, row in enumerate(rows)
        ]
    )  # fmt: skip
    return Figure("plotly", figure, alt, table, 90 + ROW_PIXELS * len(rows))


# The heads.


def maps(look: Look, probe: Sequence[str], text: Words, selected: int) -> Figure:
    """All heads of all layers at one moment, on a row that is told three times.

    Selects {"head", "row", "column"}; heads are counted through the layers.
    """
    layers, heads = look.maps.shape[:2]
    scores = {"induction": look.own.induction, "previous": look.own.previous}
    names, labels = [], []
    for layer, head in np.ndindex(layers, heads):
        labels.append(text("head.short", layer=layer, head=head))
        best = max(scores, key=lambda name: scores[name][layer, head])
        score = float(scores[best][layer, head])
        named = score >= NAMED
        names.append(text(f"pattern.{best}.scored", score=f"{score:.2f}") if named else None)
    return attention_grid(
        look.maps.reshape(-1, *look.maps.shape[2:]) / np.float32(255), probe, probe, text,
        causal=True, height=700, head_labels=labels, patterns=names, selected=selected,
        alt=text("alt.maps", step=look.step),
    )  # fmt: skip


def head_off(accuracy: np.ndarray, text: Words) -> Figure:
    """Accuracy with each head silent, (L, H).  Selects {"row", "column"}: layer and head."""
    layers, heads = accuracy.shape
    return matrix(
        accuracy,
        [text("layer", number=layer) for layer in range(layers)],
        [text("head.name", number=head) for head in range(heads)],
        text, row_title=text("axis.layer"), column_title=text("axis.head"),
        value_title=text("axis.accuracy"), bounds=(0.0, 1.0), signed=False, height=300,
        alt=text("alt.head_off", low=f"{accuracy.min():.2f}", high=f"{accuracy.max():.2f}"),
    )  # fmt: skip


def wires(accuracy: dict[str, float], text: Words) -> Figure:
    """Accuracy under each cut, as bars."""
    cut = min(accuracy, key=accuracy.get)
    return bars.stacked(
        [(text("axis.accuracy"), list(accuracy.values()), "query")],
        [text(f"condition.{name}") for name in accuracy], text,
        value_title=text("axis.accuracy"), height=80 + bars.BAR_PIXELS * len(accuracy),
        alt=text("alt.wires", low=f"{accuracy[cut]:.2f}", cut=text(f"condition.{cut}")),
    )  # fmt: skip


def told(result: TextResult, text: Words) -> Figure:
    """What each token of the later tellings gets, under each cut.  (C, T)"""
    return matrix(
        result.chances,
        [text(f"condition.{name}") for name in result.conditions],
        result.labels,
        text, row_title=text("axis.condition"), column_title=text("axis.token"),
        value_title=text("axis.chance"), bounds=(0.0, 1.0), signed=False, height=320,
        alt=text("alt.told", tokens=len(result.labels)),
    )  # fmt: skip
