"""Pictures of one training run in several processes: curves, differences, bytes, and a death survived.

p processes, N steps, L tensors, C cases, R seeds.
"""

import math
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd

from app import theme
from app.charts.bars import grouped, stacked
from app.charts.curves import Series, curve
from app.charts.maps import matrix
from app.figures import Figure
from labcore.distributed.parallel_config import WAYS
from labcore.distributed.parallel_study import Case, Study
from labcore.distributed.recovery import UNDISTURBED, Happened, RecoveryConfig, RecoveryResult

Text = Callable[..., str]
EXACT = 1e-17  # where a difference of 0 is drawn, on an axis that has no 0
LARGEST = 10.0
ROW_PIXELS = 24
KILO = 1e3
HELD = ("parameters", "gradients", "optimizer")


# Curves.


def losses(
    alone: Sequence[float], together: Sequence[float], ranks: np.ndarray, steps: int, text: Text
) -> Figure:
    """Loss over steps: each process on its own rows, all of them together, and one alone.  ranks (p, N)"""
    own = ranks if len(ranks) > 1 else ()
    series = [
        Series(text("series.rank", rank=rank), counted(nats), nats, f"rank_{rank}")
        for rank, nats in enumerate(own)
    ]
    series.append(Series(text("series.together"), counted(together), together, "train"))
    series.append(Series(text("series.alone"), counted(alone), alone, "baseline", dashed=True))
    last = f"{together[-1]:.3f}" if len(together) else "–"
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.nats"), x_range=(0, steps),
        alt=text("alt.losses", count=len(ranks), step=len(together), last=last), height=340,
    )  # fmt: skip


def counted(values: Sequence[float], first: int = 1) -> np.ndarray:
    return np.arange(first, first + len(values))


def recovery(result: RecoveryResult, text: Text) -> Figure:
    """The undisturbed run, the one that was killed, and how it went on."""
    config = result.config.training
    whole, before, after = result.undisturbed_nats, result.before_nats, result.after_nats
    series = [
        Series(text("series.undisturbed"), counted(whole), whole, "baseline", dashed=True),
        Series(text("series.before"), counted(before), before, "train"),
        Series(text("series.after"), counted(after, result.checkpoint_step + 1), after, "live"),
    ]
    marks = [(config.die_at, text("mark.death"))]
    if result.checkpoint_step:
        marks.insert(0, (result.checkpoint_step, text("mark.checkpoint")))
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.nats"), x_range=(0, config.steps),
        marks=marks, height=340,
        alt=text("alt.recovery", death=config.die_at, checkpoint=result.checkpoint_step),
    )  # fmt: skip


def recovering(events: Sequence[Happened], config: RecoveryConfig, text: Text) -> Figure:
    """The same while it happens."""
    parts = {name: [] for name in ("undisturbed", "before", "after")}
    for event in events:
        if event.nats is not None:
            kind = ("before", "after")[event.attempt]
            parts["undisturbed" if event.run == UNDISTURBED else kind].append(event)
    roles = {"undisturbed": "baseline", "before": "train", "after": "live"}
    series = [
        Series(
            text(f"series.{name}"), [event.step for event in told], [event.nats for event in told],
            roles[name], dashed=name == "undisturbed",
        )
        for name, told in parts.items()
    ]  # fmt: skip
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.nats"), height=340,
        x_range=(0, config.training.steps),
        alt=text("alt.recovery", death=config.training.die_at, checkpoint="–"),
    )  # fmt: skip


# Differences: dots on a logarithmic axis.

Dots = tuple[str, list[list[float]], str]  # name, for each row its values, role


def by_tensor(
    names: Sequence[str], gradient: np.ndarray, weight: np.ndarray, limit: float, text: Text
) -> Figure:
    """How far each tensor is from the single process's, on the worst process.  gradient, weight (p, L)"""
    dots = [
        (text("series.gradient"), gradient.max(axis=0)[:, None].tolist(), "gradient"),
        (text("series.weight"), weight.max(axis=0)[:, None].tolist(), "parameters"),
    ]
    alt = text("alt.by_tensor", gradient=f"{gradient.max():.1e}", weight=f"{weight.max():.1e}")
    return differences(list(map(short, names)), dots, limit, text("series.limit"), alt, text)


