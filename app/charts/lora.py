"""LoRA and its family: the course of a run, what it costs, and what was recorded.

Axes: M looks, S seeds, K rates or ranks, N matrices, R singular values.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.bars import stacked
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from app.i18n import Words
from labcore.tuning.lora_frontier import METHOD_CASES, PART_CASES, RANK_CASES, RANKS, Case, Frontier
from labcore.tuning.lora_rates import RANKS as SCALED_RANKS
from labcore.tuning.lora_rates import RateStudy
from labcore.tuning.lora_spectrum import KEPT, SpectrumStudy, energy
from labcore.tuning.methods import Memory
from labcore.tuning.tune import Look, TuneConfig

HIGHEST_NATS = 8.0  # a run that has blown up says nothing by how much
MEMORY_PARTS = {
    "weights": "parameters", "gradients": "gradients", "optimizer": "optimizer",
    "activations": "activations",
}  # fmt: skip
# Where a name stands beside its point, for those that would stand on another one.
PLACES = {
    "lora": "bottom left", "dora": "bottom right", "adapter": "top left", "mlp": "top right",
    "qv": "top right", "rank-4": "bottom left",
}  # fmt: skip
TASK_ROLES = {"cipher": "query", "backwards": "value"}


# One run.


def course(looks: Sequence[Look], config: TuneConfig, floor: float, text: Words) -> Figure:
    """Held-out loss on the new way of telling and on the old one, with the floor of both."""
    steps = [look.step for look in looks]
    new, old = ([getattr(look, name) for look in looks] for name in ("new_nats", "old_nats"))
    return curve(
        [
            Series(text("series.new"), steps, new, "changed", points=True),
            Series(text("series.old"), steps, old, "rejected", points=True),
            Series(text("series.train"), steps, [one.train_nats for one in looks], "expected", True),
        ],
        x_title=text("axis.step"), y_title=text("axis.nats"), x_range=(0, config.steps),
        y_range=(0, None), floor=(floor, text("series.floor")),
        alt=text("alt.course", new=f"{new[-1]:.2f}", old=f"{old[-1]:.2f}"),
    )  # fmt: skip


def memory(bars: Mapping[str, Memory], text: Words) -> Figure:
    """What a training step holds, in kilobytes, part by part."""
    parts = [
        (text(f"memory.{part}"), [getattr(one, part) / 1e3 for one in bars.values()], role)
        for part, role in MEMORY_PARTS.items()
    ]
    alt = text("alt.memory", sum=" / ".join(f"{m.total / 1e3:,.0f}" for m in bars.values()))
    return stacked(parts, list(bars), text, alt=alt, value_title=text("axis.kilobytes"))


# What was recorded of many runs.


def frontier(study: Frontier, task: str, cost: str, gain: str, text: Words) -> Figure:
    """Every case as a point: its mean over the seeds, with a bar from the lowest to the highest."""
    groups = {"ranks": RANK_CASES, "parts": PART_CASES, "methods": METHOD_CASES}
    roles = {"ranks": "query", "parts": "value", "methods": "key"}
    traces = []
    for group, names in groups.items():
        there = [name for name in names if name in study.cases[task]]
        joined = "lines+" if group == "ranks" and cost == "parameters" else ""
        if there:
            traces.append(
                _points(
                    study.cases[task], there, cost, gain, roles[group], text(f"series.{group}"),
                    joined, text,
                )
            )  # fmt: skip
    figure = plotly_figure(*traces, x_title=text(f"axis.{cost}"), y_title=text(f"axis.{gain}"))
    if cost == "parameters":
        figure.update_xaxes(type="log", dtick=1)
    if gain == "new_nats":  # where most cases lie, there is little between them
        figure.update_yaxes(type="log", tickvals=[0.8, 1, 1.5, 2, 3, 4, 5])
    level = study.floor_nats if gain == "new_nats" else study.start_nats["forwards"]
    line = {"color": theme.MEANING["floor"], "dash": "dash", "width": 1.5}
    figure.add_hline(level, line=line)
    table = _frontier_table(study.cases[task], text)
    return Figure("plotly", figure, text(f"alt.frontier.{gain}"), table, 460)


def _points(
    cases: Mapping[str, Case], names: Sequence[str], cost: str, gain: str, role: str, name: str,
    joined: str, text: Words,
) -> go.Scatter:  # fmt: skip
    y = np.stack([getattr(cases[n], gain) for n in names])  # (N, S)
    mean = y.mean(axis=1)
    return go.Scatter(
        x=[cost_of(cases[n], cost) for n in names], y=mean, name=name, mode=f"{joined}markers+text",
        text=[text(f"case.{n}") for n in names], textposition=[PLACES.get(n, "top center") for n in names],
        marker={"size": 9, "color": theme.MEANING[role]}, textfont={"size": 11},
        line={"color": theme.MEANING[role], "width": 1},
        error_y={"array": y.max(axis=1) - mean, "arrayminus": mean - y.min(axis=1), "width": 3},
        hovertemplate="%{text}: %{y:.3f}<extra></extra>",
    )  # fmt: skip


def cost_of(case: Case, cost: str) -> float:
    if cost == "parameters":
        return case.parameters
    if cost == "kilobytes":
        return case.memory.total / 1e3
    return float(case.step_ms.min())  # whatever is above the least was somebody else's work


def _frontier_table(cases: Mapping[str, Case], text: Words) -> pd.DataFrame:
    return pd.DataFrame(
        {
            text("column.case"): [text(f"case.{name}") for name in cases],
            text("axis.parameters"): [case.parameters for case in cases.values()],
            text("axis.kilobytes"): [round(c.memory.total / 1e3) for c in cases.values()],
            text("axis.step_ms"): [round(cost_of(c, "step_ms"), 2) for c in cases.values()],
            text("axis.new_nats"): [spread(case.new_nats) for case in cases.values()],
            text("axis.old_nats"): [spread(case.old_nats) for case in cases.values()],
        }
    )


def spread(values: np.ndarray) -> str:
    """Lowest to highest of the seeds."""
    return f"{values.min():.2f}–{values.max():.2f}"


def rates(study: RateStudy, names: Sequence[str], text: Words) -> Figure:
    """Held-out loss over the learning rate: means with bands from the best seed to the worst."""
    series = [_rate_line(study, name, text(f"case.{name}"), "", False) for name in names]
    return curve(
        series, x_title=text("axis.rate"), y_title=text("axis.new_nats"), log_x=True,
        x_range=(float(study.rates[0]), float(study.rates[-1])),
        y_range=(0.5, HIGHEST_NATS), alt=text("alt.rates"), height=400,
    )  # fmt: skip


def scales(study: RateStudy, text: Words) -> Figure:
    """The same for three ranks at one α, divided by r (solid) and by its root (dashed)."""
    roles = dict(zip(SCALED_RANKS, ("query", "value", "key"), strict=True))
    series = [
        _rate_line(study, f"{name}-{rank}", text(f"scale.{name}", rank=rank), roles[rank], dashed)
        for name, dashed in (("lora", False), ("rslora", True))
        for rank in SCALED_RANKS
    ]
    return curve(
        series, x_title=text("axis.rate"), y_title=text("axis.new_nats"), log_x=True,
        x_range=(float(study.rates[0]), float(study.rates[-1])),
        y_range=(0.5, HIGHEST_NATS), alt=text("alt.scales"), height=400,
    )  # fmt: skip


def _rate_line(study: RateStudy, name: str, label: str, role: str, dashed: bool) -> Series:
    nats = study.new_nats[name].clip(max=HIGHEST_NATS)  # (K, S)
    band = (nats.min(axis=1), nats.max(axis=1))
    return Series(label, study.rates, nats.mean(axis=1), role, dashed, True, spread=band)


def shares(study: SpectrumStudy, matrix: str, text: Words) -> Figure:
    """How much of ΔW's squared length its r largest singular values hold."""
    which = slice(None) if matrix == "all" else [study.names.index(matrix)]
    ranks = np.arange(1, study.random.shape[1] + 1)
    series = []
    for task, one in study.tasks.items():
        held = energy(one.values)[:, which].reshape(-1, len(ranks))  # (S·N, R)
        band = (held.min(axis=0), held.max(axis=0))
        name = text(f"option.task.{task}")
        series.append(Series(name, ranks, held.mean(axis=0), TASK_ROLES[task], spread=band))
    control = energy(study.random)[which].mean(axis=0)
    series.append(Series(text("series.random"), ranks, control, "expected", dashed=True))
    return curve(
        series, x_title=text("axis.rank"), y_title=text("axis.energy"), x_range=(0, 64),
        y_range=(0, 1), alt=text("alt.shares"), height=320,
    )  # fmt: skip


