"""A run of the Hugging Face script: its course, its cost; LoRA against QLoRA; one model in six formats.

Axes: N steps, E evaluations, S seeds, F formats.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.bars import grouped, stacked
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.charts.maps import token_row
from app.figures import Figure
from app.i18n import Words
from labcore.tuning.hf_beside import BesideResult
from labcore.tuning.hf_run import Course, HFResult
from labcore.tuning.hf_study import Study, Weighed
from labcore.tuning.nf4_study import BLOCKS, NF4Result

ARM_ROLES = {"lora": "baseline", "qlora": "changed", "repacked": "rejected"}


# One run, live or recorded.


def loss(run: Course | HFResult, steps: int, text: Words) -> Figure:
    """Loss of each step's rows, and of the rows kept apart."""
    series = [
        Series(text("series.train"), _steps(run), run.loss, "train", points=steps <= 20),
        Series(text("series.eval"), run.eval_step, run.eval_loss, "validation", points=True),
    ]
    last = f"{run.eval_loss[-1]:.2f}" if len(run.eval_loss) else "–"
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.loss"), x_range=(0, steps),
        alt=text("alt.loss", last=last), height=300,
    )  # fmt: skip


def rates(run: Course | HFResult, steps: int, text: Words) -> Figure:
    series = [
        Series(text("series.gradient"), _steps(run), run.grad_norm, "gradient"),
        Series(text("series.rate"), _steps(run), run.learning_rate, "learning_rate", right=True),
    ]
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.gradient"), x_range=(0, steps),
        right_title=text("axis.rate"), alt=text("alt.rates"), height=240,
    )  # fmt: skip


def cost(run: Course | HFResult, steps: int, text: Words) -> Figure:
    """Time of each step, and the memory of the process."""
    series = [
        Series(text("series.wall"), _steps(run), run.seconds, "idle"),
        Series(text("series.cpu"), _steps(run), run.cpu_seconds, "measured"),
        Series(text("series.rss"), _steps(run), run.rss_bytes / 1e9, "activations", right=True),
    ]
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.seconds"), x_range=(0, steps),
        y_range=(0, None), right_title=text("axis.gigabytes"), alt=text("alt.cost"), height=240,
    )  # fmt: skip


def _steps(run: Course | HFResult) -> np.ndarray:
    return np.arange(1, len(run.loss) + 1)


def files(result: HFResult, text: Words) -> pd.DataFrame:
    """What was saved, the largest first."""
    found = sorted(result.files.items(), key=lambda item: -item[1])
    return pd.DataFrame(
        {
            text("column.file"): [name for name, _ in found],
            text("column.bytes"): [f"{size:,}" for _, size in found],
        }
    )


# LoRA against QLoRA.


def arms(study: Study, measure: str, names: Sequence[str], text: Words) -> Figure:
    """A measure of each step, mean over seeds with a band from the lowest to the highest."""
    series = []
    for name in names:
        runs = getattr(study.arms[name], measure)  # (S, N)
        series.append(
            Series(
                text(f"arm.{name}"), np.arange(1, runs.shape[1] + 1), runs.mean(axis=0),
                ARM_ROLES[name], spread=(runs.min(axis=0), runs.max(axis=0)),
            )
        )  # fmt: skip
    return curve(
        series, x_title=text("axis.step"), y_title=text(f"axis.{measure}"),
        y_range=(0, None) if measure != "loss" else (None, None), alt=text(f"alt.arms.{measure}"),
        height=280,
    )  # fmt: skip


def arms_table(study: Study, names: Sequence[str], text: Words) -> pd.DataFrame:
    """What each arm comes to: mean over seeds, with the lowest and the highest."""
    rows = []
    for name in names:
        arm = study.arms[name]
        fallen = arm.eval_loss[:, 0] - arm.eval_loss[:, -1]
        rows.append(
            {
                text("column.arm"): text(f"arm.{name}"),
                text("column.eval_before"): spread(arm.eval_loss[:, 0]),
                text("column.eval_after"): spread(arm.eval_loss[:, -1]),
                text("column.fallen"): spread(fallen),
                text("column.seconds"): spread(arm.cpu_seconds.mean(axis=1)),
                text("column.gigabytes"): spread(arm.rss_bytes.max(axis=1) / 1e9),
            }
        )
    return pd.DataFrame(rows)


def spread(values: np.ndarray) -> str:
    """Mean, lowest and highest over seeds.

    >>> spread(np.array([1.0, 2.0, 4.5]))
    '2.50 (1.00–4.50)'
    """
    return f"{values.mean():.2f} ({values.min():.2f}–{values.max():.2f})"


# One model in six formats.