def short(name: str) -> str:
    """A tensor's name without what all of them share.

    >>> short("stack.layers.1.attn.q.weight"), short("token_embedding.weight")
    ('1.attn.q', 'token_embedding')
    """
    return name.removeprefix("stack.").removeprefix("layers.").removesuffix(".weight")


def by_case(study: Study, limit: float, text: Text) -> Figure:
    """Every way and every bug, all seeds: rounding shrinks with the precision, a bug does not."""
    rows = [case for case in study.cases if usual(case) and case.precision == "float32"]
    double = [Case(case.way, case.bug, "float64") for case in rows]
    dots = [
        (
            text("series.gradient64"),
            [study.gradient_apart[study.cases.index(case)].tolist() for case in double],
            "formula",
        ),
        (
            text("series.gradient32"),
            [study.gradient_apart[study.cases.index(case)].tolist() for case in rows],
            "gradient",
        ),
        (
            text("series.weight32"),
            [study.weight_apart[study.cases.index(case)].tolist() for case in rows],
            "parameters",
        ),
    ]
    names, alt = [case_name(case, text) for case in rows], text("alt.by_case", count=len(rows))
    return differences(names, dots, limit, text("series.limit"), alt, text)


def loss_gaps(study: Study, text: Text) -> Figure:
    """What the loss curve shows of each case: the last step's loss above the single process's, all seeds."""
    rows = [case for case in study.cases if usual(case) and case.precision == "float32"]
    gaps = [study.loss_apart[study.cases.index(case)].tolist() for case in rows]
    names = [case_name(case, text) for case in rows]
    series = [_cloud(text("axis.gap"), gaps, "train")]
    table = pd.DataFrame({text("column.what"): names, text("axis.gap"): np.mean(gaps, axis=1)})
    return _rows(names, series, text("axis.gap"), {}, text("alt.loss_gaps", count=len(rows)), table)


def usual(case: Case) -> bool:
    """Two processes, AdamW, the lab's ring: what the table of cases compares."""
    return case == Case(case.way, case.bug, case.precision)


def case_name(case: Case, text: Text) -> str:
    way = text(f"option.way.{case.way}")
    return way if case.bug == "none" else f"{way}: {text(f'option.bug.{case.bug}')}"


def differences(
    rows: Sequence[str], dots: Sequence[Dots], limit: float, limit_name: str, alt: str, text: Text
) -> Figure:
    """One row for each name, a dot for each value, placed by its power of ten; a line where rounding ends."""
    sizes = (9,) if len(dots) < 3 else (15, 9, 9)  # the first of three would be hidden
    series = [
        _cloud(name, values, role, _power) | {"symbolSize": size}
        for (name, values, role), size in zip(dots, cycle(sizes), strict=False)
    ]
    series[0]["markLine"] = {
        "silent": True, "animation": False, "symbol": "none",
        "lineStyle": {"color": theme.MEANING["floor"], "type": "dashed", "width": 1.5},
        "data": [{"xAxis": _power(limit)}],
        "label": {
            "formatter": limit_name, "position": "start", "color": theme.MEANING["floor"],
        },
    }  # fmt: skip
    low, high = (_power(end) for end in (EXACT, LARGEST))
    axis = {"min": low, "max": high, "interval": 3, "axisLabel": {"formatter": "1e{value}"}}
    table = pd.DataFrame({text("column.what"): list(rows)})
    for name, values, _ in dots:
        table[name] = [max(several) for several in values]
    return _rows(rows, series, text("axis.apart"), axis, alt, table)


def _power(value: float) -> float:
    return math.log10(max(value, EXACT))


