"""Pictures of reading further than trained: loss against length, training curves, RoPE's cures and turns.

Axes: R seeds, E encodings or C cures, N context lengths, K steps.
"""

from collections.abc import Sequence

import numpy as np

from app.charts.curves import Series, curve
from app.figures import Figure
from app.i18n import Words
from labcore.architecture.positions_length import TRAINED_LENGTH, LengthResult

Curves = dict[str, tuple[np.ndarray, np.ndarray]]  # {encoding or cure: (lengths, nats)}
SMOOTH = 10  # training steps that one point of a training curve is the mean of


def against_length(
    kind: str, recorded: np.ndarray, names: Sequence[str], lengths: np.ndarray, floor_nats: float,
    text: Words, live: Curves | None = None, mark: int = TRAINED_LENGTH,
) -> Figure:  # fmt: skip
    """Loss of the same letters with more and more text before them.

    `recorded` (R, E, N) is drawn as mean and spread over seeds; `live` curves as lines before it, and then
    only their own encodings keep their band. `kind` is "encoding" or "cure".
    """
    series = []
    for place, name in enumerate(names):
        if live and name not in live:
            continue
        nats = recorded[:, place]  # (R, N)
        label = text(f"option.{kind}.{name}")
        series.append(
            Series(
                text("series.recorded", name=label) if live else label,
                lengths, nats.mean(axis=0), name, dashed=bool(live), points=not live,
                spread=(nats.min(axis=0), nats.max(axis=0)),
            )
        )  # fmt: skip
    for name, (reached, nats) in (live or {}).items():
        series.append(Series(text(f"option.{kind}.{name}"), reached, nats, name, points=True))
    floor = text("series.floor", nats=f"{floor_nats:.2f}")
    ends = [lengths[0], lengths[-1]]
    series.append(Series(floor, ends, [floor_nats, floor_nats], "floor", dashed=True))
    return curve(
        series, x_title=text("axis.context"), y_title=text("axis.nats"), log_x=True,
        x_range=(int(lengths[0]) / 2, int(lengths[-1]) * 2), y_range=(0, None), height=420,
        marks=[(mark, text("mark.trained", length=mark))], alt=text(f"alt.{kind}.length"),
    )  # fmt: skip


def training(
    result: LengthResult, text: Words, live: Curves | None = None, steps: int | None = None
) -> Figure:
    """Training loss of each encoding over the `steps` of the run; a point is the mean of ten steps."""
    if live is not None:
        series = [
            Series(text(f"option.encoding.{name}"), *smoothed(nats), name)
            for name, (_, nats) in live.items()
            if len(nats) >= SMOOTH
        ]
    else:
        series = []
        for place, name in enumerate(result.encodings):
            seeds = [smoothed(nats) for nats in result.train_nats[:, place]]
            nats = np.stack([nats for _, nats in seeds])
            series.append(
                Series(
                    text(f"option.encoding.{name}"), seeds[0][0], nats.mean(axis=0), name,
                    spread=(nats.min(axis=0), nats.max(axis=0)),
                )
            )  # fmt: skip
    return curve(
        series, x_title=text("axis.step"), y_title=text("axis.nats"), x_range=(0, steps), y_range=(0, None),
        alt=text("alt.training"), height=280,
    )  # fmt: skip


def smoothed(nats: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of ten steps, and the step at which each ended."""
    whole = len(nats) // SMOOTH * SMOOTH
    means = np.asarray(nats[:whole], np.float64).reshape(-1, SMOOTH).mean(axis=1)
    return np.arange(1, len(means) + 1) * SMOOTH, means


def turns(
    trained: np.ndarray, stretched: dict[str, np.ndarray], length: int, text: Words
) -> Figure:
    """How often each pair of channels goes round: in training, and over a long text with each cure."""
    pairs = np.arange(len(trained))
    series = [
        Series(text(f"option.cure.{name}"), pairs, values, name, points=True)
        for name, values in stretched.items()
    ]
    seen = text("series.seen", length=TRAINED_LENGTH)  # on top: linear scaling lies upon it
    series.append(Series(seen, pairs, trained, "guess", dashed=True))
    return curve(
        series, x_title=text("axis.pair"), y_title=text("axis.turns"), log_y=True,
        alt=text("alt.turns", length=length), height=320,
    )  # fmt: skip
