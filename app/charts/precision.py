"""Pictures of training with few bits: where runs end, and what vanishes on the way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from app.charts.curves import Series, curve
from app.figures import Figure
from labcore.pretraining.precision_runs import PrecisionResult, Step, Study

Text = Callable[..., str]
Arm = tuple[str, int]  # a recipe, and how far the gradients are shrunk

ROLES = {
    "fp32": "baseline",
    "master": "master",
    "bf16": "bf16",
    "stochastic": "by_chance",
    "fp16": "fp16",
    "fp16_weights": "by_chance",
    "fp16_master": "master",
    "fp16_dynamic": "master",
}


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """A run so far: the same for a live run and for a finished one."""

    look_steps: np.ndarray
    held_out_nats: np.ndarray
    steps: np.ndarray
    lost: np.ndarray
    zeros: np.ndarray


def course_of_result(result: PrecisionResult) -> Course:
    steps = np.arange(1, len(result.lost) + 1)
    return Course(result.look_steps, result.held_out_nats, steps, result.lost, result.zeros)


def course_of_events(events: Sequence[Step]) -> Course:
    looks = [event for event in events if event.held_out_nats is not None]
    return Course(
        np.array([event.step for event in looks]),
        np.array([event.held_out_nats for event in looks]),
        np.array([event.step for event in events]),
        np.array([event.lost for event in events]),
        np.array([event.zeros for event in events]),
    )


def name_of(arm: Arm, text: Text) -> str:
    name = text(f"option.recipe.{arm[0]}")
    return text("arm.shrunk", recipe=name) if arm[1] else name


def losses(
    study: Study, arms: Sequence[Arm], live: Course | None, highest: float, text: Text
) -> Figure:
    """Held-out loss over steps: medians and spread over seeds, and the learner's own run."""
    series = [_recorded(study, arm, "held_out_nats", study.look_steps, text) for arm in arms]
    if live is not None and len(live.look_steps):
        series.append(
            Series(text("series.live"), live.look_steps, live.held_out_nats, "live", points=True)
        )
    ends = text("list.comma").join(f"{one.name} {one.y[-1]:.2f}" for one in series if len(one.y))
    floor = (study.floor_nats, text("series.floor", nats=f"{study.floor_nats:.2f}"))
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.nats"), floor=floor,
        x_range=(0, int(study.look_steps[-1])), y_range=(0, highest),
        alt=text("alt.losses", ends=ends), height=380,
    )  # fmt: skip


def vanishing(
    study: Study, arms: Sequence[Arm], what: str, live: Course | None, text: Text
) -> Figure:
    """`what` is "lost" (updates rounded away) or "zeros" (gradients that are 0), in per cent of all."""
    steps = np.arange(1, study.lost.shape[2] + 1)
    series = [_recorded(study, arm, what, steps, text, 100) for arm in arms]
    if live is not None and len(live.steps):
        values = 100 * _smooth(getattr(live, what))
        series.append(Series(text("series.live"), live.steps, values, "live"))
    return curve(
        series, x_title=text("axis.step"), y_title=text(f"axis.{what}"), x_range=(0, len(steps)),
        y_range=(0, None), alt=text(f"alt.{what}"), height=280,
    )  # fmt: skip


def _recorded(
    study: Study, arm: Arm, what: str, steps: np.ndarray, text: Text, factor: float = 1
) -> Series:
    """One arm over its seeds; a run that broke off has no line."""
    values = factor * getattr(study, what)[study.arms.index(arm)]  # (W, M) or (W, N)
    values = values[:, : len(steps)]
    if len(steps) > study.held_out_nats.shape[2]:
        values = np.array([_smooth(one) for one in values])
    spread = (values.min(axis=0), values.max(axis=0))
    # In a large batch the run without a scale has the colour of what goes wrong.
    role = "fp16" if arm[0] == "fp16_master" and arm[1] else ROLES[arm[0]]
    name = name_of(arm, text)
    return Series(name, steps, np.median(values, axis=0), role, spread=spread)


def _smooth(values: np.ndarray, window: int = 5) -> np.ndarray:
    """The mean of each step and the few before it: single steps jump."""
    return pd.Series(values).rolling(window, min_periods=1).mean().to_numpy()


def summary(study: Study, arms: Sequence[Arm], text: Text) -> pd.DataFrame:
    """Where each recipe ends, what it costs in memory, and what became of the norms' weights."""
    rows = []
    for arm in arms:
        at = study.arms.index(arm)
        ends, gains = study.held_out_nats[at, :, -1], study.gains[at]
        broke = bool(np.isnan(ends).any())
        lost = np.nanmean(study.lost[at, :, -20:]) if not broke else np.nan
        rows.append(
            (
                name_of(arm, text), study.bytes_per_parameter[at],
                text("summary.broke", steps=int(np.isfinite(study.lost[at]).sum(axis=1).max()))
                if broke
                else f"{np.median(ends):.3f} ({ends.min():.3f}–{ends.max():.3f})",
                "–" if broke else f"{lost:.0%}", f"{gains[:, 1].max():.4g}",
            )
        )  # fmt: skip
    return pd.DataFrame(
        rows,
        columns=[text(f"column.{name}") for name in ("recipe", "bytes", "end", "lost", "gains")],
    )
