"""Pictures of the agent: its steps, and how often it succeeds. Axes: S seeds, L limits, F failure rates."""

import pandas as pd

from app.charts.bars import stacked
from app.charts.curves import Series, curve
from app.figures import Figure
from app.i18n import Words
from labcore.retrieval.agent import ENDS, Trace
from labcore.retrieval.agent_study import AgentStudy
from labcore.retrieval.agent_text import AGENTS
from labcore.retrieval.agent_world import KINDS

KIND_ROLES = {"one": "kept", "more": "changed", "both": "guess", "three": "divergence"}
AGENT_ROLES = {"careful": "kept", "naive": "dropped"}
END_ROLES = {"right": "kept", "wrong": "dropped", "no_steps": "baseline", "unreadable": "guess"}


def steps(trace: Trace, text: Words) -> pd.DataFrame:
    """The loop, decision by decision."""
    return pd.DataFrame(
        {
            "#": range(1, len(trace.steps) + 1),
            text("column.wrote"): [step.text for step in trace.steps],
            text("column.got"): [step.result for step in trace.steps],
            text("column.fate"): [
                "" if step.action == "answer" else text(f"fate.{step.fate}") for step in trace.steps
            ],
        }
    )


def by_steps(study: AgentStudy, text: Words) -> Figure:
    series = [
        _banded(text(f"option.kind.{kind}"), study.steps, study.by_steps[kind], KIND_ROLES[kind])
        for kind in KINDS
    ]
    return curve(
        series, x_title=text("axis.max_steps"), y_title=text("axis.right"), y_range=(0, 1),
        alt=text("alt.by_steps", values=_last(series)), height=340,
    )  # fmt: skip


def by_failure(study: AgentStudy, text: Words) -> Figure:
    series = [
        _banded(text(f"option.agent.{agent}"), study.failures, study.by_failure[agent], AGENT_ROLES[agent])
        for agent in AGENTS
    ]  # fmt: skip
    return curve(
        series, x_title=text("axis.failing"), y_title=text("axis.right"), y_range=(0, 1),
        alt=text("alt.by_failure", values=_last(series)), height=340,
    )  # fmt: skip


def poisoned(study: AgentStudy, text: Words) -> Figure:
    """How questions end, by what was planted."""
    parts = [
        (text(f"end.{end}"), [float(study.ends[name][:, n].mean()) for name in study.ends], END_ROLES[end])
        for n, end in enumerate(ENDS)
    ]  # fmt: skip
    bars = [text(f"planted.{name.replace('-', '_')}") for name in study.ends]
    right = ", ".join(f"{bar} {value:.0%}" for bar, value in zip(bars, parts[0][1], strict=True))
    return stacked(
        parts, bars, text, value_title=text("axis.share"), alt=text("alt.poisoned", values=right)
    )


def _banded(name: str, x, values, role: str) -> Series:
    spread = (values.min(axis=0), values.max(axis=0))
    return Series(name, x, values.mean(axis=0), role, points=True, spread=spread)


def _last(series: list[Series]) -> str:
    return "; ".join(f"{one.name}: {one.y[0]:.0%} – {one.y[-1]:.0%}" for one in series)
