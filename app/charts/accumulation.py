"""Pictures of gradient accumulation: what a token weighs, and what a wrong weight teaches."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from app.charts.bars import grouped
from app.charts.curves import Series, curve
from app.figures import Figure
from app.i18n import Words
from labcore.pretraining.accumulation_runs import Look, Study
from labcore.pretraining.mean_of_means import RULES, GradientResult

Text = Callable[..., str]

ROLES = {"tokens": "chosen", "means": "rejected"}


def weights(result: GradientResult, text: Words) -> Figure:
    """What one token of each micro-batch weighs under both rules; 1 is a fair share."""
    names = [
        text("micro_batch", number=number + 1, tokens=int(tokens))
        for number, tokens in enumerate(result.targets)
    ]
    parts = [(text(f"rule.{rule}"), result.weights[rule].tolist(), ROLES[rule]) for rule in RULES]
    most = max(result.weights["means"])
    return grouped(
        parts, names, text, value_title=text("axis.weight"),
        alt=text("alt.weights", most=f"{most:.2f}", least=f"{min(result.weights['means']):.2f}"),
    )  # fmt: skip


def ends(looks: Sequence[Look], taught: Sequence[float], steps: int, text: Text) -> Figure:
    """How often each model would end where short documents end, and what each rule teaches."""
    at = [look.step for look in looks]
    series = [
        Series(text(f"rule.{rule}"), at, [look.ends[q] for look in looks], ROLES[rule])
        for q, rule in enumerate(RULES)
    ]
    series += [
        Series(text("series.taught", rule=text(f"rule.{rule}")), [0, steps], [taught[q]] * 2,
               ROLES[rule], dashed=True)
        for q, rule in enumerate(RULES)
    ]  # fmt: skip
    last = looks[-1].ends
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.end"), x_range=(0, steps),
        y_range=(0, 1), alt=text("alt.ends", tokens=f"{last[0]:.2f}", means=f"{last[1]:.2f}"),
    )  # fmt: skip


def courses(
    looks: Sequence[Look], what: str, floor: float | None, steps: int, text: Text
) -> Figure:
    """`what` is "reported_nats", as each run would log it, or "held_out_nats", judged alike."""
    at = [look.step for look in looks]
    series = [
        Series(text(f"rule.{rule}"), at, [getattr(look, what)[q] for look in looks], ROLES[rule])
        for q, rule in enumerate(RULES)
    ]
    last = getattr(looks[-1], what)
    level = None if floor is None else (floor, text("series.floor", nats=f"{floor:.2f}"))
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.nats"), floor=level,
        x_range=(0, steps), height=280,
        alt=text(f"alt.{what}", tokens=f"{last[0]:.3f}", means=f"{last[1]:.3f}"),
    )  # fmt: skip


def recorded_looks(study: Study, arm: str) -> list[Look]:
    """The median over seeds, as if it were one run."""
    at = study.arms.index(arm)
    middle = [
        np.median(getattr(study, name)[at], axis=0)
        for name in ("reported_nats", "held_out_nats", "ends")
    ]
    last = int(study.steps[-1])
    return [
        Look(int(step), step / last, *(values[m] for values in middle))
        for m, step in enumerate(study.steps)
    ]


def summary(study: Study, text: Text) -> pd.DataFrame:
    """Every way of filling micro-batches: what means teach, what was learnt, what it costs."""
    rows = []
    for a, arm in enumerate(study.arms):
        learnt = study.ends[a, :, -5:].mean(axis=1)  # (W, Q): single looks jitter
        cost = study.held_out_nats[a, :, -1, 1] - study.held_out_nats[a, :, -1, 0]
        rows.append(
            (
                text(f"arm.{arm}"), f"{study.taught[a, 1]:.2f}",
                *(f"{learnt[:, q].mean():.2f} ({learnt[:, q].min():.2f}–{learnt[:, q].max():.2f})"
                  for q in (1, 0)),
                *(f"{study.written_short[a, :, q].mean():.0%}" for q in (1, 0)),
                f"{cost.mean():+.4f}",
            )
        )  # fmt: skip
    names = (
        "arm",
        "taught",
        "learnt_means",
        "learnt_tokens",
        "short_means",
        "short_tokens",
        "cost",
    )
    return pd.DataFrame(rows, columns=[text(f"column.{name}") for name in names])
