"""Many runs in one picture: learning-rate valleys, a run that broke off, a search, this session's runs.

O optimisers, Q rates, R seeds, N steps, K trials.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from app.charts.curves import Series, curve
from app.figures import Figure
from labcore.pretraining.hyper_search import Trial
from labcore.pretraining.optimiser_study import StudyResult
from labcore.pretraining.resume_study import WAYS, ResumeResult

Text = Callable[..., str]
FAR_NATS = 40  # beyond it the axis of the loss is logarithmic
Point = tuple[str, float, float]  # optimiser, rate, nats


def valleys(study: StudyResult, names: Sequence[str], live: Sequence[Point], text: Text) -> Figure:
    """Held-out loss against the learning rate, a line for each optimiser, the learner's own points."""
    series = []
    for name in names:
        at = study.optimisers.index(name)
        nats = study.final_nats[at]  # (Q, R)
        spread = nats.min(axis=-1), nats.max(axis=-1)
        label, middle = text(f"option.optimiser.{name}"), np.median(nats, axis=-1)
        series.append(Series(label, study.rates[at], middle, name, points=True, spread=spread))
    for name, rate, nats in live:
        label = text("series.own", optimiser=text(f"option.optimiser.{name}"), rate=f"{rate:g}")
        series.append(Series(label, [rate], [nats], "live", points=True))
    bests = text("list.comma").join(
        f"{text(f'option.optimiser.{name}')} {study.best_rate(name):g}" for name in names
    )
    floor = (study.floor_nats, text("series.floor", nats=f"{study.floor_nats:.2f}"))
    return curve(
        series, x_title=text("axis.rate_log"), y_title=text("axis.held_out"), floor=floor,
        log_x=True, y_range=(0, float(np.ceil(study.uniform_nats))), height=400,
        alt=text("alt.valleys", bests=bests),
    )  # fmt: skip


def best_courses(study: StudyResult, text: Text) -> Figure:
    """Training losses over steps, each optimiser at its own best rate."""
    series, ends = [], []
    for at, name in enumerate(study.optimisers):
        losses = study.loss_nats[at, study.best(name)]  # (R, N)
        rate, label = study.best_rate(name), text(f"option.optimiser.{name}")
        series.append(
            Series(
                text("series.at_rate", optimiser=label, rate=f"{rate:g}"),
                np.arange(1, losses.shape[-1] + 1), np.median(losses, axis=0), name,
                spread=(losses.min(axis=0), losses.max(axis=0)),
            )
        )  # fmt: skip
        ends.append(f"{label} {np.median(losses[:, -1]):.2f}")
    floor = (study.floor_nats, text("series.floor", nats=f"{study.floor_nats:.2f}"))
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.nats"), floor=floor,
        y_range=(0, None), height=320, alt=text("alt.best_courses", ends=text("list.comma").join(ends)),
    )  # fmt: skip


def optimiser_table(study: StudyResult, text: Text) -> pd.DataFrame:
    """What each optimiser reached, and what it cost."""
    rows = []
    for at, name in enumerate(study.optimisers):
        best = study.best(name)
        nats = study.final_nats[at, best]
        rows.append(
            {
                text("column.optimiser"): text(f"option.optimiser.{name}"),
                text("column.best_rate"): f"{study.best_rate(name):g}",
                text(
                    "column.held_out"
                ): f"{np.median(nats):.2f} ({nats.min():.2f}–{nats.max():.2f})",
                text("column.width"): f"× {study.width(name):.3g}",
                text("column.memory"): f"{study.memory_share[at]:.2f}",
                text("column.step_time"): f"{study.step_milliseconds[at]:.0f}",
            }
        )
    return pd.DataFrame(rows)