def cuts(study: SpectrumStudy, runs: Frontier, task: str, text: Words) -> Figure:
    """The full fine-tune with every ΔW cut to rank r, beside LoRA that was trained at rank r."""
    cut = study.tasks[task].cut_nats  # (S, K)
    learnt = np.stack([runs.cases[task][f"rank-{rank}"].new_nats for rank in RANKS])  # (K, S)
    places = np.arange(len(KEPT))  # evenly spaced: 0 has no logarithm
    where = [KEPT.index(rank) for rank in RANKS]
    series = [
        Series(text("series.cut"), places, cut.mean(axis=0), "rejected", points=True,
               spread=(cut.min(axis=0), cut.max(axis=0))),
        Series(text("series.learnt"), where, learnt.mean(axis=1), "changed", points=True,
               spread=(learnt.min(axis=1), learnt.max(axis=1))),
    ]  # fmt: skip
    full = float(study.tasks[task].full_nats.mean())
    figure = curve(
        series, x_title=text("axis.rank_kept"), y_title=text("axis.new_nats"),
        floor=(full, text("series.full")), alt=text("alt.cuts"), height=340,
    )  # fmt: skip
    figure.spec["xAxis"] |= {"type": "category", "data": [str(rank) for rank in KEPT]}
    figure.table.insert(1, text("column.rank"), [KEPT[int(p)] for p in figure.table.iloc[:, 0]])
    return figure
