"""The panels of a watched run: loss, gradient, updates, activations, the inside, speed.

All take a `RunLog`, whether of a live run, a finished one or a recorded one. `Band` is what healthy runs of
the same recipe looked like, drawn pale behind the line.

N steps, L blocks, M looks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app.charts.curves import Series, curve
from app.figures import Figure
from labcore.pretraining.monitor import Look
from labcore.training.signals import RunLog

Text = Callable[..., str]
PANEL_PIXELS = 250
FAR_ABOVE = 5  # times a guess that knows nothing: beyond it the axis of the loss is logarithmic
SMOOTH_STEPS = 5  # speed jumps from step to step: the median of five is drawn


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Several healthy runs of like length."""

    logs: Sequence[RunLog]

    def series(self, name: str, of: Callable[[RunLog], np.ndarray]) -> Series:
        """Their median, within the lowest and the highest."""
        values = np.stack([of(log) for log in self.logs])
        return Series(
            name, self.logs[0].step, np.median(values, axis=0), "baseline", dashed=True,
            spread=(values.min(axis=0), values.max(axis=0)),
        )  # fmt: skip


def losses(
    log: RunLog, steps: int, text: Text, guess: float | None = None, band: Band | None = None
) -> Figure:
    """Training and held-out loss over steps, the floor below them; a locked guess as a point."""
    series = [
        Series(text("series.train"), log.step, log.loss_nats, "train"),
        Series(text("series.validation"), log.step, log.validation_nats, "validation", points=True),
    ]
    if band is not None:
        series.append(band.series(text("series.healthy"), lambda one: one.loss_nats))
    if log.uniform_nats is not None:
        level = np.full(2, log.uniform_nats)
        series.append(Series(text("series.uniform"), [1, steps], level, "uniform", dashed=True))
    if guess is not None:
        series.append(Series(text("series.guess"), [steps], [guess], "guess", points=True))
    floor = None
    if log.floor_nats is not None:
        floor = (log.floor_nats, text("series.floor", nats=f"{log.floor_nats:.2f}"))
    seen = log.validation_nats[np.isfinite(log.validation_nats)]
    uniform = log.uniform_nats or np.inf
    far = bool((log.loss_nats[np.isfinite(log.loss_nats)] > FAR_ABOVE * uniform).any())
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.nats"), floor=floor,
        x_range=(0, steps), log_y=far, y_range=(None if far else 0, None),
        alt=text(
            "alt.losses", steps=len(log.step), train=f"{log.loss_nats[-1]:.2f}",
            held_out=f"{seen[-1]:.2f}" if len(seen) else "–",
        ),
    )  # fmt: skip


def gradient(
    log: RunLog, steps: int, clip_norm: float | None, text: Text, band: Band | None
) -> Figure:
    """The norm of the whole gradient before it is clipped."""
    series = [Series(text("series.grad"), log.step, log.grad_norm, "gradient")]
    if band is not None:
        series.append(band.series(text("series.healthy"), lambda one: one.grad_norm))
    if clip_norm is not None:
        level = np.full(2, clip_norm)
        name = text("series.clip", norm=f"{clip_norm:g}")
        series.append(Series(name, [1, steps], level, "expected", dashed=True))
    worst = _largest(log.grad_norm)
    return _panel(
        series, steps, text("axis.grad"), text,
        text("alt.gradient", largest=f"{log.grad_norm[worst]:.3g}", step=int(log.step[worst])),
    )  # fmt: skip


def rate(log: RunLog, steps: int, text: Text) -> Figure:
    """The learning rate that each update used."""
    series = [Series(text("series.rate"), log.step, log.learning_rate, "learning_rate")]
    peak = float(log.learning_rate.max())
    alt = text("alt.rate", first=f"{log.learning_rate[0]:.3g}", peak=f"{peak:.3g}")
    return _panel(series, steps, text("axis.rate"), text, alt, log_y=False, y_range=(0, None))