def held(rows: Sequence[Weighed], text: Words) -> Figure:
    """Where the bytes are."""
    parts = [
        (text("part_of.matrices"), [row.matrices / 1e6 for row in rows], "parameters"),
        (text("part_of.scales"), [row.scales / 1e6 for row in rows], "gradients"),
        (text("part_of.rest"), [row.rest / 1e6 for row in rows], "idle"),
    ]
    names = [text(f"format.{row.name}") for row in rows]
    return stacked(parts, names, text, alt=text("alt.held"), value_title=text("axis.megabytes"))


def moved(rows: Sequence[Weighed], text: Words) -> Figure:
    """How far each format's predictions are from those of 32 bits."""
    parts = [(text("series.divergence"), [row.divergence for row in rows[1:]], "divergence")]
    names = [text(f"format.{row.name}") for row in rows[1:]]
    return grouped(parts, names, text, alt=text("alt.moved"), value_title=text("axis.divergence"))


def formats_table(rows: Sequence[Weighed], text: Words) -> pd.DataFrame:
    weights = rows[0].matrices / 4  # in 32 bits
    return pd.DataFrame(
        {
            text("column.format"): [text(f"format.{row.name}") for row in rows],
            text("column.megabytes"): [
                round((row.matrices + row.scales + row.rest) / 1e6, 1) for row in rows
            ],
            text("column.bits"): [
                round(8 * (row.matrices + row.scales) / weights, 3) for row in rows
            ],
            text("column.loss"): [round(row.loss, 3) for row in rows],
            text("column.divergence"): [round(row.divergence, 4) for row in rows],
            text("column.agreement"): [f"{row.agreement:.0%}" for row in rows],
            text("column.read_seconds"): [round(row.cpu_seconds, 1) for row in rows],
        }
    )


# Sixteen levels.


def levels(result: NF4Result, text: Words) -> Figure:
    """Where weights are, and where the levels are."""
    middles = (result.bin_edges[:-1] + result.bin_edges[1:]) / 2
    bars = go.Bar(
        x=middles, y=result.bins, name=text("series.weights"),
        marker={"color": theme.MEANING["parameters"], "line": {"width": 0}}, opacity=0.55,
        hovertemplate="%{x:.2f}: %{y:.2%}<extra></extra>",
    )  # fmt: skip
    dots = go.Scatter(
        x=result.levels, y=result.used, mode="markers", name=text("series.used"),
        marker={"color": theme.MEANING["optimizer"], "size": 10, "symbol": "diamond"},
        hovertemplate="%{x:.4f}: %{y:.2%}<extra></extra>",
    )  # fmt: skip
    figure = plotly_figure(
        bars, dots, x_title=text("axis.scaled"), y_title=text("axis.share"), bargap=0
    )
    for level in result.levels:
        figure.add_vline(level, line={"color": theme.MEANING["floor"], "width": 1, "dash": "dot"})
    figure.update_yaxes(tickformat=".0%")
    table = pd.DataFrame(
        {
            text("column.level"): result.levels.round(6),
            text("column.used"): result.used.round(4),
        }
    )
    return Figure("plotly", figure, text("alt.levels"), table, 320)


def blocks(result: NF4Result, chosen: int, text: Words) -> Figure:
    """Rounding error against the size of a block, for both tables; bits on the right."""
    series = [
        Series(text("option.table.nf4"), BLOCKS, result.others["nf4"], "changed", points=True),
        Series(text("option.table.even"), BLOCKS, result.others["even"], "rejected", points=True),
        Series(text("series.bits"), BLOCKS, result.block_bits, "expected", dashed=True, right=True),
    ]
    return curve(
        series, x_title=text("axis.block"), y_title=text("axis.error"), log_x=True,
        right_title=text("axis.bits"), y_range=(0, None), marks=[(chosen, str(chosen))],
        alt=text("alt.blocks"), height=300,
    )  # fmt: skip


# The same batch through both codes.


def asked(result: BesideResult, text: Words) -> Figure:
    """The first row's tokens, those that the loss asks for darker; half if only one side does."""
    both = (result.our_labels.astype(float) + result.their_labels) / 2
    return token_row(
        result.tokens, both, text, alt=text("alt.asked", asked=int(result.their_labels.sum())),
        value_title=text("asked.value"), signed=False, bounds=(0.0, 1.6), height=200,
    )  # fmt: skip


def gradients(result: BesideResult, text: Words) -> Figure:
    """To how many digits the gradients of every matrix's A and B agree."""
    at = np.arange(1, len(result.names) + 1)
    series = [
        Series(text(f"series.{side}"), at, -np.log10(np.maximum(apart, 1e-9)), role)
        for side, role, apart in zip("ab", ("query", "value"), result.apart.T, strict=True)
    ]
    return curve(
        series, x_title=text("axis.matrix"), y_title=text("axis.digits"), y_range=(0, 9),
        alt=text("alt.gradients", worst=f"{result.apart.max():.0e}"), height=260,
    )  # fmt: skip
