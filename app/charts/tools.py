"""Tool use: what a schema ruled out, calls counted, two models learning, a loop and its limits.

Axes: P places, N requests, E looks, S seeds, F failure rates, C limits.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from app.charts.bars import grouped
from app.charts.constrained import written_and_likeliest
from app.charts.curves import Series, curve
from app.figures import Figure
from app.i18n import Words
from labcore.frontier.calling import Written
from labcore.frontier.calling_study import SCORES, WAYS, CallStudy
from labcore.frontier.learn_to_call import WAYS as LEARNERS
from labcore.frontier.learn_to_call import LearnStudy, Learnt, Look
from labcore.frontier.tool_loop import LoopStudy

ROLES = {"free": "baseline", "schema": "changed", "direct": "baseline", "call": "changed"}
SHOWN_PLACES = 40


def places(result: Written, text: Words) -> Figure:
    """Each token that was written, and below it what the model would rather have said."""
    shown = result.places[:SHOWN_PLACES]
    notes = [text("note.mass", percent=f"{100 * one.mass:.3g}") for one in shown]
    ruled_out = sum(not one.likeliest[0][2] for one in shown)
    alt = text("alt.places", count=len(shown), ruled_out=ruled_out)
    return written_and_likeliest(shown, notes, alt, text("hint.places"), text)


def scores(study: CallStudy, text: Words) -> Figure:
    """How many of the requests pass each question."""
    count = len(study.requests)
    parts = [
        (text(f"way.{way}"), [100 * float(study.scores[way][name].mean()) for name in SCORES], ROLES[way])
        for way in WAYS
    ]  # fmt: skip
    valid = {way: int(study.scores[way]["valid"].sum()) for way in WAYS}
    return grouped(
        parts, [text(f"score.{name}") for name in SCORES], text,
        alt=text("alt.scores", count=count, free=valid["free"], schema=valid["schema"]),
        value_title=text("axis.percent"), height=330,
    )  # fmt: skip


def score_table(study: CallStudy, text: Words) -> pd.DataFrame:
    """Request by request: what was written both ways, and what came of it."""
    rows = []
    for at, request in enumerate(study.requests):
        row = {text("column.request"): request, text("column.tool"): study.tools[at]}
        for way in WAYS:
            passed = [name for name in SCORES if study.scores[way][name][at]]
            verdict = text(f"score.{passed[-1]}") if passed else text("score.none")
            row[text(f"way.{way}")] = study.texts[way][at]
            row[text("column.verdict", way=text(f"way.{way}"))] = verdict
        rows.append(row)
    return pd.DataFrame(rows)


def learning(looks: Sequence[Look], text: Words) -> Figure:
    """Right answers while both models are being taught."""
    by_way = {way: [look for look in looks if look.way == way] for way in LEARNERS}
    return _learnt(
        {
            way: ([o.step for o in one], [o.right for o in one])
            for way, one in by_way.items()
            if one
        },
        text,
    )


def learnt(result: Learnt, text: Words) -> Figure:
    return _learnt({way: (result.steps, result.right[way]) for way in LEARNERS}, text)


def _learnt(courses: dict, text: Words) -> Figure:
    series = [
        Series(
            text(f"learner.{way}"), steps, [100 * float(r) for r in right], ROLES[way], points=True
        )
        for way, (steps, right) in courses.items()
    ]
    last = {way: 100 * float(right[-1]) for way, (_, right) in courses.items()}
    return curve(
        series, x_title=text("axis.updates"), y_title=text("axis.right"), y_range=(0, 100),
        alt=text("alt.learnt", direct=f"{last.get('direct', 0):.1f}", call=f"{last.get('call', 0):.1f}"),
    )  # fmt: skip


def learn_study(study: LearnStudy, task: str, text: Words) -> Figure:
    """Three seeds of both models on one task: median, lowest, highest."""
    series = [
        Series(
            text(f"learner.{way}"), study.steps, 100 * np.median(rows, axis=0), ROLES[way], points=True,
            spread=(100 * rows.min(axis=0), 100 * rows.max(axis=0)),
        )
        for way, rows in study.right[task].items()
    ]  # fmt: skip
    return curve(
        series, x_title=text("axis.updates"), y_title=text("axis.right"), y_range=(0, 100), height=280,
        alt=text("alt.learn_study", direct=f"{100 * study.right[task]['direct'][:, -1].max():.1f}"),
    )  # fmt: skip


def loop_study(study: LoopStudy, text: Words) -> Figure:
    """Right answers over the chance of failure, one line for each limit of calls."""
    series = [
        Series(text("series.calls", calls=int(calls)), 100 * study.failing, 100 * study.right[:, at],
               points=True)
        for at, calls in enumerate(study.most_calls)
    ]  # fmt: skip
    return curve(
        series, x_title=text("axis.failing"), y_title=text("axis.right"), y_range=(0, 100),
        alt=text("alt.loop_study", best=f"{100 * study.right[-1, -1]:.0f}",
                 worst=f"{100 * study.right[-1, 0]:.0f}"),
    )  # fmt: skip


def wrong_results(study: LoopStudy, text: Words) -> Figure:
    """Right answers over the chance that a tool's result is wrong; nobody notices."""
    line = Series(
        text("series.model"), 100 * study.wrong, 100 * study.right_wrong, "changed", points=True
    )
    # both calls must be right: (1 − p)²
    none = Series(
        text("series.both"), 100 * study.wrong, 100 * (1 - study.wrong) ** 2, "floor", dashed=True
    )
    return curve(
        [line, none], x_title=text("axis.wrong"), y_title=text("axis.right"), y_range=(0, 100),
        alt=text("alt.wrong", worst=f"{100 * study.right_wrong[-1]:.0f}"), height=260,
    )  # fmt: skip