def _rows(
    rows: Sequence[str], series: list[dict], title: str, axis: dict, alt: str, table: pd.DataFrame
) -> Figure:
    option = {
        "animation": False,
        "grid": {"left": 8, "right": 24, "top": 56, "bottom": 44, "containLabel": True},
        "legend": {"top": 0, "type": "scroll", "show": len(series) > 1},
        "tooltip": {"trigger": "item", "formatter": "{a}<br>{b}", "confine": True},
        "xAxis": {"type": "value", "name": title, "nameLocation": "middle", "nameGap": 26} | axis,
        "yAxis": {
            "type": "category", "data": list(rows), "inverse": True,
            "axisLabel": {"interval": 0, "fontSize": 11},
            "splitLine": {"show": True, "lineStyle": {"opacity": 0.25}},
        },
        "series": series,
    }  # fmt: skip
    return Figure("echarts", option, alt, table, 124 + ROW_PIXELS * len(rows))


def _cloud(
    name: str,
    values: Sequence[Sequence[float]],
    role: str,
    place: Callable[[float], float] = float,
) -> dict[str, Any]:
    """Dots at `place(value)`; the value itself is told under the pointer."""
    return {
        "type": "scatter", "name": name, "symbolSize": 9,
        "itemStyle": {"color": theme.MEANING[role], "opacity": 0.8},
        "data": [
            {"value": [place(value), row], "name": f"{value:.2g}"}
            for row, several in enumerate(values)
            for value in several
        ],
    }  # fmt: skip


# Bytes.


def who(sent: np.ndarray, text: Text) -> Figure:
    """Kilobytes from each process (row) to each other (column) in one step.  (p, p)"""
    names = [text("series.rank", rank=rank) for rank in range(len(sent))]
    return matrix(
        sent / KILO, names, names, text, row_title=text("axis.from"), column_title=text("axis.to"),
        value_title=text("axis.kilobytes"), height=260,
        alt=text("alt.who", most=f"{sent.max() / KILO:,.1f}"),
    )  # fmt: skip


def traffic(study: Study, processes: int, text: Text) -> Figure:
    """What one process sends in a step: by the formula, and measured."""
    at = [
        number
        for number, case in enumerate(study.cases)
        if case == Case(case.way, reduce_scatter=case.reduce_scatter, processes=processes)
    ]
    at.sort(key=lambda number: WAYS.index(study.cases[number].way))
    names = [
        text(f"option.way.{case.way}")
        + ("" if case.reduce_scatter == "ring" else f" ({text('option.reduce_scatter.backend')})")
        for case in (study.cases[number] for number in at)
    ]
    formula, measured = (
        (values[at].mean(axis=1) / KILO).tolist()
        for values in (study.expected_bytes, study.sent_bytes)
    )
    parts = [
        (text("series.formula"), formula, "formula"),
        (text("series.measured"), measured, "measured"),
    ]
    return grouped(
        parts, names, text, value_title=text("axis.kilobytes_step"),
        alt=text("alt.traffic", processes=processes),
    )  # fmt: skip


def held(study: Study, processes: int, text: Text) -> Figure:
    """What the fullest process holds between two steps, measured."""
    at = [
        number
        for number, case in enumerate(study.cases)
        if case == Case(case.way, processes=processes)
    ]
    names = [text(f"option.way.{study.cases[number].way}") for number in at]
    parts = [
        (text(f"held.{name}"), (study.held_bytes[at, part] / KILO).tolist(), name)
        for part, name in enumerate(HELD)
    ]
    figure = stacked(
        parts, names, text, value_title=text("axis.kilobytes"),
        alt=text("alt.held", processes=processes),
    )  # fmt: skip
    table = figure.data()
    for part, name in enumerate(HELD):
        table[text("column.formula", what=text(f"held.{name}"))] = (
            study.expected_held[at, part] / KILO
        )
    return Figure("echarts", figure.spec, figure.alt, table, figure.height)
