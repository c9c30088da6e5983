"""Pictures of a training plan: memory by stage, parts of a step, all candidates, speed by cluster size."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app import theme
from app.charts.bars import stacked
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.figures import Figure
from labcore.distributed.layout import Layout
from labcore.distributed.memory import Memory
from labcore.distributed.planner import PlannerResult, PlanReport, Scaling
from labcore.distributed.search import VERDICTS, Judged

Text = Callable[..., str]
GB = 1e9

MEMORY_PARTS = ("parameters", "gradients", "optimizer", "activations")
# What a step is made of, as it is drawn: fields of StepTime that belong together, and a colour's meaning.
TIME_PARTS = {
    "compute": (("compute",), "parameters"),
    "pointwise": (("pointwise",), "cache"),
    "recompute": (("recompute",), "optimizer"),
    "layers": (("tensor", "context", "expert"), "communication"),
    "between": (("pipeline", "data"), "gradients"),
    "waiting": (("uneven", "bubble"), "idle"),
    "update": (("update",), "activations"),
}
MOST_POINTS = 3000


# Memory.


def memory_by_stage(plan: PlanReport, text: Text) -> Figure:
    """One bar per pipeline stage, against what a device has."""
    labels = [
        text("bar.stage", stage=stage + 1, waiting=f"{waiting:.3g}")
        for stage, waiting in zip(plan.stages, plan.waiting, strict=True)
    ]
    if plan.layout.pp == 1:
        labels = [text("bar.device")]
    alt = text(
        "alt.memory", fullest=f"{plan.memory_bytes / GB:.1f}", usable=f"{plan.limit_bytes / GB:.0f}"
    )
    return memory_bars(plan.memory, labels, plan, text, alt)


def memory_ladder(plans: Sequence[PlanReport], text: Text) -> Figure:
    """The fullest stage on show of the same layout under ZeRO 0 to 3."""
    rows = []
    for plan in plans:
        fullest = int(np.argmax(plan.memory.total))
        rows.append([getattr(plan.memory, name)[fullest] for name in MEMORY_PARTS])
    memory = Memory(*np.array(rows).T)
    labels = [text("bar.zero", stage=stage) for stage in range(len(plans))]
    alt = text(
        "alt.ladder", most=f"{memory.total[0] / GB:.1f}", least=f"{memory.total[-1] / GB:.1f}"
    )
    return memory_bars(memory, labels, plans[0], text, alt)


def memory_bars(
    memory: Memory, labels: Sequence[str], plan: PlanReport, text: Text, alt: str
) -> Figure:
    parts = [
        (text(f"part.{name}"), np.asarray(getattr(memory, name)) / GB, name)
        for name in MEMORY_PARTS
    ]
    height = 166 + 44 * len(labels)
    figure = stacked(
        parts, labels, text, alt=alt, value_title=text("axis.gigabytes"), height=height
    )
    with_limit(figure, plan, text)
    return figure


def with_limit(figure: Figure, plan: PlanReport, text: Text) -> None:
    """Lines at what is usable and at the whole card; the axis reaches beyond both."""
    limits = {"line.usable": plan.limit_bytes / GB, "line.capacity": plan.capacity_bytes / GB}
    figure.spec["series"][0]["markLine"] = {
        "silent": True,
        "animation": False,
        "symbol": "none",
        "data": [
            {
                "xAxis": round(value, 2),
                "label": {"formatter": text(key), "position": "start", "distance": 4 + 15 * number},
                "lineStyle": {
                    "color": theme.MEANING["floor" if number else "dropped"],
                    "type": "dashed" if number else "solid",
                    "width": 2,
                },
            }
            for number, (key, value) in enumerate(limits.items())
        ],
    }
    figure.spec["legend"]["type"] = "plain"  # two lines of it, then the lines' labels
    figure.spec["grid"]["top"] = 92
    highest = max(sum(values) for values in zip(*bars_of(figure), strict=True))
    figure.spec["xAxis"]["max"] = float(f"{max(highest, plan.capacity_bytes / GB) * 1.06:.2g}")


def bars_of(figure: Figure) -> list[list[float]]:
    return [series["data"] for series in figure.spec["series"]]


# Time.


def step_parts(plans: dict[str, PlanReport], text: Text) -> Figure:
    """A bar per plan, its step cut into what the time goes to; parts that nobody has are left out."""
    seconds = {
        name: [sum(getattr(plan.time, field) for field in fields) for plan in plans.values()]
        for name, (fields, _) in TIME_PARTS.items()
    }
    longest = max(plan.seconds for plan in plans.values())
    parts = [
        (text(f"time.{name}"), values, TIME_PARTS[name][1])
        for name, values in seconds.items()
        if max(values) > longest / 2000
    ]
    first = next(iter(plans.values()))
    busy = (first.time.compute + first.time.pointwise) / first.seconds
    figure = stacked(
        parts, list(plans), text, value_title=text("axis.seconds"), height=150 + 44 * len(plans),
        alt=text("alt.step", seconds=f"{first.seconds:.2f}", busy=f"{busy:.0%}"),
    )  # fmt: skip
    figure.spec["legend"]["type"] = "plain"  # seven parts take two or three lines
    figure.spec["grid"]["top"] = 76
    return figure


# Messages.


def messages(plan: PlanReport, text: Text) -> pd.DataFrame:
    """Who sends what, per device and step."""
    rows = [
        {
            text("column.kind"): text(f"flow.{flow.kind}"),
            text("column.collective"): text(f"collective.{flow.collective}"),
            text("column.group"): text(
                "group.inside" if flow.members == flow.ways else "group.across",
                ways=flow.ways, members=flow.members,
            ),
            text("column.times"): flow.times,
            text("column.sent"): round(flow.sent_bytes / GB, 2),
            text("column.seconds"): round(flow.seconds, 3),
        }
        for flow in plan.flows
    ]  # fmt: skip
    return pd.DataFrame(rows)


# All candidates.


def candidates(result: PlannerResult, text: Text) -> Figure:
    """Every layout that can be dealt out: memory against time, the usable memory as a line."""
    judged = result.judged
    shown = sampled(judged)
    traces = [
        go.Scattergl(
            x=judged.memory_bytes[where] / GB, y=judged.seconds[where], mode="markers",
            name=text(f"verdict.{VERDICTS[verdict]}"),
            marker={"color": theme.MEANING[role], "size": 6, "opacity": 0.55},
            customdata=[in_short(judged.layouts.take(int(i)), text) for i in where],
            hovertemplate="%{customdata}<br>%{x:.1f} GB · %{y:.2f} s<extra></extra>",
        )
        for verdict, role in ((0, "kept"), (1, "dropped"))
        if (where := shown[judged.verdict[shown] == verdict]).size
    ]  # fmt: skip
    if result.best is not None:
        best = result.best
        traces.append(
            go.Scatter(
                x=[best.memory_bytes / GB], y=[best.seconds], mode="markers",
                name=text("series.best"), hovertemplate=in_short(best.layout, text) + "<extra></extra>",
                marker={"color": theme.MEANING["guess"], "size": 16, "symbol": "star"},
            )
        )  # fmt: skip
    spec = plotly_figure(
        *traces, x_title=text("axis.memory"), y_title=text("axis.step_seconds"), log=("x", "y")
    )
    limit = judged.limit_bytes / GB
    spec.add_vline(x=limit, line={"color": theme.MEANING["dropped"], "width": 2})
    spec.update_xaxes(tickvals=ticks(judged.memory_bytes[shown] / GB))
    spec.update_yaxes(tickvals=ticks(judged.seconds[shown]))
    fits = int((judged.verdict == 0).sum())
    return Figure(
        "plotly", spec, text("alt.candidates", fits=fits, all=len(judged.seconds)),
        lambda: candidate_table(judged, shown, text), 400,
    )  # fmt: skip


def ticks(values: np.ndarray) -> list[float]:
    """1, 2, 5, 10, 20, … as far as the values reach.

    >>> ticks(np.array([15.0, 120.0]))
    [10.0, 20.0, 50.0, 100.0, 200.0]
    """
    if not values.size:
        return []
    low, high = np.floor(np.log10(values.min())), np.ceil(np.log10(values.max()))
    steps = [float(f"{m * 10.0**k:.3g}") for k in np.arange(low, high + 1) for m in (1, 2, 5)]
    first = max(n for n, step in enumerate(steps) if step <= values.min())
    return steps[first : 1 + min(n for n, step in enumerate(steps) if step >= values.max())]


def sampled(judged: Judged) -> np.ndarray:
    """Indices of the layouts on show: the fastest of either kind first, then every n-th."""
    possible = np.flatnonzero(judged.verdict <= 1)
    order = possible[np.argsort(judged.seconds[possible], kind="stable")]
    if len(order) <= MOST_POINTS:
        return order
    half = MOST_POINTS // 2
    rest = order[half:]
    return np.append(order[:half], rest[:: int(np.ceil(len(rest) / half))])


def ranked(judged: Judged, verdict: str, most: int = 200) -> np.ndarray:
    """The candidates with one verdict: fitting ones by time, the others by how much memory they lack."""
    where = np.flatnonzero(judged.verdict == VERDICTS.index(verdict))
    by = judged.memory_bytes if verdict == "memory" else judged.seconds
    return where[np.argsort(by[where], kind="stable")][:most]


def candidate_table(judged: Judged, where: np.ndarray, text: Text) -> pd.DataFrame:
    plans = judged.layouts.take(where)
    lacking = (judged.memory_bytes[where] - judged.limit_bytes) / GB
    verdicts = [
        text("lacks", gigabytes=f"{lack:,.1f}") if VERDICTS[code] == "memory"
        else text(f"verdict.{VERDICTS[code]}")
        for code, lack in zip(judged.verdict[where], lacking, strict=True)
    ]  # fmt: skip
    table = {text(f"column.{way}"): getattr(plans, way) for way in ("dp", "tp", "pp", "cp", "ep")}
    table |= {
        text("column.zero"): plans.zero,
        text("column.micro_batch"): plans.micro_batch,
        text("column.recompute"): [text(f"option.recompute.{code}") for code in plans.recompute],
        text("column.memory"): (judged.memory_bytes[where] / GB).round(1),
        text("column.step"): judged.seconds[where].round(2),
        text("column.mfu"): (100 * judged.mfu[where]).round(1),
        text("column.verdict"): verdicts,
    }
    return pd.DataFrame(table)


def in_short(layout: Layout, text: Text) -> str:
    """The kinds of parallelism that a plan uses, in the field's abbreviations."""
    ways = {"DP": layout.dp, "TP": layout.tp, "PP": layout.pp, "CP": layout.cp, "EP": layout.ep}
    words = [f"{name} {count}" for name, count in ways.items() if count > 1 or name == "DP"]
    if layout.replicas > 1:
        words.append(f"ZeRO-{layout.zero}" if layout.zero else text("short.plain"))
    words.append(text("short.micro_batch", size=layout.micro_batch))
    if layout.recompute:
        words.append(text(f"short.recompute.{layout.recompute}"))
    return " · ".join(words)


# More devices.


def scaling(result: Scaling, now: int, text: Text) -> Figure:
    """Tokens per second over devices, beside the straight line through the smallest cluster that fits."""
    fits = np.isfinite(result.tokens_per_second)
    first = int(np.argmax(fits))
    per_device = result.tokens_per_second[first] / result.devices[first]
    return curve(
        [
            Series(
                text("series.speed"), result.devices, result.tokens_per_second, "changed", points=True
            ),
            Series(
                text("series.linear"), result.devices[first:], per_device * result.devices[first:],
                "baseline", dashed=True,
            ),
            Series(text("series.mfu"), result.devices, 100 * result.mfu, "reward", points=True, right=True),
        ],
        x_title=text("axis.devices"), y_title=text("axis.tokens_per_second"),
        right_title=text("axis.mfu"), log_x=True, log_y=True, marks=[(now, text("mark.now"))],
        alt=text(
            "alt.scaling", low=int(result.devices[first]), high=int(result.devices[-1]),
            first=f"{100 * result.mfu[first]:.0f}", last=f"{100 * result.mfu[-1]:.0f}",
        ),
    )  # fmt: skip
