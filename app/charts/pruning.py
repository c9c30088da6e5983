"""Pruning of single weights: which are gone, what that did to each matrix, what it costs over the ratio.

Axes: W matrices, O outputs, I inputs, S seeds, R ratios, N names.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts import maps
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.compression.unstructured import Study, UnstructuredConfig, UnstructuredResult

ROW_PIXELS = 40
LEAST_RISE = (1e-4, 10.0)  # nats
ROLES = {
    "random": "baseline",
    "magnitude": "gradient",
    "magnitude-model": "rejected",
    "wanda": "chosen",
    "sparsegpt": "query",
}


def losses(
    study: Study, planted: bool, own: tuple[UnstructuredConfig, UnstructuredResult], text: Words
) -> Figure:
    """Rise of the loss over the ratio for every method, and the learner's own point among them.

    On a logarithmic axis, for it spans four powers of ten; what is no rise is left out.
    """
    cases = study.losses["planted" if planted else "clean"]
    series = [
        rises(text(f"case.{name}"), study.ratios, runs - study.dense_nats, ROLES[name])
        for name, runs in cases.items()
    ]
    config, result = own
    ratio, rise = (
        0.5 if config.compared == "n:m" else config.ratio,
        result.loss_nats - result.dense_nats,
    )
    series.append(Series(text("series.own"), [ratio], [rise], "live", points=True))
    return curve(
        series, x_title=text("axis.ratio"), y_title=text("axis.rise"), log_y=True,
        x_range=(0, 1), y_range=LEAST_RISE, height=400, alt=text("alt.losses", rise=f"{rise:.3f}"),
    )  # fmt: skip


def rises(name: str, x: np.ndarray, runs: np.ndarray, role: str) -> Series:
    """The mean over seeds with a band from the lowest to the highest.  runs (S, R)"""
    spread = (runs.min(axis=0), runs.max(axis=0))
    return Series(name, x, runs.mean(axis=0), role, points=True, spread=spread)


def by_matrix(result: UnstructuredResult, what: str, text: Words) -> Figure:
    """Layers down, matrices across: the share of zeros, or by how much the output is off."""
    values = {"zeros": result.zero_share, "error": result.output_error}[what]
    kinds = list(dict.fromkeys(name.rpartition(".")[2] for name in result.names))
    grid = values.reshape(-1, len(kinds))  # (L, 6)
    return maps.matrix(
        grid, [text("layer", layer=layer) for layer in range(len(grid))], kinds, text,
        alt=text(f"alt.by_matrix.{what}", low=f"{values.min():.2f}", high=f"{values.max():.2f}"),
        row_title=text("axis.layer"), column_title=text("axis.matrix"),
        value_title=text(f"axis.{what}"), signed=False,
        bounds=(0.0, 1.0 if what == "zeros" else float(values.max()) or 1.0), height=300,
    )  # fmt: skip


def mask(result: UnstructuredResult, name: str, text: Words) -> Figure:
    """A matrix as it stands: dark where a weight is left."""
    kept = result.kept[name]
    spec = plotly_figure(
        go.Heatmap(
            z=kept.astype(np.uint8), zmin=0, zmax=1, coloraxis="coloraxis",
            hovertemplate="%{y}, %{x}: %{z}<extra></extra>",
        ),
        x_title=text("axis.inputs"), y_title=text("axis.outputs"), colours="sequential",
    )  # fmt: skip
    spec.update_yaxes(autorange="reversed")
    spec.update_layout(coloraxis={"cmin": 0, "cmax": 1, "showscale": False})
    columns = (~kept).mean(axis=0)  # (I,)
    table = pd.DataFrame({text("axis.inputs"): range(len(columns)), text("axis.zeros"): columns})
    alt = text("alt.mask", name=name, zeros=f"{1 - kept.mean():.0%}")
    return Figure("plotly", spec, alt, table, 420)


def two_four(study: Study, text: Words) -> Figure:
    """2:4 by every method, with and without planted outliers; one dot per seed."""
    return dots(
        [text(f"option.method.{name}") for name in study.two_four["clean"]],
        {
            (text(f"series.{which}"), role): np.stack(list(study.two_four[which].values()))
            for which, role in (("clean", "baseline"), ("planted", "changed"))
        },
        text("axis.nats"), text("alt.two_four"), text("column.case"), log=True,
    )  # fmt: skip


def dots(
    names: Sequence[str],
    groups: dict[tuple[str, str], np.ndarray],
    x_title: str,
    alt: str,
    name_title: str,
    log: bool = False,
) -> Figure:
    """One row per name, one dot per run.  (label, role): (N, S)"""
    traces = [
        go.Scatter(
            x=values.ravel(), y=np.repeat(names, values.shape[1]), mode="markers", name=label,
            marker={"size": 10, "color": theme.MEANING[role]}, opacity=0.8,
            hovertemplate="%{y}: %{x:.4g}<extra></extra>",
        )
        for (label, role), values in groups.items()
    ]  # fmt: skip
    spec = plotly_figure(
        *traces, x_title=x_title, showlegend=len(groups) > 1, log="x" if log else ""
    )
    spec.update_yaxes(autorange="reversed", type="category")
    table = pd.concat(
        [
            pd.DataFrame(
                {
                    name_title: list(names), x_title: label,
                    "min": values.min(axis=1), "mean": values.mean(axis=1), "max": values.max(axis=1),
                }
            )
            for (label, _), values in groups.items()
        ]
    )  # fmt: skip
    return Figure("plotly", spec, alt, table, 110 + ROW_PIXELS * len(names))
