"""Reinforcement learning: what is earned, what it stands for, how far the policy has gone for it.

Axes: M looks.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from app.charts.curves import Series, curve
from app.figures import Figure
from app.i18n import Words
from labcore.tuning.rlhf import RLHFResult
from labcore.tuning.rlhf_config import RLHFConfig
from labcore.tuning.rlhf_exam import DRAWS, Look, pass_curve

QUIET_LOSS = 0.1
Line = tuple[list[int], list[float]]


def scores(looks: Sequence[Look], config: RLHFConfig, text: Words) -> Figure:
    """Sums solved, and the score that is being earned; for the verifier the two are one."""
    sampled, greedy = _line(looks, "sampled_right"), _line(looks, "greedy_right")
    series = [
        Series(text("series.sampled"), *sampled, "changed", points=True),
        Series(text("series.greedy"), *greedy, "changed", dashed=True),
    ]
    learned = config.reward != "verifier"
    if learned:
        proxy = Series(text("series.proxy"), *_line(looks, "proxy"), "reward", True, right=True)
        series.append(proxy)
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.right"),
        right_title=text("axis.proxy") if learned else "", x_range=(0, config.steps),
        y_range=(0, 1), height=300,
        alt=text(
            "alt.scores", start=f"{sampled[1][0]:.0%}", end=f"{sampled[1][-1]:.0%}",
            proxy=f"{looks[-1].proxy:.2f}",
        ),
    )  # fmt: skip


def distance(looks: Sequence[Look], config: RLHFConfig, text: Words) -> Figure:
    """How far the policy has gone, and how sure of itself it is."""
    gone = _line(looks, "divergence_nats")
    return curve(
        [
            Series(text("series.kl"), *gone, "divergence", points=True),
            Series(text("series.entropy"), *_line(looks, "entropy_nats"), "key", right=True),
        ],
        x_title=text("axis.step"), y_title=text("axis.kl"), right_title=text("axis.entropy"),
        x_range=(0, config.steps), y_range=(0, None), height=260,
        alt=text("alt.distance", kl=f"{gone[1][-1]:.2f}", entropy=f"{looks[-1].entropy_nats:.2f}"),
    )  # fmt: skip


def habits(looks: Sequence[Look], config: RLHFConfig, text: Words) -> Figure:
    """Exclamation marks and length: what the answers have come to look like."""
    marks = _line(looks, "marks")
    return curve(
        [
            Series(text("series.marks"), *marks, "rejected", points=True),
            Series(text("series.length"), *_line(looks, "length"), "expected"),
        ],
        x_title=text("axis.step"), y_title=text("axis.tokens"), x_range=(0, config.steps),
        y_range=(0, 8), height=240, alt=text("alt.habits", marks=f"{marks[1][-1]:.1f}"),
    )  # fmt: skip


def mechanics(looks: Sequence[Look], config: RLHFConfig, text: Words) -> Figure:
    """Groups without a lesson, tokens that the clip cuts off, and what a critic foretold."""
    series = [
        Series(text("series.dead"), *_line(looks, "dead"), "expected", points=True),
    ]
    if config.epochs > 1:
        series.append(Series(text("series.clipped"), *_line(looks, "clipped"), "key", points=True))
    if config.algorithm == "ppo":
        foretold = _line(looks, "foretold")
        series.append(Series(text("series.foretold"), *foretold, "value", points=True))
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.share"), x_range=(0, config.steps),
        y_range=(None, None), floor=(0.0, ""), height=240,
        alt=text("alt.mechanics", dead=f"{looks[-1].dead:.0%}"),
    )  # fmt: skip


def loss(looks: Sequence[Look], config: RLHFConfig, text: Words) -> Figure:
    """The value that a log would show, and the length of its gradient."""
    values = _line(looks, "loss")
    # PPO's credits cancel to the last digit: what is zero must look like zero.
    farthest = np.nanmax([QUIET_LOSS, *np.abs(values[1])])
    farthest = float(np.ceil(10 * farthest) / 10)
    return curve(
        [
            Series(text("series.loss"), *values, "train", points=True),
            Series(text("series.norm"), *_line(looks, "gradient_norm"), "gradient", right=True),
        ],
        x_title=text("axis.step"), y_title=text("axis.loss"), right_title=text("axis.norm"),
        x_range=(0, config.steps), y_range=(-farthest, farthest), floor=(0.0, ""), height=240,
        alt=text("alt.loss", loss=f"{values[1][-1]:+.3f}"),
    )  # fmt: skip


def _line(looks: Sequence[Look], name: str) -> Line:
    """subtle: NaN, as at step 0 for what only training tells, is left out by `curve`."""
    return [look.step for look in looks], [getattr(look, name) for look in looks]


def passes(result: RLHFResult, text: Words) -> Figure:
    """pass@k before and after one run."""
    before, after = pass_curve(result.right_before), pass_curve(result.right_after)
    return curve(
        [
            Series(text("series.before"), DRAWS, before, "baseline", dashed=True, points=True),
            Series(text("series.after"), DRAWS, after, "changed", points=True),
        ],
        x_title=text("axis.k"), y_title=text("axis.pass"), log_x=True, x_range=(1, DRAWS[-1]),
        y_range=(0, 1), height=260,
        alt=text(
            "alt.passes", one_before=f"{before[0]:.0%}", one_after=f"{after[0]:.0%}",
            many_before=f"{before[-1]:.0%}", many_after=f"{after[-1]:.0%}",
        ),
    )  # fmt: skip


def answers(
    prompts: Sequence[str], first: Sequence[str], then: Sequence[str], text: Words
) -> pd.DataFrame:
    """The same sums, answered at the start and at a look."""
    expected = [str(sum(map(int, prompt.rstrip("=").split("+")))) for prompt in prompts]
    marks = [
        "✓" if answer.rstrip("!") == right else ""
        for answer, right in zip(then, expected, strict=True)
    ]
    return pd.DataFrame(
        {
            text("column.sum"): prompts, text("column.first"): first,
            text("column.then"): then, text("column.right"): marks,
        }
    )  # fmt: skip


def mean_and_spread(runs: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Over seeds.  (S, M) -> (M,), (M,) and (M,)"""
    return runs.mean(axis=0), (runs.min(axis=0), runs.max(axis=0))
