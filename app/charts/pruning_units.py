"""Structured pruning and repair: which units go, what is left of size and time, what a little training mends.

Axes: L layers, U units of a layer, N units of the model, M points, S seeds, R rounds.
"""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.bars import stacked
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.charts.pruning import dots, rises
from app.figures import Figure
from app.i18n import Words
from labcore.compression.repair import Look, RepairConfig
from labcore.compression.repair import Study as RepairStudy
from labcore.compression.structured import StructuredConfig, StructuredResult, Study

ROLES = {"alone": "changed", "slope": "guess", "size": "rejected", "random": "baseline"}
REPAIR_ROLES = {
    "magnitude-0.5": "key", "magnitude-0.7": "rejected", "sparsegpt-0.7": "query",
    "neurons-0.5": "chosen", "free-0.7": "gradient", "dense": "baseline",
}  # fmt: skip
GONE = "✕ "


def gone_first(result: StructuredResult, config: StructuredConfig, text: Words) -> Figure:
    """What each head or layer is worth, with a cross on those that went; of neurons, how many by layer."""
    kept = result.kept
    layers = [text("layer", layer=layer) for layer in range(len(kept))]
    if config.unit == "neurons":
        left = kept.sum(axis=1)
        return stacked(
            [
                (text("series.kept"), left.tolist(), "kept"),
                (text("series.gone"), (kept.shape[1] - left).tolist(), "dropped"),
            ],
            layers, text, alt=text("alt.neurons", least=int(left.min()), most=int(left.max())),
            value_title=text("axis.neurons"),
        )  # fmt: skip
    worth, stays = (part.reshape(len(kept), -1) for part in (result.importance, kept))
    columns = (
        [text("head", head=head) for head in range(worth.shape[1])]
        if config.unit == "heads"
        else [text("whole_layer")]
    )
    crosses = np.where(stays, "", GONE)
    labels = [
        [f"{cross}{value:z.3f}" for cross, value in zip(*row, strict=True)]
        for row in zip(crosses, worth, strict=True)
    ]
    spec = plotly_figure(
        go.Heatmap(
            z=worth, x=columns, y=layers, text=labels, texttemplate="%{text}",
            textfont={"size": 14}, coloraxis="coloraxis", xgap=3, ygap=3,
            hovertemplate="%{y}, %{x}: %{z:.4g}<extra></extra>",
        ),
        colours="sequential",
    )  # fmt: skip
    spec.update_layout(coloraxis={"showscale": False})
    spec.update_yaxes(autorange="reversed", type="category")
    row, column = np.indices(worth.shape)
    table = pd.DataFrame(
        {
            text("axis.layer"): row.ravel(), text("column.unit"): np.array(columns)[column.ravel()],
            text("column.worth"): worth.ravel(), text("series.kept"): stays.ravel(),
        }
    )  # fmt: skip
    alt = text("alt.gone_first", gone=int((~kept).sum()), of=kept.size)
    return Figure("plotly", spec, alt, table, 320)


def times(result: StructuredResult, text: Words) -> Figure:
    """One dot per timed pass, before and after."""
    names = [text("series.whole"), text("series.smaller")]
    groups = {(text("axis.milliseconds"), "measured"): result.milliseconds}
    return dots(names, groups, text("axis.milliseconds"), text("alt.times"), text("column.case"))


def shares(study: Study, unit: str, text: Words) -> Figure:
    """Rise of the loss over the share of units removed, by whom they were judged."""
    series = [
        rises(
            text(f"option.importance.{kind}"),
            study.shares[unit],
            runs - study.dense_nats,
            ROLES[kind],
        )
        for kind, runs in study.losses[unit].items()
    ]
    return curve(
        series, x_title=text(f"axis.removed.{unit}"), y_title=text("axis.rise"), log_y=True,
        x_range=(0, 0.8), height=360, alt=text("alt.shares"),
    )  # fmt: skip


def alone(study: Study, unit: str, text: Words) -> Figure:
    """By how much the loss rises when one head or one layer alone is silent; one dot per set of stories."""
    rises = study.first[unit].T  # (N, S)
    if unit == "heads":
        heads = len(rises) // len(study.first["layers"].T)
        names = [text("layer_head", layer=n // heads, head=n % heads) for n in range(len(rises))]
    else:
        names = [text("layer", layer=n) for n in range(len(rises))]
    order = np.argsort(-rises.mean(axis=1), kind="stable")
    groups = {(text("axis.rise"), "changed"): rises[order]}
    figure = dots(
        [names[at] for at in order], groups, text("axis.rise"), text(f"alt.alone.{unit}"),
        text("column.unit"),
    )  # fmt: skip
    return Figure(figure.kind, figure.spec, figure.alt, figure.table, 110 + 26 * len(names))


def course(looks: list[Look], floor: float | None, config: RepairConfig, text: Words) -> Figure:
    """The pruned model and the whole one under the same steps."""
    steps = [look.step for look in looks]
    pruned, dense = (
        [getattr(look, f"{name}_nats") for look in looks] for name in ("pruned", "dense")
    )
    return curve(
        [
            Series(text("series.pruned"), steps, pruned, "changed", points=True),
            Series(text("series.untouched"), steps, dense, "baseline", points=True),
        ],
        x_title=text("axis.step"), y_title=text("axis.nats"), x_range=(0, config.steps),
        floor=None if floor is None else (floor, text("series.floor")), height=320,
        alt=text("alt.course", before=f"{pruned[0]:.2f}", after=f"{pruned[-1]:.2f}"),
    )  # fmt: skip


def repairs(study: RepairStudy, text: Words) -> Figure:
    """Every recorded way: means over seeds with bands."""
    series = [
        rises(text(f"case.{name}"), study.steps, runs, REPAIR_ROLES[name])
        for name, runs in study.losses.items()
    ]
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.nats"),
        floor=(study.floor_nats, text("series.floor")), height=380, alt=text("alt.repairs"),
    )  # fmt: skip


def repair_ends(study: RepairStudy, text: Words) -> pd.DataFrame:
    """Before and after, lowest to highest of the seeds, and the zeros that are left."""

    def span(values: np.ndarray) -> str:
        return f"{values.min():.3f} – {values.max():.3f}"

    zeros = {name: f"{shares[:, 1].mean():.0%}" for name, shares in study.zero_share.items()}
    return pd.DataFrame(
        {
            text("column.case"): [text(f"case.{name}") for name in study.losses],
            text("column.before"): [span(runs[:, 0]) for runs in study.losses.values()],
            text("column.after"): [span(runs[:, -1]) for runs in study.losses.values()],
            text("column.zeros"): [zeros.get(name, "0%") for name in study.losses],
        }
    )