def updates(log: RunLog, steps: int, text: Text, band: Band | None) -> Figure:
    """How far each update moves the weights, measured by their own length: all, and block by block."""
    series = [Series(text("series.matrices"), log.step, log.update_ratio, "changed")]
    if band is not None:
        series.append(band.series(text("series.healthy"), lambda one: one.update_ratio))
    series += _by_block(log.step, log.layer_update_ratio, text, start=1)
    still = [n for n, ratio in enumerate(log.layer_update_ratio.T, 1) if not np.nanmax(ratio) > 0]
    return _panel(
        series, steps, text("axis.update"), text,
        text("alt.updates", median=f"{np.median(log.update_ratio):.3g}")
        + (text("alt.still", block=still[0]) if still else ""),
    )  # fmt: skip


def activations(log: RunLog, steps: int, text: Text) -> Figure:
    """The size of the residual stream as it leaves each block."""
    first, last = log.activation_rms[-1, 0], log.activation_rms[-1, -1]
    return _panel(
        _by_block(log.step, log.activation_rms, text), steps, text("axis.rms"), text,
        text("alt.activations", first=f"{first:.3g}", last=f"{last:.3g}"),
    )  # fmt: skip


def speed(log: RunLog, steps: int, flops_per_token: float | None, text: Text) -> Figure:
    """Tokens per second; where it is known, what that is in arithmetic."""
    tokens = _smooth(log.tokens_per_second)
    middle, name = float(np.median(tokens)), text("series.speed")
    if flops_per_token is not None:
        name = text("series.speed_flops", gflops=f"{middle * flops_per_token / 1e9:.1f}")
    return _panel(
        [Series(name, log.step, tokens, "communication")], steps, text("axis.speed"), text,
        text("alt.speed", median=f"{middle:,.0f}"), log_y=False, y_range=(0, None),
    )  # fmt: skip


def entropies(looks: Sequence[Look], steps: int, text: Text) -> Figure:
    """How widely attention is spread, block by block, beside attention that looks at all alike."""
    at = [look.step for look in looks]
    nats = np.stack([look.health.attention_nats for look in looks])
    level = np.full(2, looks[0].health.uniform_nats)
    series = _by_block(at, nats, text, points=True)
    series.append(Series(text("series.even"), [1, steps], level, "expected", dashed=True))
    return _panel(
        series, steps, text("axis.entropy"), text,
        text("alt.entropies", lowest=f"{nats[-1].min():.2f}", even=f"{level[0]:.2f}"),
        log_y=False, y_range=(0, None),
    )  # fmt: skip


def dead(looks: Sequence[Look], steps: int, text: Text) -> Figure:
    """The share of MLP units that no token of the probe raises above zero."""
    at = [look.step for look in looks]
    share = 100 * np.stack([look.health.dead_share for look in looks])
    return _panel(
        _by_block(at, share, text, points=True), steps, text("axis.dead"), text,
        text("alt.dead", most=f"{share[-1].max():.0f}"), log_y=False,
        y_range=(0, max(10.0, float(share.max()))),
    )  # fmt: skip


def _by_block(
    at: Sequence[int] | np.ndarray, values: np.ndarray, text: Text, points: bool = False,
    start: int = 0,
) -> list[Series]:  # fmt: skip
    """One line a block; colours from number `start` on.  (N, L)"""
    roles = ("query", "value", "key", "gradient", "cache", "dropped", "idle")[start:]
    return [
        Series(
            text("series.block", block=number + 1), at, column, roles[number % len(roles)],
            points=points, dashed=number >= len(roles),
        )
        for number, column in enumerate(values.T)
    ]  # fmt: skip


def _panel(
    series: Sequence[Series], steps: int, y_title: str, text: Text, alt: str, log_y: bool = True,
    y_range: tuple[float | None, float | None] = (None, None),
) -> Figure:  # fmt: skip
    return curve(
        series, x_title=text("axis.step"), y_title=y_title, alt=alt,
        x_range=(0, steps), y_range=y_range, log_y=log_y, height=PANEL_PIXELS,
    )  # fmt: skip


def _largest(values: np.ndarray) -> int:
    """Where the largest number stands; the last step if none is finite."""
    finite = np.where(np.isfinite(values), values, -np.inf)
    return int(finite.argmax()) if np.isfinite(finite).any() else len(values) - 1


def _smooth(values: np.ndarray) -> np.ndarray:
    """The median of each value and those before it."""
    starts = np.maximum(0, np.arange(len(values)) - SMOOTH_STEPS + 1)
    return np.array([np.median(values[start : at + 1]) for at, start in enumerate(starts)])