def broken_off(
    losses: Mapping[str, tuple[np.ndarray, np.ndarray]], stop_after: int, steps: int, text: Text
) -> Figure:
    """The unbroken run and those that went on from its file.  {way: (steps, nats)}"""
    roles = {"unbroken": "baseline", "all": "kept", "no_memory": "dropped", "weights_only": "guess"}
    series = [
        Series(text(f"series.{way}"), x, y, roles[way], dashed=way == "all")
        for way, (x, y) in losses.items()
    ]
    ends = text("list.comma").join(
        f"{text(f'series.{way}')} {y[-1]:.2f}" for way, (_, y) in losses.items() if len(y)
    )
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.nats"), x_range=(0, steps),
        marks=((stop_after, text("mark.broken")),), y_range=(0, None), height=380,
        alt=text("alt.broken", step=stop_after, ends=ends or "–"),
    )  # fmt: skip


def courses_of(result: ResumeResult) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The lines of a finished study."""
    steps = np.arange(1, len(result.unbroken_nats) + 1)
    after = steps > result.stop_after
    lines = {"unbroken": (steps, result.unbroken_nats)}
    return lines | {
        way: (steps[after], nats[after]) for way, nats in zip(WAYS, result.loss_nats, strict=True)
    }


def search_course(trials: Sequence[Trial], floor_nats: float | None, text: Text) -> Figure:
    """Trial by trial: how it ended, and the best so far."""
    whole = [trial for trial in trials if not trial.cut and np.isfinite(trial.final_nats)]
    cut = [trial for trial in trials if trial.cut and np.isfinite(trial.final_nats)]
    numbers = np.array([trial.number + 1 for trial in whole])
    nats = np.array([trial.final_nats for trial in whole])
    best = np.minimum.accumulate(nats) if len(nats) else nats
    series = [
        Series(text("series.best"), numbers, best, "kept"),
        Series(text("series.trial"), numbers, nats, "changed", points=True, dashed=True),
        Series(
            text("series.cut"), [trial.number + 1 for trial in cut],
            [trial.final_nats for trial in cut], "dropped", points=True, dashed=True,
        ),
    ]  # fmt: skip
    floor = None
    if floor_nats is not None:
        floor = (floor_nats, text("series.floor", nats=f"{floor_nats:.2f}"))
    lowest = f"{best[-1]:.2f}" if len(best) else "–"
    return curve(
        series, x_title=text("axis.trial"), y_title=text("axis.held_out"), floor=floor,
        y_range=(0, None), height=320,
        alt=text("alt.search_course", trials=len(trials), best=lowest, cut=len(cut)),
    )  # fmt: skip


def search_rates(trials: Sequence[Trial], text: Text) -> Figure:
    """Where the search looked: each trial's rate and how it ended."""
    names = list(dict.fromkeys(trial.optimiser for trial in trials))
    series = []
    for name in names:
        points = sorted(
            (trial.learning_rate, trial.final_nats)
            for trial in trials
            if trial.optimiser == name and not trial.cut
        )
        label = text(f"option.optimiser.{name}")
        x, y = zip(*points, strict=True) if points else ((), ())
        series.append(Series(label, x, y, name, points=True, dashed=True))
    whole = [trial for trial in trials if not trial.cut]
    best = min(whole, key=lambda trial: trial.final_nats, default=None)
    return curve(
        series, x_title=text("axis.rate_log"), y_title=text("axis.held_out"), log_x=True,
        height=320,
        alt=text("alt.search_rates", rate="–" if best is None else f"{best.learning_rate:.3g}"),
    )  # fmt: skip


def overlay(lines: Mapping[str, tuple[Any, Any]], x_title: str, y_title: str, text: Text) -> Figure:
    """Runs of this session over one another.  {name: (x, nats)}"""
    far = any(np.nanmax(y, initial=0.0) > FAR_NATS for _, y in lines.values())
    series = [Series(name, x, y) for name, (x, y) in lines.items()]
    return curve(
        series, x_title=x_title, y_title=y_title, log_y=far, height=380,
        y_range=(None if far else 0, None), alt=text("alt.overlay", count=len(lines)),
    )  # fmt: skip
