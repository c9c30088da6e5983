"""Pictures of the leak: two losses and the floor between them; the loss at every position.

N seeds, M looks at held-out text, T positions.
"""

from collections.abc import Callable, Sequence

import numpy as np

from app.charts.curves import Series, curve
from app.figures import Figure
from labcore.architecture.causal_leak import KINDS, CausalLeakResult, Progress

Text = Callable[..., str]
ROLES = {"masked": "chosen", "open": "rejected"}


def line(name: str, x: Sequence[int] | np.ndarray, values: np.ndarray, role: str, **drawn: bool):
    """The mean over seeds, and with more than one of them its spread.  values (N, …)"""
    spread = (values.min(axis=0), values.max(axis=0)) if len(values) > 1 else None
    return Series(name, x, values.mean(axis=0), role, spread=spread, **drawn)


def losses(
    steps: Sequence[int] | np.ndarray, nats: np.ndarray, floor_nats: float, total: int, text: Text,
    recorded: CausalLeakResult | None = None,
) -> Figure:  # fmt: skip
    """Held-out loss of both models, nats (N, 2, M); the recorded seeds as a band behind one live run."""
    series = [line(text(f"series.{kind}"), steps, nats[:, n], ROLES[kind], points=True)
              for n, kind in enumerate(KINDS)]  # fmt: skip
    if recorded is not None:
        seeds = len(recorded.nats)
        series += [
            line(
                text(f"series.{kind}.recorded", seeds=seeds), recorded.steps, recorded.nats[:, n],
                ROLES[kind], dashed=True,
            )
            for n, kind in enumerate(KINDS)
        ]  # fmt: skip
    last = nats[:, :, -1].mean(axis=0)
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.nats"), x_range=(0, total),
        y_range=(0, None), floor=(floor_nats, text("series.floor", nats=f"{floor_nats:.3f}")),
        alt=text(
            "alt.losses", masked=f"{last[0]:.2f}", open=f"{last[1]:.2f}", floor=f"{floor_nats:.2f}"
        ),
    )  # fmt: skip


def losses_of_events(
    events: Sequence[Progress], total: int, text: Text, recorded: CausalLeakResult | None
) -> Figure:
    looks = [event for event in events if event.nats is not None]
    nats = np.array([look.nats for look in looks]).T[None]
    steps = [look.step for look in looks]
    return losses(steps, nats, events[0].floor_nats, total, text, recorded)


def positions(result: CausalLeakResult, text: Text) -> Figure:
    """The loss at every position: masked, leaking with the whole text in sight, leaking when it writes."""
    where = np.arange(1, result.by_position.shape[2] + 1)
    series = [
        line(text("series.masked"), where, result.by_position[:, 0], "chosen"),
        line(text("series.open"), where, result.by_position[:, 1], "rejected"),
        line(text("series.writing"), where, result.by_prefix[:, 1], "rejected", dashed=True),
    ]
    series.append(
        Series(text("series.floor_here"), where, result.floor_by_position, "floor", dashed=True)
    )
    writing, guess = result.by_prefix[:, 1].mean(), result.uniform_nats
    return curve(
        series, x_title=text("axis.position"), y_title=text("axis.nats"), y_range=(0, None),
        floor=(guess, text("series.uniform", nats=f"{guess:.2f}")),
        alt=text(
            "alt.positions", writing=f"{writing:.2f}",
            last=f"{result.by_position[:, 1, -1].mean():.2f}",
        ),
    )  # fmt: skip
