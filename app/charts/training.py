"""Pictures of a training run: losses against their floor, the optimiser's pulse, maps on the way.

N steps made, M snapshots, L layers, H heads, T query positions, S key positions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app.charts.curves import Series, curve
from app.charts.maps import attention_grid
from app.figures import Figure
from labcore.architecture.build_train import BuildTrainResult, Progress, Snapshot

Text = Callable[..., str]


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """A run so far, in arrays: the same for a live run and for a finished one."""

    steps: np.ndarray  # (N,) from 1
    loss_nats: np.ndarray  # (N,)
    learning_rate: np.ndarray  # (N,)
    grad_norm: np.ndarray  # (N,)
    validation_steps: np.ndarray  # (M,) from 0
    validation_nats: np.ndarray  # (M,)
    floor_nats: float | None


def course_of_result(result: BuildTrainResult) -> Course:
    return Course(
        np.arange(1, len(result.loss_nats) + 1), result.loss_nats, result.learning_rate,
        result.grad_norm, result.validation_steps, result.validation_nats, result.floor_nats,
    )  # fmt: skip


def course_of_events(events: Sequence[Progress]) -> Course:
    made = [event for event in events if event.loss_nats is not None]
    judged = [event for event in events if event.validation_nats is not None]
    return Course(
        np.array([event.step for event in made]),
        np.array([event.loss_nats for event in made]),
        np.array([event.learning_rate for event in made]),
        np.array([event.grad_norm for event in made]),
        np.array([event.step for event in judged]),
        np.array([event.validation_nats for event in judged]),
        events[0].floor_nats,
    )


def losses(
    course: Course, total_steps: int, text: Text, guess: tuple[float, float] | None = None
) -> Figure:
    """Training and validation loss over steps, the floor below them, a locked guess as a point."""
    series = [
        Series(text("series.train"), course.steps, course.loss_nats, "train"),
        Series(
            text("series.validation"), course.validation_steps, course.validation_nats,
            "validation", points=True,
        ),
    ]  # fmt: skip
    if guess is not None:
        series.append(Series(text("series.guess"), [guess[0]], [guess[1]], "guess", points=True))
    floor = None
    if course.floor_nats is not None:
        floor = (course.floor_nats, text("series.floor", nats=f"{course.floor_nats:.3f}"))
    last = course.validation_nats[-1] if len(course.validation_nats) else np.nan
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.nats"), floor=floor,
        x_range=(0, total_steps), y_range=(0, None),
        alt=text("alt.losses", steps=len(course.steps), last=f"{last:.2f}"),
    )  # fmt: skip


def pulse(course: Course, total_steps: int, text: Text) -> Figure:
    """The gradient's norm, and the learning rate on the right-hand axis."""
    return curve(
        [
            Series(text("series.grad"), course.steps, course.grad_norm, "gradient"),
            Series(
                text("series.lr"), course.steps, course.learning_rate, "learning_rate", right=True
            ),
        ],
        x_title=text("axis.step"), y_title=text("axis.grad"), right_title=text("axis.lr"),
        x_range=(0, total_steps), log_y=True, height=260,
        alt=text("alt.pulse", steps=len(course.steps)),
    )  # fmt: skip


def maps(
    snapshot: Snapshot, layer: int, queries: Sequence[str], keys: Sequence[str], text: Text,
    causal: bool, cross: bool = False,
) -> Figure:  # fmt: skip
    """The heads of one layer as they were at one step."""
    weights = snapshot.cross_attention if cross else snapshot.attention
    return attention_grid(
        weights[layer] / np.float32(255), queries, keys, text, causal=causal, height=480,
        alt=text("alt.maps", step=snapshot.step, layer=layer),
    )  # fmt: skip
